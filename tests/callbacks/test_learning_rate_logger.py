"""`LearningRateLogger` adds the learning rate to the logs of each epoch."""

import csv
import re

import keras
import numpy as np
import pytest

from tests import tools
from tfx_extras import optimizers
from tfx_extras import schedules
from tfx_extras.callbacks import LearningRateLogger

SCHEDULE = schedules.PiecewiseLinear([0, 3, 9], [0.5, 0.1, 0.04])
AFTER_EACH_EPOCH = [0.1, 0.07, 0.04]  # each epoch has three steps


def fit(optimizer, callbacks=(), verbose=0):
    """Trains for three epochs of three steps and returns the history."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse", jit_compile=False)
    data = np.ones((3, 1), "float32")
    callbacks = [LearningRateLogger(), *callbacks]
    options = {"batch_size": 1, "epochs": 3, "verbose": verbose}
    return model.fit(data, data, callbacks=callbacks, **options).history


def multiple(*inner):
    """Keras's `MultiOptimizer`: the first trains the kernel, the other the rest."""
    kernel, other = inner
    of_paths = keras.optimizers.OptimizerMap(other, {".*kernel": kernel})
    return keras.optimizers.MultiOptimizer(of_paths)


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (lambda: keras.optimizers.SGD(0.25), [0.25] * 3),
        (lambda: keras.optimizers.SGD(SCHEDULE), AFTER_EACH_EPOCH),
        (lambda: keras.optimizers.SGD(lambda: 0.125), [0.125] * 3),
        (
            lambda: optimizers.Lookahead(keras.optimizers.SGD(SCHEDULE)),
            AFTER_EACH_EPOCH,
        ),
        (
            lambda: optimizers.ParameterGroups(
                keras.optimizers.SGD(SCHEDULE),
                {"kernel": {"learning_rate_multiplier": 0.5}, ".*": {}},
            ),
            AFTER_EACH_EPOCH,
        ),
    ],
    ids=["number", "schedule", "function", "wrapper", "groups"],
)
def test_the_history_has_the_learning_rate_of_each_epoch(optimizer, expected):
    history = fit(optimizer())
    assert history.keys() == {"loss", "learning_rate"}
    np.testing.assert_allclose(history["learning_rate"], expected, rtol=1e-6)
    assert all(type(rate) is float for rate in history["learning_rate"])


@pytest.mark.parametrize("wrap", [lambda x: x, keras.optimizers.LossScaleOptimizer])
def test_each_of_several_optimizers_has_a_log_of_its_own(wrap):
    inner = (
        keras.optimizers.SGD(SCHEDULE, name="a"),
        keras.optimizers.SGD(0.25, name="b"),
    )
    history = fit(wrap(multiple(*inner)))
    assert history.keys() == {"loss", "learning_rate_a", "learning_rate_b"}
    np.testing.assert_allclose(history["learning_rate_a"], AFTER_EACH_EPOCH, rtol=1e-6)
    np.testing.assert_array_equal(history["learning_rate_b"], [0.25] * 3)


def test_optimizers_of_one_name_have_logs_of_their_own():
    inner = (
        keras.optimizers.SGD(0.5, name="one"),
        keras.optimizers.SGD(0.25, name="one"),
    )
    history = fit(multiple(*inner))
    logged = {history[f"learning_rate_one{number}"][-1] for number in ("", "_1")}
    assert logged == {0.25, 0.5}


def test_a_rate_that_another_callback_sets_is_logged():
    class Halve(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            optimizer = self.model.optimizer
            optimizer.learning_rate = optimizer.learning_rate / 2

    history = fit(keras.optimizers.SGD(0.5), [Halve()])
    np.testing.assert_array_equal(history["learning_rate"], [0.25, 0.125, 0.0625])


@pytest.mark.parametrize("verbose", [1, 2])
def test_the_progress_bar_of_each_epoch_shows_it(verbose, capsys):
    fit(keras.optimizers.SGD(SCHEDULE), verbose=verbose)
    shown = capsys.readouterr().out
    rates = re.findall(r"3/3.*loss: .*? - learning_rate: (\S+)|$", shown)
    assert [float(rate) for rate in rates if rate] == AFTER_EACH_EPOCH


def test_a_callback_that_comes_later_sees_it(tmp_path):
    path = tmp_path / "log.csv"
    fit(keras.optimizers.SGD(SCHEDULE), [keras.callbacks.CSVLogger(path)])
    with path.open() as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(rates, AFTER_EACH_EPOCH, rtol=1e-6)


@pytest.mark.only("tensorflow")
def test_tensorboard_has_it_once_for_each_epoch(tmp_path):
    import tensorflow as tf

    fit(keras.optimizers.SGD(SCHEDULE), [keras.callbacks.TensorBoard(tmp_path)])
    rates = {}
    for path in tmp_path.glob("train/events*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                if value.tag == "epoch_learning_rate":
                    assert event.step not in rates
                    rates[event.step] = float(tf.make_ndarray(value.tensor))
    assert list(rates) == [0, 1, 2]
    np.testing.assert_allclose(list(rates.values()), AFTER_EACH_EPOCH, rtol=1e-6)


def test_an_error_of_a_schedule_is_not_taken_for_a_missing_rate():
    def broken():
        return tools.nothing_of_this_name

    logger = LearningRateLogger()
    logger.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    logger.model.compile(keras.optimizers.SGD(broken), "mse")
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        logger.on_epoch_end(0, {})
