"""Tests of Prodigy beyond the contracts."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.references import optimizers as references
from tests.tools import BACKEND
from tests.tools import array
from tests.tools import wide
from tfx_extras import schedules
from tfx_extras.callbacks import LearningRateLogger
from tfx_extras.optimizers import Lookahead
from tfx_extras.optimizers import ParameterGroups
from tfx_extras.optimizers import Prodigy
from tfx_extras.optimizers import RAdam
from tfx_extras.optimizers import layer_wise_decay

D0 = 2.0**-8
SIZES = [4, 3]


def example(count=10):
    """Where weights begin, and gradients towards a minimum, so that `d` rises."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=sum(SIZES))
    return start, 1.0 + 0.5 * rng.normal(size=(count, sum(SIZES)))


def variables(start, dtypes=("float32", "float32")):
    parts = np.split(start, np.cumsum(SIZES)[:-1])
    return [
        keras.Variable(part, dtype=dtype, name=name)
        for part, dtype, name in zip(parts, dtypes, "ab", strict=True)
    ]


def train(optimizer, several, gradients):
    for g in gradients:
        parts = np.split(g, np.cumsum(SIZES)[: len(several) - 1])
        optimizer.apply(
            [
                ops.convert_to_tensor(part[: v.shape[0]], v.dtype)
                for part, v in zip(parts, several, strict=True)
            ],
            several,
        )
    return np.concatenate([array(v) for v in several])


SETTINGS = [
    {},
    {"beta_3": 0.5},
    {"d_coef": 0.5},
    {"growth_rate": 1.1},
    {"safeguard_warmup": True, "beta_1": 0.5},
    {"bias_correction": True, "d_coef": 4.0, "epsilon": 0.001},
]


@pytest.mark.parametrize("is_fast", [True, False])
@pytest.mark.parametrize("kwargs", SETTINGS)
def test_one_estimate_for_all_variables_follows_the_reference(kwargs, is_fast):
    start, gradients = example()
    kwargs = {"d0": D0, "weight_decay": 0.1} | kwargs
    expected = references.prodigy(start, gradients, 0.5, **kwargs)
    optimizer = Prodigy(0.5, **kwargs)
    optimizer.has_fast_paths = is_fast
    actual = train(optimizer, variables(start), gradients)
    moved = np.abs(expected - start).max()
    assert moved > 8 * D0, "the estimate rises"
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * moved)


@pytest.mark.only("torch")
def test_each_argument_that_matters_late_changes_the_result():
    start, gradients = example()
    before = train(Prodigy(0.5, d0=D0), variables(start), gradients)
    for kwargs in [*SETTINGS[1:4], {"safeguard_warmup": True}]:
        after = train(Prodigy(0.5, d0=D0, **kwargs), variables(start), gradients)
        assert np.abs(after - before).max() > 0.01 * np.abs(before - start).max()


@pytest.mark.parametrize("is_fast", [True, False])
def test_variables_of_two_dtypes_share_the_estimate(is_fast):
    start, gradients = example()
    start = start.astype("float32").astype("float64")
    gradients = gradients.astype("float32").astype("float64")
    expected = references.prodigy(start, gradients, 1.0, d0=D0)
    with wide():
        optimizer = Prodigy(d0=D0)
        optimizer.has_fast_paths = is_fast
        several = variables(start, ("float32", "float64"))
        actual = train(optimizer, several, gradients)
        assert optimizer._shared[0].dtype == "float64"
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_steps_that_float32_weights_hardly_hold_count():
    """The difference to the first weights would lose digits of each."""
    start, gradients = example(20)
    start, d = 100 + start, []
    for dtype in ("float32", "float64"):
        with wide():
            optimizer = Prodigy(d0=1e-6)
            train(optimizer, variables(start, (dtype, dtype)), gradients)
            d.append(float(array(optimizer._shared[0])))
    assert d[1] > 1e-4
    np.testing.assert_allclose(d[0], d[1], rtol=1e-4)


def test_the_rate_that_it_estimates_can_be_read_and_is_logged():
    optimizer = Prodigy(0.5, d0=D0)
    assert float(array(optimizer.estimated_learning_rate)) == 0.5 * D0
    start, gradients = example()
    train(optimizer, variables(start), gradients)
    d = float(array(optimizer._shared[0]))
    assert d > 10 * D0
    assert float(array(optimizer.estimate)) == d
    assert float(array(optimizer.estimated_learning_rate)) == pytest.approx(0.5 * d)
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")]
    )
    inner = Prodigy(0.5, d0=D0)
    model.compile(Lookahead(inner, 2), "mse")
    logged = model.fit(
        np.ones((8, 2)),
        np.ones((8, 1)),
        epochs=2,
        batch_size=2,
        verbose=0,
        callbacks=[LearningRateLogger()],
    ).history
    assert logged["learning_rate"] == [0.5, 0.5]
    last = float(array(inner.estimated_learning_rate))
    assert logged["estimated_learning_rate"][-1] == pytest.approx(last)
    assert logged["estimate"][-1] == pytest.approx(2 * last)
    assert last > 0.5 * D0


def test_without_gradients_that_are_not_zero_only_the_decay_moves():
    start, gradients = example()
    optimizer = Prodigy(d0=D0, weight_decay=0.25)
    several = variables(start)
    decayed = train(optimizer, several, 0 * gradients[:3])
    np.testing.assert_allclose(decayed, (1 - 0.25 * D0) ** 3 * start, rtol=1e-6)
    assert float(array(optimizer._shared[0])) == D0
    expected = references.prodigy(
        start, [*0 * gradients[:3], *gradients], 1.0, d0=D0, weight_decay=0.25
    )
    np.testing.assert_allclose(
        train(optimizer, several, gradients), expected, rtol=1e-5
    )


def test_the_estimate_stays_while_its_sums_are_zero():
    """Without memory, as after a step at rate 0, even if it was still to grow."""
    start, gradients = example()
    several = variables(start)
    optimizer = Prodigy(d0=D0, d_coef=8.0, growth_rate=1.01, beta_3=0.0)
    train(optimizer, several, gradients)
    d, d_max, _ = (array(v) for v in optimizer._shared)
    assert D0 < 1.1 * d < d_max
    optimizer.learning_rate = 0.0
    train(optimizer, several, gradients[:1])
    assert array(optimizer._shared[0]) == d


def test_a_variable_without_gradient_has_no_part_in_the_estimate():
    start, gradients = example()
    both, alone = Prodigy(d0=D0), Prodigy(d0=D0)
    several = variables(start)
    both.build(several)
    train(both, several[:1], gradients[:, : SIZES[0]])
    other = variables(start)[:1]
    train(alone, other, gradients[:, : SIZES[0]])
    np.testing.assert_array_equal(array(several[0]), array(other[0]))
    np.testing.assert_array_equal(array(several[1]), start[4:].astype("float32"))


def test_nan_in_one_variable_is_seen_in_all():
    start, gradients = example(3)
    gradients[1, 0] = np.nan
    assert np.isnan(train(Prodigy(d0=D0), variables(start), gradients)).all()


@pytest.mark.parametrize("is_fast", [True, False])
def test_skipped_and_accumulated_gradients(is_fast):
    start, gradients = example()
    several = variables(start)
    optimizer = Prodigy(d0=D0, skip_nonfinite=True, gradient_accumulation_steps=2)
    optimizer.has_fast_paths = is_fast
    for g in gradients:
        train(optimizer, several, [g - 0.125, np.nan * g, g + 0.125])
    expected = references.prodigy(start, gradients, 1.0, d0=D0)
    actual = np.concatenate([array(v) for v in several])
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("corrected_decay", [False, True])
def test_a_group_may_be_left_out_or_decay_differently(corrected_decay):
    """At a constant learning rate, there is nothing to correct, whatever `d`."""
    start, gradients = example()
    groups = {"a": {"weight_decay": 0.5}, "b": {"learning_rate_multiplier": 0}}
    several = variables(start)
    optimizer = Prodigy(d0=D0, corrected_decay=corrected_decay)
    actual = train(ParameterGroups(optimizer, groups), several, gradients)
    expected = references.prodigy(
        start[:4], gradients[:, :4], 1.0, d0=D0, weight_decay=0.5
    )
    np.testing.assert_allclose(actual[:4], expected, rtol=1e-5)
    np.testing.assert_array_equal(actual[4:], start[4:].astype("float32"))


def test_a_group_corrects_its_decay_by_the_learning_rate_and_not_by_the_estimate():
    start, gradients = example(3)
    options = {"d0": D0, "weight_decay": 0.5, "corrected_decay": True}
    several = [variables(start) for _ in range(2)]
    groups = {".": {"weight_decay": 0.5}}
    actual = train(ParameterGroups(Prodigy(**options), groups), several[0], gradients)
    expected = train(Prodigy(**options), several[1], gradients)
    np.testing.assert_array_equal(actual, expected)


def test_the_first_rise_is_not_limited():
    """Not even of a `d0` that is not 1 when compilers multiply it by its reciprocal."""
    d0 = 0.007
    assert np.float32(d0) * (1 / np.float32(d0)) != 1
    optimizer = Prodigy(d0=d0, growth_rate=1.02)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(optimizer, "mse", jit_compile=BACKEND != "torch")
    x = np.random.default_rng(0).normal(size=(8, 4))
    model.fit(x, 5 * x[:, :3], epochs=6, batch_size=8, verbose=0)
    assert float(array(optimizer.estimate)) > 1.2 * d0


def test_groups_with_other_multipliers_are_refused():
    start, _ = example()
    made = ParameterGroups(Prodigy(), {".": {"learning_rate_multiplier": 0.5}})
    with pytest.raises(ValueError, match=r"multiplier` must be 0 or 1 .*=0\.5"):
        made.build(variables(start))
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(1)]
    )
    made = ParameterGroups(Prodigy(), layer_wise_decay(model, 0.5))
    with pytest.raises(ValueError, match="multiplier` must be 0 or 1"):
        made.build(model.trainable_variables)
    rule = {"optimizer": RAdam(), "learning_rate_multiplier": 0.5}
    rules = {"a": rule, ".*": {}}
    ParameterGroups(Prodigy(), rules).build(variables(start))


def test_a_warm_up_does_not_raise_a_safeguarded_estimate():
    start, gradients = example()
    rising = schedules.PiecewiseLinear([0, 20], [0.01, 1.0])
    found = []
    for safeguard in (False, True):
        optimizer = Prodigy(rising, d0=D0, safeguard_warmup=safeguard)
        train(optimizer, variables(start), gradients)
        found.append(float(array(optimizer._shared[0])))
    assert found[1] < found[0]


@pytest.mark.only("jax")
def test_a_compiled_step_may_follow_one_that_is_not():
    """The state is donated, so two numbers of it cannot share a buffer."""
    import jax

    start, gradients = example(2)
    several, both = variables(start), variables(start)
    expected = Prodigy(d0=D0)
    train(expected, both, gradients)
    optimizer = Prodigy(d0=D0)
    train(optimizer, several, gradients[:1])
    step = jax.jit(optimizer.stateless_apply, donate_argnums=0)
    parts = map(jax.numpy.asarray, np.split(gradients[1], [SIZES[0]]))
    state = [v.value for v in optimizer.variables]
    weights, _ = step(state, [*parts], [v.value for v in several])
    for found, variable in zip(weights, both, strict=True):
        np.testing.assert_allclose(found, array(variable), rtol=1e-6)


def test_updates_of_single_variables_are_refused():
    class Alone(Prodigy):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate)

    start, gradients = example(1)
    with pytest.raises(TypeError, match="depends on the gradients of all variables"):
        train(Alone(), variables(start), gradients)


def test_the_estimate_is_saved_with_the_model(tmp_path):
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")]
    )
    model.compile(Prodigy(d0=D0), "mse")
    x, y = np.ones((8, 2)), np.ones((8, 1))
    model.fit(x, y, epochs=3, batch_size=2, verbose=0)
    d = float(array(model.optimizer.estimated_learning_rate))
    assert d > D0
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert float(array(again.optimizer.estimated_learning_rate)) == d
    for trained in (model, again):
        trained.fit(x, y, shuffle=False, verbose=0)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
