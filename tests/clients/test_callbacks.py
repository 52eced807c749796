"""Keras's callbacks and ours work with every wrapper and each kind of optimizer."""

import csv

import keras
import numpy as np
import pytest
from keras import ops

from tests.clients.cases import GROUPED
from tests.clients.cases import KIND
from tests.clients.cases import WRAPPED
from tests.clients.cases import WRAPPING
from tests.clients.cases import each
from tests.clients.cases import each_or_first
from tests.clients.cases import multipliers
from tests.tools import BACKEND
from tests.tools import array
from tfx_extras import optimizers
from tfx_extras.callbacks import LearningRateLogger
from tfx_extras.callbacks import SwapAverage

RATE = 2.0**-4
# A scheduler multiplies the rate by 0.75 before each epoch, and a plateau halves it
# after the second epoch.
RATES = [RATE * 0.75**n * factor for n, factor in enumerate((1, 1, 0.5, 0.25), 1)]
X = np.array([[1.0, -0.5]] * 2, "float32")
EPOCHS = len(RATES)


def network(optimizer):
    """A model whose gradient is the same everywhere: its loss is a mean of outputs."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(
        optimizer, lambda y, outputs: ops.mean(outputs, -1), jit_compile=False
    )
    return model


def fit(model, callbacks):
    return model.fit(X, X, epochs=EPOCHS, verbose=0, callbacks=callbacks).history


def apply(model):
    weights = model.trainable_variables
    values = [ops.convert_to_tensor(X.mean(0)[:, None]), ops.ones(1)]
    model.optimizer.apply(values, weights)


class Recorder(keras.callbacks.Callback):
    """Records the weights and the optimizer's state at the end of each epoch."""

    def __init__(self, interrupt=None):
        super().__init__()
        self.weights, self.states, self.interrupt = [], [], interrupt

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.interrupt:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append([array(v) for v in self.model.trainable_variables])
        self.states.append([array(v) for v in self.model.optimizer.variables])


def schedulers():
    """Callbacks that set the learning rate."""
    return [
        LearningRateLogger(),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.75 * rate),
        keras.callbacks.ReduceLROnPlateau(
            "loss", factor=0.5, patience=1, min_delta=1e9, mode="min"
        ),
    ]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@each_or_first(KIND, WRAPPED, GROUPED)
def test_rates_that_callbacks_set_are_used_and_interrupted_runs_resume(make, tmp_path):
    model = network(make(RATE))
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    start = [array(v) for v in variables]

    def set_all(values):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(ops.cast(value, variable.dtype))

    recorder = Recorder()
    callbacks = [
        *schedulers(),
        recorder,
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.EarlyStopping(
            "loss", mode="max", patience=EPOCHS - 1, restore_best_weights=True
        ),
    ]
    # It must come before the plateau, which sets the next rate.
    if BACKEND == "tensorflow":
        board = keras.callbacks.TensorBoard(tmp_path / "board", write_graph=False)
        callbacks.insert(0, board)
    history = fit(model, callbacks)

    # The logged rates are the rates that were used.
    np.testing.assert_allclose(history["learning_rate"], RATES, rtol=1e-6)
    with (tmp_path / "log.csv").open() as file:
        logged = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(logged, RATES, rtol=1e-6)
    if BACKEND == "tensorflow":
        np.testing.assert_allclose(rates_of(tmp_path / "board"), RATES, rtol=1e-6)
    boundaries = list(range(EPOCHS - 1))
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, RATES)
    other = network(make(schedule))
    other.optimizer.has_fast_paths = False
    for weights in recorder.weights:
        apply(other)
        for ours, theirs in zip(weights, other.trainable_variables, strict=True):
            np.testing.assert_allclose(ours, array(theirs), rtol=1e-5, atol=1e-6)

    # The loss falls, so the "best" weights are those after the first epoch.
    assert_same(recorder.weights[0], [array(v) for v in model.trainable_variables])

    # An interrupted run that resumes from a backup ends like an uninterrupted one.
    whole, resumed, scheduler = Recorder(), Recorder(), schedulers()[1]
    set_all(start)
    fit(model, [scheduler, whole])
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    set_all(start)
    with pytest.raises(KeyboardInterrupt):
        fit(model, [scheduler, backup, Recorder(interrupt=2)])
    set_all([np.full_like(value, 3) for value in start])
    fit(model, [scheduler, backup, resumed])
    assert len(resumed.weights) == EPOCHS - 2
    assert_same(whole.weights[-1], resumed.weights[-1])
    assert_same(whole.states[-1], resumed.states[-1])


def rates_of(folder):
    import tensorflow as tf

    rates = {}
    for path in folder.glob("train/events*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                if value.tag == "epoch_learning_rate":
                    rates[event.step] = float(tf.make_ndarray(value.tensor))
    return [rates[step] for step in sorted(rates)]


# Within `ScheduleFree`, it would be that of other weights.
@each(
    KIND,
    {name: make for name, make in WRAPPED.items() if name != "ScheduleFree"},
    {"ParameterGroups": multipliers},
)
def test_the_average_of_keras_is_swapped_for_evaluation(make):
    model = network(make(RATE, use_ema=True, ema_momentum=0.75))
    model.optimizer.has_fast_paths = False
    expected = None
    for _ in range(2):  # no more, since Lookahead moves weights in the third step
        apply(model)
        weights = [array(v) for v in model.trainable_variables]
        pairs = zip(expected or weights, weights, strict=True)
        expected = [0.75 * past + 0.25 * w for past, w in pairs]
    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(model)
    swap.on_test_begin()
    for variable, average, w in zip(
        model.trainable_variables, expected, weights, strict=True
    ):
        np.testing.assert_allclose(array(variable), average, rtol=1e-5)
        assert (np.abs(array(variable) - w) > 1e-4).all()
    swap.on_test_end()
    for variable, w in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_allclose(array(variable), w, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:`use_ema` of:UserWarning")
@each(WRAPPING)
def test_of_groups_within_the_averages_of_keras_are_swapped_each_with_its_own(make):
    def averaging():
        return keras.optimizers.SGD(RATE, use_ema=True, ema_momentum=0.75)

    groups = optimizers.ParameterGroups(averaging(), {"kernel": averaging(), ".*": {}})
    model = network(make(groups))
    apply(model)
    apply(model)
    expected = {
        v.path: array(average)
        for one in (groups.inner_optimizer, *groups.rule_optimizers)
        for v, average in zip(
            one._trainable_variables, one._model_variables_moving_average, strict=True
        )
    }
    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(model)
    swap.on_test_begin()
    for v in model.trainable_variables:
        np.testing.assert_allclose(array(v), expected[v.path], rtol=1e-6)


def test_of_groups_without_averages_everywhere_none_are_swapped():
    inner = keras.optimizers.SGD(RATE, use_ema=True)
    rules = {"kernel": keras.optimizers.SGD(RATE), ".*": {}}
    groups = optimizers.ParameterGroups(inner, rules)
    model = network(optimizers.Lookahead(groups))
    apply(model)
    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(model)
    with pytest.raises(ValueError, match="must be used when"):
        swap.on_test_begin()


@each({name: make for name, make in WRAPPED.items() if name != "Lookahead"})
def test_the_checkpoint_of_an_average_is_the_average_and_trains_on(make, tmp_path):
    model = network(make(RATE))
    for _ in range(8):
        apply(model)
    path = tmp_path / "average.weights.h5"
    swap = SwapAverage(swap_on_epoch=True)
    checkpoint = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    for callback in (swap, checkpoint):
        callback.set_model(model)
    before = [array(v) for v in model.trainable_variables]
    checkpoint.on_epoch_begin(0)
    swap.on_epoch_end(0, {})
    checkpoint.on_epoch_end(0, {})
    swap.on_train_end()
    assert_same(before, [array(v) for v in model.trainable_variables])
    saved = network(make(RATE))
    saved.optimizer.build(saved.trainable_variables)
    saved.load_weights(path)
    assert saved.optimizer.is_swapped
    moved = [
        np.abs(array(v) - w).max()
        for v, w in zip(saved.trainable_variables, before, strict=True)
    ]
    assert max(moved) > 1e-4
    for each_model in (model, saved):
        apply(each_model)
    assert_same(*([array(v) for v in m.variables] for m in (model, saved)))
    assert_same(*([array(v) for v in m.optimizer.variables] for m in (model, saved)))


def test_training_stops_at_nan_with_weights_that_are_finite():
    inner = optimizers.RAdam(RATE, skip_nonfinite=True)
    model = network(optimizers.Lookahead(inner, 2))
    before = [array(v) for v in model.trainable_variables]
    history = model.fit(
        X * np.nan,
        X,
        epochs=3,
        verbose=0,
        callbacks=[keras.callbacks.TerminateOnNaN()],
    ).history
    assert len(history["loss"]) == 1
    assert_same(before, [array(v) for v in model.trainable_variables])
