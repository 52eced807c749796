"""`ScheduleFree`: three sequences of weights, of which the model has one."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.references import wrappers as references
from tests.tools import BACKEND
from tests.tools import array
from tfx_extras.callbacks import SwapAverage
from tfx_extras.optimizers import SWA
from tfx_extras.optimizers import AdaBelief
from tfx_extras.optimizers import AdamW
from tfx_extras.optimizers import Lookahead
from tfx_extras.optimizers import MovingAverage
from tfx_extras.optimizers import Muon
from tfx_extras.optimizers import ParameterGroups
from tfx_extras.optimizers import Prodigy
from tfx_extras.optimizers import RAdam
from tfx_extras.optimizers import ScheduleFree
from tfx_extras.optimizers import ScheduleFreeAdamW
from tfx_extras.optimizers import ScheduleFreeRAdam
from tfx_extras.optimizers import ScheduleFreeSGD
from tfx_extras.schedules import Warmup

START = np.array([1.0, -2.0, 0.5])
RATE = 2.0**-4


def gradients(count=6, seed=0):
    rng = np.random.default_rng(seed)
    return np.round(rng.normal(size=(count, 3)) * 64) / 64


def variable(values=START, name="w", dtype="float32"):
    return keras.Variable(np.array(values), dtype=dtype, name=name)


def train(optimizer, w, grads):
    for g in grads:
        optimizer.apply([ops.convert_to_tensor(g, w.dtype)], [w])
    return array(w)


def average(optimizer, w):
    optimizer.swap()
    seen = array(w)
    optimizer.swap()
    return seen


def sgd(rate=RATE, **options):
    return keras.optimizers.SGD(rate, **options)


def expected(grads, start=START, rate=RATE, **kwargs):
    return references.schedule_free(np.array(start), grads, rate, 0.0, **kwargs)


def assert_near(ours, theirs, tolerance=1e-6):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


# The learning rate of each step


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_steps_weigh_by_the_largest_rate_so_far(power):
    rates = [0.0, 0.0, RATE / 4, RATE, RATE / 2, 0.0]

    def rate(t):
        return rates[t - 1]

    ends = [0, 1, 2, 3, 4]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(ends, rates)
    given = {"weight_lr_power": power, "weight_decay": 0.25, "r": 0.5}
    w, optimizer = variable(), ScheduleFree(sgd(schedule), **given)
    found = train(optimizer, w, gradients()), average(optimizer, w)
    assert_near(found, expected(gradients(), rate=rate, **given))


def test_without_any_rate_nothing_moves():
    w, optimizer = variable(), ScheduleFree(sgd(0.0), weight_decay=0.5)
    np.testing.assert_array_equal(train(optimizer, w, gradients()), START)
    np.testing.assert_array_equal(average(optimizer, w), START)


def test_the_rate_is_that_of_the_gradient_that_completes_an_accumulation():
    schedule = keras.optimizers.schedules.PolynomialDecay(RATE / 8, 9, RATE)
    inner = sgd(schedule, gradient_accumulation_steps=2)
    w, optimizer = variable(), ScheduleFree(inner, weight_decay=0.25)
    grads = gradients(12)
    found = train(optimizer, w, grads), average(optimizer, w)
    rates = [float(schedule(i)) for i in range(1, 12, 2)]
    means = grads.reshape(6, 2, 3).mean(axis=1)
    wanted = expected(means, rate=lambda t: rates[t - 1], weight_decay=0.25)
    assert_near(found, wanted)


def test_a_very_small_rate_weighs_like_any_other():
    """Its square is 0 in float32."""
    w, optimizer = variable(0 * START), ScheduleFree(sgd(2.0**-80))
    grads = gradients()
    found = train(optimizer, w, 2.0**76 * grads), average(optimizer, w)
    assert_near(found, expected(grads, 0 * START))


def test_a_rate_that_is_set_counts_from_the_next_step():
    rates = [RATE, RATE, 4 * RATE, 4 * RATE, RATE, RATE]
    w, optimizer = variable(), ScheduleFree(sgd(), weight_decay=0.25)
    for rate, g in zip(rates, gradients(), strict=True):
        optimizer.learning_rate = rate
        train(optimizer, w, [g])
    found = array(w), average(optimizer, w)
    wanted = expected(gradients(), rate=lambda t: rates[t - 1], weight_decay=0.25)
    assert_near(found, wanted)


@pytest.mark.parametrize("make", [RAdam, AdaBelief])
def test_steps_before_the_rectification_leave_the_weights(make):
    inner = make(RATE, beta_1=0.0, beta_2=0.99, sma_threshold=4.0)
    w, optimizer = variable(), ScheduleFree(inner, weight_decay=0.5)
    np.testing.assert_array_equal(train(optimizer, w, gradients(4)), START)
    assert (train(optimizer, w, gradients(1)) != START).all()
    inner = make(RATE, beta_1=0.0, beta_2=0.5)  # is never rectified
    w = variable()
    assert (train(ScheduleFree(inner), w, gradients(1)) != START).all()


# Weight decay


def test_variables_are_excluded_from_decay_by_path_or_by_call(tmp_path):
    zero = np.zeros((4, 3))
    for optimizer in (
        ScheduleFree(sgd(), weight_decay=0.5, weight_decay_exclude=["bias"]),
        ScheduleFree(AdamW(RATE, 0.0, weight_decay=None), weight_decay=0.5),
    ):
        if not optimizer.weight_decay_exclude:
            optimizer.exclude_from_weight_decay(var_names=["bias"])
        both = [variable(name=name) for name in ("kernel", "bias")]
        for g in zero:
            optimizer.apply([ops.convert_to_tensor(g, "float32")] * 2, both)
        kernel, bias = map(array, both)
        np.testing.assert_allclose(kernel, expected(zero, weight_decay=0.5)[0], 1e-6)
        np.testing.assert_array_equal(bias, START)
        copy = ScheduleFree.from_config(optimizer.get_config())
        assert copy.weight_decay_exclude == ["bias"]
        assert copy._saved_paths == ("kernel", "bias")
    with pytest.warns(UserWarning, match="`weight_decay_exclude`: 'none'"):
        ScheduleFreeSGD(weight_decay=0.5, weight_decay_exclude=["none"]).build(both)


@pytest.mark.parametrize("is_outside", [False, True])
@pytest.mark.parametrize("inner", [sgd, lambda: ScheduleFreeSGD(RATE).inner_optimizer])
def test_rules_scale_the_rate_of_the_decay_and_replace_it(inner, is_outside):
    rules = {
        "slow": {"learning_rate_multiplier": 0.25},
        "other": {"weight_decay": 0.0},
        ".*": {},
    }
    if is_outside:
        optimizer = ParameterGroups(ScheduleFree(inner(), weight_decay=0.5), rules)
    else:
        optimizer = ScheduleFree(ParameterGroups(inner(), rules), weight_decay=0.5)
    all_of_them = [variable(name=name) for name in ("plain", "slow", "other")]
    grads = gradients()
    for g in grads:
        tensor = ops.convert_to_tensor(g, "float32")
        optimizer.apply([tensor] * 3, all_of_them)
    wanted = [
        expected(grads, weight_decay=0.5)[0],
        expected(grads, rate=RATE / 4, weight_decay=0.5)[0],
        expected(grads)[0],
    ]
    assert_near(map(array, all_of_them), wanted)


def test_the_decay_has_the_learning_rate_of_each_variable_in_muon():
    inner = Muon(RATE, 0.0, adam_beta_1=0.0, adam_learning_rate_factor=0.25)
    optimizer = ScheduleFree(inner, weight_decay=0.5)
    kernel = variable([[1.0, -2.0], [0.5, 1.0]], "kernel")
    bias = variable(name="bias")
    zeros = [ops.zeros((2, 2)), ops.zeros(3)]
    for _ in range(2):
        optimizer.apply(zeros, [kernel, bias])
    wanted = references.schedule_free(
        np.array(START), np.zeros((2, 3)), RATE / 4, 0.0, weight_decay=0.5
    )[0]
    np.testing.assert_allclose(array(bias), wanted, rtol=1e-6)
    wanted = references.schedule_free(
        np.array([1.0, -2.0]), np.zeros((2, 2)), RATE, 0.0, weight_decay=0.5
    )[0]
    np.testing.assert_allclose(array(kernel)[0], wanted, rtol=1e-6)


def test_optimizers_of_rules_average_by_their_own_rates():
    schedule = keras.optimizers.schedules.PolynomialDecay(RATE / 8, 5, RATE)
    rules = {"b": sgd(schedule), ".*": {}}
    optimizer = ScheduleFree(ParameterGroups(sgd(), rules), weight_decay=0.25)
    a, b = both = variable(name="a"), variable(name="b")
    grads = gradients()
    for g in grads:
        optimizer.apply([ops.convert_to_tensor(g, "float32")] * 2, both)
    assert_near([array(a)], expected(grads, weight_decay=0.25)[:1])
    rates = [float(schedule(i)) for i in range(6)]
    wanted = expected(grads, rate=lambda t: rates[t - 1], weight_decay=0.25)
    assert_near([array(b), average(optimizer, b)], wanted)


# The weights of the model


def test_weights_that_are_assigned_begin_anew():
    w, optimizer = variable(), ScheduleFree(sgd())
    train(optimizer, w, gradients(3))
    w.assign([5.0, *array(w)[1:]])
    np.testing.assert_array_equal(average(optimizer, w)[0], 5)
    found = train(optimizer, w, gradients(3, seed=1))
    whole = expected([*gradients(3), *gradients(3, seed=1)])
    assert_near([found[1:], average(optimizer, w)[1:]], [x[1:] for x in whole])
    # The average of the first three steps weighs as much as ever.
    grads = np.concatenate([np.zeros((3, 3)), gradients(3, seed=1)])
    anew = expected(grads, [5.0, 0, 0])
    assert_near([found[:1], average(optimizer, w)[:1]], [x[:1] for x in anew])


def test_training_continues_from_an_assigned_average():
    w, optimizer = variable(), ScheduleFree(sgd())
    train(optimizer, w, gradients(3))
    seen = average(optimizer, w)
    optimizer.assign_average()
    np.testing.assert_array_equal(array(w), seen)
    np.testing.assert_array_equal(average(optimizer, w), seen)
    grads = np.concatenate([np.zeros((3, 3)), gradients(3, seed=1)])
    found = train(optimizer, w, gradients(3, seed=1)), average(optimizer, w)
    assert_near(found, expected(grads, seen))


def test_frozen_weights_are_their_own_average_and_train_later():
    a, b = variable(name="a"), variable(name="b")
    optimizer = ScheduleFree(sgd())
    optimizer.build([a, b])
    train(optimizer, a, gradients(2))
    np.testing.assert_array_equal(array(b), START)
    np.testing.assert_array_equal(average(optimizer, b), START)
    b.assign(3 * START)
    np.testing.assert_array_equal(average(optimizer, b), 3 * START)
    grads = np.concatenate([np.zeros((2, 3)), gradients(3)])
    found = train(optimizer, b, gradients(3)), average(optimizer, b)
    assert_near(found, expected(grads, 3 * START))


@pytest.mark.parametrize("beta", [0.0, 0.9, 1.0])
def test_nan_comes_out_of_nan(beta):
    w, optimizer = variable(), ScheduleFree(sgd(), beta)
    grads = gradients(3)
    grads[1, 0] = np.nan
    found = train(optimizer, w, grads)
    assert np.isnan(found[0])
    assert np.isfinite(found[1:]).all()
    assert np.isnan(average(optimizer, w)[0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_16_bit_weights_move_like_those_of_float32(dtype):
    """All steps together are less than the spacing of bfloat16 weights at 4."""
    rate = 1e-4
    grads = np.sign(gradients(40)) + gradients(40)
    ends = []
    for kind in (dtype, "float32"):
        optimizer = ScheduleFreeAdamW(rate, weight_decay=0.1)
        w = variable(4 * START, dtype=kind)
        train(optimizer, w, grads)
        (residual,) = optimizer._residuals
        rest = 0.0 if residual is None else array(residual)
        kept = [array(w) + rest]
        for slot, rest in zip(
            optimizer._slots[0], optimizer._slot_residuals[0], strict=True
        ):
            kept.append(array(slot) + (0.0 if rest is None else array(rest)))
        ends.append(kept)
    for ours, wide in zip(*ends, strict=True):
        moved = np.abs(wide - 4 * START).max()
        assert np.abs(ours - wide).max() < 1e-3 * moved


def test_an_optimizer_that_was_built_before_keeps_its_16_bit_rounding_errors():
    inner = AdamW(1e-2, 0.0, weight_decay=None)
    w = variable(dtype="bfloat16")
    train(inner, w, gradients(2))
    before = array(w)
    optimizer = ScheduleFree(inner)
    train(optimizer, w, np.ones((20, 3)))
    (residual,) = optimizer._residuals
    assert keras.backend.standardize_dtype(residual.dtype) == "bfloat16"
    assert ((array(w) < before) & (array(w) > before - 0.25)).all()
    x = average(optimizer, w)
    assert ((array(w) < x) & (x < before)).all()


# Arguments


@pytest.mark.parametrize(
    "inner",
    [
        lambda: Lookahead("sgd"),
        lambda: MovingAverage("sgd"),
        lambda: SWA("sgd", 1, 1),
        lambda: ScheduleFreeSGD(),
        lambda: ParameterGroups(Lookahead("sgd"), {".*": {}}),
        lambda: ParameterGroups("sgd", {"a": Lookahead("sgd"), ".*": {}}),
        lambda: Prodigy(beta_1=0.0),
        lambda: ParameterGroups("sgd", {"a": Prodigy(beta_1=0.0), ".*": {}}),
    ],
)
def test_what_follows_the_weights_is_refused_inside(inner):
    with pytest.raises(ValueError, match="ScheduleFree cannot contain "):
        ScheduleFree(inner())


@pytest.mark.parametrize(
    ("inner", "name"),
    [
        (keras.optimizers.Adam(), "beta_1"),
        (keras.optimizers.SGD(0.1, momentum=0.5), "momentum"),
        (RAdam(), "beta_1"),
        (Muon(momentum=0.0), "adam_beta_1"),
    ],
)
def test_a_momentum_inside_is_warned_of(inner, name):
    with pytest.warns(UserWarning, match=f"replaces the momentum .* `{name}` to 0"):
        ScheduleFree(inner)
    with pytest.warns(UserWarning, match="replaces the momentum"):
        ScheduleFree(ParameterGroups("sgd", {"a": inner, ".*": {}}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_decay": 0.01}, "Set it to None, and give `weight_decay` to"),
        ({"weight_decay": None, "use_ema": True}, "keeps an average of its own"),
    ],
)
def test_options_that_see_the_wrong_weights_are_warned_of(options, message):
    inner = AdamW(beta_1=0.0, **options)
    with pytest.warns(UserWarning, match=message):
        ScheduleFree(inner)


@pytest.mark.filterwarnings("error:`ScheduleFree`:UserWarning")
@pytest.mark.parametrize(
    ("make", "inner"),
    [
        (ScheduleFreeAdamW, {"beta_1": 0.0, "weight_decay": None, "epsilon": 1e-8}),
        (ScheduleFreeSGD, {"weight_decay": None}),
        (ScheduleFreeRAdam, {"beta_1": 0.0, "weight_decay": None, "epsilon": 1e-8}),
    ],
)
def test_presets_pass_their_arguments_on(make, inner):
    optimizer = make(
        0.25, beta=0.5, weight_decay=0.125, weight_decay_exclude=["b"], clipnorm=2.0
    )
    config = keras.optimizers.serialize(optimizer)
    assert config["registered_name"] == "tfx_extras>ScheduleFree"
    copy = keras.optimizers.deserialize(config)
    for each in (optimizer, copy):
        own = each.get_config()
        assert (own["beta"], own["weight_decay"]) == (0.5, 0.125)
        assert own["weight_decay_exclude"] == ["b"]
        within = each.inner_optimizer.get_config()
        assert within.items() >= (inner | {"learning_rate": 0.25}).items()
        assert within["clipnorm"] == 2.0
    if make is not ScheduleFreeRAdam:
        schedule = make(0.25, warmup_steps=4).inner_optimizer._learning_rate
        assert isinstance(schedule, Warmup)
        found = [float(schedule(i)) for i in range(5)]
        np.testing.assert_allclose(found, [0.0625, 0.125, 0.1875, 0.25, 0.25])
    with pytest.raises(ValueError, match=r"`beta` must be in .* beta=2"):
        make(beta=2)


# In a model


def model(optimizer=None):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((3,)), keras.layers.Dense(2, name="a")]
    network = keras.Sequential([*layers, keras.layers.Dense(1, name="b")])
    # TensorFlow takes long to trace a model.
    eager = {"run_eagerly": BACKEND == "tensorflow"}
    network.compile(optimizer or ScheduleFreeAdamW(0.05), loss="mse", **eager)
    return network


def fit(network, epochs=1, callbacks=(), **options):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 3)).astype("float32")
    y = x[:, :1] * x[:, 1:2]
    callbacks = list(callbacks)
    options = {"batch_size": 8, "shuffle": False, "verbose": 0} | options
    return network.fit(x, y, epochs=epochs, callbacks=callbacks, **options)


def state(network):
    return [array(v) for v in [*network.variables, *network.optimizer.variables]]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_reloaded_model_trains_on_bit_for_bit(swapped, tmp_path):
    network = model()
    fit(network, 2)
    if swapped:
        network.optimizer.swap()
    network.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    assert copy.optimizer.is_swapped is swapped
    for one, two in zip(state(network), state(copy), strict=True):
        np.testing.assert_array_equal(one, two)
    swap = [SwapAverage()]  # its first gradients are those of the weights
    fit(network, 2, swap)
    fit(copy, 2, swap)
    for one, two in zip(state(network), state(copy), strict=True):
        np.testing.assert_array_equal(one, two)


def test_what_swap_average_saves_is_the_average(tmp_path):
    network = model()
    save = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")
    fit(network, 2, [SwapAverage(swap_on_epoch=True), save])
    copy = keras.saving.load_model(tmp_path / "model.keras")
    weights = network.get_weights()
    network.optimizer.swap()
    for x, y, kept in zip(
        network.get_weights(), weights, copy.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(x, kept)
        assert (x != y).any()


def test_a_step_that_fails_leaves_weights_and_average():
    w = variable()
    optimizer = ScheduleFreeSGD(RATE, skip_nonfinite=True, max_consecutive_skips=1)
    train(optimizer, w, gradients())
    before, kept = array(w), average(optimizer, w)
    train(optimizer, w, [np.full(3, np.nan)])
    with pytest.raises(Exception, match="max_consecutive_skips"):
        train(optimizer, w, [np.full(3, np.nan)])
    assert_near([array(w), average(optimizer, w)], [before, kept])


@pytest.mark.only("torch")
def test_variables_with_other_rates_share_programs(monkeypatch):
    from tfx_extras._backend import _assigned

    real, made = _assigned._recorded, []
    monkeypatch.setattr(_assigned, "_recorded", lambda *a: made.append(a) or real(*a))
    variables = [keras.Variable([float(i), 1.0], name=f"v{i}") for i in range(4)]
    rules = {f"v{i}": {"learning_rate_multiplier": 0.5**i} for i in range(4)}
    groups = ParameterGroups(keras.optimizers.SGD(0.1), rules)
    optimizer = ScheduleFree(groups, weight_decay=0.1)
    for _ in range(2):
        optimizer.apply([v * 0 + 1 for v in variables], variables)
    assert len(made) == 2  # for what is before a step, and after it
