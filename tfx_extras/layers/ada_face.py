"""Margins that follow the quality of images, told by the lengths of embeddings."""

import math
from typing import Any

import numpy as np
from keras import ops
from keras.initializers import Constant

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.layers._face import Face
from tfx_extras.layers._face import average
from tfx_extras.losses.embedding._distances import root

SHORTEST, LONGEST = 0.001, 100.0  # lengths are clipped to this
EPSILON = 0.001


@register
class AdaFace(Face):
    r"""AdaFace head with its loss: margins adapt to the quality of each image.

    Use it as the last layer of a model that trains embeddings by classification, as in
    face recognition, where some images are too blurred or too small to be recognized.
    Keep the layers before it, and compare their outputs by cosine. `CosineDense` with
    `ArcFaceLoss` has the same margin for all images and no state. Keras has no
    equivalent.

    $$ L = -\log \frac{e^{s f}}{e^{s f} + \sum_{j \ne y} e^{s \cos \theta_j}}, \qquad
        f = \cos(\theta_y - m q) - m - m q $$
    $$ q = \min(1, \max(-1, \frac{h (n - \mu)}{\sigma + 0.001})) $$

    $\theta_j$ is the angle between an embedding and the center of class $j$, and $y$ is
    the true class. $m$ is the margin and $s$ the scale. $n$ is the length of the
    embedding, clipped to [0.001, 100], which stands for the quality of the image; no
    gradient flows through it. $\mu$ and $\sigma$ are running averages of the mean and
    standard deviation of the lengths in a batch. An image with $q = 1$ has the margin
    $2 m$ on the cosine, less a margin on the angle, which counts hard samples more. An
    image with $q = -1$ has the margin $m$ on the angle, as in ArcFace, which counts
    them less. The angle $\theta_y - m q$ is clipped to [0, pi], by the authors to
    [0.001, pi - 0.001].

    Called with labels, `head(x, labels)`, the layer returns one loss per sample, in
    nats, of the shape of the labels, and adds the mean to the losses of the model.
    Compile the model without a loss, and give `fit` the labels among the inputs. Called
    with `x` alone, the layer returns the logits $s \cos \theta$ of all classes, without
    a margin.

    The state is $\mu$, which starts at 20, and $\sigma$, which starts at 100. A batch
    updates both in training, before they are used, unless the layer is frozen. Masked
    samples, those of weight 0, and lengths that are not finite do not count. A batch of
    one sample leaves $\sigma$ as it is, since the standard deviation divides by the
    number of samples minus 1. On TensorFlow, each replica has a state of
    its own, and their mean is saved.

    The kernel, the state and the losses are in `float32` or wider, whatever the dtype
    policy. Time and memory are those of a `Dense` layer with a cross-entropy. The
    authors' code also clips cosines to [-0.999, 0.999], where the gradient then is 0.

    Args:
        classes: $C$, in [1, inf): the number of classes.
        margin: $m$, in [0, pi/2].
        h: $h$, in [0, inf): how much the margin depends on the length. 0 gives the
            margin of CosFace to all.
        scale: $s$, in (0, inf): the factor that turns cosines into logits.
        momentum: How much of the state each batch keeps, in [0, 1): 1 minus the
            `t_alpha` of the authors.
        kernel_initializer: Initializer of the centers, of shape `(features, classes)`.
        **kwargs: Options of every Keras layer, such as `name` and `dtype`.

    Call arguments:
        inputs: Embeddings of any length, of shape `(batch, ..., features)`. Do not
            normalize them.
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
        >>> head = tfx_extras.layers.AdaFace(10)
        >>> model = keras.Model([image, label], head(embedding, label))
        >>> model.compile("adam")
        >>> x, y = np.random.normal(size=(8, 64)), np.arange(8)
        >>> history = model.fit([x, y], verbose=0)
        >>> encoder = keras.Model(image, embedding)
        >>> encoder(x).shape[-1]
        16

    Reference: Kim et al., 2022, eq. 10 to 13. https://arxiv.org/abs/2204.00964
    """

    @typechecked
    def __init__(
        self,
        classes: int | np.integer,
        margin: Number = 0.4,
        h: Number = 0.333,
        scale: Number = 64.0,
        momentum: Number = 0.99,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ):
        margin = require("margin", margin, f"[0, {math.pi / 2}]")
        super().__init__(classes, margin, scale, momentum, kernel_initializer, **kwargs)
        self.h = require("h", h, "[0, inf)")
        self.mean: Any = None
        self.std: Any = None

    def get_config(self):
        return super().get_config() | {"h": self.h}

    def _build_state(self):
        self.mean = self._add_state("mean", Constant(20.0))
        self.std = self._add_state("std", Constant(100.0))

    def _state(self, own, lengths, counted, is_training):
        n = backend.clipped(lengths, SHORTEST, LONGEST)
        mean, number = average(n, counted)
        square, _ = average((n - mean) * (n - mean), counted)
        others = ops.where(number > 1, number - 1, ops.ones_like(number))
        std = ops.sqrt(square * number / others)
        return (
            self._kept(self.mean, mean, number > 0, is_training),
            self._kept(self.std, std, number > 1, is_training),
        )

    def _with_margin(self, own, cosines, lengths, state):
        mean, std = state
        n = backend.clipped(lengths, SHORTEST, LONGEST)[..., None]
        q = backend.clipped(self.h * (n - mean) / (std + EPSILON), -1.0, 1.0)
        turn = self.margin * q
        cosine, sine = ops.cos(turn), ops.sin(turn)
        later = own * cosine + root((1 - own) * (1 + own)) * sine
        # Beyond an angle of 0 or pi, the cosine would turn back.
        later = ops.where((turn > 0) & (own > cosine), ops.ones_like(later), later)
        later = ops.where((turn < 0) & (own < -cosine), -ops.ones_like(later), later)
        return later - self.margin - turn, cosines
