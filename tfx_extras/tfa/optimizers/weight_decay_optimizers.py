"""Decoupled weight decay, before the step of any optimizer."""

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
    r"""What comes before an optimizer, to let weights decay before each of its steps.

    $$ w \leftarrow w - \lambda w $$

    The learning rate has no part in it. Where it follows a schedule, let $\lambda$
    follow one too.

    A sparse gradient lets the rows decay that it names.

    Args:
        weight_decay: $\lambda$, in [0, inf), a schedule, or a callable without
            arguments.
        exclude_from_weight_decay: Regular expressions. A variable in whose `path` one
            of them is found does not decay.
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
    takes_rows = True  # of a sparse gradient: only these decay
    decays_itself = True  # also by what `ParameterGroups` has for a variable
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
        self._matches("weight_decay_exclude")  # which says what is lost

    def apply_gradients(self, grads_and_vars, name=None, decay_var_list=None):
        """Applies gradients, given as pairs with their variables.

        Args:
            grads_and_vars: Pairs of a gradient and a variable.
            name: Without meaning: there is no graph to name a part of.
            decay_var_list: The variables that decay; `None`: all but those excluded.
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
        """Computes the gradients of a loss, and applies them; on TensorFlow.

        Args:
            loss: A function without arguments, or with `tape` a tensor.
            var_list: Variables, or a function that returns them.
            grad_loss: Gradient with respect to the loss, 1 by default.
            name: Without meaning: there is no graph to name a part of.
            decay_var_list: The variables that decay; `None`: all but those excluded.
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
        # A formula of ours has a decay of its own.
        return super()._now(learning_rate, dtype)._replace(weight_decay=0.0)

    def _now_of(self, now, index, dtype):
        return super()._now_of(now, index, dtype)._replace(weight_decay=0.0)

    def _decay_of(self, index, dtype) -> Any:
        own = self._own_rates[index].weight_decay if self._own_rates else AS_IT_IS
        if own is AS_IT_IS:
            return self.current("weight_decay", dtype)
        return ops.cast(own(self.iterations) if callable(own) else own or 0.0, dtype)

    def _apply_weight_decay(self, variables):
        pass  # Keras's own is times the learning rate

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
        # A variable is known by what it is, and to what is loaded by its path.
        paths = [f"^{re.escape(path_of(v))}$" for v in self._noted.excluded]
        excluded = [*self.weight_decay_exclude, *paths]
        config = super().get_config() | {"exclude_from_weight_decay": excluded}
        if self.built and excluded:  # what they match, when paths are others
            config["paths"] = list(self._saved_paths)
        return config


def extend_with_decoupled_weight_decay(base_optimizer: type) -> type:
    """Returns a class of an optimizer whose weights decay before each step.

    Its constructor takes the weight decay, and then what that of `base_optimizer`
    takes. Register it to save it with a model.

    Args:
        base_optimizer: A class of an optimizer, of Keras or any other.

    Returns:
        A class that is a `DecoupledWeightDecayExtension` and a `base_optimizer`.

    Raises:
        ValueError: If `base_optimizer` is no class of an optimizer.

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
            "Argument `base_optimizer` must be a class of an optimizer. "
            f"Received: base_optimizer={base_optimizer}"
        )
    names = list(inspect.signature(base_optimizer).parameters)

    own = {keras.optimizers.Adam: Adam, keras.optimizers.SGD: SGD}
    base: Any = own.get(base_optimizer, base_optimizer)

    class OptimizerWithDecoupledWeightDecay(DecoupledWeightDecayExtension, base):
        """An optimizer whose weights decay before each step."""

        def __init__(self, weight_decay: Any, *args: Any, **kwargs: Any):
            named = zip(names[: len(args)], args, strict=True)
            super().__init__(weight_decay, **dict(named), **kwargs)

    return OptimizerWithDecoupledWeightDecay


@register
class SGDW(DecoupledWeightDecayExtension, SGD):
    r"""`keras.optimizers.SGD`, whose weights decay before each step.

    $$ w \leftarrow w - \lambda w $$

    The learning rate has no part in the decay. A sparse gradient moves the rows of
    weights and momentum that it names, and lets these weights decay.

    Args:
        weight_decay: $\lambda$, in [0, inf), a schedule, or a callable without
            arguments.
        learning_rate: A number, a schedule, or a callable without arguments.
        momentum: In [0, 1].
        nesterov: Whether to take the gradient ahead.
        name: Name of the optimizer.
        **kwargs: `exclude_from_weight_decay`, `lr`, `decay`, and options of every
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
    r"""`keras.optimizers.Adam`, whose weights decay before each step.

    $$ w \leftarrow w - \lambda w $$

    The learning rate has no part in the decay, as it has in
    `keras.optimizers.AdamW`; and the decay is the first argument. A sparse gradient
    lets the rows decay that it names, and moves all.

    Args:
        weight_decay: $\lambda$, in [0, inf), a schedule, or a callable without
            arguments.
        learning_rate: A number, a schedule, or a callable without arguments.
        beta_1: Decay of the momentum, in [0, 1).
        beta_2: Decay of the variance, in [0, 1).
        epsilon: Added to the root of the variance.
        amsgrad: Whether the denominator may only grow.
        name: Name of the optimizer.
        **kwargs: `exclude_from_weight_decay`, `lr`, `decay`, and options of every
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
