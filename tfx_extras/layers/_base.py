"""What the layers share: checks of the dtype, and the mean of losses per sample."""

from typing import Any

import keras
from keras import ops

from tfx_extras._checks import require_dtype
from tfx_extras._precision import wide
from tfx_extras.losses._base import masked


class Layer(keras.layers.Layer):
    """Base of layers that read labels, or embeddings that must not be rounded."""

    def __init__(self, **kwargs: Any):
        if kwargs.get("dtype") is not None:
            require_dtype("dtype", kwargs["dtype"])
        # Autocast would round inputs to 16 bits: 257, a label, becomes 256.
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True

    @classmethod
    def from_config(cls, config):
        if config.get("dtype") is not None:  # before Keras reads its quantization
            require_dtype("dtype", config["dtype"])
        return super().from_config(config)

    def _add_state(self, name, initializer, shape=(), dtype=None, aggregation="mean"):
        """Returns a variable that calls in training change, and gradients do not.

        Each replica has its own. What is saved is their mean, or another aggregation.
        """
        return keras.Variable(
            initializer,
            shape=shape,
            dtype=dtype or wide(self.variable_dtype),
            trainable=False,
            autocast=False,
            name=name,
            # Replicas that met in the middle of a call would mix up their losses.
            synchronization="on_read",
            aggregation=aggregation,
        )


def mean_of(losses, mask, sample_weight):
    """Returns the mean of losses by weight, without the samples that a mask leaves out.

    A mask or weights may lack the last axes of the losses.
    """
    carrier = 0.0
    if mask is not None:
        valid = ops.cast(spread("mask", mask, losses), "bool")
        carrier = masked(losses, valid)
    if sample_weight is not None:
        sample_weight = spread("sample_weight", sample_weight, losses)
    # For an empty batch Keras returns the empty losses, whose sum is 0.
    mean = ops.sum(_Mean(losses)(0.0, carrier, sample_weight))
    # On replicas, Keras divides each mean by their number, and what a layer adds again.
    return mean / _Mean(ops.ones(1, losses.dtype))(0.0, 0.0)


def spread(name, x, losses):
    """Returns `x`, which may lack the last axes of `losses`, in their shape and dtype.

    The result is a new tensor: on PyTorch, Keras multiplies weights by masks in place.
    """
    x = ops.cast(x, losses.dtype)
    shape, whole = list(x.shape), tuple(losses.shape)
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    pairs = list(zip(shape, whole, strict=False))
    if len(shape) > len(whole) or any(a != b for a, b in pairs if None not in (a, b)):
        raise ValueError(
            f"Argument `{name}` must have the shape of `y_true` or of its first axes. "
            f"Received: {name}.shape={tuple(x.shape)}, y_true.shape={whole}"
        )
    missing = [1] * (len(whole) - len(shape))
    x = ops.reshape(x, (*ops.shape(x)[: len(shape)], *missing))
    return x * ops.ones_like(losses)


class _Mean(keras.losses.Loss):
    """Applies Keras's weights, masks and mean to losses that are already computed."""

    def __init__(self, losses):
        super().__init__(dtype=wide(losses.dtype))
        self._losses = losses

    def call(self, y_true, y_pred):
        return self._losses
