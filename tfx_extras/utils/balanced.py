"""Balanced batches: some classes, with the same number of examples of each."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._checks import COUNTABLE
from tfx_extras._checks import require
from tfx_extras._typed import typechecked


class BalancedBatches:
    r"""Balanced batches: a sampler of `P` classes and `K` examples of each (P x K).

    Use it for losses that find their pairs in the batch, such as `MultiSimilarityLoss`
    and `TripletHardLoss`: in random batches from many classes, most examples have no
    positive. Losses with a center for each class do not need it. Keras has no
    equivalent: `fit` draws random batches.

    $$ b_t = \{(c, e_{c, v K + j}) : c = \pi_{tP + i}, \
        0 \le i < P, \ 0 \le j < K\}, \qquad
        v = \Bigl\lfloor \frac{tP + i}{C} \Bigr\rfloor $$

    $b_t$ is batch $t$, counted over all epochs. $\pi$ is the sequence of the classes:
    all $C$ classes in a shuffled order, then in another order, and so on. So after any
    number of batches, the classes have been used equally often, up to a difference of
    1, and the classes of a batch are different. $v$ counts the batches in which class
    $c$ has been. $e_c$ is the sequence of its examples, in one shuffled order after
    another. So the examples of a class are used equally often too, and those of a batch
    are different if the class has at least $K$. A smaller class repeats examples in the
    batch: a class of one example gives $K$ copies of it. Small classes are repeated
    more often than large ones, because all classes are used equally.

    Each batch is a function of `seed`, the epoch and its index, and nothing else. Two
    samplers with equal arguments give the same batches, in any order and in any
    process. To resume a training, set `epoch`. To resume within an epoch, take
    `[sampler.batch(epoch, i) for i in range(seen, len(sampler))]`.

    Iterating yields the batches of one epoch, as lists of indices, and adds 1 to
    `epoch` after the last of them. `torch.utils.data.DataLoader` takes the sampler as
    `batch_sampler`. For `fit`, the method `dataset` makes a `keras.utils.PyDataset`. It
    is a method, because the data set and the sampler have one `epoch`: whatever sets
    the epoch of the sampler, such as a callback, sets that of the data.

    An epoch is computed at once. With 1,000,000 examples of 100,000 classes, it takes
    about a second, and the memory of some copies of the labels.

    Args:
        labels: The class of each example, as integers, texts or numbers, of shape
            `(n,)` or `(n, 1)`. Each different value is a class.
        classes_per_batch: $P$, in [1, inf), at most the number of classes $C$.
        examples_per_class: $K$, in [1, inf). For pairs it must be at least 2.
        batches: In [1, inf): the number of batches in an epoch. `None` stands for
            $\lfloor n / (PK) \rfloor$, at least 1.
        seed: In [0, inf): seed of the orders.

    Raises:
        ValueError: If an argument is outside its interval, or labels are missing,
            one-hot or NaN, or there are fewer classes than `classes_per_batch`.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> labels = ["cat", "dog", "dog", "cow", "cat", "cow", "cow"]
        >>> sampler = tfx_extras.utils.BalancedBatches(labels, 2, 2)
        >>> for batch in sampler:
        ...     print([labels[i] for i in batch])
        ['cat', 'cat', 'dog', 'dog']
        >>> sampler.epoch
        1

        In `fit`:

        >>> x, y = np.random.normal(size=(64, 4)), np.arange(64) % 8
        >>> sampler = tfx_extras.utils.BalancedBatches(y, 4, 2)
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> model.compile("adam", tfx_extras.losses.MultiSimilarityLoss())
        >>> history = model.fit(
        ...     sampler.dataset(x, y), shuffle=False, epochs=3, verbose=0)
        >>> len(sampler), sampler.epoch
        (8, 3)

    Reference:
        - Hermans et al., 2017, section 2. https://arxiv.org/abs/1703.07737
    """

    @typechecked
    def __init__(
        self,
        labels: Any,
        classes_per_batch: int | np.integer,
        examples_per_class: int | np.integer,
        batches: int | np.integer | None = None,
        seed: int | np.integer = 0,
    ):
        classes, sizes = _classes_of(labels)
        self.classes_per_batch = require(
            "classes_per_batch", classes_per_batch, "[1, inf)"
        )
        self.examples_per_class = require(
            "examples_per_class", examples_per_class, "[1, inf)"
        )
        if classes_per_batch > len(sizes):
            raise ValueError(
                "Argument `classes_per_batch` must be at most the number of classes, "
                f"which is {len(sizes)}. Received: "
                f"classes_per_batch={classes_per_batch}"
            )
        require("seed", seed, "[0, inf)")
        self.seed = int(seed)
        if batches is None:
            batch_size = self.classes_per_batch * self.examples_per_class
            batches = max(1, len(classes) // batch_size)
        self.batches = require("batches", batches, "[1, inf)")
        self._sizes = sizes
        self._starts = np.cumsum(sizes) - sizes
        self._members = np.argsort(classes, kind="stable")
        self._epoch = 0
        self._planned: tuple[int, Any] = (-1, None)

    @property
    def epoch(self) -> int:
        """The epoch that iterating yields next. Set it to resume a training."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = _require_index("epoch", epoch, COUNTABLE)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[int]]:
        epoch = self.epoch
        for index in range(self.batches):
            # `fit` takes as many batches as there are, and never asks for the end.
            if index == self.batches - 1 and self.epoch == epoch:  # not set meanwhile
                self.epoch = epoch + 1
            yield self.batch(epoch, index)

    def batch(self, epoch: int, index: int) -> list[int]:
        """Returns the indices of the examples of a batch. It changes nothing.

        Args:
            epoch: The epoch, from 0.
            index: The batch of this epoch, from 0.
        """
        epoch = _require_index("epoch", epoch, COUNTABLE)
        index = _require_index("index", index, self.batches)
        return self._plan(epoch)[index].tolist()

    def dataset(
        self, x: Any, y: Any = None, sample_weight: Any = None
    ) -> keras.utils.PyDataset:
        """Returns the batches of the data, for `fit`, as a `keras.utils.PyDataset`.

        After each whole pass, the epoch of the sampler goes up by 1: after an epoch of
        `fit`, but also after `evaluate` or `predict`, which should have data of their
        own. For shorter epochs set `batches`, since `fit` with `steps_per_epoch` gets
        the same batches again. Before `fit` with an `initial_epoch`, set `epoch` to it.
        Pass `shuffle=False` to `fit`, which otherwise takes the batches of an epoch in
        a random order of its own.

        The data set has no workers. It takes rows of arrays, which is quicker than to
        pass them between processes, and with workers Keras repeats some batches of a
        new model. If examples must be read or augmented by workers, give the sampler to
        `torch.utils.data.DataLoader` or `tf.data.Dataset.from_generator`.

        Args:
            x: Inputs: an array with one row per label, or a list, tuple or dictionary
                of such arrays.
            y: Targets, in the same forms. They may differ from the labels. `None` is
                for models that have the labels among their inputs.
            sample_weight: Weights of the examples, in the same forms.
        """
        parts = {"x": x, "y": y, "sample_weight": sample_weight}
        count = len(self._members)
        arrays = {
            name: keras.tree.map_structure(
                lambda leaf, name=name: _rows(name, leaf, count), part
            )
            for name, part in parts.items()
            if part is not None
        }
        return _Dataset(self, _without_lists(arrays))

    def _plan(self, epoch: int) -> np.ndarray:
        """Returns the indices of all batches of an epoch, one batch in a row."""
        planned, plan = self._planned
        if planned == epoch:
            return plan
        turns = epoch * self.batches + np.arange(self.batches)
        count, window = len(self._sizes), self.classes_per_batch
        groups = np.zeros(self.batches, "int64")
        seed = _mixed(np.array([self.seed % 2**64], "uint64"))
        classes = _in_turn(np.array([count]), window, groups, turns, seed).ravel()
        visits = (turns[:, None] * window + np.arange(window)).ravel() // count
        seed, window = _mixed(seed), self.examples_per_class
        chosen = _in_turn(self._sizes, window, classes, visits, seed)
        plan = self._members[self._starts[classes][:, None] + chosen]
        plan = plan.reshape(self.batches, -1)
        self._planned = epoch, plan  # one assignment: threads see both or neither
        return plan


class _Dataset(keras.utils.PyDataset):
    """Batches of arrays, by the indices of a sampler."""

    def __init__(self, sampler: BalancedBatches, arrays: dict[str, Any]):
        super().__init__()
        self.sampler = sampler
        self.arrays = arrays
        self._is_begun = self._has_ended = False
        self._read: set[int] = set()

    def __len__(self) -> int:
        return len(self.sampler)

    def __getitem__(self, index):
        rows = np.array(self.sampler.batch(self.sampler.epoch, index))
        parts = {
            name: keras.tree.map_structure(lambda array: array[rows], part)
            for name, part in self.arrays.items()
        }
        self._read.add(index)
        if "sample_weight" in parts:
            return parts["x"], parts.get("y"), parts["sample_weight"]
        return tuple(parts.values())

    def on_epoch_begin(self):
        self._is_begun = True

    def on_epoch_end(self):
        """Adds 1 to the epoch, if one has ended.

        `fit` calls this before its first epoch too: without `on_epoch_begin`, or after
        a look at the first batches if the model is new.
        """
        is_read = len(self._read) == len(self)
        if is_read and self._is_begun and self._has_ended:
            self.sampler.epoch += 1
        self._has_ended, self._is_begun = True, False
        self._read.clear()


def _without_lists(part):
    """Returns tuples instead of lists, which `tf.data` cannot hold."""
    if isinstance(part, dict):
        return {name: _without_lists(each) for name, each in part.items()}
    if isinstance(part, list | tuple):
        return tuple(_without_lists(each) for each in part)
    return part


def _classes_of(labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the number of the class of each example, and the size of each class."""
    if ops.is_tensor(labels):
        labels = ops.convert_to_numpy(labels)
    values = np.asarray(labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(
            "Argument `labels` must hold the class of each example, of shape (n,) or "
            "(n, 1). For one-hot labels, pass `labels.argmax(axis=-1)`. "
            f"Received: labels of shape {values.shape}"
        )
    if not values.size:
        raise ValueError(
            "Argument `labels` must hold at least one label. Received: no labels"
        )
    if values.dtype.kind not in "biufSUOT":
        raise ValueError(
            "Argument `labels` must hold integers, texts or numbers. "
            f"Received: labels of dtype {values.dtype}"
        )
    # Only NaN differs from itself. `None` has no order among other labels.
    is_missing = np.asarray(values != values, bool)
    if values.dtype.kind == "O":
        is_missing |= np.array([value is None for value in values])
    if is_missing.any():
        index = int(is_missing.argmax())
        raise ValueError(
            "Argument `labels` must not hold NaN or None. Leave out examples without a "
            f"class. Received: labels[{index}]={values[index]}"
        )
    try:
        _, classes, sizes = np.unique(values, return_inverse=True, return_counts=True)
    except TypeError as error:
        raise ValueError(
            "Argument `labels` must hold labels of one type. To number others, use "
            f"`[str(label) for label in labels]`. Received: {error}"
        ) from error
    return classes, sizes


def _require_index(name: str, value: Any, end: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(
            f"`{name}` must be an integer. Received: {name}={value!r} (of type "
            f"{type(value).__name__})"
        )
    if not 0 <= value < end:
        # Python ends a loop over an object without `__iter__` at an `IndexError`.
        error = IndexError if name == "index" else ValueError
        raise error(f"`{name}` must be in [0, {end}). Received: {name}={value}")
    return int(value)


def _rows(name: str, values: Any, count: int) -> np.ndarray:
    """Returns an array with as many rows as there are labels, else raises."""
    if ops.is_tensor(values):
        values = ops.convert_to_numpy(values)
    array = np.asanyarray(values)
    if array.ndim == 0 or len(array) != count:
        hint = " To pass a list of numbers, use `np.array(...)`." * (array.ndim == 0)
        raise ValueError(
            f"Each array of `{name}` must have one row per label, {count} in all."
            f"{hint} Received: {name} of shape {array.shape}"
        )
    return array


def _in_turn(
    sizes: np.ndarray,
    window: int,
    groups: np.ndarray,
    visits: np.ndarray,
    seed: np.ndarray,
) -> np.ndarray:
    """Returns the elements that visits to groups take, of shape `(visits, window)`.

    The elements of a group form an endless sequence: shuffled, then shuffled again, and
    so on. Visit `v` takes those from place `v * window` on. They are different, also
    where two orders meet, if the group has as many.

    A group of less than two windows keeps an order until it ends where a visit ends.
    Otherwise, the start of an order leaves out what its first visit already has. The
    rest of the order does not change, so no order depends on more than the one before.

    Args:
        sizes: The number of elements of each group.
        window: The number of elements of a visit.
        groups: The group of each visit.
        visits: How many visits this group had before.
        seed: Array of one number.
    """
    period = np.where(sizes < 2 * window, np.lcm(sizes, window), sizes)
    places = visits[:, None] * window + np.arange(window)
    orders = places // period[groups][:, None]
    # Each order of a group has a number. They are consecutive, and few.
    lowest = visits.min() * window // period - 1
    numbers = orders - lowest[groups][:, None]
    span = numbers.max() + 1
    numbers += span * groups[:, None]

    def known(wanted):
        group = wanted // span
        order = wanted % span + lowest[group]
        return group, order, order * period[group] % window

    wanted = np.unique(numbers[:, [0, -1]])
    *_, carried = known(wanted)  # what the first visit has of the order before
    wanted = np.union1d(wanted, wanted[carried > 0] - 1)
    group, order, carried = known(wanted)
    length = sizes[group]
    ends = np.cumsum(length)
    starts = ends - length
    owner = np.repeat(np.arange(len(wanted)), length)
    elements = np.arange(ends[-1]) - starts[owner]
    elements = elements[_shuffled(owner, elements, group, order, seed)]

    follows = np.r_[False, np.diff(wanted) == 1]
    (rows,) = np.nonzero((carried > 0) & follows)
    if rows.size:
        start, carried = starts[rows][:, None], carried[rows][:, None]
        back = np.arange(1, window)
        before = start + elements[start - back]  # where the order has these elements
        is_taken = np.zeros(len(elements), bool)
        is_taken[before[back <= carried]] = True
        head = start + np.arange(window)
        first = elements[head]
        is_free = ~is_taken[start + first]
        is_next = is_free & (np.cumsum(is_free, axis=1) <= window - carried)
        moved = np.argsort(~is_next, axis=1, kind="stable")
        elements[head] = np.take_along_axis(first, moved, axis=1)

    found = starts[np.searchsorted(wanted, numbers)]
    return elements[found + places % sizes[groups][:, None]]


def _shuffled(owner, elements, group, order, seed) -> np.ndarray:
    """Returns indices that shuffle the elements of each owner, by hashed keys."""
    keys = _mixed(_mixed(seed + group.astype("uint64")) + order.astype("uint64"))
    keys = _mixed(keys[owner] + elements.astype("uint64"))
    bits = np.uint64(len(group).bit_length())
    high = owner.astype("uint64") << (np.uint64(64) - bits)
    return np.argsort(high | (keys >> bits), kind="stable")


def _mixed(x: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64: mixes the bits of 64-bit integers."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
