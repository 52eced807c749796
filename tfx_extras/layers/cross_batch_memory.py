"""Losses of pairs, between a batch and a memory of the batches before."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import require
from tfx_extras._configuration import saved
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.layers._base import Layer
from tfx_extras.layers._base import mean_of
from tfx_extras.layers._base import spread
from tfx_extras.losses._base import require_numbers
from tfx_extras.losses.embedding._pairs import Compared
from tfx_extras.losses.embedding._pairs import embeddings
from tfx_extras.losses.embedding._pairs import one_per_sample
from tfx_extras.losses.embedding.info_nce import SupervisedContrastiveLoss
from tfx_extras.losses.embedding.multi_similarity import MultiSimilarityLoss
from tfx_extras.losses.embedding.triplet import TripletHardLoss
from tfx_extras.losses.embedding.triplet import TripletSemiHardLoss

LOSSES = (
    MultiSimilarityLoss,
    SupervisedContrastiveLoss,
    TripletHardLoss,
    TripletSemiHardLoss,
)


@register
class CrossBatchMemory(Layer):
    r"""Cross-batch memory (XBM): compares a batch with embeddings of earlier batches.

    Use it as the last layer of a model that trains embeddings by a loss of pairs, if
    memory limits the batch size: a small batch holds few hard negatives, and the memory
    adds thousands for little cost, since nothing is computed again. It pays once the
    embeddings change slowly, hence `warmup`. Losses with centers of classes, such as
    `ProxyAnchorLoss`, need no memory: they compare each sample with all classes. Keras
    has no equivalent.

    $$ L = \frac1B \sum_{i=1}^B \ell(x_i, M), \qquad
        M = \{(x_1, y_1), \dots, (x_B, y_B)\} \cup \text{the newest before} $$

    $\ell$ is the loss of one anchor, whose positives and negatives are the samples in
    the memory $M$ with its label and with others, without the anchor itself. $M$ holds
    the newest `size` samples, those of the batch included, as constants: gradients flow
    through the anchors only. A batch larger than `size` is compared with itself.

    Called with labels, `memory(x, labels)`, the layer returns one loss per sample, of
    shape `(batch,)`, and adds the mean to the losses of the model. Compile the model
    without a loss, and give `fit` the labels among the inputs. Called with `x` alone,
    the layer returns `x`.

    For the first `warmup` batches, in evaluation, and where the layer is frozen, the
    loss is that of the batch by itself, as without this layer. Evaluation and frozen
    layers leave the memory as it is. Samples that are masked or have the weight 0 are
    neither compared nor stored, and those that are not finite are not stored. They take
    their places in the memory all the same.

    The memory takes `size * features` numbers, in `float32` or wider whatever the dtype
    policy. It is saved with the model, and training resumes with it. The loss takes
    `batch * (batch + size)` distances. On TensorFlow and PyTorch, each replica has a
    memory of its samples, and that of the first is saved.

    Args:
        loss: $\ell$: a `MultiSimilarityLoss`, `SupervisedContrastiveLoss`,
            `TripletHardLoss` or `TripletSemiHardLoss`, which returns a mean.
        size: How many samples the memory holds, in [1, inf). It should be several times
            the batch size: the authors use up to the whole training set.
        warmup: The number of batches after which the memory is used, in [0, inf). It is
            filled meanwhile. The authors use 1000.
        **kwargs: Options of every Keras layer, such as `name` and `dtype`.

    Call arguments:
        inputs: Embeddings $x$, of shape `(batch, features)`. The loss says whether it
            normalizes them.
        y_true: Labels $y$: integers, of shape `(batch,)` or `(batch, 1)`. On JAX, they
            must fit into 32 bits. `None` gives `inputs` instead of losses.
        sample_weight: Weights of the samples in the mean, of shape `(batch,)`.
        mask: Which samples count, of shape `(batch,)`. `None` takes the mask of
            `inputs`, if there is one.

    Raises:
        ValueError: If an argument is outside its interval, the loss is not one of those
            above, gathers samples or returns no mean, or if, in a call, the shapes do
            not match or labels are no integers. In compiled steps, such labels give NaN
            instead.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> image, label = keras.Input((64,)), keras.Input((), dtype="int32")
        >>> embedding = keras.layers.Dense(16)(image)
        >>> memory = tfx_extras.layers.CrossBatchMemory(
        ...     tfx_extras.losses.MultiSimilarityLoss(), size=32)
        >>> model = keras.Model([image, label], memory(embedding, label))
        >>> model.compile("adam")
        >>> x, y = np.random.normal(size=(8, 64)), np.arange(8) // 2
        >>> history = model.fit([x, y], verbose=0)
        >>> encoder = keras.Model(image, embedding)
        >>> encoder(x).shape[-1]
        16

    Reference: Wang et al., 2020, algorithm 1. https://arxiv.org/abs/1912.06798
    """

    @typechecked
    def __init__(
        self,
        loss: Any,
        size: int | np.integer = 1024,
        warmup: int | np.integer = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=2)
        self.loss = _require_pairs(loss)
        self.size = require("size", size, "[1, inf)")
        self.warmup = require("warmup", warmup, "[0, inf)")
        self.memory: Any = None
        self.labels: Any = None
        self.is_known: Any = None
        self.batches: Any = None

    def build(self, input_shape):
        self.input_spec = keras.layers.InputSpec(ndim=2, axes={-1: input_shape[-1]})

        def add(name, dtype, *shape):
            return self._add_state(name, "zeros", shape, dtype, "only_first_replica")

        self.memory = add("memory", None, self.size, input_shape[-1])
        self.labels = add("labels", _integers(), self.size)
        self.is_known = add("is_known", "bool", self.size)
        self.batches = add("batches", "int32")
        self.built = True

    def call(
        self,
        inputs,
        y_true=None,
        sample_weight=None,
        mask=None,
        inputs_mask=None,
        training=False,
    ):
        if y_true is None:
            return inputs
        x = embeddings(inputs)
        labels, has_label = _labels(y_true, x)
        counts = ops.ones_like(has_label)
        mask = inputs_mask if mask is None else mask  # set by Keras
        if mask is not None:
            counts = ops.cast(spread("mask", mask, x[:, 0]), "bool")
        is_kept = counts[:, None]
        if sample_weight is not None:
            counts = counts & (spread("sample_weight", sample_weight, x[:, 0]) != 0)
        x = ops.where(is_kept, x, ops.zeros_like(x))  # what is left out may be NaN
        is_nan = ops.any(ops.isnan(x), axis=-1) | (is_kept[:, 0] & ~has_label)
        counts = counts & has_label & ops.all(ops.isfinite(x), axis=-1)
        samples = ops.where(counts[:, None], x, ops.zeros_like(x))
        batch = Compared(x, samples, labels, counts)
        if training and self.trainable:
            batch = self._remember(batch)
        losses = self.loss.call(labels, batch)
        losses = ops.where(is_kept[:, 0], losses, ops.zeros_like(losses))
        losses = ops.where(is_nan, ops.full_like(losses, float("nan")), losses)
        self.add_loss(mean_of(losses, mask, sample_weight))
        return losses

    def _remember(self, batch: Compared) -> Compared:
        """Stores the samples of the batch. Returns it with the memory as samples."""
        memory, their_labels, is_known, batches = map(
            backend.state, (self.memory, self.labels, self.is_known, self.batches)
        )
        is_used = batches >= self.warmup
        constants = ops.stop_gradient(batch.samples)
        samples = constants
        if self.warmup > 0:  # before, gradients flow through both sides
            samples = ops.where(is_used, constants, batch.samples)

        def joined(new, old):
            return ops.concatenate([new, ops.cast(old, new.dtype)])

        rows = ops.shape(samples)[0]
        place = ops.arange(rows + self.size, dtype="int32")
        is_newest = (place < self.size) | (place < rows)
        labels = joined(batch.labels, their_labels)
        compared = Compared(
            batch.anchors,
            joined(samples, memory),
            labels,
            joined(batch.is_known, is_known & is_used) & is_newest,
        )
        self.memory.assign(
            joined(ops.cast(constants, memory.dtype), memory)[: self.size]
        )
        self.labels.assign(labels[: self.size])
        self.is_known.assign(joined(batch.is_known, is_known)[: self.size])
        self.batches.assign(batches + 1)
        return compared

    def compute_output_spec(
        self,
        inputs,
        y_true=None,
        sample_weight=None,
        mask=None,
        inputs_mask=None,
        training=False,
    ):
        if y_true is None:
            return keras.KerasTensor(inputs.shape, inputs.dtype)
        return keras.KerasTensor(inputs.shape[:1], wide(inputs.dtype))

    def get_config(self):
        own = {"loss": saved(self.loss), "size": self.size, "warmup": self.warmup}
        return super().get_config() | own

    @classmethod
    def from_config(cls, config):
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return super().from_config(config | {"loss": loss})


def _require_pairs(loss):
    """Returns a loss whose pairs may come from a memory, else raises."""
    if not isinstance(loss, LOSSES):
        names = ", ".join(f"`{each.__name__}`" for each in LOSSES)
        raise ValueError(f"Argument `loss` must be one of {names}. Received: {loss!r}")
    if loss.gather:
        raise ValueError(
            "Argument `loss` must have gather=False: each replica has a memory of its "
            f"own samples. Received: loss={loss!r}"
        )
    if loss.reduction not in ("mean", "sum_over_batch_size"):
        raise ValueError(
            'Argument `loss` must have the reduction "sum_over_batch_size": the layer '
            "returns one loss per sample, and adds their mean to the model. Received: "
            f"loss={loss!r}"
        )
    return loss


def _integers() -> str:
    """The widest integers of the backend: JAX usually has 32 bits."""
    return keras.backend.standardize_dtype(ops.convert_to_tensor(np.array([0])).dtype)


def _labels(y_true, x):
    """Returns labels as integers, and which of them are known: NaN is not."""
    require_numbers("y_true", y_true)
    if not ops.is_tensor(y_true):  # a list: Keras converts arrays
        y_true = ops.convert_to_tensor(np.asarray(y_true))
    labels = one_per_sample(y_true, x)
    if "float" not in keras.backend.standardize_dtype(labels.dtype):
        return ops.cast(labels, _integers()), ops.ones_like(labels, dtype="bool")
    bound = float(np.iinfo(_integers()).max)
    is_known = (labels == ops.floor(labels)) & (ops.abs(labels) < bound)
    backend.check(
        is_known | ops.isnan(labels),
        "`y_true` must hold integers, one label for each sample, since the memory "
        f"keeps them. Received: y_true={y_true}",
    )
    labels = ops.where(is_known, labels, ops.zeros_like(labels))
    return ops.cast(labels, _integers()), is_known
