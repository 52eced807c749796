"""Per-parameter learning rates, weight decay or optimizers."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import require
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._paths import paths_of
from tfx_extras.optimizers._paths import required_paths
from tfx_extras.optimizers._skipping import apply_if_finite
from tfx_extras.optimizers._update import OwnRate
from tfx_extras.optimizers.wrappers._base import OfOptimizer
from tfx_extras.optimizers.wrappers._base import OptimizerWrapper
from tfx_extras.optimizers.wrappers._base import apply_with
from tfx_extras.optimizers.wrappers._base import chain
from tfx_extras.optimizers.wrappers._base import innermost
from tfx_extras.optimizers.wrappers._base import pass_by
from tfx_extras.optimizers.wrappers._base import residuals_of
from tfx_extras.optimizers.wrappers._own_rates import replaced
from tfx_extras.optimizers.wrappers._own_rates import with_own_rates
from tfx_extras.optimizers.wrappers._rules import Rules
from tfx_extras.optimizers.wrappers._rules import loaded_groups
from tfx_extras.optimizers.wrappers._saved_by_0_1_0 import expect_copies
from tfx_extras.optimizers.wrappers._several import clipped_together
from tfx_extras.optimizers.wrappers._several import following_rates
from tfx_extras.optimizers.wrappers._several import name_apart
from tfx_extras.optimizers.wrappers._several import require_usable
from tfx_extras.optimizers.wrappers._several import settable_rate

__all__ = ["ParameterGroups"]


@register
class ParameterGroups(OptimizerWrapper):
    r"""Parameter groups: per-parameter learning rates, weight decay or optimizers.

    Use it for what PyTorch calls `param_groups`: fine-tuning with different learning
    rates for the layers, no weight decay on some weights, or several optimizers in one
    model. To exclude biases from weight decay, the option `weight_decay_exclude` of an
    optimizer is enough. `keras.optimizers.MultiOptimizer` also maps variables to
    optimizers, but has no learning rate to read or set, and needs one more optimizer
    for each different learning rate or weight decay.

    $$
    w_t = A(w_{t-1}, g_t;\ \mu \eta, \lambda)
    $$

    Rules choose, for each variable $w$ with gradient $g$, the optimizer $A$, the factor
    $\mu$ that multiplies the learning rate $\eta$, and the weight decay $\lambda$. A
    rule is a regular expression, which is searched in the `path` of each variable, such
    as `"model/encoder/kernel"`, and a dictionary of what holds for those that match:

    | key | what it sets |
    |---|---|
    | `"learning_rate_multiplier"` | a factor of the learning rate, in [0, inf) |
    | `"weight_decay"` | weight decay, in [0, inf), a schedule, or `None` |
    | `"optimizer"` | an optimizer in place of `inner_optimizer` |
    | `"variables"` | the variables that the rule is for, whatever their paths |

    If several rules match a variable, their multipliers are multiplied, and the first
    decay and the first optimizer are used. A variable that no rule matches is trained
    by `inner_optimizer` as it is, and a warning names it. A last rule `".*": {}` says
    that this is meant. A rule that matches no variable also triggers a warning. After
    loading, each variable has the rules that it had when it was saved, even if its path
    has changed, as in a reloaded Sequential.

    Multipliers and decays need no second optimizer: the only state is that of
    `inner_optimizer`. An optimizer of this package keeps its rules if it is used alone
    later. The optimizers that rules name are in `rule_optimizers`. Setting
    `learning_rate` sets that of `inner_optimizer`, and scales those of
    `rule_optimizers` by the same factor. Variables that an optimizer excludes from
    weight decay stay excluded.

    Some options of `inner_optimizer` hold for all optimizers. `loss_scale_factor` is
    applied to all gradients, `global_clipnorm` bounds the norm of all gradients
    together, and `skip_nonfinite` skips the step of all.
    `keras.callbacks.SwapEMAWeights` sees only the averages of `inner_optimizer`. Where
    rules name optimizers, use `MovingAverage` around this one, and `SwapAverage`.

    Memory and time: those of the optimizers, each for its variables.

    Args:
        inner_optimizer: The optimizer to wrap, or its name: one of this package, of
            Keras, or your own. A name that both have means that of Keras; the prefix
            `tfx_extras>` names ours. For loss scaling, put
            `keras.optimizers.LossScaleOptimizer` around this one, not inside of it.
        groups: The rules: a dictionary from regular expressions to dictionaries with
            the keys above, or to optimizers.
        name: Name of the optimizer.

    Raises:
        ValueError: If a rule has an unknown key or a value outside its interval; if
            `inner_optimizer` has `global_clipnorm`, a rule names another optimizer, and
            any of them accumulates gradients; or if the optimizer of a rule has another
            `loss_scale_factor` than `inner_optimizer`.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> optimizer = tfx_extras.optimizers.ParameterGroups(
        ...     keras.optimizers.SGD(0.1),
        ...     {"encoder": {"learning_rate_multiplier": 0.5}, ".*": {}})
        >>> encoder = keras.Variable([1.0], name="encoder")
        >>> head = keras.Variable([1.0], name="head")
        >>> optimizer.apply([2 * encoder, 2 * head], [encoder, head])
        >>> print(encoder.numpy().round(4), head.numpy().round(4))
        [0.9] [0.8]
    """

    has_fast_paths = False  # the optimizers that it calls have their own
    _saved_paths: Any = None  # paths of the variables when it was saved
    _own_rates = ()  # for each optimizer, the rates of its variables, or `None`
    _is_of_0_1_0 = False
    # Rates of the other optimizers relative to the inner one, before that was 0.
    _ratios = None

    @typechecked
    def __init__(
        self,
        inner_optimizer: OfOptimizer,
        groups: Mapping[str, Mapping[str, Any] | keras.optimizers.Optimizer],
        name: str | None = None,
    ):
        super().__init__(inner_optimizer, name)
        self._rules = Rules(groups)
        inner = self.inner_optimizer
        self.rule_optimizers = [o for o in self._rules.optimizers if o is not inner]
        require_usable(self._all())
        name_apart(self.rule_optimizers, {each.name for each in chain(self)})

    @property
    def groups(self) -> dict[str, dict[str, Any]]:
        return self._rules.groups

    def _all(self) -> list:
        """Returns the inner optimizer, which has number 0, and those of rules."""
        return [self.inner_optimizer, *getattr(self, "rule_optimizers", ())]

    @property
    def learning_rate(self):
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        if callable(learning_rate):
            self.inner_optimizer.learning_rate = learning_rate
            return
        # Nothing is set before all rates are checked.
        after = float(ops.convert_to_numpy(learning_rate))
        rates, ratios = following_rates(self._all(), after, self._ratios)
        self._require_rates(rates)
        self._ratios = ratios
        for optimizer, rate in zip(self._all(), rates, strict=True):
            optimizer.learning_rate = rate

    def _require_rates(self, rates) -> None:
        """Raises if a learning rate times a multiplier is outside its interval."""
        for optimizer, rate, own in zip(
            self._all(), rates, self._own_rates, strict=False
        ):
            interval = getattr(innermost(optimizer), "_rate_interval", None)
            for factor in {each.factor for each in own or ()}:
                if rate is not None and interval is not None:
                    require("learning_rate", rate * factor, interval)

    @property
    def loss_scale_factor(self):
        return self.inner_optimizer.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value):
        if hasattr(self, "inner_optimizer"):  # false while Keras constructs this
            for optimizer in self._all():
                optimizer.loss_scale_factor = value

    @property
    def variables(self):
        others = getattr(self, "rule_optimizers", ())
        return super().variables + [v for o in others for v in o.variables]

    @property
    def _residuals(self):
        return self._in_order([residuals_of(optimizer) for optimizer in self._all()])

    def _in_order(self, kept) -> list:
        """Returns what optimizers keep of variables, in the order of all."""
        pairs = zip(self._numbers, self._trainable_variables, strict=True)
        places = ((n, self._all()[n]._get_variable_index(v)) for n, v in pairs)
        return [kept[number][place] for number, place in places]

    @property
    def _model_variables_moving_average(self):
        # `AttributeError` if an optimizer keeps no average, so the model has none.
        kept = [innermost(o)._model_variables_moving_average for o in self._all()]
        return self._in_order(kept)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        for optimizer in self._all():
            optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list):
        self._check_variables_are_known(var_list)
        for number, optimizer in enumerate(self._all()):
            optimizer.finalize_variable_values(self._of(number, var_list))

    def _of(self, number, variables) -> list:
        """Those of the variables that an optimizer trains."""
        return [v for v in variables if self._number_of(v) == number]

    def _number_of(self, variable) -> int:
        return self._numbers[self._get_variable_index(variable)]

    def _build_inner(self, variables):
        paths = self._saved_paths = tuple(paths_of(variables, self._saved_paths))
        self._rules.require_unique(paths)
        self._rules.report(variables, paths)
        optimizers = self._all()
        found = [
            self._rules.find(*each)
            for each in zip(range(len(paths)), variables, paths, strict=True)
        ]
        # A tuple of numbers, because Keras would track a list of variables as state.
        self._numbers = tuple(optimizers.index(o or optimizers[0]) for o, _ in found)
        self._own_rates = tuple(
            self._build_one(number, variables, [rate for _, rate in found])
            for number in range(len(optimizers))
        )
        with backend.outside_of_compilation():  # there, learning rates have values
            self._require_rates(map(settable_rate, optimizers))
        if self._is_of_0_1_0:
            expect_copies(self, variables, [rate for _, rate in found])

    def _build_one(self, number, variables, rates) -> tuple[OwnRate, ...] | None:
        """Builds an optimizer for its variables, and returns their own rates."""
        optimizer = self._all()[number]
        places = [place for place, n in enumerate(self._numbers) if n == number]
        last = innermost(optimizer)
        if last.built:  # perhaps in another order
            last._check_variables_are_known(variables[place] for place in places)
            key = last._var_key
            place_of = {key(variables[place]): place for place in places}
            places = [place_of[key(v)] for v in last._trainable_variables]
        own = tuple(rates[place] for place in places)
        own = None if all(rate == OwnRate() for rate in own) else own
        if isinstance(last, Optimizer):
            last._sibling_paths = self._saved_paths
            last._saved_paths = tuple(self._saved_paths[place] for place in places)
            last._take_rates(own)
        optimizer.build([variables[place] for place in places])
        return own

    def _apply_inner(self, grads, variables):
        if not self.rule_optimizers:
            self._apply_with(0, grads, variables)
            return
        grads, variables = self._filter_empty_gradients(grads, variables)
        counting = innermost(self.inner_optimizer)
        if getattr(counting, "skip_nonfinite", False):
            apply_if_finite(
                counting,
                lambda grads: self._apply_all(grads, variables),
                grads,
                [*variables, *self.variables],
            )
        else:
            self._apply_all(grads, variables)

    def _apply_all(self, grads, variables):
        grads = clipped_together(self.inner_optimizer, grads, variables)
        pairs = list(zip(grads, variables, strict=True))
        for number, optimizer in enumerate(self._all()):
            optimizer.loss_scale_factor = self.loss_scale_factor
            mine = [(g, v) for g, v in pairs if self._number_of(v) == number]
            if mine:
                self._apply_with(number, *zip(*mine, strict=True))
            else:
                pass_by(optimizer)

    def _apply_with(self, number, grads, variables):
        optimizer = self._all()[number]
        last = innermost(optimizer)
        # Its gradients were clipped by the norm of all, so not again by their own norm.
        hooks = {"global_clipnorm": None} if self.rule_optimizers and not number else {}
        with with_own_rates(last, self._own_rates[number]), replaced(last, hooks):
            apply_with(optimizer, grads, variables)

    def get_config(self):
        variables = self._trainable_variables if self.built else None
        groups = self._rules.get_config(variables, self._saved_paths)
        paths = list(self._saved_paths) if self.built else None
        own = {"groups": groups, "paths": paths}
        if self._ratios is not None:
            own["ratios"] = list(self._ratios)
        return super().get_config() | own

    @classmethod
    def from_config(cls, config, custom_objects=None):
        paths = required_paths(config.get("paths"))
        with keras.saving.custom_object_scope(custom_objects or {}):
            groups = loaded_groups(config.get("groups"))
        given = {k: v for k, v in config.items() if k not in ("paths", "ratios")}
        optimizer = super().from_config(given | {"groups": groups}, custom_objects)
        optimizer._saved_paths = paths
        if config.get("ratios") is not None:
            optimizer._ratios = tuple(config["ratios"])
        optimizer._is_of_0_1_0 = "paths" not in config
        return optimizer
