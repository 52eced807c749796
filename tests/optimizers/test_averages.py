"""How averages are swapped into and out of a model."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import BACKEND
from tests.tools import array
from tfx_extras.callbacks import SwapAverage
from tfx_extras.optimizers import SWA
from tfx_extras.optimizers import AdaBelief
from tfx_extras.optimizers import MovingAverage
from tfx_extras.optimizers import ParameterGroups
from tfx_extras.optimizers import ScheduleFree


def schedule_free(inner):
    if isinstance(inner, AdaBelief):  # rectification keeps the weights at first
        inner.rectify = False
    return ScheduleFree(inner, weight_decay=0.1)


KINDS = {
    "moving": lambda inner: MovingAverage(inner, decay=0.5),
    "swa": lambda inner: SWA(inner, start=2, period=2),
    "free": schedule_free,
}
each_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
one = pytest.mark.parametrize("make", [KINDS["moving"]], ids=["moving"])
# The base implements both swaps, so one wrapper is enough where models are compiled.
each_kind_or_one = each_kind if BACKEND == "torch" else one
# TensorFlow takes long to trace a model, and updates are graphs even without it.
EAGER = {"run_eagerly": BACKEND == "tensorflow"}


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 3)).astype("float32")
    return x, x @ rng.normal(size=(3, 2)).astype("float32")


def compiled(optimizer, dtype="float32", **options):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, dtype=dtype, name="only")]
    )
    model.compile(optimizer, loss="mse", **options)
    return model


def fit(model, callbacks=(), epochs=3, **options):
    return model.fit(
        *data(),
        epochs=epochs,
        batch_size=8,
        verbose=0,
        shuffle=False,
        callbacks=list(callbacks),
        **options,
    )


def state(model):
    return [array(v) for v in [*model.variables, *model.optimizer.variables]]


@each_kind
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_swapping_twice_changes_no_bit(make, dtype):
    """Adding and subtracting instead would lose the smaller value."""
    variable = keras.Variable([1e4, 1.23, 1e-6], dtype=dtype, name="w")
    optimizer = make(AdaBelief(0.1))
    for _ in range(3):
        optimizer.apply([ops.ones(3)], [variable])
    before = [array(variable), *map(array, optimizer.variables)]
    optimizer.swap()
    assert optimizer.is_swapped
    assert (array(variable) != before[0])[1:].all()
    optimizer.swap()
    assert not optimizer.is_swapped
    after = [array(variable), *map(array, optimizer.variables)]
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, two)


@each_kind
def test_the_average_can_be_assigned_for_good(make):
    variable = keras.Variable([1.0, 2.0], dtype="float32", name="w")
    optimizer = make(keras.optimizers.SGD(0.5))
    optimizer.build([variable])
    with pytest.raises(ValueError, match="no average"):
        optimizer.assign_average()
    with pytest.raises(ValueError, match="no average"):
        optimizer.swap()
    for _ in range(4):
        optimizer.apply([ops.ones(2)], [variable])
    optimizer.swap()
    average = array(variable)
    with pytest.raises(ValueError, match="already"):
        optimizer.assign_average()
    optimizer.swap()
    optimizer.assign_average()
    np.testing.assert_array_equal(array(variable), average)
    # Training continues from there, and so does the average.
    optimizer.apply([ops.ones(2)], [variable])
    moved = average - array(variable)
    if isinstance(optimizer, ScheduleFree):
        assert ((moved > 0) & (moved < 0.5)).all()
    else:
        np.testing.assert_array_equal(moved, 0.5)


@each_kind
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_evaluation_does_not_change_the_training(make, dtype):
    results = []
    for callbacks, options in [
        ([], {}),
        ([SwapAverage(swap_on_epoch=False)], {"validation_data": data()}),
        ([SwapAverage(swap_on_epoch=True)], {"validation_data": data()}),
    ]:
        keras.utils.set_random_seed(0)
        model = compiled(make(AdaBelief(0.01)), dtype, **EAGER)
        fit(model, callbacks, epochs=2, **options)
        results.append(state(model))
    for plain, *others in zip(*results, strict=True):
        for other in others:
            np.testing.assert_array_equal(plain, other)


@each_kind_or_one
def test_what_is_evaluated_predicted_and_checkpointed_is_the_average(make, tmp_path):
    model = compiled(make(keras.optimizers.SGD(0.1)))
    best = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    swap = SwapAverage(swap_on_epoch=True)
    history = fit(model, [swap, best], validation_data=data()).history
    weights = model.get_weights()
    of_weights = model.evaluate(*data(), verbose=0)
    of_average = model.evaluate(*data(), verbose=0, callbacks=[SwapAverage()])
    assert of_average != of_weights
    assert history["val_loss"][-1] == pytest.approx(of_average, rel=1e-6)
    predicted = model.predict(data()[0], verbose=0, callbacks=[SwapAverage()])
    assert np.mean((predicted - data()[1]) ** 2) == pytest.approx(of_average, rel=1e-5)
    for one, two in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    saved = keras.saving.load_model(tmp_path / "3.keras")
    assert saved.evaluate(*data(), verbose=0) == pytest.approx(of_average, rel=1e-6)
    # The model saved with its average in place resumes training from its weights.
    fit(model, [SwapAverage()], epochs=1)
    fit(saved, [SwapAverage()], epochs=1)
    for one, two in zip(state(model), state(saved), strict=True):
        np.testing.assert_array_equal(one, two)


@each_kind_or_one
def test_the_average_can_be_kept(make):
    model = compiled(make(keras.optimizers.SGD(0.1)), **EAGER)
    fit(model, [SwapAverage(keep_average=True)])
    kept = model.evaluate(*data(), verbose=0)
    assert model.evaluate(*data(), verbose=0, callbacks=[SwapAverage()]) == kept
    assert model.optimizer.is_swapped
    model.optimizer.swap()
    assert model.evaluate(*data(), verbose=0) != kept


def test_of_two_averages_the_outer_one_counts():
    inner = MovingAverage(keras.optimizers.SGD(0.1))
    model = compiled(SWA(inner, start=2, period=2), **EAGER)
    fit(model, [SwapAverage(keep_average=True)])
    assert model.optimizer.is_swapped
    assert not inner.is_swapped


class Look(keras.callbacks.Callback):
    def on_test_begin(self, logs=None):
        self.weights = [array(v) for v in self.model.trainable_variables]


def test_of_groups_each_average_is_in_its_variables():
    model = keras.Sequential(
        [keras.Input((3,)), *(keras.layers.Dense(2, name=n) for n in ("body", "head"))]
    )
    within = [make(keras.optimizers.SGD(0.05)) for make in KINDS.values()]
    for groups, averaged in (
        (ParameterGroups(within[0], {"body": within[1], ".*": {}}), ("body", "head")),
        (ParameterGroups("sgd", {"body": MovingAverage("sgd"), ".*": {}}), ("body",)),
    ):
        model.compile(groups, loss="mse", **EAGER)
        fit(model)
        weights = [array(v) for v in model.trainable_variables]
        seen = Look()
        model.evaluate(*data(), verbose=0, callbacks=[SwapAverage(), seen])
        for average, w, v in zip(
            seen.weights, weights, model.trainable_variables, strict=True
        ):
            assert (average != w).any() == any(name in v.path for name in averaged)
            np.testing.assert_array_equal(array(v), w)


@pytest.mark.filterwarnings("ignore:`use_ema` of:UserWarning")
@each_kind_or_one
@pytest.mark.parametrize("keep", [False, True])
def test_the_average_of_keras_that_ends_training_goes_into_the_weights(make, keep):
    ends = []
    for swap_on_epoch in (False, True):
        keras.utils.set_random_seed(0)
        inner = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
        model = compiled(make(inner), **EAGER)
        fit(model, [SwapAverage(swap_on_epoch, keep_average=keep)], epochs=2)
        assert model.optimizer.is_swapped is keep
        ends.append(state(model))
    assert_same(*ends)


def test_an_optimizer_without_average_is_refused_and_an_early_one_waits():
    model = compiled(keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match="such as `MovingAverage`, `SWA` or `Sch"):
        fit(model, [SwapAverage()])
    late = compiled(SWA(keras.optimizers.SGD(0.1), start=1000, period=1), **EAGER)
    fit(late, [SwapAverage(swap_on_epoch=True)], validation_data=data())
    assert not late.optimizer.is_swapped
    of_weights = late.evaluate(*data(), verbose=0)
    assert late.evaluate(*data(), verbose=0, callbacks=[SwapAverage()]) == of_weights


class Failing(keras.callbacks.Callback):
    """Interrupts an evaluation at its first batch."""

    def on_test_batch_begin(self, batch, logs=None):
        raise KeyboardInterrupt

    on_predict_batch_begin = on_test_batch_begin


FAILED = {
    "evaluate": lambda model, callbacks: model.evaluate(
        *data(), verbose=0, callbacks=callbacks
    ),
    "predict": lambda model, callbacks: model.predict(
        data()[0], verbose=0, callbacks=callbacks
    ),
    "fit": lambda model, callbacks: fit(
        model, callbacks, epochs=1, validation_data=data()
    ),
}


def apply(model, times=1):
    weights = model.trainable_variables
    for _ in range(times):
        model.optimizer.apply([ops.ones(v.shape, v.dtype) for v in weights], weights)


def trained(make, dtype="float32", **options):
    keras.utils.set_random_seed(0)
    model = compiled(make(AdaBelief(0.01)), dtype, **options or {"jit_compile": False})
    apply(model, 3)
    return model


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("failed", FAILED.values(), ids=FAILED)
def test_the_weights_come_back_after_an_evaluation_that_failed(failed):
    model, other = (trained(KINDS["moving"], **EAGER) for _ in range(2))
    with pytest.raises(KeyboardInterrupt):
        failed(model, [SwapAverage(), Failing()])
    if failed is FAILED["fit"]:
        fit(other, epochs=1)
    before = state(other)
    assert model.optimizer.is_swapped
    of_average = other.evaluate(*data(), verbose=0, callbacks=[SwapAverage()])
    assert model.evaluate(*data(), verbose=0, callbacks=[SwapAverage()]) == of_average
    assert_same(before, state(model))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@each_kind
def test_an_average_that_was_left_in_the_model_is_not_trained_on(make, dtype):
    model, other = trained(make, dtype), trained(make, dtype)
    model.optimizer.swap()
    apply(model)
    apply(other)
    assert_same(state(other), state(model))


@pytest.mark.parametrize("callbacks", [[], [SwapAverage()]], ids=["without", "with"])
def test_fit_trains_the_weights_also_where_the_average_was_left_in(callbacks):
    """Without the callback, the first of four gradients is that of the average."""
    model, other = trained(KINDS["moving"]), trained(KINDS["moving"])
    model.optimizer.swap()
    fit(model, callbacks, epochs=1)
    fit(other, epochs=1)
    if callbacks:
        assert_same(state(other), state(model))
    assert not model.optimizer.is_swapped
    pairs = zip(other.get_weights(), model.get_weights(), strict=True)
    for expected, weights in pairs:
        np.testing.assert_allclose(weights, expected, atol=1e-3)


def test_a_kept_average_is_there_after_an_evaluation_too():
    model = trained(KINDS["moving"])
    model.optimizer.swap()
    kept = model.get_weights()
    for _ in range(2):
        model.evaluate(*data(), verbose=0, callbacks=[SwapAverage()])
    assert model.optimizer.is_swapped
    assert_same(kept, model.get_weights())
