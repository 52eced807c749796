"""Losses that learn from labelled and unlabelled rows at once."""

from typing import Any
from typing import NamedTuple
from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses._base import mean
from tfx_extras.losses._base import predictions
from tfx_extras.losses._labels import SparseLabels
from tfx_extras.losses._labels import product
from tfx_extras.losses._labels import sparse_labels
from tfx_extras.losses._probabilities import at_least
from tfx_extras.losses._probabilities import probabilities

__all__ = ["SemiSupervisedCrossentropy", "semi_supervised_crossentropy"]


class _Method(NamedTuple):
    views: int
    labeled: int = 0  # the view in which labelled rows learn
    threshold: Any = None  # by default; `None`: it has none
    temperature: Any = None  # likewise


METHODS = {
    None: _Method(views=1),
    "entropy": _Method(views=1),
    "fixmatch": _Method(views=2, threshold=0.95),
    "mse": _Method(views=2, labeled=1),
    "pseudo_label": _Method(views=1, threshold=0.95),
    "uda": _Method(views=2, threshold=0.8, temperature=0.4),
}


@register
def semi_supervised_crossentropy(
    y_true,
    y_pred,
    consistency: str | None = "fixmatch",
    unlabeled_weight: Number = 1.0,
    threshold: Number | None = None,
    temperature: Number | None = None,
    label_smoothing: Number = 0.0,
    ignore_label: int = -1,
    from_logits: bool = False,
):
    r"""Cross-entropy where there is a label, and consistency where there is none.

    $$ L = \frac1{|S|} \sum_{i \in S} H(y'_i, p_i)
        + \frac{\lambda}{|U|} \sum_{i \in U} \ell_i $$

    Here $S$ are the labelled rows of the batch, $U$ the others,
    $H(y, p) = -\sum_c y_c \log p_c$, and smoothing makes
    $y'_c = (1 - e)\, y_c + e / C$ of a label $y$ among $C$ classes. Of a row
    without label, there are a target $q$, which is a constant to the gradient, and
    $p$, which learns; $\ell$ is, by `consistency`:

    | `consistency` | views | $\ell$ |
    |---|---|---|
    | `"fixmatch"` | 2 | $[\max q \ge \tau]\, H(\text{one-hot}(\arg\max q), p)$ |
    | `"uda"` | 2 | $[\max q \ge \tau]\, H(q', p)$, $q'_c \propto q_c^{1/T}$ |
    | `"mse"` | 2 | $\frac1C \sum_c (p_c - q_c)^2$ |
    | `"pseudo_label"` | 1 | that of `"fixmatch"`, with $q = p$ |
    | `"entropy"` | 1 | $H(p, p)$, with no constant in it |
    | `None` | 1 | 0 |

    Of two views, the first gives $q$ and the second $p$. Labelled rows learn in the
    view in which the papers have them: the first, the weakly augmented one, for
    `"fixmatch"` and `"uda"`; the second, the student, for `"mse"`, so that the
    first may come from a teacher that is not trained.

    The mean over the rows is $L$, and a part without rows is 0. Rows that are not
    confident count in $|U|$, so the fewer are, the less they matter. With `"mse"`,
    which is small, the papers have a large `unlabeled_weight`, up to 100, and raise
    it from 0: see `weigh_unlabeled`. Lee's pseudo-labels have no threshold: 0. In
    the pi-model, both views learn from each other; here, the second.

    Args:
        y_true: Classes, integers in [0, classes), or `ignore_label`, of shape
            `(batch,)` or `(batch, 1)`.
        y_pred: Predictions: probabilities, which need not sum to 1, or, with
            `from_logits`, any real numbers; of shape `(batch, classes)`, or of two
            views, `(batch, 2, classes)`.
        consistency: What rows without label learn from: a name from the table.
        unlabeled_weight: $\lambda$, in [0, inf).
        threshold: $\tau$, in [0, 1], for those that have one; `None` is 0.95, or
            0.8 for `"uda"`.
        temperature: $T$, in (0, inf), for `"uda"`; `None` is 0.4.
        label_smoothing: $e$, in [0, 1].
        ignore_label: The label of rows that have none, any integer, such as -1.
        from_logits: Whether `y_pred` holds logits. This is the more exact:
            probabilities below `keras.config.epsilon()` count as that.

    Returns:
        The loss in nats, of shape `(batch,)`, in `float32` or wider: $H$ times
        $n / |S|$, or $\lambda \ell$ times $n / |U|$, of $n$ rows. It is NaN where
        the label is no class and looking at all labels would slow down: in
        compiled code, and on a GPU.

    Raises:
        ValueError: If the shape is not that of `consistency`, `consistency` is
            unknown or has no use for an option, or a label is seen to be no class.

    Example:
        >>> loss = tfx_extras.losses.semi_supervised_crossentropy(
        ...     [1, -1, -1],
        ...     [[[0.5, 0.5], [0.1, 0.9]],
        ...      [[0.99, 0.01], [0.7, 0.3]],
        ...      [[0.8, 0.2], [0.7, 0.3]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [2.0794 0.535  0.    ]

    References:
        Sohn et al., 2020, eq. 3-4. https://arxiv.org/abs/2001.07685
        Xie et al., 2019. https://arxiv.org/abs/1904.12848
        Laine and Aila, 2016. https://arxiv.org/abs/1610.02242
        Tarvainen and Valpola, 2017. https://arxiv.org/abs/1703.01780
        Lee, 2013. Pseudo-label. ICML workshop
        Grandvalet and Bengio, 2004. Entropy minimization. NeurIPS
    """
    method = _method(consistency, threshold, temperature)
    views = _views(y_pred, consistency)
    labels, labeled_view = sparse_labels(
        y_true, views[method.labeled], ignore_label, axis=-1
    )
    p = probabilities(labeled_view, from_logits)
    supervised = labels.expected(p.surprise, p.values, 1.0, label_smoothing)
    q = probabilities(ops.stop_gradient(views[0]), from_logits)
    p = probabilities(views[-1], from_logits)
    consistent = unlabeled_weight * _disagreement(consistency, q, p, method)

    is_labeled = labels.valid
    rows = ops.cast(ops.shape(supervised)[0], supervised.dtype)
    labeled = ops.sum(ops.cast(is_labeled, supervised.dtype))
    loss = ops.where(
        is_labeled,
        supervised * (rows / at_least(labeled, 1)),
        consistent * (rows / at_least(rows - labeled, 1)),
    )
    return labels._replace(valid=None).settle(loss)  # all rows count


@register
class SemiSupervisedCrossentropy(FunctionLoss):
    r"""Cross-entropy where there is a label, and consistency where there is none.

    Class form of `semi_supervised_crossentropy`, which has the formula, and says
    which view learns. Weights of rows, such as those of `weigh_unlabeled`, multiply
    them within the means over rows with and without label.

    Args:
        consistency: What rows without label learn from: `"fixmatch"`, `"uda"` or
            `"mse"`, from two views, `(batch, 2, classes)`; `"pseudo_label"`,
            `"entropy"` or, for nothing, `None`, from one, `(batch, classes)`.
        unlabeled_weight: $\lambda$, weight of rows without label, in [0, inf).
        threshold: $\tau$, least probability of a target, in [0, 1], for
            `"fixmatch"`, `"uda"` and `"pseudo_label"`; `None` is 0.95, or 0.8 for
            `"uda"`.
        temperature: $T$, in (0, inf), of the targets of `"uda"`, which are the
            sharper the lower it is; `None` is 0.4.
        label_smoothing: $e$, in [0, 1], how much of a label is spread evenly over
            the classes.
        ignore_label: The label of rows that have none, any integer, such as -1.
        from_logits: Whether predictions are logits, the more exact.
        **kwargs: Options of every loss: see `LossOptions`.

    Raises:
        ValueError: If an argument is outside its interval, or `consistency` is
            unknown or has no use for an option.

    Example:
        >>> loss = tfx_extras.losses.SemiSupervisedCrossentropy(
        ...     "entropy", unlabeled_weight=0.5, from_logits=True)
        >>> value = loss([1, -1], [[0.0, 2.0], [0.0, 0.0]])
        >>> print(f"{float(value):.4f}")
        0.4735

    Reference: Sohn et al., 2020, eq. 3-4. https://arxiv.org/abs/2001.07685
    """

    function = staticmethod(semi_supervised_crossentropy)

    @typechecked
    def __init__(
        self,
        consistency: str | None = "fixmatch",
        unlabeled_weight: Number = 1.0,
        threshold: Number | None = None,
        temperature: Number | None = None,
        label_smoothing: Number = 0.0,
        ignore_label: int | np.integer = -1,
        from_logits: bool = False,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        _method(consistency, threshold, temperature)
        self.consistency = consistency
        self.unlabeled_weight = require(
            "unlabeled_weight", unlabeled_weight, "[0, inf)"
        )
        self.threshold = (
            None if threshold is None else require("threshold", threshold, "[0, 1]")
        )
        self.temperature = (
            None
            if temperature is None
            else require("temperature", temperature, "(0, inf)")
        )
        self.label_smoothing = require("label_smoothing", label_smoothing, "[0, 1]")
        self.ignore_label = require(
            "ignore_label", ignore_label, "[-2147483648, 2147483647]"
        )
        self.from_logits = from_logits


def _method(consistency, threshold, temperature) -> _Method:
    """Returns the method, with the options that are given in place of its own."""
    if consistency not in METHODS:
        raise ValueError(
            f"Argument `consistency` must be one of {', '.join(map(str, METHODS))}. "
            f"Received: consistency={consistency}"
        )
    method = METHODS[consistency]
    options = {"threshold": threshold, "temperature": temperature}
    for name, value in options.items():
        if value is None:
            continue
        if getattr(method, name) is None:
            raise ValueError(
                f"Argument `{name}` must be None for consistency={consistency}, which "
                f"has no use for it. Received: {name}={value}"
            )
        method = method._replace(**{name: value})
    return method


def _views(y_pred, consistency) -> list[Any]:
    """Returns one or two views of the batch, as `consistency` needs."""
    y_pred = predictions(y_pred)
    shape = tuple(y_pred.shape)
    views = METHODS[consistency].views
    if views == 1 and len(shape) == 2:
        return [y_pred]
    if views == 2 and len(shape) == 3 and shape[1] in (2, None):
        return list(ops.unstack(y_pred, 2, axis=1))
    form = "(batch, classes)" if views == 1 else "(batch, 2, classes)"
    raise ValueError(
        f"With consistency={consistency}, `y_pred` must be of shape `{form}`. "
        f"Received: y_pred.shape={shape}"
    )


def _disagreement(consistency, q, p, method: _Method):
    """How little each row of `p` is what its target, `q`, wants."""
    if consistency is None:
        return ops.zeros_like(p.values[:, 0])
    if consistency == "entropy":
        return ops.sum(product(p.share(p.values), p.surprise(p.values)), axis=-1)
    if consistency == "mse":
        return mean(ops.square(p.share(p.values) - q.share(q.values)))
    best = SparseLabels(ops.argmax(q.values, axis=-1), known=None, valid=None)
    if method.temperature is None:
        loss = best.expected(p.surprise, p.values, 1.0, 0.0)
    else:
        q_ = probabilities(-q.surprise(q.values) / method.temperature, True)
        loss = ops.sum(product(q_.share(q_.values), p.surprise(p.values)), axis=-1)
    confidence = best.expected(q.share, q.values, 1.0, 0.0)
    return ops.where(confidence < method.threshold, ops.zeros_like(loss), loss)
