"""The weights of unlabeled samples follow a schedule."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import BACKEND
from tests.tools import array
from tfx_extras import losses
from tfx_extras import schedules

RAMP = schedules.Warmup(1.0, 8, "gaussian", start_factor=math.exp(-5))
X = np.eye(6, 3, dtype="float32")
Y = np.array([2, -1, -1, -1, 1, 0])


class Batches(keras.utils.PyDataset):
    """Three batches of two samples."""

    epochs = 0

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = slice(2 * index, 2 * index + 2)
        return X[rows], Y[rows]

    def on_epoch_end(self):
        self.epochs += 1


def as_list():
    return list(Batches())


def as_generator():
    return (batch for _ in range(9) for batch in Batches())


def as_tensors():
    return [
        (ops.convert_to_tensor(x), ops.convert_to_tensor(y[:, None]))
        for x, y in Batches()
    ]


def as_dataset():
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(2)


def as_loader():
    import torch

    dataset = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(dataset, batch_size=2)


SOURCES = [Batches, as_list, as_generator, as_tensors]
SOURCES += {"tensorflow": [as_dataset], "torch": [as_loader]}.get(BACKEND, [])
each_source = pytest.mark.parametrize("source", SOURCES)


@each_source
def test_unlabelled_rows_weigh_what_the_schedule_says_through_all_epochs(source):
    batches = losses.weigh_unlabeled(source(), RAMP, start_step=2)
    for step in range(2, 12):
        x, y, weight = next(batches)
        labels = Y[2 * (step - 2) % 6 :][:2]
        np.testing.assert_array_equal(array(y).reshape(-1), labels)
        assert x.shape == (2, 3)
        assert weight.dtype == "float32"
        rate = math.exp(-5 * (1 - min(step / 8, 1)) ** 2)
        expected = np.where(labels == -1, rate, 1)
        np.testing.assert_allclose(weight, expected, rtol=1e-6)


def test_weights_of_the_data_and_of_the_schedule_multiply():
    data = [(X[:3], Y[:3], np.array([[2.0], [3.0], [0.0]]))]
    batches = losses.weigh_unlabeled(data, 0.5)
    np.testing.assert_array_equal(next(batches)[2], [2, 1.5, 0])
    batches = losses.weigh_unlabeled(data, 0.5, ignore_label=2)
    np.testing.assert_array_equal(next(batches)[2], [1, 3, 0])


def test_data_that_cannot_be_started_over_end_with_their_last_batch():
    assert len(list(losses.weigh_unlabeled(as_generator(), 1.0))) == 27
    assert not list(losses.weigh_unlabeled([], 1.0))


def test_the_end_of_an_epoch_is_told_to_a_dataset():
    data = Batches()
    batches = losses.weigh_unlabeled(data, 1.0)
    for _ in range(7):
        next(batches)
    assert data.epochs == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"schedule": -1.0}, "schedule=-1.0"),
        ({"start_step": 0.5}, "start_step=0.5"),
        ({"start_step": -1}, "start_step=-1"),
    ],
)
def test_wrong_arguments_are_refused_before_any_batch(arguments, message):
    with pytest.raises(ValueError, match=message):
        losses.weigh_unlabeled([], **{"schedule": 1.0} | arguments)


@pytest.mark.parametrize("batch", [X, (X,), (X, Y, None, None)])
def test_batches_without_labels_are_refused(batch):
    with pytest.raises(ValueError, match="Batches must be"):
        next(losses.weigh_unlabeled([batch], 1.0))


@each_source
def test_the_weight_rises_in_fit(source):
    """One trace serves all steps, so it must not hold the weight as a constant."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    loss = losses.SemiSupervisedCrossentropy("entropy", from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss)
    seen = model.fit(
        losses.weigh_unlabeled(source(), RAMP),
        steps_per_epoch=1,
        epochs=6,
        shuffle=False,
        verbose=0,
    )
    seen = seen.history["loss"]
    expected = []
    for step in range(6):
        data = as_list()[step % 3 :]
        x, y, weights = next(losses.weigh_unlabeled(data, RAMP, start_step=step))
        expected.append(array(loss(y, model(x), weights)))
    np.testing.assert_allclose(seen, expected, rtol=1e-5)
    assert seen[4] > 10 * seen[1]  # the same two samples, neither of which has a label
