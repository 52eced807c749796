"""Weight decay, before or inside of the formula, and which variables have it."""

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
    """An optimizer whose weights decay as part of their one update."""

    decays_inside: bool = False
    # Paths of all variables of the model, where other optimizers train some of them.
    _sibling_paths: Sequence[str] = ()
    # What `ParameterGroups` has for the variables of `build`, in their order.
    _own_rates: Sequence[OwnRate] | None = None

    def _after_decay(self, variable, now: Now, index) -> Any:
        """Returns the value of a variable after the decay that precedes its move."""
        inside = self.decays_inside and not self.independent_decay
        if inside or not self._decays[index]:
            return variable
        rate = now.weight_decay
        if not self.independent_decay:
            rate = now.learning_rate * rate
        return variable - rate * variable

    def penalized(self, direction, variable, now: Now, index) -> Any:
        """Returns `direction` with the decay inside of it, unless that precedes."""
        if self.independent_decay or not self._decays[index]:
            return direction
        return direction + now.weight_decay * variable

    def _decay_now(self, rate, dtype) -> Any:
        is_number = not is_schedule(rate)
        return rate if is_number else ops.cast(rate(self.iterations), dtype)

    def _take_rates(self, own_rates: Sequence[OwnRate] | None) -> None:
        """Takes what `ParameterGroups` has for each variable."""
        self._own_rates = own_rates
        if self.built:
            self._decays = self._found_decays()

    def _found_decays(self) -> list[bool]:
        """Whether each variable decays."""
        count, rate = len(self._trainable_variables), self.weight_decay
        rates = [rate] * count
        if self._own_rates is not None:
            rates = [rate if own is AS_IT_IS else own for _, own in self._own_rates]
        if not any(rates):
            return [False] * count
        excluded = self._matches("weight_decay_exclude")
        return [bool(r) and not e for r, e in zip(rates, excluded, strict=True)]

    def _matches(self, argument: str) -> list[bool]:
        """Returns for each variable whether its path is among those of `argument`."""
        patterns, paths = getattr(self, argument), self._saved_paths
        warn_of_unmatched(argument, patterns, self._sibling_paths or paths)
        return matched(patterns, paths)
