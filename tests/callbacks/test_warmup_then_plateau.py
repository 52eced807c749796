"""`WarmupThenPlateau` warms the learning rate up, and then reduces it as Keras does."""

import inspect
import re

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import BACKEND
from tfx_extras import optimizers
from tfx_extras import schedules
from tfx_extras.callbacks import WarmupThenPlateau

X = np.random.default_rng(2).normal(size=(8, 2)).astype("float32")
Y = X.sum(1, keepdims=True)
# On TensorFlow, XLA takes longer to compile a model than these tests take.
PLAIN = {"jit_compile": BACKEND == "jax"}
NEVER = {"monitor": "loss", "min_delta": 1e9, "patience": 1, "factor": 0.5}


def made(optimizer=None, **options):
    layers = [keras.layers.Dense(1, name="first"), keras.layers.Dense(1, name="last")]
    model = keras.Sequential([keras.Input((2,)), *layers])
    optimizer = keras.optimizers.SGD(0.4) if optimizer is None else optimizer
    model.compile(optimizer, "mse", **PLAIN, **options)
    return model


def number(rate):
    return float(ops.convert_to_numpy(rate))


class Rates(keras.callbacks.Callback):
    """Records the learning rate of each batch."""

    def __init__(self, *optimizers):
        super().__init__()
        self.optimizers, self.seen = optimizers, []

    def on_train_batch_end(self, batch, logs=None):
        own = self.model.optimizer  # on JAX, this gives all variables their values
        optimizers = self.optimizers or [own]
        rates = [number(o.learning_rate) for o in optimizers]
        self.seen.append(rates if self.optimizers else rates[0])


def fit(model, callback, epochs=1, batch_size=2, watched=()):
    """Trains with four steps in an epoch, and returns the rate of each step."""
    rates = Rates(*watched)
    model.fit(
        *(X, Y, batch_size),
        epochs=epochs,
        verbose=0,
        shuffle=False,
        callbacks=[callback, rates],
    )
    return rates.seen


WRAPPED = {
    "SGD": lambda: keras.optimizers.SGD(0.4),
    "own": lambda: optimizers.RAdam(0.4),
    "wrappers": lambda: optimizers.MovingAverage(
        optimizers.Lookahead(keras.optimizers.SGD(0.4))
    ),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(optimizers.RAdam(0.4)),
    "groups": lambda: optimizers.ParameterGroups(
        optimizers.RAdam(0.4), {"first": {"learning_rate_multiplier": 0.5}, ".*": {}}
    ),
}


# The other backends compile each.
FEW = WRAPPED if BACKEND == "torch" else ["wrappers", "groups"]


@pytest.mark.parametrize("kind", FEW)
def test_rates_rise_on_a_line_and_then_fall_on_plateaus(kind):
    callback = WarmupThenPlateau(6, **NEVER)
    rates = fit(made(WRAPPED[kind]()), callback, epochs=5)
    # Epoch 0 ends in the warm-up, and gives the best loss. Then, all are plateaus.
    warm = np.minimum(np.arange(1, 9) / 6, 1)
    expected = [*warm, *np.repeat([0.5, 0.25, 0.125], 4)]
    np.testing.assert_allclose(rates, 0.4 * np.array(expected), rtol=1e-6)
    assert rates[5] == np.float32(0.4)  # exact at the joint


def test_weights_move_by_the_rates_of_the_warm_up():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    loss = lambda y, p: ops.mean(p, -1)  # noqa: E731
    model.compile(keras.optimizers.SGD(0.5), loss, **PLAIN)
    bias = [0.0]

    class Biases(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            bias.append(number(self.model.layers[-1].bias[0]))

    ones = np.ones((5, 1), "float32")
    callbacks = [WarmupThenPlateau(4, monitor="loss"), Biases()]
    model.fit(ones, ones, batch_size=1, verbose=0, callbacks=callbacks)
    np.testing.assert_allclose(
        -np.diff(bias), [0.125, 0.25, 0.375, 0.5, 0.5], rtol=1e-5
    )


@pytest.mark.only("torch")
def test_after_the_warm_up_it_is_the_callback_of_keras():
    options = {"monitor": "loss", "factor": 0.3, "patience": 1, "min_delta": 1.0}
    options |= {"cooldown": 1, "min_lr": 0.001}
    histories = []
    for callback in (
        WarmupThenPlateau(0, **options),
        keras.callbacks.ReduceLROnPlateau(**options),
    ):
        keras.utils.set_random_seed(5)
        model = made(keras.optimizers.SGD(0.05))
        fit = model.fit(X, Y, epochs=12, verbose=0, callbacks=[callback])
        histories.append(fit.history)
    assert histories[0] == histories[1]
    assert len({*histories[0]["learning_rate"]}) > 2


def test_several_optimizers_are_warmed_up_together():
    first, other = keras.optimizers.SGD(0.4), keras.optimizers.Adam(0.1)
    model = made(optimizers.ParameterGroups(first, {"first": other, ".*": {}}))
    callback = WarmupThenPlateau(4, learning_rate=0.8, **NEVER)
    seen = fit(model, callback, 4, watched=(first, other))
    line = [0.25, 0.5, 0.75, *[1] * 5, *[0.5] * 4, *[0.25] * 4]
    np.testing.assert_allclose(seen, np.outer(line, [0.8, 0.2]), rtol=1e-6)


def test_optimizers_of_multi_optimizer_are_warmed_up_together():
    first, other = keras.optimizers.SGD(0.4), keras.optimizers.Adam(0.1)
    of_paths = keras.optimizers.OptimizerMap(first, {".*first.*": other})
    model = made(keras.optimizers.MultiOptimizer(of_paths))
    seen = fit(model, WarmupThenPlateau(4, monitor="loss"), watched=(first, other))
    line = [0.25, 0.5, 0.75, 1]
    np.testing.assert_allclose(seen, np.outer(line, [0.4, 0.1]), rtol=1e-6)


def test_steps_are_those_of_the_optimizer_not_batches():
    optimizer = optimizers.RAdam(0.4, gradient_accumulation_steps=2)
    rates = fit(made(optimizer), WarmupThenPlateau(4, monitor="loss"), 3)
    expected = np.repeat([0.1, 0.2, 0.3, 0.4, 0.4, 0.4], 2)
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


@pytest.mark.only("tensorflow", "jax")
def test_a_warm_up_of_whole_executions_ends_at_the_rate():
    rates = Rates()
    model = made(steps_per_execution=4)
    callbacks = [WarmupThenPlateau(6, monitor="loss"), rates]
    model.fit(X, Y, 1, epochs=2, verbose=0, callbacks=callbacks)
    np.testing.assert_allclose(rates.seen, [0.4 / 6, 2 / 6, 0.4, 0.4], rtol=1e-6)


def test_a_warm_up_resumes_from_a_saved_model(tmp_path):
    def callback():
        return WarmupThenPlateau(6, learning_rate=0.4, monitor="loss")

    whole = fit(made(), callback(), 3)
    part = made()
    fit(part, callback(), 1)
    part.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(fit(loaded, callback(), 2), whole[4:])


def test_a_second_fit_goes_on_with_the_warm_up():
    model, callback = made(), WarmupThenPlateau(10, monitor="loss")
    rates = [*fit(model, callback), *fit(model, callback), *fit(model, callback)]
    expected = 0.4 * np.minimum(np.arange(1, 13) / 10, 1)
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    # A rate that is set between, after the warm-up, stays.
    model.optimizer.learning_rate = 0.01
    np.testing.assert_allclose(fit(model, callback), [0.01] * 4, rtol=1e-6)


def test_reductions_outlive_a_save(tmp_path):
    model = made()
    fit(model, WarmupThenPlateau(2, **NEVER), 4)
    model.save(tmp_path / "model.keras")
    reached = number(model.optimizer.learning_rate)
    assert reached < 0.3
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    rates = fit(loaded, WarmupThenPlateau(2, **NEVER), 1)
    np.testing.assert_allclose(rates, [reached] * 4, rtol=1e-6)


@pytest.mark.only("torch")
@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.SGD(schedules.WarmupCosine(0.1, 2, 9)),
        lambda: optimizers.RAdam(lambda: 0.1),
        lambda: optimizers.Lookahead(
            keras.optimizers.SGD(schedules.WarmupCosine(0.1, 2, 9))
        ),
    ],
    ids=["schedule", "function", "wrapped schedule"],
)
def test_a_schedule_is_refused_before_the_first_step(make):
    model = made(make())
    with pytest.raises(ValueError, match="must be a number, not a schedule"):
        fit(model, WarmupThenPlateau(4))
    assert int(model.optimizer.iterations) == 0


@pytest.mark.only("torch")
@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"warmup_steps": -1}, "warmup_steps=-1"),
        ({"warmup_steps": 0.5}, "warmup_steps=0.5"),
        ({"learning_rate": 0.0}, "`learning_rate` must be in (0, inf)"),
        ({"factor": 1.0}, "`factor` must be in (0, 1). Received: factor=1.0"),
        ({"factor": 0}, "factor=0"),
        ({"patience": -1}, "patience=-1"),
        ({"mode": "minimum"}, "`mode` must be one of auto, min, max"),
        ({"min_delta": float("nan")}, "min_delta=nan"),
        ({"cooldown": 1.5}, "cooldown=1.5"),
        ({"min_lr": -1e-3}, "min_lr=-0.001"),
    ],
)
def test_wrong_arguments_are_refused_by_name_and_value(arguments, received):
    with pytest.raises(ValueError, match=re.escape(received)):
        WarmupThenPlateau(**{"warmup_steps": 4} | arguments)


@pytest.mark.only("torch")
def test_it_has_all_arguments_of_keras():
    ours = inspect.signature(WarmupThenPlateau).parameters
    theirs = inspect.signature(keras.callbacks.ReduceLROnPlateau).parameters
    for name, parameter in theirs.items():
        if name != "kwargs":
            assert ours[name].default == parameter.default


def test_the_plateaus_of_the_warm_up_do_not_count():
    rates = fit(made(), WarmupThenPlateau(100, **NEVER), 5)
    assert (np.diff(rates) > 0).all()
