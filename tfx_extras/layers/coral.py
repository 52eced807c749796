"""The last layer of CORAL: one score, and one bias for each threshold."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.layers._base import Layer


@register
class Coral(Layer):
    r"""Coral layer: the last layer of ordinal classification with `CoralLoss`.

    Use it as the last layer of a model for ordered classes, such as ratings, ages or
    grades of a disease, which is trained with `CoralLoss`. All thresholds between the
    classes share one score, so that their probabilities decrease with the threshold if
    the biases do. `CornLoss` takes a plain `keras.layers.Dense(classes - 1)`, whose
    thresholds may depend on different features. Keras has no equivalent.

    $$ z_k = w \cdot x + b_k, \qquad k = 0, \dots, K - 2 $$

    $x$ are the features of a sample, $w$ the kernel, which all thresholds share, and
    $b_k$ the bias of threshold $k$. $z_k$ is the logit of the probability that the
    class is greater than $k$. There are $K - 1$ outputs for $K$ classes.
    `ordinal_probabilities(logits, conditional=False)` returns the probabilities of the
    classes, and `keras.ops.sum(logits > 0, axis=-1)` is the predicted class.

    The biases start at $b_k = 1 - k / (K - 1)$, in decreasing order, as in
    `coral-pytorch`. Nothing enforces this order, but the loss is least for biases that
    do not increase (Cao et al., 2020). If all biases start equal, as in
    `keras.layers.Dense`, early predictions are the first or the last class. If training
    is short, start them where the training data have them: at the log-odds of a class
    above each threshold, by `keras.initializers.Constant`, as the guide of ordinal
    classes does.

    The dtypes are those of `keras.layers.Dense`: logits have the compute dtype of the
    policy. Time and memory are those of `keras.layers.Dense(1)`.

    Args:
        classes: $K$, in [2, inf): the number of classes.
        kernel_initializer: Initializer of the kernel, of shape `(features, 1)`.
        bias_initializer: Initializer of the biases, of shape `(classes - 1,)`. `None`
            lets them fall evenly from 1 to $1 / (K - 1)$.
        kernel_regularizer: Regularizer of the kernel, or `None`.
        **kwargs: Options of every Keras layer, such as `name` and `dtype`.

    Call arguments:
        inputs: Features $x$, of shape `(batch, ..., features)`.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> model = keras.Sequential(
        ...     [keras.Input((8,)), tfx_extras.layers.Coral(5)])
        >>> model.compile("adam", tfx_extras.losses.CoralLoss())
        >>> x, y = np.random.normal(size=(32, 8)), np.arange(32) % 5
        >>> history = model.fit(x, y, verbose=0)
        >>> p = tfx_extras.losses.ordinal_probabilities(model(x), conditional=False)
        >>> p.shape[-1]
        5

    Reference: Cao et al., 2020. https://arxiv.org/abs/1901.07884
    """

    @typechecked
    def __init__(
        self,
        classes: int | np.integer,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = None,
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.classes = require("classes", classes, "[2, inf)")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], 1),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            autocast=False,
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(self.classes - 1,),
            initializer=self.bias_initializer or _falling,
            autocast=False,
        )
        self.built = True

    def call(self, inputs):
        x = ops.cast(inputs, self.compute_dtype)
        score = x @ ops.cast(self.kernel, x.dtype)  # `ops.matmul` would narrow float64
        return score + ops.cast(self.bias, x.dtype)

    def compute_output_spec(self, inputs):
        shape = (*inputs.shape[:-1], self.classes - 1)
        return keras.KerasTensor(shape, self.compute_dtype)

    def get_config(self):
        own = {
            "classes": self.classes,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
        return super().get_config() | own


def _falling(shape, dtype=None):
    """Biases in decreasing order: 1, 1 - 1 / n, and so on to 1 / n."""
    (count,) = shape
    return ops.convert_to_tensor(np.arange(count, 0, -1) / count, dtype)
