"""Learning rates and decays of single variables, for optimizers of Keras."""

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

from keras import ops

from tfx_extras._backend import backend
from tfx_extras.optimizers._base import Optimizer
from tfx_extras.optimizers._update import AS_IT_IS
from tfx_extras.optimizers._update import OwnRate


@contextmanager
def with_own_rates(optimizer: Any, rates: Sequence[OwnRate] | None) -> Iterator[None]:
    """In this scope, each variable of an optimizer has its own learning rate and decay.

    Optimizers of this package apply their rates themselves. For other optimizers, the
    methods of Keras for the step and for the decay are called once for each different
    rate.

    Args:
        optimizer: The optimizer that updates the variables.
        rates: The rates of its variables, in the order of `build`.
    """
    if rates is None or isinstance(optimizer, Optimizer):
        yield
        return
    step, decay = optimizer._backend_update_step, optimizer._apply_weight_decay
    rate_now = optimizer._get_current_learning_rate
    decays_itself = getattr(optimizer, "decays_itself", False)

    def rate_of(variable):
        return rates[optimizer._get_variable_index(variable)]

    def update_step(grads, variables, learning_rate):
        # Nadam, for example, has a scalar that each call of this method changes.
        shared = [v for v in optimizer.variables if v.shape == ()]
        before = [ops.copy(v) for v in shared]
        kinds: dict[float, list] = {}
        for pair in zip(grads, variables, strict=True):
            kinds.setdefault(rate_of(pair[1]).factor, []).append(pair)
        for number, (factor, pairs) in enumerate(kinds.items()):
            if number > 0:
                for variable, value in zip(shared, before, strict=True):
                    variable.assign(value)
            step(*map(list, zip(*pairs, strict=True)), learning_rate * factor)

    def apply_weight_decay(variables):
        kinds: dict[OwnRate, list] = {}
        for variable in variables:
            kinds.setdefault(rate_of(variable), []).append(variable)
        for (factor, own), some in kinds.items():
            if own is not AS_IT_IS and not decays_itself:
                _decay(optimizer, some, rate_now() * factor, own)
                continue
            hooks = {"_get_current_learning_rate": lambda f=factor: rate_now() * f}
            with replaced(optimizer, hooks):
                decay(some)

    hooks = {
        "_own_rates": rates,
        "_backend_update_step": update_step,
        "_apply_weight_decay": apply_weight_decay,
    }
    with replaced(optimizer, hooks):
        yield


def _decay(optimizer, variables, learning_rate, rate):
    variables = [v for v in variables if optimizer._use_weight_decay(v)]
    if rate in (None, 0) or not variables:
        return
    if callable(rate):
        rate = rate(optimizer.iterations)

    def decay(variable):
        share = ops.cast(learning_rate * rate, variable.dtype)
        variable.assign(variable - variable * share)

    backend.for_each(decay, variables)


@contextmanager
def replaced(optimizer, hooks) -> Iterator[None]:
    """In this scope, some methods of an optimizer are replaced."""
    own = vars(optimizer)  # avoids the tracking of Keras
    before = {name: own[name] for name in hooks if name in own}
    own.update(hooks)
    try:
        yield
    finally:
        for name in hooks:
            del own[name]
        own.update(before)
