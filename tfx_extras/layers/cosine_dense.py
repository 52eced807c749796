"""Cosines between embeddings and learned centers of classes."""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.layers._base import Layer
from tfx_extras.losses._base import predictions
from tfx_extras.losses.embedding._distances import root
from tfx_extras.losses.embedding._distances import unit

POOLINGS = ("max", "soft")


class _Merging(keras.regularizers.Regularizer):
    """The regularizer of SoftTriple: distances of the centers of each class."""

    def __init__(self, classes, centers, weight):
        self._classes = classes
        self._centers = centers
        self._weight = weight

    def __call__(self, x):
        kernel = ops.convert_to_tensor(x)
        shape = (self._classes, self._centers, kernel.shape[0])
        centers = ops.reshape(unit(ops.transpose(kernel)), shape)
        one, other = np.triu_indices(self._centers, k=1)
        # Not from the cosines, which would lose the digits of small distances.
        apart = ops.take(centers, one, axis=1) - ops.take(centers, other, axis=1)
        distances = root(ops.sum(apart * apart, axis=-1))
        return self._weight / (2 * self._classes * len(one)) * ops.sum(distances)


@register
class CosineDense(Layer):
    r"""Dense layer of cosines: embeddings compared with learned centers of classes.

    Use it as the last layer of a model that trains embeddings by classification, with
    `ArcFaceLoss`, `CosFaceLoss` or `ProxyAnchorLoss`. Keep the layers before it, and
    compare their outputs by cosine. With several centers per class it suits classes
    that look in several ways, or labels with mistakes (sub-center ArcFace).
    `keras.layers.Dense` computes products, which are no cosines.

    $$ s_{ck} = \frac{x \cdot k_{ck}}{\lVert x \rVert \lVert k_{ck} \rVert}, \qquad
        z_c = \max_k s_{ck} \quad \text{or} \quad
        z_c = \sum_k \frac{e^{s_{ck} / \gamma}}{\sum_j e^{s_{cj} / \gamma}} s_{ck} $$

    $x$ is an embedding and $k_{ck}$ center $k$ of class $c$. Both may have any length.
    $z_c$ is the output for class $c$: the cosine of the nearest center with the pooling
    `"max"`, or a weighted mean of the cosines with `"soft"`, as in SoftTriple.

    With `merge_weight`, the layer adds the regularizer of SoftTriple to the losses of
    the model. It draws the centers of a class together, so that a class gets only as
    many different centers as it needs:

    $$ \frac{\tau}{C K (K - 1)} \sum_c \sum_{j < k} \sqrt{2 - 2 \cos(k_{cj}, k_{ck})} $$

    $\tau$ is `merge_weight`, and the root is the distance of two centers of length 1.
    Its gradient is 0 where they are equal. Like the regularizers of Keras, it counts in
    `evaluate` too, and not if the layer is frozen.

    The kernel and the cosines are in `float32` or wider, whatever the dtype policy: in
    16 bits, angles of a few degrees would be 0. Embeddings and centers of zeros have
    the cosine 0.

    The centers are trained like other weights. They usually take a higher learning rate
    and no weight decay, which changes their length and not their direction:
    `ParameterGroups` and `weight_decay_exclude` find them by `"cosine_dense"` in their
    path. Time and memory are those of a `Dense` layer with `classes * centers` units.
    The regularizer needs `centers - 1` times the memory of the kernel.

    Args:
        classes: $C$, in [1, inf): the number of classes.
        centers: $K$, in [1, inf): the number of centers of each class.
        pooling: How the cosines of the centers of a class become one: `"max"` or
            `"soft"`.
        gamma: $\gamma$, in (0, inf): the temperature of `"soft"`. The smaller it is,
            the more the nearest center counts.
        merge_weight: $\tau$, in [0, inf): the weight of the regularizer, which needs
            several centers. The paper uses 0.2 with 10 centers.
        kernel_initializer: Initializer of the centers, of shape
            `(features, classes * centers)`: the centers of a class are neighbors.
        **kwargs: Options of every Keras layer, such as `name` and `dtype`.

    Call arguments:
        inputs: Embeddings $x$, of shape `(batch, ..., features)`.

    Raises:
        ValueError: If an argument is outside its interval or unknown, or
            `merge_weight` is given with one center per class.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> image = keras.Input((64,))
        >>> embedding = keras.layers.Dense(16)(image)
        >>> cosines = tfx_extras.layers.CosineDense(10, centers=3)(embedding)
        >>> model = keras.Model(image, cosines)
        >>> model.compile("adam", tfx_extras.losses.ArcFaceLoss(scale=16.0))
        >>> x, y = np.random.normal(size=(8, 64)), np.arange(8)
        >>> history = model.fit(x, y, verbose=0)
        >>> encoder = keras.Model(image, embedding)
        >>> encoder(x).shape[-1]
        16

    References:
        - Deng et al., 2020, sub-center ArcFace.
          https://doi.org/10.1007/978-3-030-58621-8_43
        - Qian et al., 2019, SoftTriple, eq. 5. https://arxiv.org/abs/1909.05235
    """

    @typechecked
    def __init__(
        self,
        classes: int | np.integer,
        centers: int | np.integer = 1,
        pooling: str = "max",
        gamma: Number = 0.1,
        merge_weight: Number = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)
        self.classes = require("classes", classes, "[1, inf)")
        self.centers = require("centers", centers, "[1, inf)")
        self.pooling = require_one_of("pooling", pooling, POOLINGS)
        self.gamma = require("gamma", gamma, "(0, inf)")
        self.merge_weight = require("merge_weight", merge_weight, "[0, inf)")
        if self.merge_weight and self.centers == 1:
            raise ValueError(
                "Argument `merge_weight` must be 0 for one center per class. Did you "
                f"forget `centers`? Received: merge_weight={merge_weight}, centers=1"
            )
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel: Any = None

    def build(self, input_shape):
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: input_shape[-1]})
        merging = _Merging(self.classes, self.centers, self.merge_weight)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.classes * self.centers),
            initializer=self.kernel_initializer,
            regularizer=merging if self.merge_weight else None,
            dtype=wide(self.variable_dtype),
            autocast=False,
        )
        self.built = True

    def call(self, inputs):
        x = unit(predictions(inputs))
        centers = unit(ops.transpose(ops.cast(self.kernel, x.dtype)))
        cosines = x @ ops.transpose(centers)  # `ops.matmul` would narrow float64
        if self.centers == 1:
            return cosines
        shape = (*ops.shape(cosines)[:-1], self.classes, self.centers)
        cosines = ops.reshape(cosines, shape)
        if self.pooling == "max":
            return ops.max(cosines, axis=-1)
        shares = ops.softmax(cosines / self.gamma, axis=-1)
        return ops.sum(shares * cosines, axis=-1)

    def compute_output_spec(self, inputs):
        shape = (*inputs.shape[:-1], self.classes)
        return keras.KerasTensor(shape, wide(inputs.dtype))

    def get_config(self):
        own = {
            "classes": self.classes,
            "centers": self.centers,
            "pooling": self.pooling,
            "gamma": self.gamma,
            "merge_weight": self.merge_weight,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
        return super().get_config() | own
