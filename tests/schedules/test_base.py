"""How steps are counted, and how schedules that are not ours are evaluated."""

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tfx_extras import schedules
from tfx_extras.schedules._base import elapsed
from tfx_extras.schedules._base import evaluate
from tfx_extras.schedules._base import since

KINDS = {
    "number": lambda step: step,
    "array": lambda step: np.array([step]),
    "int32": lambda step: ops.convert_to_tensor([step], "int32"),
    "int64": lambda step: ops.convert_to_tensor(
        [step], "int32" if tools.BACKEND == "jax" else "int64"
    ),
    "variable": lambda step: keras.Variable([step], dtype="int32", trainable=False),
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
KERAS_SCHEDULES = [
    keras.optimizers.schedules.CosineDecay(0.1, 20, warmup_target=0.3, warmup_steps=5),
    keras.optimizers.schedules.CosineDecayRestarts(0.1, 7),
    keras.optimizers.schedules.PiecewiseConstantDecay([4, 9], [0.3, 0.2, 0.1]),
    keras.optimizers.schedules.PolynomialDecay(0.1, 20),
    keras.optimizers.schedules.ExponentialDecay(0.1, 20, 0.5),
    keras.optimizers.schedules.InverseTimeDecay(0.1, 20, 0.5),
]
each_keras_schedule = pytest.mark.parametrize(
    "schedule", KERAS_SCHEDULES, ids=lambda schedule: type(schedule).__name__
)


@each_kind
@pytest.mark.parametrize("joint", [2**24 + 1, 2**31 - 10])
def test_steps_since_a_late_joint_are_exact(kind, joint):
    for difference in (-3, -1, 0, 1, 3, 9):
        assert tools.array(elapsed(kind(joint + difference), joint)) == difference


@each_kind
def test_steps_since_a_joint_between_updates_keep_the_fraction(kind):
    joint = 2**24 + 1.25
    assert tools.array(elapsed(kind(2**24 + 1), joint)) == -0.25
    assert tools.array(elapsed(kind(2**24 + 2), joint)) == 0.75


@each_kind
def test_joints_after_the_last_step_that_there_is_are_never_reached(kind):
    assert tools.array(elapsed(kind(2**31 - 1), 2**31)) == -1
    assert tools.array(elapsed(kind(5), 1e12)) == np.float32(5 - 1e12)


def test_numbers_are_counted_beyond_32_bits():
    assert tools.array(elapsed(2**31 + 5, 2**31)) == 5
    assert tools.array(elapsed(np.int64(2**40 + 1), 2**40)) == 1


@pytest.mark.only("tensorflow", "torch")
def test_int64_steps_are_counted_beyond_32_bits():
    steps = ops.convert_to_tensor(np.array([2**40 + 1, 3]))
    assert keras.backend.standardize_dtype(steps.dtype) == "int64"
    np.testing.assert_array_equal(tools.array(since(steps, 2**40)), [1, 0])
    np.testing.assert_array_equal(tools.array(since(steps, 1)), [2**40, 2])


@each_kind
def test_a_schedule_sees_none_but_its_own_steps(kind):
    seen = [int(tools.array(since(kind(t), 3, 6)).item()) for t in range(8)]
    assert seen == [0, 0, 0, 0, 1, 2, 2, 2]


def test_a_schedule_sees_fractions_up_to_its_end():
    np.testing.assert_array_equal(since(np.array([2.5, 5.75, 7.5]), 3, 6), [0, 2.75, 3])


def test_float16_steps_are_counted_in_float32():
    step = ops.convert_to_tensor(2048.0, "float16")
    assert tools.array(elapsed(step, -1)) == 2049


@each_keras_schedule
def test_a_schedule_of_keras_takes_vectors_of_steps(schedule):
    steps = np.array([[0, 3], [9, 30]])
    expected = [[tools.array(schedule(int(step))) for step in row] for row in steps]
    np.testing.assert_allclose(
        tools.array(evaluate(schedule, steps)), expected, rtol=0, atol=1e-7
    )


@each_keras_schedule
def test_a_schedule_of_keras_takes_vectors_of_steps_compiled(schedule):
    nested = schedules.Warmup(schedules.Sequential([0.2, schedule], [3]), 2)
    steps = ops.convert_to_tensor([1, 4, 12], "int32")
    expected = [tools.array(nested(step)) for step in (1, 4, 12)]
    actual = tools.array(tools.compiled(nested, jit_compile=False)(steps))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-7)


def test_a_number_is_constant_in_the_shape_of_the_steps():
    rates = evaluate(np.float32(0.25), np.zeros((2, 3)))
    np.testing.assert_array_equal(tools.array(rates), np.full((2, 3), 0.25))


@pytest.mark.parametrize("wrong", ["adam", None, True, abs, -1.0, float("nan")])
def test_what_is_no_schedule_is_refused(wrong):
    with pytest.raises(ValueError, match=r"`schedule` must be.*Received: schedule="):
        schedules.warmup(0, wrong, 3)


@pytest.mark.only("jax")
@pytest.mark.parametrize(
    "schedule",
    [
        schedules.InverseSquareRoot(0.1, 4),
        schedules.OneCycle(0.1, 9, 0.0, three_phase=True),
        schedules.WarmupStableDecay(0.1, 0, 0, 5, "1-sqrt"),
    ],
)
def test_nothing_is_infinite_also_where_it_is_not_taken(schedule):
    import jax

    with jax.debug_nans(True), jax.debug_infs(True):
        assert np.isfinite(tools.array(schedule(np.arange(12)))).all()


def test_lists_show_classes_and_functions():
    assert schedules.list("*cycl*") == [
        *["Cyclical", "OneCycle", "cyclical", "one_cycle"]
    ]


def test_a_class_is_found_by_name():
    schedule = schedules.get(
        "WarmupCosine", peak_learning_rate=0.1, warmup_steps=1, decay_steps=2
    )
    assert type(schedule) is schedules.WarmupCosine
    assert schedules.get("warmup") is schedules.warmup


def test_public_names_are_sorted():
    assert schedules.__all__ == sorted(schedules.__all__)
