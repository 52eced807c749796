"""Schedule-Free learning, and its presets."""

import warnings
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_patterns
from tfx_extras._checks import require_steps
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._paths import exclusions
from tfx_extras.optimizers._paths import matched
from tfx_extras.optimizers._paths import paths_of
from tfx_extras.optimizers._paths import required_paths
from tfx_extras.optimizers._paths import warn_of_unmatched
from tfx_extras.optimizers._rounding import spacing
from tfx_extras.optimizers._update import AS_IT_IS
from tfx_extras.optimizers._update import OwnRate
from tfx_extras.optimizers.adamw import AdamW
from tfx_extras.optimizers.radam import RAdam
from tfx_extras.optimizers.wrappers._average import AverageWrapper
from tfx_extras.optimizers.wrappers._base import OfOptimizer
from tfx_extras.optimizers.wrappers._base import OptimizerWrapper
from tfx_extras.optimizers.wrappers._base import chain
from tfx_extras.optimizers.wrappers._base import leaves
from tfx_extras.schedules.warmup import Warmup

__all__ = [
    "ScheduleFree",
    "ScheduleFreeAdamW",
    "ScheduleFreeRAdam",
    "ScheduleFreeSGD",
]


class Kind(NamedTuple):
    """What decides how a variable is updated, beside its values."""

    leaf: int  # number of the optimizer that updates it
    factor: float  # of its learning rate, if it decays
    decays: bool
    spacing: tuple[float, float]


@register
class ScheduleFree(AverageWrapper):
    r"""Schedule-Free learning: an averaged optimizer that needs no decay schedule.

    Use it in place of a learning-rate schedule that decays, if you do not know how long
    you will train: at each step, the average is about as good as the end of a schedule
    of that length. The learning rate is constant, or warms up.
    `keras.optimizers.ScheduleFreeAdamW` is meant to do the same for AdamW alone. In
    Keras 3.15, its gradients are those of the average on TensorFlow and PyTorch.

    $$
    \begin{aligned}
    z_t &= z_{t-1} - \eta_t u_t - \eta_t \lambda y_{t-1} \\
    x_t &= (1 - c_t)\, x_{t-1} + c_t z_t \qquad
    c_t = \frac{k_t}{\sum_{i \le t} k_i} \qquad
    k_t = t^r \max_{i \le t} \eta_i^p \\
    y_t &= \beta x_t + (1 - \beta) z_t
    \end{aligned}
    $$

    $y$ are the weights of the model in training, where gradients are taken. $x$ is
    their average, which is for evaluation and for the finished model. $z$ are the
    weights that the inner optimizer moves by $-\eta_t u_t$, where $\eta_t$ is its
    learning rate in step $t$. All three begin as the weights before the first step.
    $c_t$ is 0 as long as the sum is 0. $\beta$ has the role of a momentum, $\lambda$ is
    the weight decay, $r$ is `r`, and $p$ is `weight_lr_power`.

    The inner optimizer must keep no momentum and no weight decay of its own, and a
    warning says so if it does: set its `beta_1` or `momentum` to 0, and its
    `weight_decay` to `None`. `ScheduleFreeAdamW`, `ScheduleFreeSGD`
    and `ScheduleFreeRAdam` are presets. In the first steps of an inner `RAdam` or
    `AdaBelief`, in which its rectification $r_t$ is not defined, $z$ stays where it is.
    Then $\eta_t$ includes $r_t$.

    To evaluate and save $x$, use `tfx_extras.callbacks.SwapAverage`, with
    `swap_on_epoch=True` for checkpoints, or call `swap`. `assign_average` continues the
    training from $x$. `use_ema` of the inner optimizer would average $z$. The
    statistics of batch normalization belong to $y$: see `update_batch_norm`. Weights
    that you assign during training, for example by `load_weights`, begin anew:
    $x = z = y$. A variable without gradient stays as it is. Accumulated gradients count
    as one step.

    Memory: 8 bytes per weight beside the state of the inner optimizer, 14 for 16-bit
    weights (bfloat16, float16), for which it keeps $x$, $y$ and $z$ in `float32`. Time:
    two more passes over the weights and this state.

    Args:
        inner_optimizer: The optimizer to wrap, or its name: one of this package, of
            Keras, or your own. A name that both have means that of Keras; the prefix
            `tfx_extras>` names ours. It cannot be a wrapper that follows weights, such
            as `Lookahead` or `MovingAverage`, nor `Prodigy`. For loss scaling, put
            `keras.optimizers.LossScaleOptimizer` around this one, not inside of it.
        beta: $\beta$, in [0, 1]. 0 averages the path of the inner optimizer and does
            not change it; 1 takes gradients at the average.
        weight_decay: $\lambda$, in [0, inf), the weight decay at $y$. It is decoupled,
            as in AdamW. That of the inner optimizer, which is at $z$, should be 0.
        weight_decay_exclude: Regular expressions. Variables whose `path`, such as
            `"sequential/dense/bias"`, matches any of them do not decay. A regular
            expression that matches no variable triggers a warning.
        weight_lr_power: $p$, in [0, inf): how much steps with a small learning rate,
            such as those of a warm-up, count less in the average.
        r: $r$, in [0, inf): how much later steps count more in the average.
        name: Name of the optimizer.

    Raises:
        ValueError: If an argument is outside its interval, or if `inner_optimizer` is
            or contains `Prodigy` or a wrapper that follows weights.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.optimizers.ScheduleFree(
        ...     keras.optimizers.SGD(0.1))
        >>> for _ in range(2):
        ...     optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.712 -1.424]
        >>> optimizer.swap()  # the mean of 0.8 and 0.64
        >>> print(w.numpy().round(4))
        [ 0.72 -1.44]

    Reference: Defazio et al., 2024. https://arxiv.org/abs/2405.15682
    """

    slots = ("average", "base")  # x, z
    _has_wide_residuals = True
    _saved_paths: Any = None  # paths of the variables when it was saved

    @typechecked
    def __init__(
        self,
        inner_optimizer: OfOptimizer,
        beta: Number = 0.9,
        weight_decay: Number = 0.0,
        weight_decay_exclude: Sequence[str] = (),
        weight_lr_power: Number = 2.0,
        r: Number = 0.0,
        name: str | None = None,
    ):
        super().__init__(inner_optimizer, name)
        _require_usable(self.inner_optimizer)
        _warn_of_options(self.inner_optimizer)
        self.beta = require("beta", beta, "[0, 1]")
        self.weight_decay = require("weight_decay", weight_decay, "[0, inf)")
        self.weight_decay_exclude = require_patterns(
            "weight_decay_exclude", weight_decay_exclude
        )
        self.weight_lr_power = require("weight_lr_power", weight_lr_power, "[0, inf)")
        self.r = require("r", r, "[0, inf)")

    def build(self, variables: list) -> None:
        if self.built:
            return
        paths = self._saved_paths = tuple(paths_of(variables, self._saved_paths))
        super().build(variables)

        is_wide = any(wide(v.dtype) == "float64" for v in variables)

        def add(name):
            dtype = "float64" if is_wide else "float32"
            options = {"dtype": dtype, "aggregation": "only_first_replica"}
            return self.add_variable((), name=name, **options)

        # For each optimizer that updates variables: the sum of k divided by the last k,
        # which is near the number of steps and never underflows, and the largest rate.
        self._totals = [
            (add("weight_sum"), add("largest_rate"))
            for _ in leaves(self.inner_optimizer)
        ]
        pairs = zip(variables, self._residuals, strict=True)
        self._spacings = [spacing(variable, residual) for variable, residual in pairs]
        self._decays = [False] * len(paths)
        if self.weight_decay:
            excluded = self.weight_decay_exclude
            warn_of_unmatched("weight_decay_exclude", excluded, paths)
            self._decays = [not found for found in matched(excluded, paths)]

    def _build_inner(self, variables):
        for leaf in leaves(self.inner_optimizer):
            if isinstance(leaf, Optimizer):
                leaf._has_wide_residuals = True
        super()._build_inner(variables)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        super().exclude_from_weight_decay(var_list, var_names)
        self.weight_decay_exclude = [
            *self.weight_decay_exclude,
            *exclusions(var_list, var_names),
        ]

    @property
    def has_average(self):
        return bool(self._iterations.numpy() > 0)

    def _around(self, update, learning) -> None:
        kinds = self._kinds(learning)
        dtype = wide(self._totals[0][0].dtype)
        rates = [_rate_of(leaf, dtype) for leaf in leaves(self.inner_optimizer)]
        for kind, variables in kinds.items():
            self._assign(_at_base(self.beta, kind.spacing), variables=variables)
        iterations = ops.copy(self.iterations)
        update()
        # False while gradients are accumulated or skipped.
        is_update = self.iterations != iterations
        self._iterations.assign_add(ops.cast(is_update, self._iterations.dtype))
        step = ops.cast(self._iterations, dtype)
        gains = [
            self._gain(totals, rate, step, is_update)
            for totals, (rate, _) in zip(self._totals, rates, strict=True)
        ]
        for kind, variables in kinds.items():
            rate, counts = rates[kind.leaf]
            moves = ops.logical_and(is_update, counts)
            decay = rate * (kind.factor * self.weight_decay if kind.decays else 0.0)
            after = _after(self.beta, kind.decays)
            scalars = gains[kind.leaf], decay, moves, is_update
            self._assign(after, *scalars, variables=variables)

    def _gain(self, totals, rate, step, is_update) -> Any:
        """Returns $c$ of a step, and updates the sum and the largest rate."""
        total, largest = (ops.convert_to_tensor(each) for each in totals)
        peak = ops.where(rate > largest, rate, largest)
        counts = peak > 0 if self.weight_lr_power else step > 0
        # The last k relative to this one.
        ratio = largest / ops.where(peak > 0, peak, 1.0)
        before = ops.relu(step - 1) / ops.where(step > 0, step, 1.0)
        share = _power(ratio, self.weight_lr_power) * _power(before, self.r)
        new_total = ops.where(counts, total * share + 1, 0.0)
        for kept, new, old in zip(
            totals, (new_total, peak), (total, largest), strict=True
        ):
            kept.assign(ops.where(is_update, new, old))
        return ops.where(counts, 1 / ops.where(counts, new_total, 1.0), 0.0)

    def _come_back(self) -> None:
        super()._come_back()
        for kind, variables in self._kinds(self._trainable_variables).items():
            self._assign(_back(self.beta, kind.spacing), variables=variables)

    def _settle(self) -> None:
        def settled(kind):
            move = _at_base(self.beta, kind.spacing)
            return lambda variable, slots: (None, move(variable, slots)[1])

        for kind, variables in self._kinds(self._trainable_variables).items():
            self._assign(settled(kind), variables=variables)

    def _kinds(self, variables) -> dict[Kind, list]:
        """Groups variables by what decides how they are updated."""
        numbers = {id(x): i for i, x in enumerate(leaves(self.inner_optimizer))}
        kinds = {}
        for variable in variables:
            index = self._get_variable_index(variable)
            leaf, own = _source(self.inner_optimizer, variable)
            # A rule of `ParameterGroups` sets the decay of the inner optimizer instead.
            decays = self._decays[index] and own.weight_decay is AS_IT_IS
            factor = own.factor * _own_factor(leaf, variable) if decays else 1.0
            kind = Kind(numbers[id(leaf)], factor, decays, self._spacings[index])
            kinds.setdefault(kind, []).append(variable)
        return kinds

    def get_config(self):
        is_matched = self.built and self.weight_decay_exclude
        paths = {"paths": list(self._saved_paths)} if is_matched else {}
        return (
            super().get_config()
            | paths
            | {
                "beta": self.beta,
                "weight_decay": self.weight_decay,
                "weight_decay_exclude": list(self.weight_decay_exclude),
                "weight_lr_power": self.weight_lr_power,
                "r": self.r,
            }
        )

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        paths = required_paths(config.pop("paths", None))
        optimizer = super().from_config(config, custom_objects)
        optimizer._saved_paths = paths
        return optimizer


@register
class GradientDescent(Optimizer):
    """Gradient descent without momentum, for `ScheduleFreeSGD`."""

    def update(self, gradient, variable, coefficients, slots):
        return gradient, ()


@register
@typechecked
def ScheduleFreeAdamW(  # noqa: N802
    learning_rate: Number | LearningRateSchedule = 0.0025,
    warmup_steps: Number = 0,
    beta: Number = 0.9,
    beta_2: Number = 0.999,
    epsilon: Number = 1e-8,
    weight_decay: Number = 0.0,
    weight_decay_exclude: Sequence[str] = (),
    **kwargs: Any,
) -> ScheduleFree:
    r"""Schedule-Free AdamW: `ScheduleFree` around `AdamW`, which needs no schedule.

    Use it in place of AdamW with a learning-rate schedule that decays. The best
    learning rate is 1 to 10 times that of AdamW, and a warm-up is recommended. It costs
    12 bytes of state per weight. See `ScheduleFree` for how to evaluate and save.
    `keras.optimizers.ScheduleFreeAdamW` is meant to do the same, but in Keras 3.15 its
    gradients are those of the average on TensorFlow and PyTorch.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, or a schedule.
        warmup_steps: Number of steps in which the learning rate rises linearly to
            $\eta$, in [0, inf), a whole number.
        beta: $\beta$ of `ScheduleFree`, in [0, 1], in place of $\beta_1$ of `AdamW`.
            For long training, 0.95 or 0.98 may be better.
        beta_2: $\beta_2$ of `AdamW`, in [0, 1).
        epsilon: $\epsilon$ of `AdamW`, in (0, inf).
        weight_decay: $\lambda$ of `ScheduleFree`, in [0, inf).
        weight_decay_exclude: Regular expressions. Variables whose `path`, such as
            `"sequential/dense/bias"`, matches any of them do not decay.
        **kwargs: Other options of every optimizer, such as `clipnorm`: see
            `OptimizerOptions`.

    Returns:
        A `ScheduleFree` optimizer, whose `inner_optimizer` is an `AdamW` without
        momentum and weight decay.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> optimizer = tfx_extras.optimizers.ScheduleFreeAdamW(
        ...     0.0025, warmup_steps=500, weight_decay=0.1)
        >>> print(type(optimizer).__name__, type(optimizer.inner_optimizer).__name__)
        ScheduleFree AdamW

    Reference: Defazio et al., 2024. https://arxiv.org/abs/2405.15682
    """
    rate = _warmed_up(learning_rate, warmup_steps)
    inner = AdamW(rate, 0.0, beta_2, epsilon, weight_decay=None, **kwargs)
    return ScheduleFree(inner, beta, weight_decay, weight_decay_exclude)


@register
@typechecked
def ScheduleFreeSGD(  # noqa: N802
    learning_rate: Number | LearningRateSchedule = 1.0,
    warmup_steps: Number = 0,
    beta: Number = 0.9,
    weight_decay: Number = 0.0,
    weight_decay_exclude: Sequence[str] = (),
    **kwargs: Any,
) -> ScheduleFree:
    r"""Schedule-Free SGD: `ScheduleFree` around gradient descent without momentum.

    Use it in place of SGD with momentum and a learning-rate schedule that decays. The
    best learning rate is 10 to 50 times that of SGD with momentum, and a warm-up is
    recommended. It costs 8 bytes of state per weight. See `ScheduleFree` for how to
    evaluate and save. Keras has no equivalent.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, or a schedule.
        warmup_steps: Number of steps in which the learning rate rises linearly to
            $\eta$, in [0, inf), a whole number.
        beta: $\beta$ of `ScheduleFree`, in [0, 1], in place of a momentum.
        weight_decay: $\lambda$ of `ScheduleFree`, in [0, inf).
        weight_decay_exclude: Regular expressions. Variables whose `path`, such as
            `"sequential/dense/bias"`, matches any of them do not decay.
        **kwargs: Other options of every optimizer, such as `clipnorm`: see
            `OptimizerOptions`.

    Returns:
        A `ScheduleFree` optimizer, whose `inner_optimizer` is gradient descent.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> w = keras.Variable([1.0, -2.0])
        >>> optimizer = tfx_extras.optimizers.ScheduleFreeSGD(0.1, clipnorm=10.0)
        >>> optimizer.apply([2 * w], [w])
        >>> print(w.numpy().round(4))
        [ 0.8 -1.6]

    Reference: Defazio et al., 2024. https://arxiv.org/abs/2405.15682
    """
    inner = GradientDescent(_warmed_up(learning_rate, warmup_steps), **kwargs)
    return ScheduleFree(inner, beta, weight_decay, weight_decay_exclude)


@register
@typechecked
def ScheduleFreeRAdam(  # noqa: N802
    learning_rate: Number | LearningRateSchedule = 0.0025,
    beta: Number = 0.9,
    beta_2: Number = 0.999,
    epsilon: Number = 1e-8,
    weight_decay: Number = 0.0,
    weight_decay_exclude: Sequence[str] = (),
    **kwargs: Any,
) -> ScheduleFree:
    r"""Schedule-Free RAdam: `ScheduleFree` around `RAdam`, which warms up by itself.

    Use it like `ScheduleFreeAdamW`, without `warmup_steps` to choose. The weights stay
    where they are in the first steps (4 for the default $\beta_2$), while the
    rectification of `RAdam` is not defined. It costs 16 bytes of state per weight. See
    `ScheduleFree` for how to evaluate and save. Keras has no equivalent.

    Args:
        learning_rate: $\eta$, in [0, inf): a number, or a schedule.
        beta: $\beta$ of `ScheduleFree`, in [0, 1], in place of $\beta_1$ of `RAdam`.
            For long training, 0.95 or 0.98 may be better.
        beta_2: $\beta_2$ of `RAdam`, in [0, 1).
        epsilon: $\epsilon$ of `RAdam`, in (0, inf).
        weight_decay: $\lambda$ of `ScheduleFree`, in [0, inf).
        weight_decay_exclude: Regular expressions. Variables whose `path`, such as
            `"sequential/dense/bias"`, matches any of them do not decay.
        **kwargs: Other options of every optimizer, such as `clipnorm`: see
            `OptimizerOptions`.

    Returns:
        A `ScheduleFree` optimizer, whose `inner_optimizer` is a `RAdam` without
        momentum.

    Raises:
        ValueError: If an argument is outside its interval.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> optimizer = tfx_extras.optimizers.ScheduleFreeRAdam(weight_decay=0.1)
        >>> print(type(optimizer).__name__, type(optimizer.inner_optimizer).__name__)
        ScheduleFree RAdam

    References:
        Defazio et al., 2024. https://arxiv.org/abs/2405.15682
        Liu et al., 2019. https://arxiv.org/abs/1908.03265
    """
    inner = RAdam(learning_rate, 0.0, beta_2, epsilon, sma_threshold=4.0, **kwargs)
    return ScheduleFree(inner, beta, weight_decay, weight_decay_exclude)


def _warmed_up(learning_rate, warmup_steps) -> Any:
    """Returns a learning rate that rises linearly, and is not 0 in the first step."""
    if not require_steps("warmup_steps", warmup_steps):
        return learning_rate
    return Warmup(learning_rate, warmup_steps, first_step_nonzero=True)


def _between(z, x, beta: float) -> Any:
    """Returns $y$: in this form exactly `x` if both are equal."""
    return z + beta * (x - z)


def _at_base(beta: float, unit: tuple[float, float]) -> Any:
    """Returns a function that replaces the weights $y$ by $z$.

    Weights that are not $y$ have been assigned, or this is the first step. They become
    $x$ and $z$.
    """

    def at_base(variable, slots):
        x, z = slots
        is_own = _is_near(variable, _between(z, x, beta), slots, unit)
        x, z = (ops.where(is_own, slot, variable) for slot in slots)
        return z, (x, z)

    return at_base


def _after(beta: float, decays: bool) -> Any:
    """Returns a function that replaces the new weights $z$ by $y$."""

    def after(variable, slots, gain, decay, moves, is_update):
        x, z = slots
        new_z = variable
        if decays:
            new_z = new_z - ops.cast(decay, z.dtype) * _between(z, x, beta)
        new_z = backend.choose(moves, new_z, z)
        new_x = x + ops.cast(gain, x.dtype) * (new_z - x)
        new_x = backend.choose(is_update, new_x, x)
        return _between(new_z, new_x, beta), (new_x, new_z)

    return after


def _back(beta: float, unit: tuple[float, float]) -> Any:
    """Returns a function that replaces the weights $z$ by $y$."""

    def back(variable, slots):
        x, z = slots
        is_base = _is_near(variable, z, slots, unit)
        return ops.where(is_base, _between(z, x, beta), variable), slots

    return back


def _is_near(variable, expected, slots, unit) -> Any:
    """Whether weights differ from what is expected by rounding only."""
    relative, absolute = unit
    x, z = slots
    slack = 2.0**-49 if wide(variable.dtype) == "float64" else 2.0**-20
    bound = (relative + slack) * (ops.abs(x) + ops.abs(z)) + (absolute + 2.0**-120)
    return ops.abs(variable - expected) <= bound


def _power(x, exponent: float) -> Any:
    """Returns `x**exponent`, and 1 if the exponent is 0, even for `x` of 0."""
    return x**exponent if exponent else 1.0


def _rate_of(leaf: Any, dtype: str) -> tuple[Any, Any]:
    """Returns the learning rate of the next step, and whether the step counts."""
    rate = ops.cast(leaf.learning_rate, dtype)
    if not isinstance(leaf, Optimizer):
        return rate, True
    factor = leaf._rate_factor(ops.cast(leaf.iterations, dtype) + 1)
    return rate * factor, factor > 0


def _own_factor(leaf: Any, variable: Any) -> float:
    """Returns the factor of the learning rate that an optimizer gives a variable."""
    if not isinstance(leaf, Optimizer):
        return 1.0
    return leaf._own_factor(leaf._get_variable_index(variable))


def _source(optimizer: Any, variable: Any) -> tuple[Any, OwnRate]:
    """Returns the optimizer that updates a variable, and its rate of the variable."""
    rates = None
    while isinstance(optimizer, OptimizerWrapper):
        if hasattr(optimizer, "rule_optimizers"):
            number = optimizer._number_of(variable)
            rates = optimizer._own_rates[number]
            optimizer = optimizer._all()[number]
        else:
            optimizer = optimizer.inner_optimizer
    # Those of `ParameterGroups` around this wrapper are known to the optimizer.
    rates = rates or getattr(optimizer, "_own_rates", None)
    index = optimizer._get_variable_index(variable)
    return optimizer, rates[index] if rates else OwnRate()


def _within(optimizer: Any) -> Iterator[Any]:
    """Yields an optimizer and all optimizers inside it."""
    for each in chain(optimizer):
        yield each
        for other in getattr(each, "rule_optimizers", ()):
            yield from _within(other)


def _require_usable(inner: Any) -> None:
    """Raises for optimizers that must see the weights of the model."""
    for each in _within(inner):
        if isinstance(each, Optimizer) and each._has_totals:
            raise ValueError(
                f"ScheduleFree cannot contain {type(each).__name__}, which estimates "
                "its learning rate from the weights that it moves. Use another inner "
                f"optimizer, such as AdamW. Received: inner_optimizer={inner}"
            )
        if isinstance(each, OptimizerWrapper) and each.slots:
            kind = type(each).__name__
            raise ValueError(
                f"ScheduleFree cannot contain {kind}, which would follow the weights "
                f"z instead of those of the model. Wrap the inner optimizer of {kind}. "
                f"Received: inner_optimizer={inner}"
            )


def _warn_of_options(inner: Any) -> None:
    """Warns of options of the inner optimizer that belong to `ScheduleFree`."""
    for leaf in leaves(inner):
        for name in ("beta_1", "adam_beta_1", "momentum"):
            value = getattr(leaf, name, None)
            if isinstance(value, int | Number) and value > 0:
                warnings.warn(
                    f"`ScheduleFree` replaces the momentum of `{leaf.name}`, which "
                    f"should have none. Set its `{name}` to 0.0. "
                    f"Received: {name}={value}",
                    stacklevel=4,
                )
        if leaf.weight_decay:
            warnings.warn(
                f"The weight decay of `{leaf.name}` is that of the weights z, which "
                "are not those of the model. Set it to None, and give "
                "`weight_decay` to `ScheduleFree`. "
                f"Received: weight_decay={leaf.weight_decay}",
                stacklevel=4,
            )
        if leaf.use_ema:
            warnings.warn(
                f"`use_ema` of `{leaf.name}` averages the weights z, which are not "
                "those of the model. `ScheduleFree` keeps an average of its own. "
                "Received: use_ema=True",
                stacklevel=4,
            )
