"""Calls of optimizers, wrappers, schedules, layers and callbacks.

Optimizers get hyperparameters at the ends of their intervals, and gradients that are
missing, empty, zero, tiny, huge, infinite, NaN, or of another shape or dtype. If the
gradients are finite and at most 1e15, weights and state must be finite. A gradient of
another shape must raise an error that says so, and change nothing. Schedules get steps
that are negative, huge, fractional and in arrays; all rates must be finite and not
negative.
"""

import keras
import numpy as np
from keras import ops

from tests.cases import OPTIMIZERS
from tests.cases import SCHEDULES
from tests.cases import WRAPPERS
from tests.tools import array
from tfx_extras import callbacks
from tfx_extras import layers
from tfx_extras import optimizers

SHAPES = ((), (1,), (3,), (2, 3), (0,), (2, 0), (1, 1, 2), (2, 3, 4), (5, 1))
EXTREMES = {
    "learning_rate": (0.0, 1e-30, 1e-8, 1.0),
    "beta_1": (0.0, 0.5, 1 - 1e-6),
    "beta_2": (0.0, 0.5, 1 - 1e-6),
    # A minimum, since with beta_2=0 and no gradient Adam's step is momentum / epsilon.
    "epsilon": (1e-15, 1e-8, 1.0, 1e6),
    "weight_decay": (0.0, 1e-30, 0.5),
    "clipnorm": (1e-30, 1.0, 1e15),
    "clipvalue": (1e-30, 1.0, 1e15),
    "global_clipnorm": (1e-30, 1.0, 1e15),
    "loss_scale_factor": (1e-3, 1.0, 2.0**15),
    "use_ema": (True,),
    "ema_momentum": (0.0, 0.5, 1.0),
    "gradient_accumulation_steps": (2, 3),
    "independent_decay": (True,),
    "amsgrad": (True,),
    "rectify": (True, False),
    "initial_accumulator_value": (1e-30, 1.0, 1e6),
    "l1_regularization_strength": (0.0, 1e-30, 1.0),
    "l2_regularization_strength": (0.0, 1e-30, 1.0),
}
OPTIONS = tuple(optimizers.OptimizerOptions.__annotations__)
SCALES = (0.0, 1e-38, 1e-30, 1e-15, 1e-3, 1.0, 1e3, 1e9, 1e15)
STEPS = (-(2**31), -(2**24) - 1, -1, 0, 1, 7, 2**24 + 1, 2**31 - 1)


def attempt(random, i):
    kinds = (of_optimizer, of_optimizer, of_optimizer, of_schedule, of_schedule)
    if i % 50 == 49:
        kind = (of_layer, of_callback)[i % 100 // 50]
    else:
        kind = kinds[i % len(kinds)]
    return kind(random)


def optimizer(random):
    """An optimizer of a case, with some arguments at the ends of their intervals."""
    case = OPTIMIZERS[random.integers(len(OPTIMIZERS))]
    names = [*case.cls.__init__.__annotations__, *OPTIONS]
    chosen = case.kwargs | {
        name: EXTREMES[name][random.integers(len(EXTREMES[name]))]
        for name in names
        if name in EXTREMES and random.random() < 0.25
    }
    clips = [n for n in ("clipnorm", "clipvalue", "global_clipnorm") if n in chosen]
    for name in clips[1:]:  # only one kind of clipping is allowed
        del chosen[name]
    rate = chosen.pop("learning_rate", 2.0**-6)
    made = case.cls(rate, **chosen)
    text = f"{case.cls.__name__}({rate}, {chosen})"
    if random.random() < 0.3:
        wrapper = WRAPPERS[random.integers(len(WRAPPERS))]
        made = wrapper.cls(made, **wrapper.kwargs)
        text = f"{wrapper.cls.__name__}({wrapper.kwargs}, {text})"
    return made, text


def numbers(random, shape, dtype):
    scale = random.choice(SCALES)
    x = random.normal(size=shape) * scale
    if random.random() < 0.2:
        x = np.abs(x) * 0 + scale
    most = 1.0 if dtype == "float16" else 1e15  # a weight has to hold it, too
    return ops.cast(np.clip(x, -most, most).astype("float32"), dtype)


def of_optimizer(random):
    made, text = optimizer(random)
    dtypes = ("float32", "float32", "float16", "bfloat16")
    dtype = str(random.choice(dtypes))
    shapes = [SHAPES[random.integers(len(SHAPES))] for _ in range(random.integers(4))]
    variables = [
        keras.Variable(ops.cast(random.normal(size=s), dtype), dtype=dtype, name="w")
        for s in shapes
    ]
    text = f"{text}, {dtype} {shapes}"
    finite = True
    for _ in range(3):
        grads = [numbers(random, s, dtype) for s in shapes]
        kind = random.integers(8)
        if kind == 0 and grads:
            grads[0] = None
        elif kind == 1 and grads:
            bad = str(random.choice(["nan", "inf", "-inf"]))
            grads[-1] = ops.full(shapes[-1], float(bad), dtype=dtype)
            finite = finite and 0 in shapes[-1]
        elif kind == 2 and grads:
            grads[0] = np.zeros((*shapes[0], 7), "float32")
            before = [array(v) for v in variables]
            try:
                made.apply(grads, variables)
                return text, "a gradient of another shape was accepted"
            except ValueError as error:
                if "shape" not in str(error):
                    return text, f"unclear: {error}"
            after = [array(v) for v in variables]
            if not all(map(same, before, after)):
                return text, "a gradient of another shape changed something"
            continue
        elif kind == 3:
            grads = [array(g).astype("float64") for g in grads]
        elif kind == 4 and grads:
            grads = grads[:-1]
        try:
            made.apply(grads, variables)
        except ValueError as error:
            if not variables or kind == 4 or all(g is None for g in grads):
                continue  # Keras raises an error for missing or too few gradients
            return text, f"ValueError: {error}"
    if finite and dtype != "float16":  # float16 weights soon overflow
        for v in [*variables, *made.variables]:
            x = array(v)
            if x.size and x.dtype.kind == "f" and not np.isfinite(x).all():
                return text, f"{v.path} is not finite: {x.ravel()[:4]}"
    return text, None


def same(a, b):
    return np.array_equal(a, b, equal_nan=True)


def of_schedule(random):
    case = SCHEDULES[random.integers(len(SCHEDULES))]
    chosen = dict(case.kwargs)
    changes = case.changes.items()
    chosen |= {name: value for name, value in changes if random.random() < 0.3}
    try:
        made = case.cls(**chosen)
    except ValueError as error:  # two changes that exclude each other
        return f"{case.cls.__name__}({chosen})", None if "`" in str(error) else str(
            error
        )
    step = STEPS[random.integers(len(STEPS))] + int(random.integers(-3, 4))
    step = min(max(step, -(2**31)), 2**31 - 1)
    kinds = (
        int,
        float,
        lambda x: x + 0.5,
        lambda x: float(x) * 1e9,
        np.int32,
        np.int64,
        lambda x: np.arange(4) + x,
        lambda x: np.full((2, 3), x, "float32"),
        lambda x: np.zeros((0,), "int32"),
        lambda x: ops.convert_to_tensor(x, "int32"),
        lambda x: ops.convert_to_tensor(x, "float32"),
        lambda x: keras.Variable(x, dtype="int32", trainable=False),
    )
    step = kinds[random.integers(len(kinds))](step)
    text = f"{case.cls.__name__}({chosen}), step {step!r}"
    rates = array(made(step))
    if tuple(rates.shape) != tuple(getattr(step, "shape", ())):
        return text, f"of the shape {rates.shape}"
    if not np.isfinite(rates).all() or (rates < 0).any():
        return text, f"rates {rates}"
    return text, None


def of_layer(random):
    """Tries a wrong number of rows, labels that are out of range, and huge values."""
    classes, width = int(random.integers(1, 9)), int(random.integers(1, 5))
    layer = layers.ChunkedLinearCrossentropy(classes)
    rows = int(random.integers(0, 5))
    x = numbers(random, (rows, width), "float32")
    labels = random.integers(-1, classes + 1, (rows,)).astype("int32")
    text = f"ChunkedLinearCrossentropy({classes}), {labels}, {width}"
    valid = ((labels >= 0) & (labels < classes)).all()
    try:
        loss = array(layer(x, labels))
    except ValueError as error:
        clear = "y_true" in str(error) or "rank" in str(error)
        return text, None if clear and not valid else str(error)
    if valid and not np.isfinite(loss).all():
        return text, f"loss {loss}"
    return text, None


def of_callback(random):
    """Runs a fit of one step, with optimizers that have no average."""
    made, text = optimizer(random)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(made, loss="mse", run_eagerly=True)
    x = random.normal(size=(4, 2)).astype("float32")
    swap = callbacks.SwapAverage(swap_on_epoch=bool(random.integers(2)))
    watch = callbacks.LearningRateLogger()
    try:
        chosen = [watch, swap] if random.integers(2) else [watch]
        model.fit(x, x[:, :1], batch_size=2, verbose=0, callbacks=chosen)
    except ValueError as error:
        clear = "average" in str(error)
        return f"callbacks({text})", None if clear else str(error)
    weights = model.get_weights()
    finite = all(np.isfinite(w).all() for w in weights)
    return f"callbacks({text})", None if finite else f"weights {weights}"
