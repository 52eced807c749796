"""What the losses share: the reductions of Keras 2, and configurations as they were."""

from collections.abc import Callable
from typing import Any

from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import mean


class Loss(FunctionLoss):
    """A loss whose configuration is that of TensorFlow Addons.

    Args:
        name: Name of the loss.
        reduction: As in Keras; `"auto"` is `"sum_over_batch_size"`.
    """

    def __init__(self, name: str | None = None, reduction: str | None = "none"):
        if reduction == "auto":
            reduction = "sum_over_batch_size"
        super().__init__(name, reduction)

    def get_config(self):
        config = super().get_config()
        del config["dtype"]  # Its constructors take none.
        return config


def of_batch(values) -> Any:
    """Returns the one number of a batch: the mean of those of its samples."""
    return mean(values)


def of_pairs(distance_metric: str | Callable[[Any], Any]) -> Any:
    """Returns a metric of one batch with itself as one of two batches."""
    if isinstance(distance_metric, str):
        return distance_metric
    return lambda x, y: distance_metric(x)
