"""Steps of the optimizers of one environment, for `optimizers.py` and `growth.py`.

`KERAS_BACKEND` sets the backend. The script needs only the package that it measures, so
it also runs in the environment of TensorFlow Addons.
"""

import functools
import importlib
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from _report import cores
from _server import sees_gpu
from _server import serve

WIDTH, TOKENS, VOCABULARY = 512, 512, 32_000  # sizes of the transformer


def shapes(problem):
    """Shapes of the variables of a problem, such as `"matrices:300"`.

    Args:
        problem: A kind and a number: the size of one vector, the number of matrices of
            64 x 64, or the number of layers of a transformer.
    """
    kind, count = problem.split(":")
    count = int(count)
    if kind == "vector":
        return [(count,)]
    if kind == "matrices":
        return [(64, 64)] * count
    vector = (WIDTH,)
    attention = [(WIDTH, 3 * WIDTH), (3 * WIDTH,), (WIDTH, WIDTH), vector]
    dense = [(WIDTH, 4 * WIDTH), (4 * WIDTH,), (4 * WIDTH, WIDTH), vector]
    normalization = [vector] * 2
    layer = [*normalization, *attention, *normalization, *dense]
    return [(VOCABULARY, WIDTH), (TOKENS, WIDTH), *layer * count, *normalization]


def size_of(problem):
    return sum(int(np.prod(shape)) for shape in shapes(problem))


def names(problem):
    """Names of the variables, by which Muon knows kernels."""
    found = ["bias" if len(shape) < 2 else "kernel" for shape in shapes(problem)]
    if problem.startswith("transformer"):
        found[:2] = "token_embeddings", "position_embeddings"
    return found


@functools.lru_cache(maxsize=1)
def arrays(problem):
    """Weights, and gradients whose columns have magnitudes from 1e-4 to 1."""
    random = np.random.default_rng(0)
    weights, gradients = [], []
    for shape in shapes(problem):
        weights.append(random.standard_normal(shape, "float32"))
        powers = np.float32([1e-4, 1e-3, 1e-2, 1e-1, 1])
        magnitudes = powers[random.integers(0, 5, shape[-1])]
        gradients.append(random.standard_normal(shape, "float32") * magnitudes)
    return weights, gradients


def of_keras(optimizer, mode, names, weights, gradients):
    """The step, and the size of the optimizer state in bytes."""
    import keras
    from keras import ops

    variables = [
        keras.Variable(w.copy(), name=name)
        for name, w in zip(names, weights, strict=True)
    ]
    gradients = [ops.convert_to_tensor(g) for g in gradients]
    optimizer.build(variables)
    slots = sum(4 * int(np.prod(v.shape)) for v in optimizer.variables if v.ndim)
    backend = keras.backend.backend()
    if backend == "jax":
        state = [v.value for v in optimizer.variables]
        values = [v.value for v in variables]
        return of_jax(optimizer.stateless_apply, state, gradients, values), slots
    if backend == "torch":
        return of_torch(lambda: optimizer.apply(gradients, variables)), slots
    step = of_tensorflow(lambda g: optimizer.apply(g, variables), gradients, mode)
    return step, slots


def of_tfa(name, mode, weights, gradients):
    import tensorflow as tf
    import tensorflow_addons as tfa

    variables = [tf.Variable(w) for w in weights]
    gradients = [tf.constant(g) for g in gradients]
    needed = {"ConditionalGradient": {"learning_rate": 0.01, "lambda_": 1.0}}
    optimizer = getattr(tfa.optimizers, name)(**needed.get(name, {}))

    def apply(gradients):
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    return of_tensorflow(apply, gradients, mode)


def of_tensorflow(apply, gradients, mode):
    import tensorflow as tf

    if mode != "eager":
        apply = tf.function(apply, jit_compile=mode == "XLA")

    def step():
        apply(gradients)
        tf.test.experimental.sync_devices()

    return step


def of_jax(apply, state, gradients, values):
    import jax

    # The new weights and state reuse the memory of the old ones. They are returned in
    # the order of the arguments, as Keras does; in another order, JAX copies them.
    update = jax.jit(
        lambda values, state, gradients: apply(state, gradients, values),
        donate_argnums=(0, 1),
    )
    # Some parts of the state share memory, which can be donated only once.
    now = jax.tree.map(jax.numpy.copy, (values, state))

    def step():
        nonlocal now
        now = jax.block_until_ready(update(*now, gradients))

    return step


def of_optax(name, names, weights, gradients):
    import optax
    from jax import numpy as jnp

    module = optax if hasattr(optax, name) else optax.contrib
    arguments = {} if name == "cocob" else {"learning_rate": 1e-3}
    if name == "muon":
        kernel = module.MuonDimensionNumbers()
        # A function, because `None` in a tree would be a missing part of it.
        arguments["muon_weight_dimension_numbers"] = lambda weights: [
            kernel if name == "kernel" else None for name in names
        ]
    optimizer = getattr(module, name)(**arguments)
    values = [jnp.asarray(w) for w in weights]

    def apply(state, gradients, values):
        updates, state = optimizer.update(gradients, state, values)
        return optax.apply_updates(values, updates), state

    gradients = [jnp.asarray(g) for g in gradients]
    return of_jax(apply, optimizer.init(values), gradients, values)


def of_torch(apply):
    import torch

    def step():
        apply()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    return step


def of_parameters(package, name, names, weights, gradients):
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    parameters = [torch.tensor(w, device=device, requires_grad=True) for w in weights]
    for parameter, g in zip(parameters, gradients, strict=True):
        parameter.grad = torch.tensor(g, device=device)
    module = importlib.import_module(package)
    name, *way = name.split()  # "Adam fused", for example
    cls, arguments = getattr(module, name), dict.fromkeys(way, True)
    if name == "Muon" and package == "pytorch_optimizer":
        are_kernels = [name == "kernel" for name in names]
        parameters = [
            {
                "params": [
                    parameter
                    for parameter, is_kernel in zip(
                        parameters, are_kernels, strict=True
                    )
                    if is_kernel == use_muon
                ],
                "use_muon": use_muon,
            }
            for use_muon in sorted(set(are_kernels))
        ]
    return of_torch(cls(parameters, **arguments).step)


def of_copy(size):
    """Copies an array twice as large as the weights: as much memory traffic as Adam."""
    source = np.ones(2 * size, "float32")
    if not sees_gpu():
        target, threads = np.zeros_like(source), cores()
        parts = list(
            zip(
                np.array_split(source, threads),
                np.array_split(target, threads),
                strict=True,
            )
        )
        pool = ThreadPoolExecutor(threads)
        return lambda: list(pool.map(lambda part: np.copyto(part[1], part[0]), parts))
    backend = os.environ["KERAS_BACKEND"]
    if backend == "torch":
        import torch

        source = torch.tensor(source, device="cuda")
        target = torch.zeros_like(source)
        return of_torch(lambda: target.copy_(source))
    if backend == "jax":
        import jax

        source, copy = jax.numpy.asarray(source), jax.jit(jax.numpy.copy)
        return lambda: copy(source).block_until_ready()
    import tensorflow as tf

    source = tf.constant(source)
    return of_tensorflow(lambda source: source + 1, source, "XLA")


def make(package, name, mode, problem):
    """A step of an optimizer, and the number of bytes that it must move.

    All arrays are `float32`. The step reads gradients, and reads and writes weights and
    state.
    """
    if package == "copy":
        size = size_of(problem)
        return of_copy(size), {"bytes": 4 * 4 * size}
    given = arrays(problem)
    period = {"period": 10} if name.startswith("SOAP") else {}  # of its new bases
    if package == "tfa":
        return of_tfa(name, mode, *given), {}
    if package == "optax":
        return of_optax(name, names(problem), *given), {}
    if package in ("torch.optim", "pytorch_optimizer"):
        return of_parameters(package, name, names(problem), *given), period
    if package == "keras":
        from keras import optimizers
    else:
        from tfx_extras import optimizers
    is_torch = package != "keras" and os.environ["KERAS_BACKEND"] == "torch"
    compiles = {"compiled": True, "eager": False}.get(mode) if is_torch else None
    arguments = {"beta_1": 0.0} if name == "AdamW without momentum" else {}
    optimizer = getattr(optimizers, name.split()[0])(**arguments)
    if compiles is not None:
        optimizer.jit_compile = compiles
    if package == "plain":
        if not optimizer.has_fast_paths:
            raise ValueError("this optimizer has no fast paths to turn off")
        optimizer.has_fast_paths = False
    step, slots = of_keras(optimizer, mode, names(problem), *given)
    known = {"bytes": 3 * 4 * size_of(problem) + 2 * slots} | period
    return step, known | ({"programs": programs} if mode == "compiled" else {})


def programs():
    """The number of programs that PyTorch has made in this process."""
    from torch._dynamo.utils import counters

    return counters["stats"]["unique_graphs"]


if __name__ == "__main__":
    serve(make)
