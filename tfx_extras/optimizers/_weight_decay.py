"""Weight decay, before or inside the formula, and which variables it applies to."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from tfx_extras.optimizers._options import WithOptions
from tfx_extras.optimizers._options import is_schedule
from tfx_extras.optimizers._paths import matched
from tfx_extras.optimizers._paths import warn_of_unmatched
from tfx_extras.optimizers._update import AS_IT_IS
from tfx_extras.optimizers._update import Now
from tfx_extras.optimizers._update import OwnRate


class WithDecay(WithOptions):
    """An optimizer that applies weight decay within the step of each variable."""

    decays_inside: bool = False
    # Paths of all variables of the model, if other optimizers train some of them.
    _sibling_paths: Sequence[str] = ()
    # The largest learning rate so far, if `corrected_decay` needs it.
    _largest_rate: Any = None
    # Rates of the variables of `build`, in order, as `ParameterGroups` sets them.
    _own_rates: Sequence[OwnRate] | None = None

    def _after_decay(self, variable, now: Now, index, direction=None) -> Any:
        """Returns the value of a variable after the decay that precedes the step.

        With `direction`, only weights decay that the step does not move away from 0.
        """
        inside = self.decays_inside and not self.independent_decay
        if inside or not self._decays[index]:
            return variable
        rate = now.weight_decay
        if not self.independent_decay:
            rate = now.learning_rate * rate
        return variable - _along(direction, variable, rate * variable)

    def penalized(self, direction, variable, now: Now, index) -> Any:
        """Returns `direction` plus the decay, unless the decay precedes the step."""
        if self.independent_decay or not self._decays[index]:
            return direction
        along = direction if self.cautious_decay else None
        return direction + _along(along, variable, now.weight_decay * variable)

    def _decay_now(self, rate, learning_rate, dtype) -> Any:
        if is_schedule(rate):
            rate = ops.cast(rate(self.iterations), dtype)
        if not self.corrected_decay or rate is None:
            return rate
        largest = ops.cast(self._largest_rate, dtype)
        part = ops.cast(learning_rate, dtype) / ops.where(largest > 0, largest, 1.0)
        return rate * part

    def _note_rate(self, learning_rate) -> None:
        """Keeps the largest learning rate so far, for `corrected_decay`."""
        if self.corrected_decay:
            rate = ops.cast(learning_rate, "float32")
            past = ops.convert_to_tensor(self._largest_rate)
            self._largest_rate.assign(ops.where(rate > past, rate, past))

    def _take_rates(self, own_rates: Sequence[OwnRate] | None) -> None:
        """Sets the rates that `ParameterGroups` gives to each variable."""
        self._own_rates = own_rates
        if self.built:
            self._decays = self._found_decays()

    def _found_decays(self) -> list[bool]:
        """Returns for each variable whether it decays."""
        count, rate = len(self._trainable_variables), self.weight_decay
        rates = [rate] * count
        if self._own_rates is not None:
            rates = [rate if own is AS_IT_IS else own for _, own in self._own_rates]
        if not any(rates):
            return [False] * count
        excluded = self._matches("weight_decay_exclude")
        return [bool(r) and not e for r, e in zip(rates, excluded, strict=True)]

    def _matches(self, argument: str) -> list[bool]:
        """Returns for each variable whether its path matches a regex of `argument`."""
        patterns, paths = getattr(self, argument), self._saved_paths
        warn_of_unmatched(argument, patterns, self._sibling_paths or paths)
        return matched(patterns, paths)


def _along(direction, variable, decay) -> Any:
    """Returns the decay where a step in this direction decreases the magnitude too."""
    if direction is None:
        return decay
    # Of their signs, because a product could underflow.
    agree = ops.sign(direction) * ops.sign(variable) >= 0
    return ops.where(agree, decay, ops.zeros_like(decay))
