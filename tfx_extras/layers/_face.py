"""Layers of cosines with their loss, which keep statistics of the training data."""

from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._precision import wide
from tfx_extras.layers._base import Layer
from tfx_extras.layers._base import mean_of
from tfx_extras.layers._base import spread
from tfx_extras.losses._base import predictions
from tfx_extras.losses._batch import log_sum_exp
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import softplus
from tfx_extras.losses.embedding._distances import unit


class Face(Layer):
    """Base of the layers: kernel, cosines, and the mean of the losses.

    A subclass makes its state in `_build_state`, and returns the logits with a margin
    from `_logits`.
    """

    def __init__(
        self,
        classes,
        margin: Number,
        scale: Number,
        momentum: Number,
        kernel_initializer,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)
        self.classes = require("classes", classes, "[1, inf)")
        self.margin = margin
        self.scale = require("scale", scale, "(0, inf)")
        self.momentum = require("momentum", momentum, "[0, 1)")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel: Any = None

    def build(self, input_shape):
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: input_shape[-1]})
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.classes),
            initializer=self.kernel_initializer,
            dtype=wide(self.variable_dtype),
            autocast=False,
        )
        self._build_state()
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
        x = predictions(inputs)
        mask = inputs_mask if mask is None else mask  # set by Keras
        is_kept = None
        if y_true is not None and mask is not None:
            is_kept = ops.cast(spread("mask", mask, x[..., 0]), "bool")
            x = ops.where(is_kept[..., None], x, ops.zeros_like(x))
        centers = unit(ops.transpose(ops.cast(self.kernel, x.dtype)))
        cosines = unit(x) @ ops.transpose(centers)  # `ops.matmul` would narrow float64
        cosines = backend.clipped(cosines, -1.0, 1.0)
        if y_true is None:
            return self.scale * cosines
        labels, cosines = sparse_labels(y_true, cosines, None, -1)
        lengths = _lengths(ops.stop_gradient(x))
        counted = ops.isfinite(lengths) & labels.known
        if is_kept is not None:
            counted = counted & is_kept
        if sample_weight is not None:
            counted = counted & (spread("sample_weight", sample_weight, lengths) != 0)
        classes = ops.arange(self.classes, dtype=labels.classes.dtype)
        is_other = labels.classes[..., None] != classes
        # Not `take_along_axis`: PyTorch 2.13, compiling for a CPU of many cores, gets
        # its gradient wrong beside a comparison of both, as in CurricularFace.
        own = ops.where(is_other, ops.zeros_like(cosines), cosines)
        own = ops.sum(own, axis=-1, keepdims=True)
        state = self._state(
            ops.stop_gradient(own[..., 0]),
            lengths,
            counted,
            bool(training) and self.trainable,
        )
        own, others = self._with_margin(own, cosines, lengths, state)
        others = log_sum_exp(self.scale * others, is_other)
        losses = labels.settle(softplus(others - self.scale * own[..., 0]))
        if is_kept is not None:
            losses = ops.where(is_kept, losses, ops.zeros_like(losses))
        self.add_loss(mean_of(losses, mask, sample_weight))
        return losses

    def compute_output_spec(
        self,
        inputs,
        y_true=None,
        sample_weight=None,
        mask=None,
        inputs_mask=None,
        training=False,
    ):
        shape = inputs.shape[:-1]
        if y_true is None:
            shape = (*shape, self.classes)
        return keras.KerasTensor(shape, wide(inputs.dtype))

    def get_config(self):
        own = {
            "classes": self.classes,
            "margin": self.margin,
            "scale": self.scale,
            "momentum": self.momentum,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
        return super().get_config() | own

    def _kept(self, variable, value, is_known, is_training):
        """Returns the state: its exponential average in training, where it is known."""
        old = backend.state(variable)
        if not is_training:
            return ops.cast(old, value.dtype)
        share = 1 - self.momentum
        new = self.momentum * old + share * ops.cast(value, old.dtype)
        new = ops.where(is_known, new, old)
        variable.assign(new)
        return ops.cast(new, value.dtype)

    def _build_state(self):
        raise NotImplementedError

    def _state(self, own, lengths, counted, is_training):
        """Updates the state in training, and returns what the margin needs of it."""
        raise NotImplementedError

    def _with_margin(self, own, cosines, lengths, state):
        """Returns the cosines of the own class and of the others, with margins."""
        raise NotImplementedError


def average(x, counted):
    """Returns the mean of `x` where it counts, and how many do. The mean of none is 0.

    The count is in the dtype of `x`.
    """
    number = ops.sum(ops.cast(counted, x.dtype))
    total = ops.sum(ops.where(counted, x, ops.zeros_like(x)))
    return total / ops.where(number > 0, number, ops.ones_like(number)), number


def _lengths(x):
    """Returns the lengths of rows, without squares that overflow."""
    largest = backend.largest(ops.abs(x), 0.0)
    divisor = ops.where(largest > 0, largest, ops.ones_like(largest))
    square = ops.sum((x / divisor) * (x / divisor), axis=-1)
    return divisor[..., 0] * ops.sqrt(square)
