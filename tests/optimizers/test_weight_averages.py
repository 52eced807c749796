"""Averages of the weights that every optimizer can keep: `use_ema`."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tests.tools import wide
from tfx_extras.optimizers import LazyAdam
from tfx_extras.optimizers import Lookahead
from tfx_extras.optimizers import ParameterGroups
from tfx_extras.optimizers import RAdam

EMA = {"use_ema": True, "ema_momentum": 0.5}


def variable(values, name="w", dtype="float32"):
    return keras.Variable(np.array(values), dtype=dtype, name=name)


def ones(count, dtype="float32"):
    return [ops.ones((2,), dtype) for _ in range(count)]


@pytest.mark.parametrize(
    "around", [lambda o: o, Lookahead, lambda o: ParameterGroups(o, {".*": {}})]
)
def test_accumulating_does_not_overwrite_weights_by_the_average(around):
    w = variable([1.0, 2.0])
    inner = RAdam(0.1, **EMA, ema_overwrite_frequency=1, gradient_accumulation_steps=2)
    optimizer = around(inner)
    optimizer.apply(ones(1), [w])
    np.testing.assert_array_equal(array(w), [1, 2])
    optimizer.apply(ones(1), [w])
    np.testing.assert_allclose(array(w), [0.9, 1.9], rtol=1e-6)
    optimizer.apply(ones(1), [w])
    np.testing.assert_allclose(array(w), [0.9, 1.9], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("every", [1, None])
def test_averages_of_16_bit_weights_include_what_rounding_took(dtype, every):
    def trained(dtype):
        w = variable([4.0, 2.0], dtype=dtype)
        optimizer = RAdam(1e-3, **EMA, ema_overwrite_frequency=every)
        for _ in range(40):
            optimizer.apply(ones(1, dtype), [w])
        kept = [array(v) for v in optimizer.variables if "w_average" in v.path]
        weights = [array(v) for v in (w, *optimizer._residuals) if v is not None]
        return sum(weights), sum(kept)

    for ours, exact in zip(trained(dtype), trained("float32"), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=0, atol=2e-2 * 40e-3)


def test_without_an_update_there_is_no_average_to_end_with():
    for options, gradient in [
        ({"gradient_accumulation_steps": 4}, 1.0),
        ({"skip_nonfinite": True}, np.inf),
    ]:
        w = variable([5.0, 6.0])
        optimizer = RAdam(0.1, **EMA, **options)
        optimizer.apply([gradient * ops.ones(2)], [w])
        optimizer.finalize_variable_values([w])
        np.testing.assert_array_equal(array(w), [5, 6])


def test_each_variable_gets_its_own_average_where_some_are_frozen():
    a, b = variable([1.0, 1.0], "a"), variable([5.0, 5.0], "b")
    optimizer = RAdam(0.1, **EMA, ema_overwrite_frequency=2)
    optimizer.apply(ones(2), [a, b])
    optimizer.apply(ones(1), [b])
    np.testing.assert_allclose(array(a), 0.9, rtol=1e-6)
    np.testing.assert_allclose(array(b), (4.9 + 4.8) / 2, rtol=1e-6)
    optimizer.apply(ones(1), [b])
    moved = (4.85 + 4.75) / 2
    optimizer.finalize_variable_values([b])
    np.testing.assert_allclose(array(b), moved, rtol=1e-6)
    np.testing.assert_allclose(array(a), 0.9, rtol=1e-6)
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.finalize_variable_values([a, variable([0.0, 0.0], "c")])


def test_averages_of_float64_weights_are_of_float64():
    with wide():
        w = variable([1.0, 2.0], dtype="float64")
        optimizer = RAdam(0.1, use_ema=True, ema_momentum=0.9)
        expected = None
        for _ in range(3):
            optimizer.apply(ones(1, "float64"), [w])
            now = array(w)
            expected = now if expected is None else 0.9 * expected + 0.1 * now
        optimizer.finalize_variable_values([w])
        np.testing.assert_allclose(array(w), expected, rtol=1e-14)


@pytest.mark.only("jax")  # JAX cannot train on with one buffer in two variables
def test_weights_do_not_share_the_buffer_of_their_average():
    w = variable([1.0, 2.0])
    optimizer = RAdam(0.1, **EMA, ema_overwrite_frequency=1)
    optimizer.apply(ones(1), [w])
    (average,) = (v for v in optimizer.variables if "w_average" in v.path)
    one, two = (v.value.unsafe_buffer_pointer() for v in (w, average))
    assert one != two


@pytest.mark.parametrize("other", [LazyAdam, keras.optimizers.Adam])
def test_the_average_of_a_group_without_a_first_gradient_starts_at_its_weights(other):
    a, b = variable([1.0, 1.0], "a"), variable([5.0, 5.0], "b")
    groups = {"b": other(0.1, **EMA), ".*": {}}
    optimizer = ParameterGroups(RAdam(0.1, **EMA), groups)
    optimizer.build([a, b])
    for _ in range(2):
        optimizer.apply(ones(1), [a])
    optimizer.apply(ones(2), [a, b])
    before = array(b)
    assert (before < 5).all()
    optimizer.finalize_variable_values([a, b])
    np.testing.assert_allclose(array(b), (5 + before) / 2, rtol=1e-6)


@pytest.mark.parametrize("cls", [RAdam, keras.optimizers.SGD])
def test_averages_of_a_group_without_gradient_replace_weights_in_their_turn(cls):
    a, b = variable([1.0, 1.0], "a"), variable([5.0, 5.0], "b")
    groups = {"b": cls(0.1, **EMA, ema_overwrite_frequency=2), ".*": {}}
    optimizer = ParameterGroups(RAdam(0.1), groups)
    optimizer.apply(ones(2), [a, b])
    b.assign([7.0, 7.0])  # the average is at 4.9
    optimizer.apply(ones(1), [a])
    np.testing.assert_allclose(array(b), (4.9 + 7) / 2, rtol=1e-6)


def test_what_was_accumulated_without_a_last_gradient_is_kept_for_the_next_update():
    a, b = variable([1.0, 1.0], "a"), variable([1.0, 1.0], "b")
    optimizer = ParameterGroups(
        RAdam(0.1, beta_1=0.0, gradient_accumulation_steps=2), {".*": {}}
    )
    optimizer.build([a, b])
    one = ops.ones(2)
    for of_a, of_b in [(one, one), (one, None), (one, one), (one, one)]:
        known = [(g, v) for g, v in ((of_a, a), (of_b, b)) if g is not None]
        optimizer.apply(*zip(*known, strict=True))
    np.testing.assert_allclose(array(a), 1 - 0.1 - 0.1, rtol=1e-6)
    np.testing.assert_allclose(array(b), 1 - 0.1 * 3 / 2, rtol=1e-6)
