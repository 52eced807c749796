"""ProxyNCA++ loss."""

from typing import Unpack

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import LossOptions
from tfx_extras.losses.embedding._cosines import crossentropy

__all__ = ["ProxyNCALoss", "proxy_nca_loss"]


@register
def proxy_nca_loss(y_true, y_pred, temperature: Number = 1 / 9):
    r"""ProxyNCA++ loss: softmax cross-entropy of distances to learned proxies.

    Function form of `ProxyNCALoss`, which has the formula.

    Args:
        y_true: Classes $y$, integers in [0, classes), of shape `(...)` or `(..., 1)`.
        y_pred: Cosines $\cos \theta$, in [-1, 1], of shape `(..., classes)`: the
            outputs of `tfx_extras.layers.CosineDense`. Values that rounding puts
            slightly outside are clipped.
        temperature: $T$, in (0, inf). Smaller values sharpen the softmax.

    Returns:
        One loss per sample, in nats, of shape `(...)`, in `float32` or wider.

    Raises:
        ValueError: If there is not one class per sample, or if a class or cosine is
            found outside its interval.

    Example:
        >>> loss = tfx_extras.losses.proxy_nca_loss([0, 1], [[0.9, 0.1], [0.9, 0.1]],
        ...     temperature=0.5)
        >>> print(keras.ops.convert_to_numpy(loss).round(3))
        [0.04 3.24]
    """
    # d = 2 - 2 cos; the 2 of all classes cancels in the softmax.
    return crossentropy(y_true, y_pred, lambda cosine: cosine, 2 / temperature)


@register
class ProxyNCALoss(FunctionLoss):
    r"""ProxyNCA++ loss: softmax cross-entropy of distances to learned proxies.

    Use it for metric learning from class labels, as in image retrieval, which is
    evaluated by recall@k. Each class has a learned proxy, so batches need no pairs and
    no mining. It has no margin; `CosFaceLoss` and `ArcFaceLoss` have one. It needs a
    proxy for each class; `MultiSimilarityLoss` needs none. Keras has no equivalent.

    $$ L = -\log \frac{e^{-d_y / T}}{\sum_j e^{-d_j / T}}, \qquad
        d_j = 2 - 2 \cos \theta_j $$

    $\theta_j$ is the angle between an embedding and the proxy of class $j$, $d_j$ the
    squared distance of both after they are scaled to length 1, $y$ the true class and
    $T$ the temperature.

    The default temperature is that of the authors' code, which multiplies the unit
    vectors by 3. This is ProxyNCA++: its sum has all classes. The first ProxyNCA (2017)
    leaves the true class out of the sum, so that its loss may be negative.

    Predictions must be cosines. The logits of a plain `Dense` layer are not cosines.
    Values outside [-1, 1] raise an error where the check costs no time, and are clipped
    elsewhere, for example in compiled JAX functions.

    Returns one loss per sample, in nats, of shape `(...)`, which `reduction` averages.
    Time and memory grow linearly with the number of predictions.

    Args:
        temperature: $T$, in (0, inf). Smaller values sharpen the softmax.
        **kwargs: `name`, `reduction` and `dtype`: see `LossOptions`.

    Call arguments:
        y_true: Classes $y$, integers in [0, classes), of shape `(...)` or `(..., 1)`.
        y_pred: Cosines $\cos \theta$, in [-1, 1], of shape `(..., classes)`: the
            outputs of `tfx_extras.layers.CosineDense`. Values that rounding puts
            slightly outside are clipped.

    Raises:
        ValueError: If an argument is outside its interval, or, in a call, if there is
            not one class per sample, or if a class or cosine is found outside its
            interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> cosines = tfx_extras.layers.CosineDense(10)(keras.Input((64,)))
        >>> loss = tfx_extras.losses.ProxyNCALoss(temperature=0.5)
        >>> print(f"{float(loss([0, 1], [[0.9, 0.1], [0.9, 0.1]])):.4f}")
        1.6400

    Reference: Teh et al., 2020. https://arxiv.org/abs/2004.01113
    """

    function = staticmethod(proxy_nca_loss)

    @typechecked
    def __init__(self, temperature: Number = 1 / 9, **kwargs: Unpack[LossOptions]):
        super().__init__(**kwargs)
        self.temperature = require("temperature", temperature, "(0, inf)")
