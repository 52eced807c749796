"""Contrastive loss of labeled pairs."""

from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import aligned
from tfx_extras.losses._base import numbers
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import without_last
from tfx_extras.losses.embedding._distances import by_row
from tfx_extras.losses.embedding._pairs import views

__all__ = ["ContrastiveLoss", "contrastive_loss"]


@register
def contrastive_loss(
    y_true,
    y_pred,
    margin: Number = 1.0,
    positive_margin: Number = 0.0,
    half: bool = False,
    from_embeddings: bool = False,
):
    r"""Contrastive loss: pulls similar pairs together and pushes others apart.

    Function form of `ContrastiveLoss`, which has the formula.

    Args:
        y_true: Labels $y$, in [0, 1], of shape `(batch,)` or `(batch, 1)`: 1 for
            similar pairs, 0 for dissimilar ones.
        y_pred: Distances $d$, in [0, inf), of shape `(batch,)` or `(batch, 1)`. With
            `from_embeddings`, pairs of embeddings, of shape `(batch, 2, features)`, or
            a tuple or list of two tensors of shape `(batch, features)`.
        margin: $m$, in [0, inf): the distance from which dissimilar pairs have loss 0.
        positive_margin: $m_+$, in [0, inf): the distance up to which similar pairs have
            loss 0.
        half: Whether to multiply the loss by 1/2, as in the paper.
        from_embeddings: Whether `y_pred` holds pairs of embeddings instead of
            distances. Their distance is Euclidean, and its gradient is 0 where both are
            equal.

    Returns:
        One loss per pair, in the squared unit of $d$, of shape `(batch,)`, in `float32`
        or wider.

    Raises:
        ValueError: If there is not one label and one distance per pair.

    Example:
        >>> loss = tfx_extras.losses.contrastive_loss([1, 0, 0], [0.5, 0.5, 2.0])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.25 0.25 0.  ]
    """
    if from_embeddings:
        y_pred = by_row("L2", *views(y_pred, 2))
    y_pred = predictions(y_pred)
    y_true = numbers(y_true, y_pred.dtype)
    shapes = tuple(y_true.shape), tuple(y_pred.shape)
    if any(shape[1:] not in [(), (1,), (None,)] for shape in shapes):
        raise ValueError(
            "`y_true` and the distances must have shape `(batch,)` or `(batch, 1)`. For"
            " pairs of embeddings use from_embeddings=True. "
            f"Received: y_true.shape={shapes[0]}, y_pred.shape={shapes[1]}"
        )
    y, d = (without_last(x) for x in aligned(y_true, y_pred))
    pull = ops.square(ops.relu(d - positive_margin))
    push = ops.square(ops.relu(margin - d))
    return (y * pull + (1 - y) * push) * (0.5 if half else 1.0)


@register
class ContrastiveLoss(FunctionLoss):
    r"""Contrastive loss: pulls similar pairs together and pushes others apart.

    Use it for metric learning from pairs that are labeled as similar or dissimilar, as
    in siamese networks for verification. Dissimilar pairs that are farther apart than
    the margin contribute nothing. If each sample has a class label, use a loss that
    finds its pairs in the batch, such as `TripletSemiHardLoss` or
    `SupervisedContrastiveLoss`. Keras has no equivalent.

    $$ L = y \max(d - m_+, 0)^2 + (1 - y) \max(m - d, 0)^2 $$

    $d$ is the distance of a pair, $m$ the margin and $m_+$ the positive margin. $y$ is
    1 for a similar pair and 0 for a dissimilar one. With `half`, the loss is half as
    large.

    In the paper, 0 means similar; here, as in TensorFlow Addons, 1 does. The paper has
    the factor 1/2 of `half`, and no $m_+$.

    Returns one loss per pair, in the squared unit of $d$, of shape `(batch,)`, which
    `reduction` averages. Time and memory grow linearly with the number of pairs.

    Args:
        margin: $m$, in [0, inf): the distance from which dissimilar pairs have loss 0.
        positive_margin: $m_+$, in [0, inf): the distance up to which similar pairs have
            loss 0.
        half: Whether to multiply the loss by 1/2, as in the paper.
        from_embeddings: Whether `y_pred` holds pairs of embeddings instead of
            distances. Their distance is Euclidean, and its gradient is 0 where both are
            equal.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Labels $y$, in [0, 1], of shape `(batch,)` or `(batch, 1)`: 1 for
            similar pairs, 0 for dissimilar ones.
        y_pred: Distances $d$, in [0, inf), of shape `(batch,)` or `(batch, 1)`. With
            `from_embeddings`, pairs of embeddings, of shape `(batch, 2, features)`, or
            a tuple or list of two tensors of shape `(batch, features)`.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if there is
            not one label and one distance per pair.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.ContrastiveLoss(from_embeddings=True)
        >>> print(float(loss([1], [[[0.0, 0.0], [0.75, 1.0]]])))
        1.5625

    Reference: Hadsell et al., 2006, eq. 4. https://doi.org/10.1109/CVPR.2006.100
    """

    function = staticmethod(contrastive_loss)

    @typechecked
    def __init__(
        self,
        margin: Number = 1.0,
        positive_margin: Number = 0.0,
        half: bool = False,
        from_embeddings: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.margin = require("margin", margin, "[0, inf)")
        self.positive_margin = require("positive_margin", positive_margin, "[0, inf)")
        self.half = half
        self.from_embeddings = from_embeddings
