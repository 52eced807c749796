"""What the losses share: the reductions and configurations of Keras 2."""

from collections.abc import Callable
from typing import Any

from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import mean


class Loss(FunctionLoss):
    """A loss with the configuration that it has in TensorFlow Addons.

    Args:
        name: Name of the loss.
        reduction: As in Keras; `"auto"` means `"sum_over_batch_size"`.
    """

    def __init__(self, name: str | None = None, reduction: str | None = "none"):
        if reduction == "auto":
            reduction = "sum_over_batch_size"
        super().__init__(name, reduction)

    def get_config(self):
        config = super().get_config()
        del config["dtype"]  # The constructors accept no `dtype`.
        return config


def of_batch(values) -> Any:
    """Returns the loss of a batch, which is the mean over its samples."""
    return mean(values)


def of_pairs(distance_metric: str | Callable[[Any], Any]) -> Any:
    """Turns a metric that takes one batch into one that takes two."""
    if isinstance(distance_metric, str):
        return distance_metric
    return lambda x, y: distance_metric(x)
