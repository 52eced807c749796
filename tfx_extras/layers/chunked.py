"""The last layer of a classifier with many classes, together with its loss."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_dtype
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import masked
from tfx_extras.losses._labels import ClassWeights
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses._labels import require_weights
from tfx_extras.losses.classification.chunked import crossentropy_of


@register
class ChunkedLinearCrossentropy(keras.layers.Layer):
    r"""A linear layer with many classes and its cross-entropy, in little memory.

    $$ z = h K + b $$

    Called with labels, `head(hidden, labels)`, it returns the loss of each sample,
    `chunked_linear_crossentropy`, which has the formula, and adds their mean to the
    losses of the model: that is compiled without a loss, and `fit` is given inputs
    and labels together. The mean is over the samples that count: not those of
    `ignore_class`, nor those that a mask leaves out. Called with `hidden` alone, it
    returns the logits $z$ of all classes.

    Args:
        classes: $C$, how many there are, in [1, inf).
        use_bias: Whether there is a bias $b$.
        label_smoothing: $e$, in [0, 1], how much of a label is spread evenly over
            the classes.
        ignore_class: Samples with this label, any integer, such as -1 or 255, have
            loss 0 and are left out of means.
        class_weight: $w$, weights of the classes, in [0, inf), of shape
            `(classes,)`. `None` weighs all by 1.
        z_loss: $\zeta$, in [0, inf), how strongly logits are kept from drifting;
            1e-4 in PaLM.
        chunk_size: How many classes are computed at a time, in [1, inf); `None`
            chooses.
        kernel_initializer: Of the kernel $K$, of shape `(features, classes)`.
        bias_initializer: Of the bias, of shape `(classes,)`.
        **kwargs: Options of every layer, as `name` and `dtype`.

    Call arguments:
        inputs: $h$, of shape `(batch, ..., features)`.
        y_true: Classes, integers of the shape of `inputs` without the last axis.
        sample_weight: How much each sample counts in the mean, of the shape of
            `y_true`, or of its first axes: one number for all that follows.
        mask: Which samples count, of such a shape too. `None`: the mask that comes
            with `inputs`, if there is one.

    Raises:
        ValueError: If an argument is outside its interval, or has another shape.

    Example:
        >>> tokens = keras.Input((3,), dtype="int32")
        >>> labels = keras.Input((3,), dtype="int32")
        >>> hidden = keras.layers.Embedding(9, 4)(tokens)
        >>> head = tfx_extras.layers.ChunkedLinearCrossentropy(9)
        >>> model = keras.Model([tokens, labels], head(hidden, labels))
        >>> model.compile("adam")
        >>> x, y = np.array([[1, 2, 3]]), np.array([[2, 3, 4]])
        >>> history = model.fit([x, y], epochs=2, verbose=0)
        >>> writer = keras.Model(tokens, head(hidden))
        >>> writer(x).shape[-1]
        9
    """

    @typechecked
    def __init__(
        self,
        classes: int | np.integer,
        use_bias: bool = True,
        label_smoothing: Number = 0.0,
        ignore_class: int | np.integer | None = None,
        class_weight: ClassWeights | None = None,
        z_loss: Number = 0.0,
        chunk_size: int | np.integer | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ):
        if kwargs.get("dtype") is not None:
            require_dtype("dtype", kwargs["dtype"])
        # Keras would round labels and weights too: of 257, `bfloat16` makes 256.
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.classes = require("classes", classes, "[1, inf)")
        self.use_bias = use_bias
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.ignore_class = require_ignore_class(ignore_class)
        self.class_weight = require_weights("class_weight", class_weight)
        self.z_loss = require("z_loss", z_loss, "[0, inf)")
        self.chunk_size = (
            None
            if chunk_size is None
            else require("chunk_size", chunk_size, "[1, inf)")
        )
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.classes),
            initializer=self.kernel_initializer,
            autocast=False,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.classes,),
                initializer=self.bias_initializer,
                autocast=False,
            )
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
        hidden = ops.cast(inputs, self.compute_dtype)
        if y_true is None:
            logits = ops.matmul(hidden, ops.cast(self.kernel, hidden.dtype))
            bias = self.bias
            return logits if bias is None else logits + ops.cast(bias, hidden.dtype)
        losses = crossentropy_of(
            y_true,
            hidden,
            self.kernel,
            self.bias,
            self.label_smoothing,
            self.ignore_class,
            self.class_weight,
            self.z_loss,
            self.chunk_size,
            bool(training),
        )
        mask = inputs_mask if mask is None else mask  # that of `inputs`, from Keras
        self.add_loss(_mean(losses, mask, sample_weight))
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
        if y_true is None:
            shape = (*inputs.shape[:-1], self.classes)
            return keras.KerasTensor(shape, self.compute_dtype)
        return keras.KerasTensor(inputs.shape[:-1], wide(self.compute_dtype))

    def get_config(self):
        own = {
            "classes": self.classes,
            "use_bias": self.use_bias,
            "label_smoothing": self.label_smoothing,
            "ignore_class": self.ignore_class,
            "class_weight": self.class_weight,
            "z_loss": self.z_loss,
            "chunk_size": self.chunk_size,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
        return super().get_config() | own

    @classmethod
    def from_config(cls, config):
        if config.get("dtype") is not None:  # before Keras asks it for a quantization
            require_dtype("dtype", config["dtype"])
        return super().from_config(config)


def _mean(losses, mask, sample_weight):
    carrier = 0.0
    if mask is not None:
        valid = ops.cast(_spread("mask", mask, losses), "bool")
        carrier = masked(losses, valid)
    if sample_weight is not None:
        sample_weight = _spread("sample_weight", sample_weight, losses)
    # Of no samples Keras returns what it was given, no values, whose sum is 0.
    return ops.sum(_Mean(losses)(0.0, carrier, sample_weight))


def _spread(name, x, losses):
    """Returns `x`, which may lack the last axes of `losses`, in their shape and type.

    It is a tensor of its own: on PyTorch, Keras multiplies weights by masks in place.
    """
    x = ops.cast(x, losses.dtype)
    shape, whole = list(x.shape), tuple(losses.shape)
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    pairs = list(zip(shape, whole, strict=False))
    if len(shape) > len(whole) or any(a != b for a, b in pairs if None not in (a, b)):
        raise ValueError(
            f"Argument `{name}` must have the shape of `y_true`, or of its first axes. "
            f"Received: {name}.shape={tuple(x.shape)}, y_true.shape={whole}"
        )
    missing = [1] * (len(whole) - len(shape))
    x = ops.reshape(x, (*ops.shape(x)[: len(shape)], *missing))
    return x * ops.ones_like(losses)


class _Mean(keras.losses.Loss):
    """Keras's weights, masks and mean of losses that are there."""

    def __init__(self, losses):
        super().__init__(dtype=wide(losses.dtype))
        self._losses = losses

    def call(self, y_true, y_pred):
        return self._losses
