"""Decoupled weight decay before the step of any optimizer."""

import inspect
import re
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._configuration import loaded
from tfx_extras.optimizers._paths import path_of
from tfx_extras.optimizers._paths import paths_of
from tfx_extras.optimizers._rounding import exact
from tfx_extras.optimizers._rounding import store
from tfx_extras.optimizers._update import AS_IT_IS
from tfx_extras.optimizers.wrappers._base import residuals_of
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._adam_and_sgd import SGD
from tfx_extras.tfa.optimizers._adam_and_sgd import Adam
from tfx_extras.tfa.optimizers._base import Optimizer
from tfx_extras.tfa.optimizers._hyper import Hyper
from tfx_extras.tfa.optimizers._hyper import OrFunction
from tfx_extras.tfa.optimizers.utils import is_found


class DecoupledWeightDecayExtension(Optimizer):
    r"""Decoupled weight decay extension: decays the weights before each optimizer step.

    $$ w \leftarrow w - \lambda w $$

    Inherit from it and from an optimizer, in this order. The decay is not multiplied by
    the learning rate. If the learning rate follows a schedule, pass a schedule as
    `weight_decay` too. The native successor is the argument `weight_decay` of each
    optimizer in `keras.optimizers`, which is multiplied by the learning rate.

    With a sparse gradient, only the rows that occur in it decay.

    Args:
        weight_decay: $\lambda$, in [0, inf): a number, a schedule, or a function
            without arguments that returns it.
        exclude_from_weight_decay: Regular expressions. Variables whose `path` matches
            one of them are excluded from weight decay.
        **kwargs: Arguments of the optimizer, `lr` and `decay`.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> class DecayingSGD(
        ...     tfx_extras.tfa.optimizers.DecoupledWeightDecayExtension,
        ...     keras.optimizers.SGD,
        ... ):
        ...     pass
        >>> w = keras.Variable([1.0, -2.0])
        >>> DecayingSGD(0.5, learning_rate=0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.3 -0.6]

    Reference: Loshchilov and Hutter, 2017. https://arxiv.org/abs/1711.05101
    """

    weight_decay: Any = Hyper("[0, inf)", is_live=True)
    decides_when_built = False
    takes_rows = True  # only the rows of a sparse gradient decay
    decays_itself = True  # and applies the decay that `ParameterGroups` sets
    _own_rates: Any = None

    @typechecked
    def __init__(
        self,
        weight_decay: Any,
        exclude_from_weight_decay: Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if isinstance(weight_decay, dict):
            weight_decay = loaded(weight_decay)
        self.weight_decay = weight_decay
        self.exclude_from_weight_decay = exclude_from_weight_decay
        self._noted.decaying = None

    def build(self, variables):
        if self.built or not variables:
            return
        self._saved_paths = tuple(paths_of(variables, self._saved_paths))
        super().build(variables)
        # Warns of expressions that match no variable.
        self._matches("weight_decay_exclude")

    def apply_gradients(self, grads_and_vars, name=None, decay_var_list=None):
        """Applies gradients that are given in pairs with their variables.

        Args:
            grads_and_vars: Pairs of a gradient and a variable.
            name: Has no effect, because there is no graph.
            decay_var_list: The variables that decay; `None` means all that are not
                excluded.
        """
        self._noted.decaying = (
            decay_var_list if decay_var_list is None else list(decay_var_list)
        )
        try:
            return super().apply_gradients(grads_and_vars, name)
        finally:
            self._noted.decaying = None

    # The order of arguments is that of TensorFlow Addons.
    def minimize(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        loss,
        var_list,
        grad_loss=None,
        name=None,
        decay_var_list=None,
        tape=None,
    ):
        """Computes the gradients of a loss and applies them. Only on TensorFlow.

        Args:
            loss: A function without arguments, or a tensor if `tape` is given.
            var_list: Variables, or a function that returns them.
            grad_loss: Gradient with respect to the loss, 1 by default.
            name: Has no effect, because there is no graph.
            decay_var_list: The variables that decay; `None` means all that are not
                excluded.
            tape: The `tf.GradientTape` on which the loss was computed.
        """
        pairs = backend.gradients_of(loss, var_list, grad_loss, tape)
        return self.apply_gradients(pairs, name, decay_var_list)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        if self._decays_now(index):
            residual = residuals_of(self)[index]
            w = exact(variable, residual)
            rows = self._noted.rows.get(index)
            decayed = w - self._decay_of(index, w.dtype) * w
            if rows is not None:
                decayed = ops.where(rows, decayed, w)
            store(decayed, variable, residual)
        super().update_step(gradient, variable, learning_rate)

    def _now(self, learning_rate, dtype):
        # Formulas of this package would apply the decay again.
        return super()._now(learning_rate, dtype)._replace(weight_decay=0.0)

    def _now_of(self, now, index, learning_rate, dtype):
        now = super()._now_of(now, index, learning_rate, dtype)
        return now._replace(weight_decay=0.0)

    def _decay_of(self, index, dtype) -> Any:
        own = self._own_rates[index].weight_decay if self._own_rates else AS_IT_IS
        if own is AS_IT_IS:
            return self.current("weight_decay", dtype)
        return ops.cast(own(self.iterations) if callable(own) else own or 0.0, dtype)

    def _apply_weight_decay(self, variables):
        pass  # Keras multiplies it by the learning rate

    def _decays_now(self, index) -> bool:
        chosen = self._noted.decaying
        if chosen is not None:
            return index in map(self.index_of, chosen)
        if index in map(self.index_of, self._noted.excluded):
            return False
        return not is_found(self.weight_decay_exclude, self._saved_paths[index])

    def _exclude(self, var_list, var_names):
        self._noted.excluded += var_list or ()
        self.exclude_from_weight_decay = [
            *self.weight_decay_exclude,
            *(var_names or ()),
        ]

    def get_config(self):
        # Variables are excluded by identity. A loaded optimizer knows only their paths.
        paths = [f"^{re.escape(path_of(v))}$" for v in self._noted.excluded]
        excluded = [*self.weight_decay_exclude, *paths]
        config = super().get_config() | {"exclude_from_weight_decay": excluded}
        if self.built and excluded:  # expressions match these, even if paths change
            config["paths"] = list(self._saved_paths)
        return config


def extend_with_decoupled_weight_decay(base_optimizer: type) -> type:
    """Extends an optimizer class with decoupled weight decay before each step.

    The constructor of the new class takes `weight_decay` first, and then the arguments
    of `base_optimizer`. To save the class with a model, register it. The native
    successor is the argument `weight_decay` of each optimizer in `keras.optimizers`,
    which is multiplied by the learning rate.

    Args:
        base_optimizer: An optimizer class, of Keras or any other.

    Returns:
        A subclass of `DecoupledWeightDecayExtension` and `base_optimizer`.

    Raises:
        ValueError: If `base_optimizer` is not an optimizer class.

    Example:
        >>> tfa = tfx_extras.tfa
        >>> Decaying = tfa.optimizers.extend_with_decoupled_weight_decay(
        ...     keras.optimizers.Nadam)
        >>> optimizer = Decaying(0.01, learning_rate=0.1)

    Reference: Loshchilov and Hutter, 2017. https://arxiv.org/abs/1711.05101
    """
    if not (
        isinstance(base_optimizer, type)
        and issubclass(base_optimizer, keras.optimizers.Optimizer)
    ):
        raise ValueError(
            "Argument `base_optimizer` must be an optimizer class. "
            f"Received: base_optimizer={base_optimizer}"
        )
    names = list(inspect.signature(base_optimizer).parameters)

    own = {keras.optimizers.Adam: Adam, keras.optimizers.SGD: SGD}
    base: Any = own.get(base_optimizer, base_optimizer)

    class OptimizerWithDecoupledWeightDecay(DecoupledWeightDecayExtension, base):
        """An optimizer with decoupled weight decay before each step."""

        def __init__(self, weight_decay: Any, *args: Any, **kwargs: Any):
            named = zip(names[: len(args)], args, strict=True)
            super().__init__(weight_decay, **dict(named), **kwargs)

    return OptimizerWithDecoupledWeightDecay


@register
class SGDW(DecoupledWeightDecayExtension, SGD):
    r"""SGDW: `keras.optimizers.SGD` with decoupled weight decay before each step.

    $$ w \leftarrow w - \lambda w $$

    The decay is the first argument. Unlike the `weight_decay` of
    `keras.optimizers.SGD`, the native successor, it is not multiplied by the learning
    rate. With a sparse gradient, only the rows that occur in it change or decay, in the
    weights and in the momentum.

    Args:
        weight_decay: $\lambda$, in [0, inf): a number, a schedule, or a function
            without arguments that returns it.
        learning_rate: In [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        momentum: The momentum, in [0, 1].
        nesterov: Whether to use Nesterov momentum.
        name: Name of the optimizer.
        **kwargs: `exclude_from_weight_decay`, `lr`, `decay` and the options of every
            optimizer of Keras.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> tfx_extras.tfa.optimizers.SGDW(0.5, 0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.3 -0.6]

    Reference: Loshchilov and Hutter, 2017. https://arxiv.org/abs/1711.05101
    """

    @typechecked
    def __init__(
        self,
        weight_decay: Any,
        learning_rate: Any = 0.001,
        momentum: OrFunction = 0.0,
        nesterov: bool = False,
        name: str | None = "SGDW",
        **kwargs: Any,
    ):
        super().__init__(
            weight_decay,
            learning_rate=learning_rate,
            momentum=momentum,
            nesterov=nesterov,
            name=name,
            **kwargs,
        )


@register
class AdamW(DecoupledWeightDecayExtension, Adam):
    r"""AdamW: `keras.optimizers.Adam` with decoupled weight decay before each step.

    $$ w \leftarrow w - \lambda w $$

    The decay is the first argument. Unlike in `keras.optimizers.AdamW`, the native
    successor, it is not multiplied by the learning rate. With a sparse gradient, all
    rows change, but only the rows that occur in it decay.

    Args:
        weight_decay: $\lambda$, in [0, inf): a number, a schedule, or a function
            without arguments that returns it.
        learning_rate: In [0, inf): a number, a schedule, or a function without
            arguments that returns it.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment.
        amsgrad: Whether to use AMSGrad, in which the denominator never decreases.
        name: Name of the optimizer.
        **kwargs: `exclude_from_weight_decay`, `lr`, `decay` and the options of every
            optimizer of Keras.

    Raises:
        ValueError: If an argument is outside its interval.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> tfx_extras.tfa.optimizers.AdamW(0.5, 0.1).apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.4 -0.9]

    Reference: Loshchilov and Hutter, 2017. https://arxiv.org/abs/1711.05101
    """

    @typechecked
    def __init__(
        self,
        weight_decay: Any,
        learning_rate: Any = 0.001,
        beta_1: OrFunction = 0.9,
        beta_2: OrFunction = 0.999,
        epsilon: Number = 1e-7,
        amsgrad: bool = False,
        name: str | None = "AdamW",
        **kwargs: Any,
    ):
        super().__init__(
            weight_decay,
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            amsgrad=amsgrad,
            name=name,
            **kwargs,
        )
