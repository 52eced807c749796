"""The last layer of a classifier with many classes, together with its loss."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.layers._base import Layer
from tfx_extras.layers._base import mean_of
from tfx_extras.losses._labels import ClassWeights
from tfx_extras.losses._labels import require_ignore_class
from tfx_extras.losses._labels import require_weights
from tfx_extras.losses.classification.chunked import crossentropy_of


@register
class ChunkedLinearCrossentropy(Layer):
    r"""Chunked linear layer with cross-entropy: large vocabularies in little memory.

    Use it as the last layer of a classifier with very many classes, such as a language
    model with a large vocabulary, whose logits would not fit in memory. It costs time:
    the logits are computed again for the gradient. `keras.layers.Dense` with
    `keras.losses.SparseCategoricalCrossentropy` computes the same cross-entropy,
    without `label_smoothing`, `class_weight` and `z_loss`, but holds all logits and
    their gradients.

    $$ z = h K + b, \qquad L = -(1 - e)\, w_y \log p_y
        - \frac{e}{C} \sum_{c=1}^C w_c \log p_c
        + \zeta \log^2 \sum_{c=1}^C e^{z_c} $$

    $h$ are the features of a sample, $K$ is the kernel and $b$ the bias of the layer.
    $z_c$ is the logit of class $c$ out of $C$, $p_c$ its softmax and $w_c$ its weight.
    $y$ is the class of the sample.

    Called with labels, `head(hidden, labels)`, the layer returns one loss per sample,
    in nats, of the shape of the labels, and adds the mean to the losses of the model.
    Compile the model without a loss, and give `fit` the labels among the inputs. The
    mean leaves out samples of `ignore_class` and masked ones. Called with `hidden`
    alone, the layer returns the logits $z$ of all classes.

    The memory, in addition to inputs and gradients, is that of about two chunks of
    logits: see `chunked_linear_crossentropy`, which computes the loss.

    Args:
        classes: $C$, in [1, inf): the number of classes.
        use_bias: Whether the layer has a bias $b$.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_class: Samples with this label, any integer such as -1 or 255, have loss
            0 and do not count in the mean.
        class_weight: $w$, in [0, inf): one weight per class, of shape `(classes,)`.
            `None` gives all the weight 1.
        z_loss: $\zeta$, in [0, inf): the weight of the last term, which keeps logits
            from drifting; 1e-4 in PaLM.
        chunk_size: The number of classes that are computed at a time, in [1, inf).
            `None` chooses as many as make four million logits, at least 512, or 1024
            where the size of the batch is unknown. The result does not depend on it.
        kernel_initializer: Initializer of the kernel $K$, of shape
            `(features, classes)`.
        bias_initializer: Initializer of the bias $b$, of shape `(classes,)`.
        **kwargs: Options of every Keras layer, such as `name` and `dtype`.

    Call arguments:
        inputs: $h$, of shape `(batch, ..., features)`.
        y_true: Classes $y$: integers in [0, classes), of the shape of `inputs` without
            its last axis. `None` gives logits instead of losses.
        sample_weight: Weights of the samples in the mean, of the shape of `y_true`, or
            of its first axes: one number for all that follows.
        mask: Which samples count, of the shape of `y_true` or of its first axes. `None`
            takes the mask of `inputs`, if there is one.

    Raises:
        ValueError: If an argument is outside its interval, or the shapes do not match.
        TypeError: If an argument has the wrong type or an unknown name.

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

    Reference: Wijmans et al., 2024. https://arxiv.org/abs/2411.09009
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
        super().__init__(**kwargs)
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
            # `ops.matmul` would narrow float64.
            logits = hidden @ ops.cast(self.kernel, hidden.dtype)
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
        mask = inputs_mask if mask is None else mask  # set by Keras
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
