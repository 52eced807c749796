"""The special path for rows of logits gives the same results as the plain path."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest

from tests.tools import BACKEND
from tests.tools import array
from tests.tools import compiled
from tests.tools import devices
from tests.tools import gradient
from tests.tools import on
from tfx_extras import losses

pytestmark = pytest.mark.only("tensorflow", "torch")
ROWS, CLASSES = 5, 4096
RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(ROWS, CLASSES)) * 4
LOGITS[0] = 0  # all logits are equal
LOGITS[1, 7] = 300  # certain and correct
LOGITS[2, 8] = 300  # certain and wrong
LABELS = np.array([0, 7, 9, 4095, -1])
DIRECTION = RANDOM.normal(size=(ROWS, CLASSES))
SMOOTHED = losses.smoothed_sparse_categorical_crossentropy
FOCAL = losses.sparse_categorical_focal_crossentropy
WEIGHTS = (np.arange(CLASSES) % 5 / 2).tolist()
CASES = {
    "plain": (SMOOTHED, {"label_smoothing": 0.0}),
    "smoothed": (SMOOTHED, {}),
    "drift": (SMOOTHED, {"z_loss": 0.25}),
    "weighted": (
        SMOOTHED,
        {"class_weight": WEIGHTS, "z_loss": 1e-4, "label_smoothing": 0.5},
    ),
    "focal": (FOCAL, {}),
    "focal, gamma 0": (FOCAL, {"gamma": 0.0}),
    "focal, gamma 0.5": (FOCAL, {"gamma": 0.5, "alpha": None}),
    "focal, smoothed": (FOCAL, {"gamma": 0.5, "label_smoothing": 0.1}),
    "focal, weighted": (FOCAL, {"alpha": WEIGHTS, "label_smoothing": 0.5}),
    "poly": (losses.poly_sparse_categorical_crossentropy, {}),
    "generalized": (losses.generalized_sparse_categorical_crossentropy, {}),
    "symmetric": (losses.symmetric_sparse_categorical_crossentropy, {}),
}


@pytest.fixture(autouse=True)
def _where_the_way_is_taken():
    """On PyTorch, the path is taken on the CPU."""
    with on(devices()[0]) if BACKEND == "torch" else nullcontext():
        yield


def three_derivatives(title, dtype="float32"):
    """The values, gradients, and second derivatives in one direction."""
    loss, settings = CASES[title]
    settings = settings | {"ignore_class": -1, "from_logits": True}
    if BACKEND == "torch":
        import torch

        z = torch.tensor(LOGITS, dtype=getattr(torch, dtype), requires_grad=True)
        values = loss(LABELS, z, **settings)
        total = (values * torch.arange(1, ROWS + 1)).sum()
        (slope,) = torch.autograd.grad(total, z, create_graph=True)
        along = (slope * torch.tensor(DIRECTION, dtype=z.dtype)).sum()
        return values, slope, *torch.autograd.grad(along, z)
    import tensorflow as tf

    z = tf.constant(LOGITS, dtype)
    with tf.GradientTape() as outer:
        outer.watch(z)
        with tf.GradientTape() as inner:
            inner.watch(z)
            values = loss(LABELS, z, **settings)
            total = tf.reduce_sum(values * tf.range(1.0, ROWS + 1)[:ROWS])
        slope = inner.gradient(total, z)
        along = tf.reduce_sum(slope * tf.constant(DIRECTION, dtype))
    return values, slope, outer.gradient(along, z)


def in_mode(function, jit_compile):
    return function if jit_compile is None else compiled(function, jit_compile)


def without_the_way(monkeypatch):
    from tfx_extras.losses.classification import smoothed

    for name in ("has_fast_rows", "has_fast_shares"):
        monkeypatch.setattr(smoothed.backend, name, lambda x: False)


# Whether TensorFlow compiles everything, and with XLA or not.
each_mode = pytest.mark.parametrize(
    "jit_compile", [None, False, True] if BACKEND == "tensorflow" else [None]
)


@pytest.mark.parametrize(
    "title", CASES if BACKEND == "torch" else ["weighted", "focal", "focal, weighted"]
)
@each_mode
def test_both_ways_agree(monkeypatch, title, jit_compile):
    compute = in_mode(lambda: three_derivatives(title), jit_compile)
    actual = [array(x) for x in compute()]
    without_the_way(monkeypatch)
    compute = in_mode(lambda: three_derivatives(title), jit_compile)
    expected = [array(x) for x in compute()]
    if title in ("focal, gamma 0.5", "focal, smoothed"):
        # Where a class is certain, a power below 1 has no second derivative.
        for three in (actual, expected):
            three[2] = np.delete(three[2], [1, 2], axis=0)
    for ours, plain in zip(actual, expected, strict=True):
        assert np.isfinite(ours).all()
        np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=3e-6)
    assert np.abs(expected[0]).max() > 1


@pytest.mark.parametrize("title", ["focal", "focal, gamma 0.5"])
def test_a_small_slope_keeps_its_digits(monkeypatch, title):
    loss, settings = CASES[title]
    logits = np.zeros((1, CLASSES))
    logits[0, 7] = 20  # its probability is 1 - 8e-6

    def compute(dtype):
        z = logits.astype(dtype)
        return gradient(lambda z: loss([7], z, from_logits=True, **settings), z)

    actual = compute("float32")
    without_the_way(monkeypatch)
    np.testing.assert_allclose(actual, compute("float64"), rtol=1e-4)


@pytest.mark.parametrize("title", ["plain", "weighted", "focal, weighted"])
@each_mode
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_both_ways_agree_in_low_precision(monkeypatch, dtype, title, jit_compile):
    compute = in_mode(lambda: three_derivatives(title, dtype), jit_compile)
    values, slope, curvature = compute()
    types = [keras.backend.standardize_dtype(x.dtype) for x in compute()]
    assert types == ["float32", dtype, dtype]
    without_the_way(monkeypatch)
    compute = in_mode(lambda: three_derivatives(title, dtype), jit_compile)
    expected = [array(x) for x in compute()]
    np.testing.assert_allclose(array(values), expected[0], rtol=1e-6)
    step, smallest = {"float16": (2**-10, 2**-14), "bfloat16": (2**-7, 2**-126)}[dtype]
    np.testing.assert_allclose(array(slope), expected[1], rtol=step, atol=smallest)
    # The second derivative is a sum of two parts, each rounded to the input's dtype,
    # while the plain path rounds the sum. So its error is proportional to the parts,
    # which nearly cancel where a class is certain. Those rows are left out.
    for row in (0, 3, 4):
        actual, plain = array(curvature)[row], expected[2][row]
        least = 3 * step * np.abs(plain).max()
        np.testing.assert_allclose(actual, plain, atol=least)


@pytest.mark.only("torch")
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(7, 10), (3, 5, 10), (3, 10, 5)])
@pytest.mark.parametrize("z_loss", [0.0, 0.25])
def test_blocks_of_rows_change_nothing(monkeypatch, shape, dtype, z_loss):
    """A tensor that is large is computed in blocks, and its exponentials again."""
    import torch

    from tfx_extras._backend import torch as module

    def both():
        axis = 1 if shape[-1] == 5 else -1
        z = torch.tensor(DIRECTION.ravel()[: np.prod(shape)].reshape(shape))
        z = (z * 9).to(getattr(torch, dtype)).requires_grad_()
        labels = z.detach().amin(axis).round().long() % 10
        options = {"class_weight": WEIGHTS[:10], "z_loss": z_loss, "axis": axis}
        values = SMOOTHED(labels, z, from_logits=True, **options)
        other = losses.poly_sparse_categorical_crossentropy(
            labels, z, from_logits=True, axis=axis
        )
        (slope,) = torch.autograd.grad((values + 2 * other).sum(), z)
        return array(values), array(other), array(slope)

    whole = both()
    monkeypatch.setattr(module, "_KEPT", 0)
    monkeypatch.setattr(module, "_BLOCK", 90)  # two rows of `float32`
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    rounding = {"float64": 1e-14, "float32": 1e-5, "bfloat16": 2e-2}[dtype]
    for actual, expected in zip(both(), whole, strict=True):
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, rtol=rounding, atol=rounding / 10)


@pytest.mark.only("tensorflow")  # the other backends know all sizes
@pytest.mark.parametrize("loss", [SMOOTHED, FOCAL])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_sizes_may_be_unknown(dtype, loss):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, None, CLASSES), dtype)])
    def slope(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            values = loss([[3, 4]], z, from_logits=True)
        return tape.gradient(values, z)

    assert slope(tf.zeros((1, 2, CLASSES), dtype)).shape == (1, 2, CLASSES)


def ways_taken(monkeypatch):
    """A list that collects the dtypes that each call of the path is given."""
    from tfx_extras.losses.classification import smoothed

    given, way = [], smoothed.backend.with_slope

    def noted(value, slope, inputs, *constants, **settings):
        given.append([keras.backend.standardize_dtype(x.dtype) for x in inputs])
        return way(value, slope, inputs, *constants, **settings)

    monkeypatch.setattr(smoothed.backend, "with_slope", noted)
    return given


@pytest.mark.parametrize("loss", [SMOOTHED, FOCAL])
def test_logits_are_not_copied_to_be_made_wide(monkeypatch, loss):
    given = ways_taken(monkeypatch)
    loss([1], keras.ops.zeros((1, CLASSES), "bfloat16"), from_logits=True)
    assert given == [["bfloat16"]]


@pytest.mark.parametrize(
    "loss",
    [
        losses.SmoothedSparseCategoricalCrossentropy,
        losses.SparseCategoricalFocalCrossentropy,
        losses.PolySparseCategoricalCrossentropy,
        losses.GeneralizedSparseCategoricalCrossentropy,
        losses.SymmetricSparseCategoricalCrossentropy,
    ],
)
def test_the_way_is_taken(monkeypatch, loss):
    given = ways_taken(monkeypatch)
    for settings in ({"from_logits": True}, {}):
        for classes in (10, CLASSES):
            loss(**settings)([1], np.ones((1, classes), "float32"))
    # PyTorch takes it for short rows too.
    assert given == [["float32"]] * (2 if BACKEND == "torch" else 1)


@pytest.mark.only("torch")
@pytest.mark.parametrize("loss", [SMOOTHED, FOCAL])
def test_transforms_of_functions_take_the_plain_way(loss):
    import torch

    def total(z):
        return loss([1], z, from_logits=True).sum()

    z = torch.tensor(LOGITS[3:4])
    slope = torch.func.grad(total)(z)
    np.testing.assert_allclose(array(slope), gradient(total, z), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("number", [np.float32, np.float64])
@pytest.mark.parametrize("loss", [SMOOTHED, FOCAL])
def test_settings_may_be_numbers_of_numpy(loss, number):
    values = [
        array(
            loss(LABELS, LOGITS, label_smoothing=x, ignore_class=-1, from_logits=True)
        )
        for x in (number(0.5), 0.5)
    ]
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("loss", [SMOOTHED, FOCAL])
def test_an_empty_batch_has_no_values(loss):
    z = np.zeros((0, CLASSES), "float32")
    labels = np.zeros(0, "int32")
    assert loss(labels, z, from_logits=True).shape == (0,)
    slope = gradient(lambda z: loss(labels, z, from_logits=True), z)
    assert slope.shape == z.shape


def test_it_trains_in_fit():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(CLASSES)])
    loss = losses.SmoothedSparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    x = RANDOM.normal(size=(8, 3)).astype("float32")
    history = model.fit(x, np.arange(8), epochs=3, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
