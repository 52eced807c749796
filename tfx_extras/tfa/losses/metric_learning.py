"""Pairwise distances within a batch."""

from keras import ops

from tfx_extras.losses.embedding._distances import pairwise
from tfx_extras.losses.embedding._pairs import embeddings

__all__ = ["angular_distance", "pairwise_distance"]


def pairwise_distance(feature, squared: bool = False):
    r"""Pairwise distance: the Euclidean distances between all samples of a batch.

    $$ d_{ij} = \lVert x_i - x_j \rVert $$

    Args:
        feature: Embeddings $x$, of shape `(batch, features)`.
        squared: Whether to return $d_{ij}^2$.

    Returns:
        Distances of shape `(batch, batch)`, 0 on the diagonal, in `float32` or wider.

    Example:
        >>> from tfx_extras.tfa.losses.metric_learning import pairwise_distance
        >>> print(keras.ops.convert_to_numpy(pairwise_distance([[0.0], [3.0]])))
        [[0. 3.]
         [3. 0.]]
    """
    x = embeddings(feature)
    return _apart(pairwise("squared-L2" if squared else "L2", x, x))


def angular_distance(feature):
    r"""Angular distance: 1 minus the cosine similarity between all samples of a batch.

    $$ d_{ij} = \max \left(1 - \frac{x_i \cdot x_j}
        {\lVert x_i \rVert \lVert x_j \rVert}, 0 \right) $$

    Args:
        feature: Embeddings $x$, of shape `(batch, features)`.

    Returns:
        Distances of shape `(batch, batch)`, in `float32` or wider.

    Example:
        >>> from tfx_extras.tfa.losses.metric_learning import angular_distance
        >>> d = angular_distance([[1.0, 0.0], [0.0, 2.0]])
        >>> print(keras.ops.convert_to_numpy(d))
        [[0. 1.]
         [1. 0.]]
    """
    x = embeddings(feature)
    return pairwise("angular", x, x)


def _apart(distances):
    """Distances with exact zeros on the diagonal, without rounding errors."""
    own = ops.eye(ops.shape(distances)[0], dtype="bool")
    return ops.where(own, ops.zeros_like(distances), distances)
