"""Losses of pairs."""

from typing import Unpack

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import aligned
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
    r"""Pulls similar pairs together and pushes others apart.

    $$ L = y \max(d - m_+, 0)^2 + (1 - y) \max(m - d, 0)^2 $$

    Here $d$ is the distance of a pair, and $y = 1$ means that it is similar. With
    `half`, the loss is half of that.

    Differs from the paper, and agrees with TensorFlow Addons, in that the paper's
    $Y = 0$ means similar; the paper has `half`, and no $m_+$.

    Args:
        y_true: Labels $y$ in [0, 1], of shape `(batch,)` or `(batch, 1)`.
        y_pred: Distances $d$, in [0, inf), of shape `(batch,)` or `(batch, 1)`. With
            `from_embeddings`, pairs of embeddings: of shape `(batch, 2, features)`,
            or a tuple or list of two tensors of shape `(batch, features)`.
        margin: $m$, distance from which other pairs cost nothing, in [0, inf).
        positive_margin: $m_+$, distance up to which similar pairs cost nothing, in
            [0, inf).
        half: Whether to halve, as in the paper.
        from_embeddings: Whether `y_pred` holds pairs of embeddings. Their distance
            is Euclidean, and its gradient is 0 where both are equal.

    Returns:
        The loss in the unit of $d$, squared, of shape `(batch,)`, in `float32` or
        wider.

    Raises:
        ValueError: If there is not one label and one distance per pair.

    Example:
        >>> loss = tfx_extras.losses.contrastive_loss([1, 0, 0], [0.5, 0.5, 2.0])
        >>> print(keras.ops.convert_to_numpy(loss))
        [0.25 0.25 0.  ]

    Reference: Hadsell et al., 2006, eq. 4. https://doi.org/10.1109/CVPR.2006.100
    """
    if from_embeddings:
        y_pred = by_row("L2", *views(y_pred, 2))
    y, d = aligned(y_true, y_pred)
    if len(d.shape) != 2 or d.shape[-1] not in (1, None):
        raise ValueError(
            "`y_true` and the distances must be of shape `(batch,)` or `(batch, 1)`. "
            f"Received: y_true.shape={tuple(y.shape)}, y_pred.shape={tuple(d.shape)}"
        )
    y, d = without_last(y), without_last(d)
    pull = ops.square(ops.relu(d - positive_margin))
    push = ops.square(ops.relu(margin - d))
    return (y * pull + (1 - y) * push) * (0.5 if half else 1.0)


@register
class ContrastiveLoss(FunctionLoss):
    r"""Pulls similar pairs together and pushes others apart.

    Class form of `contrastive_loss`, which has the formula. A label of 1 means that
    the pair is similar.

    Args:
        margin: $m$, distance from which other pairs cost nothing, in [0, inf).
        positive_margin: $m_+$, distance up to which similar pairs cost nothing, in
            [0, inf).
        half: Whether to halve, as in the paper.
        from_embeddings: Whether predictions are pairs of embeddings, of shape
            `(batch, 2, features)`, and not their distances.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

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
