"""The weighted kappa loss."""

import keras

from tfx_extras import losses
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.losses._base import Loss
from tfx_extras.tfa.losses._base import of_batch


def _weighted_kappa_loss(y_true, y_pred, num_classes, weightage, epsilon):
    values = losses.weighted_kappa_loss(y_true, y_pred, num_classes, weightage, epsilon)
    return of_batch(values)


@register
class WeightedKappaLoss(Loss):
    r"""`tfx_extras.losses.WeightedKappaLoss`, as one number per batch.

    $$ L = \log(N / D + \epsilon) $$

    Without a reduction, `sample_weight` multiplies that number. The native class
    applies the weights inside the sums $N$ and $D$.

    Args:
        num_classes: The number of classes, in [2, inf).
        weightage: `"quadratic"` or `"linear"`.
        name: Name of the loss.
        epsilon: $\epsilon$, in [0, inf); 0 means `keras.config.epsilon()`.
        reduction: As in Keras; `"auto"` means `"sum_over_batch_size"`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> loss = tfx_extras.tfa.losses.WeightedKappaLoss(2, weightage="linear")
        >>> value = loss([[1, 0], [0, 1]], [[0.75, 0.25], [0.25, 0.75]])
        >>> print(f"{float(value):.4f}")
        -0.6931

    Reference: de la Torre et al., 2018.
        https://doi.org/10.1016/j.patrec.2017.05.018
    """

    function = staticmethod(_weighted_kappa_loss)

    @typechecked
    def __init__(
        self,
        num_classes: int,
        weightage: str = "quadratic",
        name: str | None = "cohen_kappa_loss",
        epsilon: Number | None = 1e-6,
        reduction: str | None = "none",
    ):
        super().__init__(name, reduction)
        self.num_classes = require("num_classes", num_classes, "[2, inf)")
        self.weightage = require_one_of("weightage", weightage, ["linear", "quadratic"])
        epsilon = require("epsilon", epsilon or 0.0, "[0, inf)")
        self.epsilon = epsilon or keras.config.epsilon()
