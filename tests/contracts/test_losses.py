"""What holds for every loss, on every backend."""

import itertools
import json
import math
from contextlib import nullcontext

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import each
from tests.cases import each_class
from tests.cases import each_way
from tests.losses.cases import LOSSES
from tests.tools import BACKEND
from tests.tools import array
from tests.tools import compiled
from tests.tools import each_device
from tests.tools import fused
from tests.tools import gradient
from tests.tools import on
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses

REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum"]
# Other values of these need other shapes.
SHAPING = ("from_embeddings", "from_logits", "num_classes", "zero_inflated")
# One case of each class; it ignores samples if a case of the class does.
COMPILED = list(
    {
        case.cls: case
        for case in sorted(LOSSES, key=lambda c: "ignore_class" in c.kwargs)
    }.values()
)
FIRST = list({case.cls: case for case in reversed(LOSSES)}.values())
# And all cases that ignore samples.
VALID = FIRST + [case for case in LOSSES if "ignore_class" in case.kwargs]


class Marked(keras.layers.Layer):
    """Attaches a mask to predictions."""

    def __init__(self, mask):
        super().__init__(autocast=False)
        self.mask = mask

    def call(self, inputs):
        return ops.copy(inputs)

    def compute_mask(self, inputs, previous_mask):
        return ops.convert_to_tensor(self.mask)


def kept(shape, modulus=3):
    """A mask, and weights of which some are 0."""
    index = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    return index % modulus != 0, ((index % 4) / 2).astype("float32")


def reduced(values, weights, valid, reduction, by_weight=False):
    """The reduction by its definition, in NumPy; `by_weight`: means are weighted."""
    if by_weight and reduction != "sum":
        reduction = "mean_with_sample_weight"
    total = (values * weights * valid).sum()
    count = {
        "sum": 1,
        "mean_with_sample_weight": (weights * valid).sum(),
    }.get(reduction, valid.sum())
    return total / count if count else 0.0


def slope(case, y_true, y_pred):
    """The central difference of the reference, in float64."""
    y_pred = np.asarray(y_pred, "float64")
    slopes = np.empty_like(y_pred)
    # Samples that do not depend on each other are shifted together.
    rows = range(len(y_pred)) if case.coupled else [slice(None)]
    for row, index in itertools.product(rows, np.ndindex(y_pred.shape[1:])):
        at = (row, *index)
        step = np.zeros_like(y_pred)
        step[at] = 1e-5 * np.where(np.abs(y_pred[at]) > 1e5, np.abs(y_pred[at]), 1)
        above, below = (
            case.expected(y_true, y_pred + s, y_pred) for s in (step, -step)
        )
        rise = (above - below).reshape(len(y_pred), -1)
        rise = rise.sum() if case.coupled else rise.sum(-1)
        slopes[at] = rise / (2 * step[at])
    return slopes


@each(LOSSES)
@each_device
@pytest.mark.parametrize(
    ("dtype", "tolerance", "least"),
    [("float32", 3e-6, 1e-30), ("float64", 1e-12, 1e-40)],
)
def test_matches_its_reference(case, device, dtype, tolerance, least):
    y_true, y_pred = case.inputs(dtype)

    def compute(x):
        return case.compute(y_true, x)

    # With float64 enabled only where it is tested, a loss that widens itself is
    # noticed.
    with wide() if dtype == "float64" else nullcontext(), on(device):
        loss = fused(compute)(ops.convert_to_tensor(y_pred))
        assert keras.backend.standardize_dtype(loss.dtype) == dtype
        actual = array(loss)
    expected = case.expected(y_true, y_pred)
    assert actual.shape == expected.shape
    if case.coupled:  # a distance is a difference of inner products
        least = tolerance * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=least)


def assert_gradient_is_that_of_the_reference(case, device, dtype, tolerance):
    y_true, y_pred = case.inputs(dtype, smooth=True)

    def compute(x):
        loss = case.compute(y_true, x)
        # The dtype must not be wider.
        assert keras.backend.standardize_dtype(loss.dtype) == dtype
        return loss

    with wide(), on(device):
        actual = gradient(compute, y_pred)
    expected = slope(case, y_true, y_pred)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=5e-6)


@each(LOSSES)
@each_device
def test_gradient_is_that_of_the_reference(case, device):
    assert_gradient_is_that_of_the_reference(case, device, "float32", 2e-5)


@each_class(LOSSES)
@each_device
@pytest.mark.only("tensorflow", "torch")  # few use float64 on JAX
def test_gradient_is_that_of_the_reference_in_float64(case, device):
    assert_gradient_is_that_of_the_reference(case, device, "float64", 1e-6)


@each([case for case in LOSSES if case.smooth])
def test_gradient_is_finite_where_the_loss_has_an_edge(case):
    y_true, y_pred = case.inputs()
    loss = case.make(reduction=None)
    assert np.isfinite(gradient(lambda x: loss(y_true, x), y_pred)).all()


@each_way(FIRST)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradient_is_finite_in_half_precision(case, dtype):
    y_true, y_pred = case.inputs()
    y_pred = ops.cast(np.clip(y_pred, -1e4, 1e4), dtype)
    loss = case.make(dtype=dtype)
    assert np.isfinite(gradient(lambda x: loss(y_true, x), y_pred)).all()


@each_way(VALID)
def test_class_is_the_function(case):
    y_true, y_pred = case.inputs()

    @fused
    def compute(x):
        return case.compute(y_true, x), case.make(reduction=None)(y_true, x)

    expected, actual = map(array, compute(ops.convert_to_tensor(y_pred)))
    np.testing.assert_array_equal(actual, expected)


@each_class(LOSSES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_function_computes_half_precision_in_float32(case, dtype):
    y_true, y_pred = case.inputs()
    half = ops.cast(np.clip(y_pred, -100, 100), dtype)
    compute = fused(lambda x: case.compute(y_true, x))
    values = compute(half)
    assert keras.backend.standardize_dtype(values.dtype) == "float32"
    expected = compute(ops.cast(half, "float32"))
    # Compiled, the cast can be merged with what follows it.
    np.testing.assert_allclose(array(values), array(expected), rtol=1e-6, atol=1e-30)


@each_way(FIRST)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_class_computes_in_float32_and_rounds_once(case, dtype):
    y_true, y_pred = case.inputs()
    y_pred = np.clip(y_pred, -100, 100)
    half = ops.cast(y_pred, dtype)
    for predictions in (y_pred, half):
        values = case.compute(y_true, ops.cast(predictions, "float32"))
        for reduction, expected in ((None, values), ("sum", ops.sum(values))):
            actual = case.make(dtype=dtype, reduction=reduction)(y_true, predictions)
            assert keras.backend.standardize_dtype(actual.dtype) == dtype
            expected = array(ops.cast(expected, dtype))
            np.testing.assert_array_equal(array(actual), expected)


@each_way(FIRST)
def test_python_lists_are_taken(case):
    y_true, y_pred = case.inputs()
    expected = array(case.compute(y_true, y_pred))
    y_true, y_pred = y_true.tolist(), y_pred.tolist()
    np.testing.assert_allclose(array(case.compute(y_true, y_pred)), expected, 1e-6)
    actual = array(case.make(reduction=None)(y_true, y_pred))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@each_way(VALID)
def test_weights_masks_and_reductions(case):
    y_true, y_pred = case.inputs()
    y_pred = np.clip(y_pred, -100, 100)
    values = array(case.compute(y_true, y_pred))
    valid = case.valid(y_true)
    valid = np.ones(values.shape, bool) if valid is None else valid
    mask, weights = kept(values.shape)
    masks = (None,) if case.images else (None, mask)  # images have masks of pixels
    for reduction in REDUCTIONS:
        loss = case.make(reduction=reduction)
        for w in (None, weights):
            for m in masks:
                predictions = y_pred if m is None else Marked(m)(y_pred)
                actual = array(loss(y_true, predictions, w))
                both = valid if m is None else valid & m
                total = np.ones(values.shape) if w is None else w
                if case.weighs_within:
                    values = case.compute(y_true, y_pred, sample_weight=total * both)
                    values = array(values)
                within = case.weighs_within
                expected = reduced(values, total, both, reduction, within)
                assert actual.shape == ()
                np.testing.assert_allclose(actual, expected, rtol=2e-6)


@each([case for case in VALID if case.images])
def test_pixels_are_weighed_and_masked(case):
    y_true, y_pred = case.inputs()
    y_pred = np.clip(y_pred, -100, 100)
    mask, weights = kept(case.pixels(y_pred))
    mask[0] = False
    axes = tuple(range(1, mask.ndim))
    for m in (None, mask):
        for w in (None, weights):
            both = np.ones(mask.shape) if m is None else m * 1.0
            count = both.sum(axes)
            if w is not None:
                both = both * w
            values = array(case.compute(y_true, y_pred, sample_weight=both))
            total = both.sum(axes) / np.maximum(count, 1)
            ignored = case.valid(y_true)
            valid = count > 0 if ignored is None else (count > 0) & ignored
            for reduction in REDUCTIONS:
                predictions = y_pred if m is None else Marked(m)(y_pred)
                actual = array(case.make(reduction=reduction)(y_true, predictions, w))
                expected = reduced(values, total, valid, reduction)
                np.testing.assert_allclose(actual, expected, rtol=2e-6)
    # A pixel without weight does not count.
    changed = np.array(y_pred)
    place = (
        np.expand_dims(mask, case.kwargs.get("axis", -1)) if case.has_classes else mask
    )
    changed = np.where(place, y_pred, 0.5 * y_pred)
    loss = case.make(reduction=None)
    np.testing.assert_array_equal(
        *(array(loss(y_true, x, mask.astype("float32"))) for x in (y_pred, changed))
    )


@each_way(FIRST)
@pytest.mark.parametrize("reduction", ["mean", "mean_with_sample_weight"])
def test_a_fully_masked_batch_costs_nothing(case, reduction):
    y_true, y_pred = case.inputs()
    y_pred = np.clip(y_pred, -1e4, 1e4)
    mask = np.zeros(case.pixels(y_pred) if case.images else len(y_pred), bool)
    weights = None if reduction == "mean" else np.ones(len(y_pred), "float32")
    loss = case.make(reduction=reduction)

    def compute(x):
        return loss(y_true, Marked(mask)(x), weights)

    for found in values_and_gradient(compute, y_pred):
        np.testing.assert_array_equal(found, 0)


@each([case for case in LOSSES if "ignore_class" in case.kwargs])
def test_a_batch_of_ignored_labels_costs_nothing(case):
    y_true, y_pred = case.inputs()
    ignored = case.kwargs["ignore_class"]
    if y_true.dtype.kind != "f":
        y_true = np.full_like(y_true, ignored)
    else:
        axis = case.kwargs.get("axis", -1)
        row = np.moveaxis(np.zeros_like(y_true), axis, -1)
        row[..., ignored] = 1
        y_true = np.moveaxis(row, -1, axis)
    for reduction in REDUCTIONS:
        assert array(case.make(reduction=reduction)(y_true, y_pred)) == 0
    loss = case.make()
    slopes = gradient(lambda x: loss(y_true, x), y_pred)
    np.testing.assert_array_equal(slopes, 0)


@each_class(LOSSES)
def test_an_empty_batch_costs_nothing(case):
    y_true, y_pred = case.first(0, *case.inputs())
    marked = Marked(np.zeros(case.pixels(y_pred) if case.images else 0, bool))
    reductions = [*REDUCTIONS, None] if BACKEND == "torch" else ["mean", None]

    @fused
    def compute(x):
        made = [case.make(reduction=reduction) for reduction in reductions]
        return [[loss(y_true, p) for p in (x, marked(x))] for loss in made]

    values = compute(ops.convert_to_tensor(y_pred))
    for reduction, both in zip(reductions, values, strict=True):
        for value in map(array, both):
            assert value.shape == (() if reduction else (0,))
            assert value.sum() == 0
    loss = case.make()
    slopes = gradient(lambda x: loss(y_true, x), y_pred)
    assert slopes.shape == y_pred.shape


@each([case for case in LOSSES if case.unequal])
def test_shapes_are_never_broadcast(case):
    for shapes in case.unequal:
        y_true, y_pred = (np.full(shape, 0, "float32") for shape in shapes)
        with pytest.raises(ValueError, match=r"Received: "):
            case.compute(y_true, y_pred)
        if min(map(len, shapes)) > 0:
            with pytest.raises(ValueError, match=r"Received: "):
                case.make()(y_true, y_pred)


def assert_does_what_eager_does_where_sizes_are_unknown(case, jit_compile):
    """A graph gives the same values, keeps NaN, and refuses unequal shapes.

    AutoGraph, which takes as long as the rest, rewrites the few that XLA compiles.
    """
    import tensorflow as tf

    y_true, y_pred = case.inputs()
    known = y_pred.shape[-1] if case.last_is_known else None
    function = tf.function(
        case.compute,
        jit_compile=jit_compile,
        autograph=jit_compile,
        input_signature=[
            tf.TensorSpec([None] * y_true.ndim, y_true.dtype),
            tf.TensorSpec([None] * (y_pred.ndim - 1) + [known], y_pred.dtype),
        ],
    )
    expected = array(case.compute(y_true, y_pred))
    actual = array(function(y_true, y_pred))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
    # TensorFlow rewrites comparisons in graphs.
    for rows in ([1], slice(None)):
        spoiled = y_pred.copy()
        spoiled[rows] = float("nan")
        assert np.isnan(array(function(y_true, spoiled))).any()
    for shapes in case.unequal:
        if tuple(map(len, shapes)) != (y_true.ndim, y_pred.ndim):
            continue  # eager code and graphs know the number of axes
        if known in (None, shapes[1][-1]):
            labels, predictions = map(np.zeros, shapes)
            with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
                function(labels.astype(y_true.dtype), predictions.astype("float32"))


@pytest.mark.only("tensorflow")
@each_class(LOSSES)
def test_sizes_may_be_unknown_in_a_graph(case):
    assert_does_what_eager_does_where_sizes_are_unknown(case, jit_compile=False)


@pytest.mark.only("tensorflow")
@each_way(FIRST)
def test_sizes_may_be_unknown_to_xla(case):
    assert_does_what_eager_does_where_sizes_are_unknown(case, jit_compile=True)


# On JAX, most contracts compare what is compiled with the reference.
@(each_way if BACKEND == "jax" else each)(COMPILED)
# The other backends compile in only one way.
@pytest.mark.parametrize(
    "jit_compile", [False, True] if BACKEND == "tensorflow" else [True]
)
def test_compiled_is_eager_and_one_trace_serves_all_batches(case, jit_compile):
    y_true, y_pred = case.inputs()
    loss = case.make()
    traces = []

    def compute(y_true, y_pred):
        traces.append(1)
        return loss(y_true, y_pred)

    function = compiled(compute, jit_compile=jit_compile)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        function = tf.function(
            compute,
            autograph=False,
            jit_compile=jit_compile,
            input_signature=[
                tf.TensorSpec([None] * a.ndim, a.dtype)
                if case.square
                else tf.TensorSpec([None, *a.shape[1:]], a.dtype)
                for a in (y_true, y_pred)
            ],
        )
    # JAX compiles each size anew, and none is compiled above.
    for size in (8, 5, 0) if BACKEND != "jax" else (8,):
        batch = map(ops.convert_to_tensor, case.first(size, y_true, y_pred))
        batch = list(batch)
        expected = array(loss(*batch))
        # A logarithm near 0, as in the kappa loss, is exact to the last digits of 1.
        actual = array(function(*batch))
        np.testing.assert_allclose(actual, expected, rtol=2e-6, atol=3e-7)
    if BACKEND == "tensorflow":
        assert len(traces) == 1


@each(LOSSES)
def test_configuration_survives_json(case):
    loss = case.make(dtype="bfloat16", reduction="sum", name="mine")
    config = json.loads(json.dumps(keras.losses.serialize(loss)))
    copy = keras.losses.deserialize(config)
    assert type(copy) is case.cls
    assert copy.get_config() == loss.get_config()
    assert copy.get_config() == case.kwargs | copy.get_config()
    assert copy.get_config()["dtype"] == "bfloat16"
    assert (copy.name, copy.reduction) == ("mine", "sum")


@each_class(LOSSES)
def test_numpy_arguments_are_saved_as_plain_ones(case):
    convert = {list: np.array, float: np.float32, int: np.int64}
    given = {
        name: convert.get(type(value), lambda x: x)(value)
        for name, value in (case.kwargs | case.changes).items()
        if name != "from_embeddings"
    }
    loss = case.cls(**given)
    config = json.loads(json.dumps(loss.get_config()))
    assert config == case.cls.from_config(config).get_config()
    for name, value in given.items():
        np.testing.assert_array_equal(config[name], value)


@each_class(LOSSES)
def test_default_name_is_that_of_the_function(case):
    assert case.cls(**case.needed).name == case.function.__name__


@each([case for case in LOSSES if case.changes])
# Formulas are the same on all backends, which the tests above compare.
@pytest.mark.only("torch")
def test_each_change_matters(case):
    y_true, y_pred = case.inputs()
    before = array(case.compute(y_true, y_pred))
    for name, value in case.changes.items():
        try:
            after = array(case.compute(y_true, y_pred, **{name: value}))
        except ValueError:
            assert name in SHAPING
            continue
        changed = np.abs(after - before) > 1e-3 * np.abs(before) + 1e-6
        assert changed.any(), name


@each_class(LOSSES)
def test_each_hyperparameter_is_changed_by_a_case(case):
    # `gather` needs replicas: see tests/distribution.
    names = set(case.hyperparameters) - {"gather"}
    cases = [c for c in LOSSES if c.cls is case.cls]
    assert set().union(*(c.changes for c in cases)) == names
    assert all(set(c.kwargs) <= names for c in cases)


@each([case for case in LOSSES if case.invalid])
def test_invalid_arguments_are_named(case):
    for kwargs in case.invalid:
        ((name, value),) = kwargs.items()
        with pytest.raises(ValueError, match=rf"`{name}` must .* {name}={value}"):
            case.cls(**(case.needed | kwargs))


@each_class(LOSSES)
def test_arguments_of_other_types_are_rejected(case):
    for name in case.hyperparameters:
        with pytest.raises(TypeError, match=name):
            case.cls(**(case.needed | {name: object()}))


@each_class(LOSSES)
def test_is_found_by_name(case):
    assert type(losses.get(case.cls.__name__, **case.needed)) is case.cls
    assert losses.get(case.function.__name__) is case.function
    config = keras.losses.serialize(case.make())
    assert losses.get(config).get_config() == case.make().get_config()


@each_way(FIRST)
def test_trains_and_is_saved_with_a_model(case, tmp_path):
    y_true, y_pred = case.inputs()
    y_pred = np.clip(y_pred, -4, 4)
    shape = y_pred.shape[1:]
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(math.prod(shape)),
            keras.layers.Reshape(shape),
            keras.layers.Activation(case.activation),
        ]
    )
    loss = case.make()
    model.compile("sgd", loss=loss)
    model.fit(y_pred, y_true, batch_size=len(y_pred), epochs=2, verbose=0)
    expected = array(loss(y_true, model(y_pred)))
    assert np.isfinite(expected)
    path = tmp_path / "model.keras"
    model.save(path)
    copy = keras.saving.load_model(path)
    assert copy.loss.get_config() == loss.get_config()
    actual = copy.evaluate(y_pred, y_true, batch_size=len(y_pred), verbose=0)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
