"""LAMB."""

from types import MappingProxyType
from typing import Any

from tfx_extras import optimizers
from tfx_extras._checks import Number
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._base import Optimizer
from tfx_extras.tfa.optimizers._hyper import Hyper
from tfx_extras.tfa.optimizers._hyper import OrFunction


class _OldName(Optimizer):
    """Accepts the weight decay by its old name."""

    def __init__(self, weight_decay_rate: Any = None, **kwargs: Any):
        if weight_decay_rate is not None:
            kwargs["weight_decay"] = weight_decay_rate
        super().__init__(**kwargs)


@register
class LAMB(_OldName, optimizers.LAMB):
    r"""`tfx_extras.optimizers.LAMB`, with the argument names of TensorFlow Addons.

    A sparse gradient changes the whole variable, as the dense one does.

    Differs from TensorFlow Addons: regular expressions are matched against the `path`
    of a variable, and an empty list for `exclude_from_layer_adaptation` excludes
    nothing.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment, in [0, inf).
        weight_decay: In [0, inf), or a schedule. It is part of the step that the trust
            ratio scales.
        exclude_from_weight_decay: Regular expressions. Variables whose `path` matches
            one of them are excluded from weight decay.
        exclude_from_layer_adaptation: Regular expressions. Variables whose `path`
            matches one of them have a trust ratio of 1; `None` means those of
            `exclude_from_weight_decay`.
        name: Name of the optimizer.
        **kwargs: `lr`, `decay` and the options of every optimizer: see
            `tfx_extras.optimizers.OptimizerOptions`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([3.0, -4.0])
        >>> optimizer = tfx_extras.tfa.optimizers.LAMB(0.1)
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 2.6464 -3.6464]

    Reference: You et al., 2019. https://arxiv.org/abs/1904.00962
    """

    keeps_weights = False
    kept_slots = ()
    beta_1: Any = Hyper("[0, 1)")
    beta_2: Any = Hyper("[0, 1)")
    called = MappingProxyType(
        {
            "weight_decay_exclude": "exclude_from_weight_decay",
            "layer_adaptation_exclude": "exclude_from_layer_adaptation",
        }
    )

    @typechecked
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: OrFunction = 0.9,
        beta_2: OrFunction = 0.999,
        epsilon: Number = 1e-6,
        weight_decay: Any = 0.0,
        exclude_from_weight_decay: list[str] | None = None,
        exclude_from_layer_adaptation: list[str] | None = None,
        name: str | None = "LAMB",
        **kwargs: Any,
    ):
        unadapted = exclude_from_layer_adaptation
        if unadapted is None:
            unadapted = exclude_from_weight_decay
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            weight_decay_exclude=exclude_from_weight_decay or (),
            layer_adaptation_exclude=unadapted or (),
            name=name,
            **kwargs,
        )
        if unadapted == exclude_from_weight_decay:  # one list, so one warning
            self.called = dict.fromkeys(self.called, "exclude_from_weight_decay")

    @property
    def exclude_from_layer_adaptation(self) -> list[str]:
        """Regular expressions of variables with a trust ratio of 1."""
        return self.layer_adaptation_exclude

    @exclude_from_layer_adaptation.setter
    def exclude_from_layer_adaptation(self, patterns):
        self.layer_adaptation_exclude = self.new_patterns(
            "exclude_from_layer_adaptation", patterns
        )

    def get_config(self):
        config = super().get_config()
        return config | {
            "exclude_from_weight_decay": config.pop("weight_decay_exclude"),
            "exclude_from_layer_adaptation": config.pop("layer_adaptation_exclude"),
        }
