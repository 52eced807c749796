"""Options that change the gradient of a variable, its step or its decay."""

import contextlib
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tests.tools import wide
from tfx_extras import optimizers

RATE = 2.0**-4
RANDOM = np.random.default_rng(0)
SHAPES = {
    "dense/kernel": (6, 4),
    "conv2d/kernel": (3, 2, 4, 5),
    "conv2d_transpose/kernel": (3, 2, 5, 4),
    "attention/query/kernel": (6, 2, 3),
    "attention/attention_output/kernel": (2, 3, 6),
    "attention/query/bias": (2, 3),
    "depthwise_conv2d/kernel": (3, 3, 4, 1),
    "thin/kernel": (1, 4),
    "embedding/embeddings": (5, 3),
    "dense/bias": (4,),
    "scale": (),
}
# The axes over which a unit sums.
INPUTS = {
    "dense/kernel": (0,),
    "conv2d/kernel": (0, 1, 2),
    "conv2d_transpose/kernel": (0, 1, 3),
    "attention/query/kernel": (0,),
    "attention/attention_output/kernel": (0, 1),
    "thin/kernel": (0,),
}
START = {name: RANDOM.normal(size=shape) for name, shape in SHAPES.items()}
GRADIENTS = [
    {name: RANDOM.normal(size=shape) for name, shape in SHAPES.items()}
    for _ in range(6)
]
CONSTANT = (RATE,) * len(GRADIENTS)


def variables(start, dtype):
    made = []
    for path, value in start.items():
        *layers, name = path.split("/")
        with contextlib.ExitStack() as scopes:
            for layer in layers:
                scopes.enter_context(keras.name_scope(layer))
            made.append(keras.Variable(value, dtype=dtype, name=name))
    return made


def trained(optimizer, dtype="float64", gradients=GRADIENTS, rates=None):
    """The weights after a step with each gradient."""
    with wide():
        weights = variables(START, dtype)
        for g, rate in zip(gradients, rates or itertools.repeat(None), strict=False):
            if rate is not None:
                optimizer.learning_rate = rate
            optimizer.apply(
                [ops.convert_to_tensor(g[name], dtype) for name in START], weights
            )
        return {name: array(w) for name, w in zip(START, weights, strict=True)}


def expected(
    change=lambda name, g, w: g,
    mask=lambda u, g: 1.0,
    decay=0.0,
    decays=lambda u, w: 1.0,
    rates=CONSTANT,
    corrects=False,
):
    """AdamW in NumPy: a changed gradient, a mask of the step, and one of the decay."""
    found = {}
    for name, w in START.items():
        m, v, largest = np.zeros_like(w), np.zeros_like(w), 0.0
        for t, (grads, rate) in enumerate(zip(GRADIENTS, rates, strict=False), 1):
            largest = max(largest, rate)
            before = w
            g = change(name, grads[name], w)
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g**2
            u = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            part = rate / largest if corrects else 1.0
            w = before - rate * u * mask(u, g)
            w = w - rate * part * decay * before * decays(u, before)
        found[name] = w
    return found


def assert_equal(actual, wanted, tolerance=1e-12):
    for name, weights in wanted.items():
        np.testing.assert_allclose(
            actual[name], weights, rtol=tolerance, atol=tolerance, err_msg=name
        )


DTYPES = pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-11), ("float32", 3e-5)]
)


def adamw(**options):
    return optimizers.AdamW(RATE, **{"weight_decay": None} | options)


@DTYPES
def test_centralized_gradients_of_units_have_mean_zero(dtype, tolerance):
    def change(name, g, w):
        axes = INPUTS.get(name)
        if axes is None or name == "thin/kernel":  # nothing would be left of it
            return g
        return g - g.mean(axis=axes, keepdims=True)

    actual = trained(adamw(centralize_gradient=True), dtype)
    assert_equal(actual, expected(change), tolerance)


def clipped(name, g, w, limit=0.25):
    axes = INPUTS.get(name, tuple(range(g.ndim)))
    norms = [np.sqrt((x**2).sum(axis=axes, keepdims=True)) for x in (w, g)]
    most = limit * np.maximum(norms[0], 1e-3)
    return g * np.where(norms[1] > most, most / np.maximum(norms[1], 1e-6), 1.0)


@DTYPES
def test_adaptive_clipping_bounds_the_gradient_of_each_unit(dtype, tolerance):
    actual = trained(adamw(adaptive_clip=0.25), dtype)
    assert_equal(actual, expected(clipped), tolerance)


def test_excluded_variables_are_not_clipped():
    actual = trained(adamw(adaptive_clip=0.25, adaptive_clip_exclude=["^dense/"]))

    def change(name, g, w):
        return g if name.startswith("dense/") else clipped(name, g, w)

    assert_equal(actual, expected(change))


def test_weights_of_zero_can_move_with_adaptive_clipping():
    w = keras.Variable(np.zeros((2, 3)), dtype="float32", name="kernel")
    keras_sgd_like = optimizers.LARS(1.0, momentum=0.0, adaptive_clip=0.5)
    keras_sgd_like.apply([ops.ones((2, 3))], [w])
    # Each unit has a gradient of norm 0.5e-3.
    np.testing.assert_allclose(array(w), -0.5e-3 / np.sqrt(2), rtol=1e-6)


def mask(u, g):
    kept = np.float64(u * g > 0)
    return kept / max(kept.mean(), 1e-3) if kept.size else kept


@DTYPES
def test_cautious_steps_leave_out_what_opposes_the_gradient(dtype, tolerance):
    actual = trained(adamw(cautious=True), dtype)
    assert_equal(actual, expected(mask=mask), tolerance)


def test_cautious_steps_are_not_scaled_up_for_those_lost_to_rounding():
    random = np.random.default_rng(0)
    start, gradient = random.normal(size=(2, 10_000))
    moved = []
    for is_cautious in (False, True):
        w = keras.Variable(start, dtype="float32")
        optimizer = optimizers.AdamW(1e-9, weight_decay=None, cautious=is_cautious)
        optimizer.apply([ops.convert_to_tensor(gradient, "float32")], [w])
        moved.append(array(w) - start.astype("float32"))
    assert np.any(moved[0] == 0)
    assert np.any(moved[0] != 0)
    np.testing.assert_array_equal(*moved)


def test_signs_agree_although_their_product_underflows():
    w = keras.Variable(np.zeros(2), dtype="float32")
    optimizer = optimizers.AdamW(1e-26, epsilon=1e-20, cautious=True, weight_decay=None)
    optimizer.apply([ops.convert_to_tensor([1e-14, -1e-14], "float32")], [w])
    np.testing.assert_allclose(array(w), [-1e-26, 1e-26], rtol=1e-3)


def test_cautious_steps_leave_the_decay_as_it_is():
    actual = trained(adamw(cautious=True, weight_decay=0.5))
    assert_equal(actual, expected(mask=mask, decay=0.5), 1e-11)


@DTYPES
def test_cautious_decay_leaves_out_weights_that_grow(dtype, tolerance):
    actual = trained(adamw(cautious_decay=True, weight_decay=0.5), dtype)
    assert_equal(actual, expected(decay=0.5, decays=lambda u, w: u * w >= 0), tolerance)


@DTYPES
def test_corrected_decay_falls_with_the_square_of_the_learning_rate(dtype, tolerance):
    rates = [0.0, 0.125, 0.25, 0.125, 0.0625, 0.5]
    rates[0] = 2.0**-6
    optimizer = adamw(corrected_decay=True, weight_decay=0.5)
    actual = trained(optimizer, dtype, rates=rates)
    assert_equal(actual, expected(decay=0.5, rates=rates, corrects=True), tolerance)


def test_all_options_together_equal_their_formulas():
    def change(name, g, w):
        g = clipped(name, g, w)
        axes = INPUTS.get(name)
        if axes is None or name == "thin/kernel":
            return g
        return g - g.mean(axis=axes, keepdims=True)

    actual = trained(
        adamw(
            adaptive_clip=0.25,
            centralize_gradient=True,
            cautious=True,
            cautious_decay=True,
            weight_decay=0.5,
        )
    )
    wanted = expected(change, mask, 0.5, lambda u, w: u * w >= 0)
    assert_equal(actual, wanted, 1e-11)


ALL = {
    "adaptive_clip": 0.25,
    "centralize_gradient": True,
    "cautious": True,
    "weight_decay": 0.25,
}


@pytest.mark.parametrize("kind", ["AdamW", "LAMB", "Muon", "NovoGrad", "Yogi"])
def test_fast_paths_equal_plain_steps_with_options(kind):
    def made(fast):
        optimizer = getattr(optimizers, kind)(RATE, **ALL)
        optimizer.has_fast_paths = fast
        return optimizer

    fast, plain = (trained(made(fast), "float32") for fast in (True, False))
    assert_equal(fast, plain, 1e-5)


@pytest.mark.parametrize("name", ["adaptive_clip", "centralize_gradient", "cautious"])
def test_nan_in_a_gradient_comes_out(name):
    value = {"adaptive_clip": 0.25}.get(name, True)
    w = keras.Variable(np.ones((2, 3)), dtype="float32", name="kernel")
    adamw(**{name: value}).apply([ops.ones((2, 3)) * float("nan")], [w])
    assert np.isnan(array(w)).all()


def test_resumed_training_knows_the_largest_learning_rate():
    optimizer = adamw(corrected_decay=True, weight_decay=0.5)
    w = keras.Variable(np.ones(3), dtype="float32", name="w")
    optimizer.learning_rate = 0.5
    optimizer.apply([ops.ones(3)], [w])
    again = optimizers.AdamW.from_config(optimizer.get_config())
    other = keras.Variable(array(w), dtype="float32", name="w")
    again.build([other])
    for mine, saved in zip(again.variables, optimizer.variables, strict=True):
        mine.assign(saved)
    for each, variable in ((optimizer, w), (again, other)):
        each.learning_rate = 0.25
        each.apply([ops.zeros(3)], [variable])
    np.testing.assert_array_equal(array(w), array(other))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adaptive_clip": 0.0}, "`adaptive_clip` must be in .* adaptive_clip=0.0"),
        ({"adaptive_clip_exclude": ["a"]}, "has no effect without `adaptive_clip`"),
        ({"layouts": {"kernel": "io"}}, "`layouts` has no effect"),
        ({"max_consecutive_skips": 3}, "has no effect without `skip_nonfinite`"),
        (
            {"corrected_decay": True, "independent_decay": True},
            "`corrected_decay` must be False with `independent_decay`",
        ),
        (
            {"centralize_gradient": True, "layouts": {"kernel": "ix"}},
            r"values made of the letters .* layouts\['kernel'\]='ix'",
        ),
        (
            {"centralize_gradient": True, "layouts": {"kernel": "ii"}},
            "with an i and an o",
        ),
        (
            {"centralize_gradient": True, "layouts": {"(": "io"}},
            "invalid regular expression",
        ),
    ],
)
def test_options_without_effect_or_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        adamw(**options)


@pytest.mark.only("torch")
@pytest.mark.parametrize(
    ("cls", "arguments", "said"),
    [
        (optimizers.AdamW, {"nesterov": True, "beta_1": 0.0}, "beta_1=0.0"),
        (optimizers.LARS, {"nesterov": True, "momentum": 0}, "momentum=0"),
        (optimizers.Muon, {"scale": "none", "variance_beta": 0.9}, "variance_beta=0.9"),
    ],
)
def test_an_argument_without_effect_is_named_with_the_cause(cls, arguments, said):
    name, value = next(iter(arguments.items()))
    message = f"`{name}` has no effect with.* Received: {name}={value}, {said}"
    with pytest.raises(ValueError, match=message):
        cls(**arguments)


def test_a_layout_that_does_not_fit_names_its_variable():
    optimizer = adamw(centralize_gradient=True, layouts={"kernel": "iio"})
    w = keras.Variable(np.ones((2, 3)), name="kernel")
    with pytest.raises(ValueError, match=r"'iio' for the shape \(2, 3\)"):
        optimizer.build([w])


@pytest.mark.parametrize(
    "make",
    [
        lambda: optimizers.LazyAdam(cautious_decay=True),
        lambda: optimizers.Adan(cautious_decay=True),
        lambda: optimizers.Prodigy(cautious_decay=True),
    ],
)
def test_formulas_that_cannot_mask_their_decay_say_so(make):
    with pytest.raises(ValueError, match="`cautious_decay` must be False"):
        make()
