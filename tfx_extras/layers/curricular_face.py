"""Margins whose hard negatives count more as training proceeds."""

import math
from typing import Any

import numpy as np
from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.layers._face import Face
from tfx_extras.layers._face import average
from tfx_extras.losses.embedding._distances import root


@register
class CurricularFace(Face):
    r"""CurricularFace head with its loss: easy samples first, hard ones later.

    Use it as the last layer of a model that trains embeddings by classification, as in
    face recognition. Keep the layers before it, and compare their outputs by cosine. It
    is ArcFace with a curriculum: hard negatives count less at the beginning of training
    and more later. `CosineDense` with `ArcFaceLoss` has no curriculum and no state.
    Keras has no equivalent.

    $$ L = -\log \frac{e^{s \cos(\theta_y + m)}}{e^{s \cos(\theta_y + m)}
        + \sum_{j \ne y} e^{s g_j}}, \qquad
        g_j = \begin{cases} \cos \theta_j & \cos \theta_j \le \cos(\theta_y + m) \\
        \cos \theta_j\, (t + \cos \theta_j) & \text{otherwise} \end{cases} $$

    $\theta_j$ is the angle between an embedding and the center of class $j$, and $y$ is
    the true class. $m$ is the margin and $s$ the scale. $t$ is the running average of
    the mean of $\cos \theta_y$ in a batch, which grows as the model learns. Beyond
    $\theta_y + m = \pi$, the authors replace $\cos(\theta_y + m)$ in the loss of the
    own class by $\cos \theta_y - m \sin m$, and so does this layer.

    Called with labels, `head(x, labels)`, the layer returns one loss per sample, in
    nats, of the shape of the labels, and adds the mean to the losses of the model.
    Compile the model without a loss, and give `fit` the labels among the inputs. Called
    with `x` alone, the layer returns the logits $s \cos \theta$ of all classes, without
    a margin.

    The state is $t$, which starts at 0. A batch updates it in training, before it is
    used, unless the layer is frozen. Masked samples, those of weight 0, and embeddings
    whose length is not finite do not count. On TensorFlow, each replica has a state
    of its own, and their mean is saved.

    The kernel, the state and the losses are in `float32` or wider, whatever the dtype
    policy. Time and memory are those of a `Dense` layer with a cross-entropy.

    Args:
        classes: $C$, in [1, inf): the number of classes.
        margin: $m$, in [0, pi], in radians.
        scale: $s$, in (0, inf): the factor that turns cosines into logits.
        momentum: How much of the state each batch keeps, in [0, 1).
        kernel_initializer: Initializer of the centers, of shape `(features, classes)`.
        **kwargs: Options of every Keras layer, such as `name` and `dtype`.

    Call arguments:
        inputs: Embeddings of any length, of shape `(batch, ..., features)`.
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
        >>> image, label = keras.Input((64,)), keras.Input((), dtype="int32")
        >>> embedding = keras.layers.Dense(16)(image)
        >>> head = tfx_extras.layers.CurricularFace(10)
        >>> model = keras.Model([image, label], head(embedding, label))
        >>> model.compile("adam")
        >>> x, y = np.random.normal(size=(8, 64)), np.arange(8)
        >>> history = model.fit([x, y], verbose=0)
        >>> encoder = keras.Model(image, embedding)
        >>> encoder(x).shape[-1]
        16

    Reference: Huang et al., 2020, eq. 5 to 7. https://arxiv.org/abs/2004.00288
    """

    @typechecked
    def __init__(
        self,
        classes: int | np.integer,
        margin: Number = 0.5,
        scale: Number = 64.0,
        momentum: Number = 0.99,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ):
        margin = require("margin", margin, f"[0, {math.pi}]")
        super().__init__(classes, margin, scale, momentum, kernel_initializer, **kwargs)
        self.t: Any = None

    def _build_state(self):
        self.t = self._add_state("t", "zeros")

    def _state(self, own, lengths, counted, is_training):
        mean, number = average(own, counted)
        return self._kept(self.t, mean, number > 0, is_training)

    def _with_margin(self, own, cosines, lengths, state):
        m = self.margin
        sine = root((1 - own) * (1 + own))
        later = own * math.cos(m) - sine * math.sin(m)
        others = ops.where(cosines > later, cosines * (state + cosines), cosines)
        is_beyond = own <= -math.cos(m)
        return ops.where(is_beyond, own - m * math.sin(m), later), others
