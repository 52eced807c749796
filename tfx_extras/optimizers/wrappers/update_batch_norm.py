"""The statistics of batch normalization, for weights that were averaged."""

import inspect
import math
import operator
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require_steps
from tfx_extras._precision import wide
from tfx_extras._typed import typechecked

__all__ = ["update_batch_norm"]


@typechecked
def update_batch_norm(
    model: keras.Model, data: Any, batch_size: Number | None = None
) -> None:
    """Replaces the statistics of all `BatchNormalization` layers by those of data.

    Averaged weights have never seen a batch, so the moving mean and variance, which
    belong to other weights, must be measured once more. They become the means of
    those of all batches, weighted by their size: exact, and not moving.

    A layer that is called several times in a pass, such as the encoder of a siamese
    network, gets the mean over all of its calls. Where there is a mask, only what it
    leaves counts.

    The model runs as in training, with dropout, but learns nothing. Layers that are
    frozen or that the data does not reach, and models without batch normalization,
    are left as they are. If an error occurs, so are all layers.

    With `renorm`, outputs are normalized by their own batch meanwhile, and all moving
    statistics of the layer are replaced.

    Args:
        model: A built model.
        data: An array or a dictionary of arrays, or an iterable of batches: of `x`,
            `(x, y)` or `(x, y, sample_weight)`, of which only `x` is used; a
            `tf.data.Dataset`, a `DataLoader`, a `keras.utils.PyDataset` or a
            generator.
        batch_size: Samples in a batch, in [1, inf), if `data` is an array; `None`
            is 32.

    Raises:
        ValueError: If `data` is a tuple or has no batch, or `batch_size` is given
            for batches.

    Example:
        >>> model = keras.Sequential([
        ...     keras.Input((1,)), keras.layers.BatchNormalization()])
        >>> x = np.array([[1.0], [2.0], [3.0], [6.0]])
        >>> tfx_extras.optimizers.update_batch_norm(model, x)
        >>> print(model.layers[0].moving_mean.numpy().round(4))
        [3.]

    Reference: Izmailov et al., 2018. https://arxiv.org/abs/1803.05407
    """
    layers = model._flatten_layers()
    normal = [x for x in layers if isinstance(x, keras.layers.BatchNormalization)]
    measured = [_Measured(layer) for layer in normal if layer.trainable]
    has_batch = is_done = False
    try:
        for x in _batches(data, batch_size):
            with backend.without_gradients():
                model(x, training=True)
            has_batch = True
        is_done = True
    finally:
        for statistics in measured:
            statistics.finish(is_done)
    if not has_batch:
        raise ValueError(f"Argument `data` has no batch. Received: data={data}")


class _Measured:
    """The statistics of a layer whose calls are measured, several in a pass or none.

    With a momentum of 0 the layer has those of its last call. Their means are kept
    here, in `float32` or wider: in half precision they would soon stand still.
    """

    def __init__(self, layer: keras.layers.BatchNormalization):
        self.layer = layer
        self.size = 0.0
        self.variables = [layer.moving_mean, layer.moving_variance]
        self.before = [ops.copy(variable) for variable in self.variables]
        self.means = [ops.zeros(v.shape, wide(v.dtype)) for v in self.variables]
        # Renormalization would bring in the statistics of other weights.
        meanwhile = {"momentum": 0.0, "renorm": False}
        self.settings = {k: getattr(layer, k) for k in meanwhile if hasattr(layer, k)}
        for name in self.settings:
            setattr(layer, name, meanwhile[name])
        # As in a new layer: 0 times NaN would stay NaN.
        layer.moving_mean.assign(self.means[0])
        layer.moving_variance.assign(self.means[1] + 1)
        self.call, self.signature = layer.call, inspect.signature(layer.call)
        layer.call = self.measured_call

    def measured_call(self, *args, **kwargs):
        outputs = self.call(*args, **kwargs)
        arguments = self.signature.bind(*args, **kwargs).arguments
        if arguments.get("training"):
            inputs, *_ = arguments.values()
            size = self._size(inputs, arguments.get("mask"))
            self.size += size
            share = size / self.size if size else 0.0
            for i, (mean, variable) in enumerate(
                zip(self.means, self.variables, strict=True)
            ):
                self.means[i] = mean + share * (ops.cast(variable, mean.dtype) - mean)
                variable.assign(self.means[i])
        return outputs

    def _size(self, inputs, mask) -> float:
        """How many vectors are normalized: samples, pixels or tokens."""
        if mask is not None:
            return float(ops.sum(ops.cast(mask, "float32")))
        return math.prod(inputs.shape) / inputs.shape[self.layer.axis]

    def finish(self, is_done: bool) -> None:
        """Leaves the layer with the means, or as it was if there are none."""
        layer = self.layer
        del layer.call
        for name, value in self.settings.items():
            setattr(layer, name, value)
        if not (is_done and self.size):
            for variable, value in zip(self.variables, self.before, strict=True):
                variable.assign(value)
        elif self.settings.get("renorm"):
            layer.renorm_mean.assign(layer.moving_mean)
            for deviation in (layer.moving_stddev, layer.renorm_stddev):
                deviation.assign(ops.sqrt(layer.moving_variance + layer.epsilon))


def _batches(data: Any, batch_size: Any) -> Iterator[Any]:
    """The inputs of each batch."""
    if hasattr(data, "shape") or isinstance(data, dict):
        size = 32 if batch_size is None else batch_size
        size = require_steps("batch_size", size, "[1, inf)")
        for start in range(0, len(keras.tree.flatten(data)[0]), size):
            part = slice(start, start + size)
            yield keras.tree.map_structure(operator.itemgetter(part), data)
        return
    if isinstance(data, tuple):
        raise ValueError(
            "Argument `data` must be an array of inputs, without labels, or an "
            f"iterable of batches. Received a tuple: data={data}"
        )
    if batch_size is not None:
        raise ValueError(
            "Argument `batch_size` is for arrays: batches have their own. "
            f"Received: batch_size={batch_size}"
        )
    if isinstance(data, keras.utils.PyDataset):
        data = map(data.__getitem__, range(data.num_batches))
    for batch in data:
        yield batch[0] if isinstance(batch, list | tuple) else batch
