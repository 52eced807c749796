"""The statistics of batch normalization, for weights that were averaged."""

import operator
from collections.abc import Iterator
from typing import Any

import keras

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require_steps
from tfx_extras._typed import typechecked


@typechecked
def update_batch_norm(
    model: keras.Model, data: Any, batch_size: Number | None = None
) -> None:
    """Replaces the statistics of all `BatchNormalization` layers by those of data.

    Averaged weights have never seen a batch, so the moving mean and variance, which
    belong to other weights, must be measured once more. They become the means of
    those of all batches, weighed by their size: exact, and not moving.

    The model runs as in training, with dropout, but learns nothing. Layers that are
    frozen, and models without batch normalization, are left as they are.

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
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    momenta = [layer.momentum for layer in layers]
    seen = 0
    try:
        for x in _batches(data, batch_size):
            size = len(keras.tree.flatten(x)[0])
            for layer in layers:
                layer.momentum = seen / (seen + size)
            with backend.without_gradients():
                model(x, training=True)
            seen += size
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    if not seen:
        raise ValueError(f"Argument `data` has no batch. Received: data={data}")


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
