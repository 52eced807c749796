"""Semi-supervised losses, which learn from labeled and unlabeled samples."""

from typing import Any
from typing import NamedTuple
from typing import Unpack

import numpy as np
from keras import ops

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
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
    labeled: int = 0  # the view from which labeled samples learn
    threshold: Any = None  # the default; `None` if the method has none
    temperature: Any = None  # the default; `None` if the method has none


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
    r"""Semi-supervised cross-entropy: learns from labeled and unlabeled samples.

    Function form of `SemiSupervisedCrossentropy`, which has the formula and explains
    the methods.

    Args:
        y_true: Classes: integers in [0, classes), or `ignore_label`, of shape
            `(batch,)` or `(batch, 1)`.
        y_pred: Predictions, of shape `(batch, classes)`, or `(batch, 2, classes)` for a
            method with two views: probabilities, which are divided by their sum, or,
            with `from_logits`, logits.
        consistency: The loss of unlabeled samples: `"fixmatch"`, `"uda"` or `"mse"`,
            with two views; `"pseudo_label"` or `"entropy"`, with one view; or `None`,
            with one view, which gives them loss 0.
        unlabeled_weight: $\lambda$, in [0, inf): the weight of the unlabeled samples.
        threshold: $\tau$, in [0, 1]: the minimum probability of a target, for
            `"fixmatch"`, `"uda"` and `"pseudo_label"`. `None` is 0.95, or 0.8 for
            `"uda"`.
        temperature: $T$, in (0, inf), for `"uda"`: lower values make its targets
            sharper. `None` is 0.4.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_label: The label of unlabeled samples, any integer such as -1.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.

    Returns:
        The loss in nats, of shape `(batch,)`, in `float32` or wider. Among $n$ samples
        it is $n / |S|$ times $H$ for a labeled one and $n / |U|$ times $\lambda \ell$
        for an unlabeled one, so that the mean is $L$. It is NaN where a label is out of
        range and checking all labels would be slow: in compiled code and on a GPU.

    Raises:
        ValueError: If `y_pred` does not have the shape that `consistency` needs,
            `consistency` is unknown or does not use an option that is given, or a label
            is found to be out of range.

    Example:
        >>> loss = tfx_extras.losses.semi_supervised_crossentropy(
        ...     [1, -1, -1],
        ...     [[[0.5, 0.5], [0.1, 0.9]],
        ...      [[0.99, 0.01], [0.7, 0.3]],
        ...      [[0.8, 0.2], [0.7, 0.3]]])
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [2.0794 0.535  0.    ]
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
    return labels._replace(valid=None).settle(loss)  # all samples count


@register
class SemiSupervisedCrossentropy(FunctionLoss):
    r"""Semi-supervised cross-entropy: learns from labeled and unlabeled samples.

    Use it for semi-supervised learning, when only some samples of a batch have labels.
    It includes FixMatch, UDA, pseudo-labels, entropy minimization and consistency
    training (mean teacher, pi-model). Methods with two views predict each sample twice,
    which doubles the cost of the model. Keras has no equivalent.

    $$ L = \frac1{|S|} \sum_{i \in S} H(y'_i, p_i)
        + \frac{\lambda}{|U|} \sum_{i \in U} \ell_i $$

    $S$ are the labeled samples of the batch and $U$ the unlabeled ones.
    $H(y, p) = -\sum_c y_c \log p_c$ is the cross-entropy. Label smoothing replaces each
    label $y_c$ by $y'_c = (1 - e)\, y_c + e / C$, with $C$ classes. An unlabeled sample
    has a target $q$, through which no gradient flows, and a prediction $p$, which
    learns. `consistency` selects its loss $\ell$:

    | `consistency` | views | $\ell$ |
    |---|---|---|
    | `"fixmatch"` | 2 | $[\max q \ge \tau]\, H(\text{one-hot}(\arg\max q), p)$ |
    | `"uda"` | 2 | $[\max q \ge \tau]\, H(q', p)$, $q'_c \propto q_c^{1/T}$ |
    | `"mse"` | 2 | $\frac1C \sum_c (p_c - q_c)^2$ |
    | `"pseudo_label"` | 1 | as `"fixmatch"`, with $q = p$ |
    | `"entropy"` | 1 | $H(p, p)$, with the gradient of both |
    | `None` | 1 | 0 |

    With two views, the first gives $q$ and the second $p$. Labeled samples use the view
    that the papers use: the first, weakly augmented one for `"fixmatch"` and `"uda"`,
    and the second, the student's, for `"mse"`. The first may then come from a teacher
    that is not trained.

    Returns one loss per sample, in nats, of shape `(batch,)`, which `reduction`
    averages to $L$. A term without samples is 0. Unconfident samples, which are below
    the threshold, count in $|U|$, so the term is smaller when there are more of them.
    The loss is NaN where a label is out of range and checking all labels would be slow:
    in compiled code and on a GPU.

    `"mse"` gives small values, so the papers use a large `unlabeled_weight`, up to 100,
    and raise it from 0: see `weigh_unlabeled`. Sample weights multiply the samples
    within both means. Lee's pseudo-labels have no threshold: set `threshold=0` to
    reproduce them. In the pi-model both views learn from each other. Here only the
    second does.

    Args:
        consistency: The loss of unlabeled samples: `"fixmatch"`, `"uda"` or `"mse"`,
            with two views; `"pseudo_label"` or `"entropy"`, with one view; or `None`,
            with one view, which gives them loss 0.
        unlabeled_weight: $\lambda$, in [0, inf): the weight of the unlabeled samples.
        threshold: $\tau$, in [0, 1]: the minimum probability of a target, for
            `"fixmatch"`, `"uda"` and `"pseudo_label"`. `None` is 0.95, or 0.8 for
            `"uda"`.
        temperature: $T$, in (0, inf), for `"uda"`: lower values make its targets
            sharper. `None` is 0.4.
        label_smoothing: $e$, in [0, 1]: the fraction of each label's probability that
            is spread uniformly over all classes.
        ignore_label: The label of unlabeled samples, any integer such as -1.
        from_logits: Whether `y_pred` holds logits (any real numbers) instead of
            probabilities. Logits are numerically more accurate: probabilities are
            clipped to at least `keras.config.epsilon()`.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes: integers in [0, classes), or `ignore_label`, of shape
            `(batch,)` or `(batch, 1)`.
        y_pred: Predictions, of shape `(batch, classes)`, or `(batch, 2, classes)` for a
            method with two views: probabilities, which are divided by their sum, or,
            with `from_logits`, logits.

    Raises:
        ValueError: If an argument is outside its interval, `y_pred` does not have the
            shape that `consistency` needs, `consistency` is unknown or does not use an
            option that is given, or a label is found to be out of range.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> loss = tfx_extras.losses.SemiSupervisedCrossentropy(
        ...     "entropy", unlabeled_weight=0.5, from_logits=True)
        >>> value = loss([1, -1], [[0.0, 2.0], [0.0, 0.0]])
        >>> print(f"{float(value):.4f}")
        0.4735

    References:
        Sohn et al., 2020, eq. 3-4. https://arxiv.org/abs/2001.07685
        Xie et al., 2019. https://arxiv.org/abs/1904.12848
        Laine and Aila, 2016. https://arxiv.org/abs/1610.02242
        Tarvainen and Valpola, 2017. https://arxiv.org/abs/1703.01780
        Lee, 2013. Pseudo-label. ICML workshop
        Grandvalet and Bengio, 2004. Entropy minimization. NeurIPS
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
    """Returns the method, with its defaults replaced by the options that are given."""
    method = METHODS[require_one_of("consistency", consistency, METHODS)]
    options = {"threshold": threshold, "temperature": temperature}
    for name, value in options.items():
        if value is None:
            continue
        if getattr(method, name) is None:
            raise ValueError(
                f"Argument `{name}` must be None for consistency={consistency}, which "
                f"does not use it. Received: {name}={value}"
            )
        method = method._replace(**{name: value})
    return method


def _views(y_pred, consistency) -> list[Any]:
    """Returns the views of the batch that `consistency` needs, one or two."""
    y_pred = predictions(y_pred)
    shape = tuple(y_pred.shape)
    views = METHODS[consistency].views
    if views == 1 and len(shape) == 2:
        return [y_pred]
    if views == 2 and len(shape) == 3 and shape[1] in (2, None):
        return list(ops.unstack(y_pred, 2, axis=1))
    form = (
        "one view of each sample, of shape `(batch, classes)`"
        if views == 1
        else "two views of each sample, of shape `(batch, 2, classes)`"
    )
    raise ValueError(
        f"With consistency={consistency}, `y_pred` must hold {form}. "
        f"Received: y_pred.shape={shape}"
    )


def _disagreement(consistency, q, p, method: _Method):
    """The loss of each prediction `p`, given its target `q`."""
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
