"""What holds on a GPU for every object, tested on a simulated GPU."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import LOSSES
from tests.cases import OPTIMIZERS
from tests.cases import SCHEDULES
from tests.cases import WRAPPERS
from tests.cases import each
from tests.cases import each_class
from tests.tools import BACKEND
from tests.tools import array
from tests.tools import gradient
from tfx_extras.layers import ChunkedLinearCrossentropy
from tfx_extras.losses import chunked_linear_crossentropy

if BACKEND == "torch":
    from tests.accelerator import accelerator

pytestmark = pytest.mark.only("torch")


# Cases with most arguments first: arguments are what could stay on another device.
MOST = sorted(LOSSES, key=lambda case: -len(case.kwargs))


def both(case, y_true, y_pred):
    """The function's loss, the class's loss, and the gradient."""
    y_true = ops.convert_to_tensor(y_true)
    loss = array(case.compute(y_true, ops.convert_to_tensor(y_pred)))
    of_class = array(case.make()(y_true, ops.convert_to_tensor(y_pred)))
    return loss, of_class, gradient(lambda x: case.compute(y_true, x), y_pred)


def assert_alike_on_a_gpu(results, tolerance=1e-6):
    expected = results()
    with accelerator():
        actual = results()
    for a, b in zip(actual, expected, strict=True):
        # A CPU computes the gradient of a logit without p - 1, whose rounding error is
        # proportional to the largest gradient.
        least = tolerance * max(1.0, np.abs(b).max(initial=0.0, where=np.isfinite(b)))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=least)


@each_class(MOST)
def test_losses(case):
    batches = [case.inputs(smooth=True)]
    if not case.coupled:
        batches.append(case.first(0, *batches[0]))
    for batch in batches:
        assert_alike_on_a_gpu(functools.partial(both, case, *batch))


@pytest.mark.parametrize("options", [{}, {"chunk_size": 3, "label_smoothing": 0.1}])
def test_chunked_crossentropy_and_its_layer(options):
    random = np.random.default_rng(0)
    labels = np.array([0, 6, 3, 1, 2])
    hidden, kernel = (
        random.normal(size=shape).astype("float32") for shape in ((5, 4), (4, 7))
    )

    def results():
        y, x, w = map(ops.convert_to_tensor, (labels, hidden, kernel))
        layer = ChunkedLinearCrossentropy(7, kernel_initializer="ones", **options)
        return (
            array(chunked_linear_crossentropy(y, x, w, **options)),
            gradient(lambda x: chunked_linear_crossentropy(y, x, w, **options), hidden),
            gradient(lambda w: chunked_linear_crossentropy(y, x, w, **options), kernel),
            array(layer(x, y, training=False)),
        )

    assert_alike_on_a_gpu(results)


GRADIENTS = np.random.default_rng(0).normal(size=(4, 3, 4)).astype("float32")


def trained(make):
    """The weights and the optimizer's state after some updates."""
    shapes = {"a": ((3, 4), "float32"), "b": ((3, 4), "bfloat16"), "c": ((), "float32")}
    variables = [
        keras.Variable(np.full(shape, 0.01), dtype=dtype, name=name)
        for name, (shape, dtype) in shapes.items()
    ]
    optimizer = make()
    for g in GRADIENTS:
        some = [ops.convert_to_tensor(x) for x in (g, g, g[0, 0])]
        optimizer.apply(some, variables)
    return [array(v) for v in [*variables, *optimizer.variables]]


@each_class(OPTIMIZERS)
def test_optimizers(case):
    for options in (
        {},
        {"weight_decay": 0.1, "use_ema": True, "global_clipnorm": 1.0},
        {"gradient_accumulation_steps": 2, "skip_nonfinite": True},
    ):
        make = functools.partial(case.make, **options)
        assert_alike_on_a_gpu(functools.partial(trained, make), 1e-5)


@each(WRAPPERS)
def test_wrappers(case):
    assert_alike_on_a_gpu(functools.partial(trained, case.make), 1e-5)


@each(SCHEDULES)
def test_schedules(case):
    def rates():
        schedule, steps = case.make(), ops.convert_to_tensor(np.arange(12))
        return [array(schedule(step)) for step in (steps, steps[5], 5)]

    assert_alike_on_a_gpu(rates)
