"""Tests of Sequential beyond the contracts."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from keras import ops

from tests import tools
from tests.references import schedules as references
from tfx_extras import schedules
from tfx_extras.schedules import Sequential
from tfx_extras.schedules import Warmup
from tfx_extras.schedules import sequential
from tfx_extras.schedules._base import Schedule


class Seen(Schedule):
    """A schedule that returns the steps that it is given, and records them."""

    def __init__(self):
        self.steps = []

    def __call__(self, step):
        self.steps.append(tools.array(step))
        return ops.cast(step, "float32")


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.integers(1, 40), max_size=3, unique=True).map(sorted),
    st.lists(st.floats(0, 10, width=32, allow_subnormal=False), min_size=5, max_size=5),
)
def test_numbers_are_joined_at_any_boundaries(boundaries, rates):
    rates = rates[: len(boundaries) + 1]
    steps = np.arange(45)
    actual = tools.array(sequential(steps, rates, boundaries))
    np.testing.assert_array_equal(
        actual, references.sequential(steps, rates, boundaries)
    )
    assert set(actual) <= set(rates)


def test_a_schedule_sees_none_but_its_own_steps():
    first, second, third = Seen(), Seen(), Seen()
    rates = sequential(np.arange(12), [first, second, third], [4, 9])
    expected = [*range(4), *range(5), *range(3)]
    np.testing.assert_array_equal(tools.array(rates), expected)
    for seen, length in zip((first, second, third), (4, 5, 3), strict=True):
        (steps,) = seen.steps
        assert steps.min() == 0
        assert steps.max() == length - 1


def test_the_count_of_a_later_schedule_is_exact_where_float32_cannot_count():
    start = 2**31 - 10
    steps = ops.convert_to_tensor(start + np.arange(-2, 9), "int32")
    rates = tools.array(sequential(steps, [0.5, Seen()], [start]))
    np.testing.assert_array_equal(rates, [0.5, 0.5, *range(9)])


def test_boundaries_may_be_after_the_last_step_that_there_is():
    steps = ops.convert_to_tensor([0, 2**31 - 1], "int32")
    rates = tools.array(sequential(steps, [0.5, 1.0], [10**12]))
    np.testing.assert_array_equal(rates, [0.5, 0.5])


def test_the_function_takes_whole_floats_as_boundaries():
    steps = ops.convert_to_tensor([4, 5, 6], "int32")
    rates = tools.array(sequential(steps, [Seen(), Seen()], [5.0]))
    np.testing.assert_array_equal(rates, [4, 0, 1])


def test_the_function_refuses_a_wrong_number_of_schedules():
    with pytest.raises(ValueError, match="`boundaries` must have length 1, one less"):
        sequential(0, [0.1, 0.2], [1, 2])


def nested():
    """Our schedules around our schedules, which contain one of Keras's."""
    decay = keras.optimizers.schedules.CosineDecay(0.3, 20)
    cosine = schedules.WarmupCosine(0.2, 2, 5, restarts=1)
    return Warmup(Sequential([0.1, decay, cosine], [4, 9]), 3, "exponential", 0.1)


def test_nested_schedules_are_saved_with_the_model(tmp_path):
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.Adam(nested())
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, "mse")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    saved = keras.saving.serialize_keras_object(nested())
    assert loaded.optimizer.get_config()["learning_rate"] == saved
    inner = saved["config"]["schedule"]["config"]["schedules"]
    assert [isinstance(item, dict) for item in inner] == [False, True, True]


def test_nested_schedules_train_when_everything_is_compiled():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.Adam(nested())
    compiles = tools.BACKEND != "torch"
    model.compile(optimizer, "mse", jit_compile=compiles)
    model.fit(np.ones((10, 2)), np.ones((10, 1)), batch_size=1, verbose=0)
    # Step 10 is step 7 after the warm-up, and step 3 of the decay.
    expected = references.cosine_decay(3, 0.3, 20)
    np.testing.assert_allclose(
        tools.array(optimizer.learning_rate), expected, rtol=1e-6
    )


def test_no_steps_have_no_rates_whatever_the_schedule():
    falling = keras.optimizers.schedules.CosineDecay(0.3, 20)
    rates = schedules.Sequential([0.1, falling], [3])(np.zeros((0, 2), "int32"))
    assert tuple(rates.shape) == (0, 2)
