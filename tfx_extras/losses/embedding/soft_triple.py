"""SoftTriple loss."""

from typing import Unpack

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses.embedding._cosines import crossentropy

__all__ = ["SoftTripleLoss", "soft_triple_loss"]


@register
def soft_triple_loss(y_true, y_pred, scale: Number = 20.0, margin: Number = 0.01):
    r"""SoftTriple loss: softmax cross-entropy with several learned centers per class.

    Function form of `SoftTripleLoss`, which has the formula.

    Args:
        y_true: Classes $y$, integers in [0, classes), of shape `(...)` or `(..., 1)`.
        y_pred: Similarities $S$, in [-1, 1], of shape `(..., classes)`: the
            outputs of `tfx_extras.layers.CosineDense` with `pooling="soft"`. Values
            that rounding puts slightly outside are clipped.
        scale: $\lambda$, in (0, inf): the factor that turns similarities into logits.
        margin: $\delta$, in [0, 2]: what is subtracted from the similarity of the true
            class.

    Returns:
        One loss per sample, in nats, of shape `(...)`, in `float32` or wider.

    Raises:
        ValueError: If there is not one class per sample, or if a class or cosine is
            found outside its interval.

    Example:
        >>> loss = tfx_extras.losses.soft_triple_loss([0, 1], [[0.9, 0.1], [0.9, 0.1]],
        ...     scale=4.0, margin=0.1)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.059 3.627]
    """
    return crossentropy(y_true, y_pred, lambda s: s - margin, scale)


@register
class SoftTripleLoss(FunctionLoss):
    r"""SoftTriple loss: softmax cross-entropy with several learned centers per class.

    Use it for metric learning from labels of classes that look in several ways, as in
    image retrieval, which is evaluated by recall@k. Batches need no triplets and no
    mining. With one center per class it is `CosFaceLoss` with other defaults. It needs
    centers for each class; `TripletSemiHardLoss` needs none. Keras has no equivalent.

    $$ L = -\log \frac{e^{\lambda (S_y - \delta)}}{e^{\lambda (S_y - \delta)}
        + \sum_{j \ne y} e^{\lambda S_j}}, \qquad
        S_c = \sum_k \frac{e^{s_{ck} / \gamma}}{\sum_l e^{s_{cl} / \gamma}} s_{ck} $$

    $s_{ck}$ is the cosine of an embedding and center $k$ of class $c$. Their weighted
    mean $S_c$ is the output of `CosineDense`, which has the centers and $\gamma$. $y$
    is the true class, $\lambda$ the scale and $\delta$ the margin.

    The paper adds a regularizer that draws the centers of a class together. It depends
    on the centers alone, so it is an argument of their layer: the paper's loss is this
    one with `CosineDense(classes, centers=10, pooling="soft", merge_weight=0.2)`.

    Predictions must be cosines. The logits of a plain `Dense` layer are not cosines.
    Values outside [-1, 1] raise an error where the check costs no time, and are clipped
    elsewhere, for example in compiled JAX functions.

    Returns one loss per sample, in nats, of shape `(...)`, which `reduction` averages.
    Time and memory grow linearly with the number of predictions.

    Args:
        scale: $\lambda$, in (0, inf): the factor that turns similarities into logits.
        margin: $\delta$, in [0, 2]: what is subtracted from the similarity of the true
            class.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$, integers in [0, classes), of shape `(...)` or `(..., 1)`.
        y_pred: Similarities $S$, in [-1, 1], of shape `(..., classes)`: the
            outputs of `tfx_extras.layers.CosineDense` with `pooling="soft"`. Values
            that rounding puts slightly outside are clipped.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if there is
            not one class per sample, or if a class or cosine is found outside its
            interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> layer = tfx_extras.layers.CosineDense(10, centers=10, pooling="soft")
        >>> similarities = layer(keras.Input((64,)))
        >>> loss = tfx_extras.losses.SoftTripleLoss(scale=4.0, margin=0.1)
        >>> print(f"{float(loss([0, 1], [[0.9, 0.1], [0.9, 0.1]])):.4f}")
        1.8430

    Reference: Qian et al., 2019. https://arxiv.org/abs/1909.05235
    """

    function = staticmethod(soft_triple_loss)

    @typechecked
    def __init__(
        self,
        scale: Number = 20.0,
        margin: Number = 0.01,
        **kwargs: Unpack[LossOptions],
    ):
        super().__init__(**kwargs)
        self.scale = require("scale", scale, "(0, inf)")
        self.margin = require("margin", margin, "[0, 2]")
