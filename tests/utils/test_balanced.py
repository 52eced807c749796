"""Balanced batches use classes and examples evenly, and resume anywhere."""

import collections
import itertools
import pickle

import keras
import numpy as np
import pytest

from tfx_extras import utils

BACKEND = keras.backend.backend()
NUMPY = pytest.mark.only("torch")  # without a backend, so on one of them
RANDOM = np.random.default_rng(7)


def labels_of(*sizes):
    """Shuffled labels, `sizes[c]` of class `c`."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(0).permutation(labels)


# Numbers of classes that are a multiple of P, that are not, and less than 2 P; classes
# with less than K examples, less than 2 K, a multiple of K, and many.
CASES = {
    "multiples": (labels_of(*[8] * 12), 4, 2),
    "primes": (labels_of(*[7, 11, 13, 5, 9, 7, 23, 6, 7, 7, 15]), 4, 3),
    "few classes": (labels_of(*[9, 31, 14, 8, 20]), 3, 4),
    "all classes": (labels_of(4, 5, 6), 3, 2),
    "small classes": (labels_of(1, 2, 3, 1, 4, 5, 9, 30), 3, 4),
    "one class": (labels_of(5), 1, 2),
    "one example of each": (labels_of(*[1] * 10), 3, 1),
    "wide batches": (labels_of(*[3] * 100), 33, 2),
}
EACH = pytest.mark.parametrize(
    ("labels", "classes", "examples"), list(CASES.values()), ids=list(CASES)
)


@NUMPY
@EACH
def test_after_any_batch_classes_and_examples_are_used_equally_often(
    labels, classes, examples
):
    sampler = utils.BalancedBatches(labels, classes, examples, batches=7, seed=3)
    of_classes = dict.fromkeys(labels.tolist(), 0)
    of_examples = np.zeros(len(labels), int)
    sizes = np.bincount(labels)
    for batch in itertools.chain.from_iterable(sampler for _ in range(20)):
        assert [type(i) for i in batch] == [int] * (classes * examples)
        chosen = labels[batch].reshape(classes, examples)
        assert (chosen == chosen[:, :1]).all()
        assert len(set(chosen[:, 0])) == classes
        for c in chosen[:, 0]:
            of_classes[c] += 1
        np.add.at(of_examples, batch, 1)
        assert max(of_classes.values()) - min(of_classes.values()) <= 1
        for c, size in enumerate(sizes):
            assert np.ptp(of_examples[labels == c]) <= 1
            own = collections.Counter(i for i in batch if labels[i] == c)
            assert not own or max(own.values()) == -(-examples // size)
    assert sampler.epoch == 20


@NUMPY
@EACH
def test_a_batch_depends_on_the_seed_the_epoch_and_its_index_alone(
    labels, classes, examples
):
    def make(seed=5):
        return utils.BalancedBatches(labels, classes, examples, batches=6, seed=seed)

    sampler = make()
    wanted = [list(sampler) for _ in range(9)]
    other = make()
    for epoch in (8, 0, 3, 7):
        for index in (5, 0, 2):
            assert other.batch(epoch, index) == wanted[epoch][index]
    assert other.epoch == 0
    other.epoch = 4
    assert [list(other), list(other)] == wanted[4:6]
    again = pickle.loads(pickle.dumps(other))
    assert list(again) == wanted[6]
    # 54 batches of an epoch are those of 9 epochs of 6 batches.
    whole = utils.BalancedBatches(labels, classes, examples, batches=54, seed=5)
    assert list(whole) == list(itertools.chain.from_iterable(wanted))
    assert list(make(seed=6)) != wanted[0]
    assert wanted[0] != wanted[1]


@NUMPY
def test_batches_are_those_of_earlier_versions():
    sampler = utils.BalancedBatches(np.arange(30) % 7, 3, 2, seed=11)
    assert len(sampler) == 5
    assert sampler.batch(0, 0) == [24, 3, 18, 25, 19, 26]
    assert sampler.batch(123, 4) == [27, 13, 8, 22, 0, 14]


@NUMPY
@pytest.mark.parametrize("count", [4, 5, 7, 8, 11])
def test_orders_are_uniform(count):
    """Each place of an order has each class equally often, and pairs meet equally."""
    sampler = utils.BalancedBatches(np.arange(count), 2, 1, batches=6000)
    batches = np.array(list(sampler))
    firsts = np.bincount(batches[:, 0], minlength=count)
    np.testing.assert_allclose(firsts, 6000 / count, rtol=0.15)
    meet = np.zeros((count, count))
    np.add.at(meet, (batches[:, 0], batches[:, 1]), 1)
    meet = (meet + meet.T)[np.triu_indices(count, 1)]
    np.testing.assert_allclose(meet, 6000 / len(meet), rtol=0.3)


@NUMPY
def test_labels_may_be_of_many_kinds():
    numbers = np.array([3, 1, 3, 1, 8, 8, 8, 1])
    wanted = list(utils.BalancedBatches(numbers, 2, 2))
    texts = np.array(["b", "a", "b", "a", "c", "c", "c", "a"])
    kinds = [
        numbers.tolist(),
        numbers[:, None],
        numbers.astype("float32"),
        numbers.astype("uint8"),
        texts,
        texts.tolist(),
        texts.astype(object),
        keras.ops.convert_to_tensor(numbers),
    ]
    for labels in kinds:
        assert list(utils.BalancedBatches(labels, 2, 2)) == wanted
    is_odd = np.array([True, False, True, False])
    assert len(utils.BalancedBatches(is_odd, np.int64(2), np.int64(1))) == 2


@NUMPY
def test_the_default_number_of_batches_is_that_of_the_labels_and_at_least_1():
    labels = np.arange(50) % 5
    assert len(utils.BalancedBatches(labels, 2, 3)) == 50 // 6
    assert len(utils.BalancedBatches(labels, 5, 20)) == 1
    assert len(utils.BalancedBatches(labels, 2, 3, batches=3)) == 3


@NUMPY
def test_an_epoch_that_is_left_early_is_yielded_again():
    sampler = utils.BalancedBatches(np.arange(40) % 4, 2, 2)
    first = next(iter(sampler))
    assert sampler.epoch == 0
    assert next(iter(sampler)) == first
    for index, _ in enumerate(sampler):
        if index == 3:
            sampler.epoch = 7  # the loop ends with the epoch that it began with
    assert sampler.epoch == 7


ONE_HOT = np.eye(3)[[0, 1, 2, 0]]
GOOD = {"labels": [0, 1, 2, 0, 1], "classes_per_batch": 2, "examples_per_class": 2}


@NUMPY
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": ONE_HOT}, ValueError, r"argmax\(axis=-1\).*shape \(4, 3\)"),
        ({"labels": 3}, ValueError, r"shape \(n,\).*Received: labels of shape \(\)"),
        ({"labels": []}, ValueError, "at least one label"),
        ({"labels": [0, np.nan, 1]}, ValueError, r"NaN.*Received: labels\[1\]=nan"),
        ({"labels": ["a", "b", None]}, ValueError, r"Received: labels\[2\]=None"),
        ({"labels": np.array(["a", np.nan], object)}, ValueError, r"labels\[1\]=nan"),
        ({"labels": np.array(["a", 3], object)}, ValueError, "labels of one type"),
        ({"labels": [1j, 2j]}, ValueError, "dtype complex128"),
        ({"classes_per_batch": 4}, ValueError, "which is 3. Received: classes_per_b"),
        ({"classes_per_batch": 0}, ValueError, "classes_per_batch=0"),
        ({"examples_per_class": 0}, ValueError, "examples_per_class=0"),
        ({"batches": 0}, ValueError, "batches=0"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"classes_per_batch": 2.0}, TypeError, "must be an integer"),
        ({"examples_per_class": True}, TypeError, "must be an integer"),
        ({"seed": None}, TypeError, "must be an integer"),
        ({"batch_size": 3}, TypeError, "has no argument `batch_size`"),
    ],
)
def test_wrong_arguments_get_a_clear_error(change, error, message):
    with pytest.raises(error, match=message):
        utils.BalancedBatches(**GOOD | change)


@NUMPY
def test_wrong_epochs_and_indices_get_a_clear_error():
    sampler = utils.BalancedBatches(**GOOD)
    with pytest.raises(TypeError, match="`epoch` must be an integer"):
        sampler.epoch = 1.0
    with pytest.raises(ValueError, match=r"`epoch` must be in \[0, .*epoch=-1"):
        sampler.epoch = -1
    with pytest.raises(IndexError, match=r"`index` must be in \[0, 1\).*index=1"):
        sampler.batch(0, 1)
    with pytest.raises(ValueError, match="`epoch` must be in"):
        sampler.batch(-1, 0)


@NUMPY
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((4, 2)),), r"Each array of `x` .* 5 in all.*shape \(4, 2\)"),
        ((np.zeros(5), np.zeros(6)), r"Each array of `y` .*shape \(6,\)"),
        (([1.0, 2.0, 3.0, 4.0, 5.0],), r"use `np.array\(...\)`"),
        ((np.zeros(5), None, np.zeros(2)), "Each array of `sample_weight`"),
    ],
)
def test_data_of_other_lengths_get_a_clear_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        utils.BalancedBatches(**GOOD).dataset(*arguments)


@NUMPY
def test_a_data_set_has_arrays_in_the_forms_that_it_got():
    sampler = utils.BalancedBatches(np.arange(12) % 3, 2, 2)
    x, y = np.arange(24).reshape(12, 2), np.arange(12.0)
    rows = sampler.batch(0, 1)
    (given,) = sampler.dataset(x)[1]
    np.testing.assert_array_equal(given, x[rows])
    tensor = keras.ops.convert_to_tensor(y)
    inputs, targets, weights = sampler.dataset({"a": x, "b": tensor}, (y, x), y / 2)[1]
    np.testing.assert_array_equal(inputs["a"], x[rows])
    np.testing.assert_array_equal(inputs["b"], y[rows])
    np.testing.assert_array_equal(targets[1], x[rows])
    (inputs,) = sampler.dataset([x, [y]])[1]
    assert isinstance(inputs, tuple)  # `tf.data` takes no lists
    assert isinstance(inputs[1], tuple)
    np.testing.assert_array_equal(weights, y[rows] / 2)


@NUMPY
@pytest.mark.parametrize("workers", [0, 1])
def test_a_data_loader_takes_it_as_batch_sampler(workers):
    from torch.utils.data import DataLoader

    labels = np.arange(60) % 6
    rows = list(zip(range(60), labels.tolist(), strict=True))
    sampler = utils.BalancedBatches(labels, 3, 2, seed=1)
    loader = DataLoader(rows, batch_sampler=sampler, num_workers=workers)
    assert len(loader) == 10
    other = utils.BalancedBatches(labels, 3, 2, seed=1)
    for epoch in range(2):
        seen = [i.tolist() for i, _ in loader]
        assert seen == [other.batch(epoch, index) for index in range(10)]


@NUMPY
def test_fit_of_a_data_loader_sees_one_epoch_after_another():
    """Keras looks at a batch first, and never asks a loader for its end."""
    from torch.utils.data import DataLoader

    labels = np.arange(60) % 6
    rows = [(np.float32([i]), np.float32(0)) for i in range(60)]
    sampler = utils.BalancedBatches(labels, 3, 2, seed=1)
    seen = []

    class Model(keras.Model):
        def call(self, x):
            return x

        def train_step(self, data):
            seen.append(
                keras.ops.convert_to_numpy(data[0]).ravel().astype(int).tolist()
            )
            return {}

    model = Model()
    model.compile()
    loader = DataLoader(rows, batch_sampler=sampler)
    model.fit(loader, epochs=3, shuffle=False, verbose=0)
    expected = [sampler.batch(e, i) for e in range(3) for i in range(10)]
    assert seen == expected
    assert sampler.epoch == 3


@pytest.mark.only("tensorflow")
def test_tf_data_takes_it_as_generator():
    """As in the guide on recall."""
    import tensorflow as tf

    sampler = utils.BalancedBatches(LABELS, 3, 2, seed=1)
    rows = tf.data.Dataset.from_generator(
        lambda: sampler, output_signature=tf.TensorSpec((6,), "int64")
    )
    batches = rows.map(lambda i: (tf.gather(NOTES, i), tf.gather(LABELS, i)))
    batches = batches.apply(tf.data.experimental.assert_cardinality(len(sampler)))
    other = utils.BalancedBatches(LABELS, 3, 2, seed=1)
    for epoch in range(2):
        seen = [x.numpy().mean() for x, _ in batches]
        same(seen, means_of(other, epoch))
    assert sampler.epoch == 2


COUNT = 60
LABELS = np.arange(COUNT) % 6
NOTES = np.random.default_rng(1).normal(size=COUNT).astype("float32")


def model_of_notes():
    """A model whose loss is the mean of the targets: it tells which batch it saw."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", lambda y_true, y_pred: y_true + 0 * y_pred)
    return model


class Seen(keras.callbacks.Callback):
    """Notes the mean target of each batch, from the running mean of the loss."""

    def __init__(self):
        super().__init__()
        self.means = []

    def on_epoch_begin(self, epoch, logs=None):
        self.total = 0.0

    def on_train_batch_end(self, batch, logs=None):
        total = (batch + 1) * float(logs["loss"])
        self.means.append(total - self.total)
        self.total = total


def fitted(model, sampler, callbacks=(), shuffle=False, data=None, **options):
    seen = Seen()
    data = data or sampler.dataset(NOTES[:, None], NOTES[:, None])
    callbacks = [*callbacks, seen]
    model.fit(data, verbose=0, callbacks=callbacks, shuffle=shuffle, **options)
    return seen.means


def means_of(sampler, *epochs):
    return [
        NOTES[sampler.batch(epoch, index)].mean()
        for epoch in epochs
        for index in range(len(sampler))
    ]


def same(actual, wanted):
    np.testing.assert_allclose(actual, wanted, atol=1e-5)


@pytest.mark.parametrize("batches", [1, 2, 5])
def test_fit_sees_one_epoch_after_another_and_resumes(batches):
    def make():
        return utils.BalancedBatches(LABELS, 3, 2, batches=batches, seed=2)

    model, sampler = model_of_notes(), make()
    options = {"data": sampler.dataset(NOTES[:, None], NOTES[:, None])}
    same(fitted(model, sampler, epochs=3, **options), means_of(make(), 0, 1, 2))
    assert sampler.epoch == 3
    # A second `fit` goes on, with a model that is built now, and then with a new one.
    same(fitted(model, sampler, epochs=2, **options), means_of(make(), 3, 4))
    assert sampler.epoch == 5
    if batches > 2:
        same(fitted(model_of_notes(), sampler, **options), means_of(make(), 5))
    # In a new process.
    sampler = make()
    sampler.epoch = 3
    resumed = fitted(model_of_notes(), sampler, initial_epoch=3, epochs=5)
    same(resumed, means_of(make(), 3, 4))


def test_batches_that_fit_shuffles_are_those_of_the_epoch():
    sampler = utils.BalancedBatches(LABELS, 3, 2, seed=2)
    model = model_of_notes()
    for epoch in range(3):
        means = fitted(model, sampler, shuffle=True)
        same(sorted(means), sorted(means_of(sampler, epoch)))
        assert sampler.epoch == epoch + 1


def test_a_callback_sets_the_epoch_that_keras_resumes(tmp_path):
    """`BackupAndRestore` restores the epoch in `fit`, where nothing else knows it."""

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def fit(*callbacks):
        sampler = utils.BalancedBatches(LABELS, 3, 2, seed=2)
        follow = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: setattr(sampler, "epoch", epoch)
        )
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        seen = fitted(model_of_notes(), sampler, [backup, follow, *callbacks], epochs=4)
        same(seen, means_of(sampler, 2, 3))

    with pytest.raises(KeyboardInterrupt):
        fit(Stop())
    fit()
