"""The partial likelihood of Cox's proportional hazards, for survival analysis."""

from typing import Any
from typing import Unpack

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import require_one_of
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import predictions
from tfx_extras.losses._base import require_numbers
from tfx_extras.losses._base import require_one_shape
from tfx_extras.losses._base import without_last
from tfx_extras.losses._batch import averaged
from tfx_extras.losses._batch import collected
from tfx_extras.losses._batch import count
from tfx_extras.losses._batch import log_sum_exp
from tfx_extras.losses._batch import own
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import log_add_exp

__all__ = ["CoxLoss", "cox_loss"]

TIES = ("efron", "breslow")


@register
def cox_loss(y_true, y_pred, ties: str = "efron", gather: bool = False):
    r"""Cox loss: partial likelihood of proportional hazards, for survival analysis.

    Function form of `CoxLoss`, which has the formula.

    Args:
        y_true: Times $t$, any numbers, then events, 1 for an event at that time and 0
            for a censored sample, of shape `(batch, 2)`.
        y_pred: Log risks $\eta$, any real numbers, of shape `(batch,)` or `(batch, 1)`.
        ties: How events at equal times are counted: `"efron"` or `"breslow"`. Without
            such events, both are the same.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each event is compared with all of them. The loss then equals
            the loss of the whole batch on one device.

    Returns:
        One loss per sample, in nats, of shape `(batch,)`, in `float32` or wider: 0 for
        censored samples, and scaled by $B / |E|$.

    Raises:
        ValueError: If shapes do not match, or `ties` is unknown.

    Example:
        >>> loss = tfx_extras.losses.cox_loss(
        ...     [[1.0, 1], [2.0, 0], [3.0, 1]], [1.0, 0.0, 0.0])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.8272 0.     0.    ]
    """
    require_one_of("ties", ties, TIES)
    time, event, eta = _survival(y_true, y_pred)
    times, _ = collected(time, gather)
    events, _ = collected(event, gather)
    etas, before = collected(eta, gather)
    is_own = own(eta, etas, before)
    is_at_risk = times[None, :] >= time[:, None]
    risks = etas[None, :] - eta[:, None]
    log_weight = ops.zeros_like(eta)
    if ties == "efron":
        tied = (times[None, :] == time[:, None]) & events[None, :]
        place = ops.arange(ops.shape(etas)[0], dtype="int32")
        is_earlier = (
            place[None, :]
            < ops.arange(ops.shape(eta)[0], dtype="int32")[:, None] + before
        )
        share = count(tied & is_earlier, eta.dtype)
        share = share / at_least(count(tied, eta.dtype), 1.0)
        log_weight = ops.log1p(-ops.where(event, share, log_weight))
        risks = risks + ops.where(tied, log_weight[:, None], ops.zeros_like(risks))
    others = log_sum_exp(risks, is_at_risk & ~is_own)
    loss = log_add_exp(log_weight, others) + (eta - eta)  # NaN, also if alone
    loss = ops.where(event, loss, ops.zeros_like(loss))
    return averaged(loss, ops.cast(event, eta.dtype), gather)


def _survival(y_true, y_pred) -> tuple[Any, Any, Any]:
    """Returns times, events and log risks, of shape `(batch,)`.

    The log risk is NaN where the time or the event is.
    """
    eta = predictions(y_pred)
    if len(eta.shape) == 2 and eta.shape[-1] in (1, None):
        eta = without_last(eta)
    require_numbers("y_true", y_true)
    if not ops.is_tensor(y_true):
        y_true = _ranked(np.asarray(y_true))
    y_true = ops.convert_to_tensor(y_true)
    shapes = (
        tuple(y_true.shape),
        tuple(y_pred.shape) if hasattr(y_pred, "shape") else (),
    )
    message = (
        "`y_true` must have the time and the event of each sample, of shape "
        "`(batch, 2)`, and `y_pred` its log risk, of shape `(batch,)` or `(batch, 1)`. "
        f"Received: y_true.shape={shapes[0]}, y_pred.shape={shapes[1]}"
    )
    if len(shapes[0]) != 2 or shapes[0][-1] not in (2, None) or len(eta.shape) != 1:
        raise ValueError(message)
    y_true = ops.reshape(y_true, (*ops.shape(y_true)[:-1], 2))
    require_one_shape(y_true[:, 0], eta, message)
    time, _ = backend.same_shape(y_true[:, 0], eta)
    event, _ = backend.same_shape(y_true[:, 1], eta)
    dtype = keras.backend.standardize_dtype(time.dtype)
    if "float" not in dtype:  # PyTorch has few operations for unsigned integers
        time, event = (ops.cast(x, "int64" if "64" in dtype else "int32")
                       for x in (time, event))  # fmt: skip
    else:
        is_nan = ops.isnan(time) | ops.isnan(event)
        eta = ops.where(is_nan, ops.full_like(eta, float("nan")), eta)
        event = ops.where(is_nan, ops.ones_like(event), event)
    message = (
        "`y_true` must hold the time of each sample, then its event, which is 0 or 1. "
        "Are the columns swapped, or events counted from 1?"
    )
    backend.check((event == 0) | (event == 1), message)
    return time, event != 0, eta


def _ranked(y_true: np.ndarray) -> np.ndarray:
    """Returns labels with times replaced by their order, where JAX would round them.

    Two times could become equal otherwise.
    """
    if y_true.dtype.itemsize < 8 or y_true.ndim != 2 or y_true.shape[-1] != 2:
        return y_true
    times, events = y_true.T
    places = np.unique(times, return_inverse=True)[1].astype("float32")
    is_float = y_true.dtype.kind == "f"
    places = (
        np.where(np.isnan(times), np.float32("nan"), places) if is_float else places
    )
    return np.stack([places, events.astype("float32")], -1)


@register
class CoxLoss(FunctionLoss):
    r"""Cox loss: partial likelihood of proportional hazards, for survival analysis.

    Use it for survival analysis (DeepSurv): times until an event, such as a failure, a
    cancellation or a death, of which some are censored, because the event had not
    happened when the observation ended. The model outputs a log risk, without an
    activation. Only the order of times matters. Keras has no equivalent.

    $$ L = \frac1{|E|} \sum_{i \in E} \left( \log \sum_{j \in R_i} w_{ij}\, e^{\eta_j}
        - \eta_i \right), \quad R_i = \{ j : t_j \ge t_i \} $$

    $t_i$ is the time of a sample, $\eta_i$ its predicted log risk, and $E$ the set of
    samples with an event. $R_i$ is the set of samples at risk at that time. With
    `ties="breslow"` all weights $w$ are 1. With `"efron"`, which is closer to the exact
    likelihood, $w_{ij} = 1 - r_i / m_i$ if $j$ has an event at the same time as $i$:
    $m_i$ is the number of such events, and $r_i$ the number of those before $i$ in the
    batch.

    A constant added to all log risks changes nothing. The loss of a batch takes its
    risk sets from the batch, so small batches bias it: choose them as large as memory
    allows, with several events in each.

    Returns one loss per sample, in nats, of shape `(batch,)`, which `reduction`
    averages. Censored samples have loss 0, and the others are scaled by $B / |E|$ for
    batch size $B$, so that their mean is $L$: the mean over events. A batch without
    events has loss 0 and gradient 0. Time and memory grow with the square of the batch
    size.

    Args:
        ties: How events at equal times are counted: `"efron"` or `"breslow"`. Without
            such events, both are the same.
        gather: Whether to gather the samples of all replicas of a data-parallel run
            first, so that each event is compared with all of them. The loss then equals
            the loss of the whole batch on one device.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Times $t$, any numbers, then events, 1 for an event at that time and 0
            for a censored sample, of shape `(batch, 2)`.
        y_pred: Log risks $\eta$, any real numbers, of shape `(batch,)` or `(batch, 1)`.

    Raises:
        ValueError: If `ties` is unknown, or if shapes do not match in a call.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.CoxLoss()
        >>> value = loss([[1.0, 1], [2.0, 0], [3.0, 1]], [1.0, 0.0, 0.0])
        >>> print(f"{float(value):.4f}")
        0.2757

    Reference: Cox, 1972. https://doi.org/10.1111/j.2517-6161.1972.tb00899.x. Ties:
        Efron, 1977. https://doi.org/10.1080/01621459.1977.10480613
    """

    function = staticmethod(cox_loss)

    @typechecked
    def __init__(
        self,
        ties: str = "efron",
        gather: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.ties = require_one_of("ties", ties, TIES)
        self.gather = gather
