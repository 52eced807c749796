"""Recomputes the statistics of batch normalization, for averaged weights."""

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
    """Update batch normalization: recomputes its statistics for averaged weights.

    Use it after weight averaging (`SWA`, `MovingAverage`): the moving mean and variance
    of each `BatchNormalization` layer belong to other weights, and must be computed
    again. It costs one pass over the data. Keras has no equivalent.

    The moving mean and variance become the means of those of all batches, weighted by
    the size of each batch. They are exact, and not moving averages.

    A layer that is called several times in a pass, such as the encoder of a siamese
    network, gets the mean over all of its calls. Where there is a mask, only the
    unmasked elements count.

    The model runs as in training, with dropout, but its weights do not change. Layers
    that are frozen or that the data does not reach, and models without batch
    normalization, stay as they are. If an error occurs, all layers stay as they are.

    With `renorm`, outputs are normalized by their own batch during the pass, and all
    moving statistics of the layer are replaced.

    Args:
        model: A built model.
        data: An array, a dictionary of arrays, or an iterable of batches, such as a
            `tf.data.Dataset`, a `DataLoader`, a `keras.utils.PyDataset` or a generator.
            A batch is `x`, `(x, y)` or `(x, y, sample_weight)`, of which only `x` is
            used.
        batch_size: Samples in a batch, in [1, inf), if `data` is an array or a
            dictionary of arrays. `None` means 32.

    Raises:
        ValueError: If `data` is a tuple or has no batch, or if `batch_size` is given
            for an iterable of batches.
        TypeError: If an argument has the wrong type or an unknown name.

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
        raise ValueError(
            "Argument `data` has no batch. Is it a generator that is used up? "
            f"Received: data={data}"
        )


class _Measured:
    """The statistics of a layer, measured over any number of calls in a pass.

    With a momentum of 0, the layer has the statistics of its last call. Their means are
    kept here, in `float32` or wider, because a running mean in 16 bits would soon stand
    still.
    """

    def __init__(self, layer: keras.layers.BatchNormalization):
        self.layer = layer
        self.size = 0.0
        self.variables = [layer.moving_mean, layer.moving_variance]
        self.before = [ops.copy(variable) for variable in self.variables]
        self.means = [ops.zeros(v.shape, wide(v.dtype)) for v in self.variables]
        # Renormalization would use the statistics of other weights.
        meanwhile = {"momentum": 0.0, "renorm": False}
        self.settings = {k: getattr(layer, k) for k in meanwhile if hasattr(layer, k)}
        for name in self.settings:
            setattr(layer, name, meanwhile[name])
        # As in a new layer, because 0 times NaN is NaN.
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
        """Returns how many vectors are normalized: samples, pixels or tokens."""
        if mask is not None:
            return float(ops.sum(ops.cast(mask, "float32")))
        return math.prod(inputs.shape) / inputs.shape[self.layer.axis]

    def finish(self, is_done: bool) -> None:
        """Gives the layer the means, or its former statistics if there are none."""
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
    """Yields the inputs of each batch."""
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
            f"iterable of batches, not a tuple. Received: data={data}"
        )
    if batch_size is not None:
        raise ValueError(
            "Argument `batch_size` must be None if `data` is an iterable, because "
            "batches have their own size. "
            f"Received: batch_size={batch_size}"
        )
    if isinstance(data, keras.utils.PyDataset):
        data = map(data.__getitem__, range(data.num_batches))
    for batch in data:
        yield batch[0] if isinstance(batch, list | tuple) else batch
