"""TensorFlow: compiles the update of an optimizer into one graph, partly by XLA."""

import itertools
import logging
import math
from collections.abc import Hashable
from typing import Any

import keras
import tensorflow as tf

from tfx_extras._backend._settings import FunctionError
from tfx_extras._backend._settings import is_function
from tfx_extras._backend._settings import settings_of

# From this number of elements on, XLA saves more time than its launch takes.
_LARGE = 4096
# One program updates so many variables of the same kind, unless they are larger than
# this: then its launch takes no time, but its intermediate results take memory.
_TOGETHER = 4
_HUGE = 2**20
# Maximum number of graphs per optimizer. Settings that change more often are not
# worth tracing.
_MOST = 16


class Graphs:
    """The graphs of one optimizer, by the settings that they depend on.

    An eager update is traced into one graph. In any graph, XLA compiles the formula for
    large variables: once for all variables of the same shape and dtype, since the
    variables are arguments of the compiled function. One launch updates several.
    """

    def __init__(self):
        self._updates: dict[Hashable, Any] = {}
        self._kinds: dict[Hashable, bool] = {}  # whether XLA can compile them
        self._formulas: dict[Hashable, Any] = {}

    @classmethod
    def of(cls, optimizer) -> "Graphs":
        """Returns the graphs of an optimizer. They are not saved with it."""
        if not hasattr(optimizer, "_graphs"):
            optimizer._graphs = cls()
        return optimizer._graphs

    def __reduce__(self):
        return Graphs, ()  # a copied optimizer starts without graphs

    def apply(self, optimizer, apply, grads, variables) -> None:
        """Calls `apply(grads, variables)` as one graph."""
        try:
            settings = settings_of(optimizer)
        except FunctionError:
            apply(grads, variables)
            return
        rate = _tensor(optimizer.learning_rate) if is_function(optimizer) else None
        grads = [_gradient(g) for g in grads]
        specs = [_spec(g) for g in grads]
        key = (
            settings,
            _spec(rate),
            tuple(specs),
            tuple((id(v), id(getattr(v, "constraint", None))) for v in variables),
        )
        if key not in self._updates and len(self._updates) < _MOST:
            self._updates[key] = _trace(optimizer, apply, specs, variables, rate)
            if len(self._updates) == _MOST:
                _log(optimizer, "what it depends on changes too often")
        graph = self._updates.get(key)
        if graph is None:
            apply(grads, variables)
        else:
            graph(rate, *(g for g in grads if g is not None))

    def update(self, optimizer, updates) -> None:
        """Updates variables, by XLA if they are large."""
        settings, alike = settings_of(optimizer), {}
        for update in updates:
            is_large = math.prod(update.gradient.shape) >= _LARGE
            if not is_large or optimizer.jit_compile is False:
                optimizer._update_kept(update)
                continue
            kind = (
                settings,
                optimizer._traits(update.place),
                tuple(_spec(x) for x in _given(update)),
            )
            # A program runs on one device.
            shared = kind, id(update.now), _variables(update)[0].device
            alike.setdefault(shared, []).append(update)
        for (kind, *_), those in alike.items():
            is_huge = math.prod(those[0].gradient.shape) > _HUGE
            # The rest is updated one by one, so there are two programs at most.
            most = len(those) if is_huge else len(those) % _TOGETHER
            parts = [[update] for update in those[:most]]
            rest = range(most, len(those), _TOGETHER)
            parts += [those[i : i + _TOGETHER] for i in rest]
            for part in parts:
                self._update_alike(optimizer, kind, part)

    def _update_alike(self, optimizer, kind, updates) -> None:
        """Updates variables of one kind in one launch."""
        first = updates[0]
        if kind not in self._kinds:
            with tf.init_scope():
                self._kinds[kind] = _can_compile(optimizer, first)
        if not self._kinds[kind]:
            for update in updates:
                optimizer._update_kept(update)
            return
        key = kind, len(updates)
        if key not in self._formulas:
            with tf.init_scope():
                self._formulas[key] = _compile(optimizer, updates)
        with tf.device(_variables(first)[0].device):
            self._formulas[key](
                *_numbers(first),
                *(update.gradient for update in updates),
                *itertools.chain.from_iterable(map(_variables, updates)),
            )


def assign_by_xla(compute, rows, scalars) -> list[Any]:
    """Stores new values of large variables, and returns the other rows."""
    alike: dict[Any, list[list[Any]]] = {}
    others = []
    for row in rows:
        tensors: list[Any] = [x if x is None else raw(x) for x in row]
        if math.prod(tensors[0].shape) < _LARGE:
            others.append(row)
            continue
        key = tensors[0].device, *map(_spec, tensors)
        alike.setdefault(key, []).append(tensors)
    for same in alike.values():
        function = _assignment(compute, same[0], scalars)
        for tensors in same:
            with tf.device(tensors[0].device):
                function(scalars, [x for x in tensors if x is not None])
    return others


def _assignment(compute, row, scalars) -> Any:
    """Returns the function that stores new values of a row like this."""

    def values_of(scalars, variables):
        each = iter(variables)
        return compute(*(x if x is None else next(each) for x in row), *scalars)

    def assign(scalars, variables):
        each = iter(variables)
        targets: list[Any] = [x if x is None else next(each) for x in row]
        pairs = zip(targets, values_of(scalars, variables), strict=True)
        for target, value in reversed([*pairs]):
            if value is not None:
                target.assign(value)

    count, given = len(scalars), [*scalars, *(x for x in row if x is not None)]

    def test(*given):
        values = values_of(given[:count], given[count:])
        return [value for value in values if value is not None]

    with tf.init_scope():
        can_compile = _refused_by_xla(test, map(_spec, given)) is None
    return tf.function(assign, autograph=False, jit_compile=can_compile)


def _refused_by_xla(function, specs) -> Exception | None:
    """Returns the error of an operation that XLA does not know, if there is one."""
    function = tf.function(function, autograph=False, jit_compile=True)
    lowered = function.experimental_get_compiler_ir(*specs)
    try:  # Such an operation fails here, not in a later update.
        lowered("hlo")
    except (tf.errors.OpError, ValueError) as error:
        return error
    return None


def _trace(optimizer, apply, specs, variables, rate) -> Any:
    """Returns the graph of an update, or `None` if it cannot be traced."""

    def update(rate, *grads):
        grads = iter(grads)
        optimizer._traced_rate = rate
        try:
            apply([s if s is None else next(grads) for s in specs], variables)
        finally:
            vars(optimizer).pop("_traced_rate", None)  # it is not a setting

    function = tf.function(update, autograph=False)
    try:
        return function.get_concrete_function(
            _spec(rate), *(s for s in specs if s is not None)
        )
    # An error that is not about the graph occurs again without a graph.
    except Exception as error:
        _log(optimizer, error)
        return None


def _formula(optimizer, update) -> Any:
    """Returns a function of the numbers, gradient and variables of such an update."""

    def updated(numbers, gradient, variables):
        numbers, variables = iter(numbers), iter(variables)
        now = tf.nest.map_structure(
            lambda x: x if x is None else next(numbers), update.now
        )
        kept = [k if k is None else next(variables) for k in update.kept]
        values = optimizer._updated(now, update.place, gradient, kept)
        return [value for value in values if value is not None]

    return updated


def _can_compile(optimizer, update) -> bool:
    """Whether XLA can compile the formula for a variable like this one."""
    updated, count = _formula(optimizer, update), len(_numbers(update))

    def test(*given):
        return updated(given[:count], given[count], given[count + 1 :])

    error = _refused_by_xla(test, map(_spec, _given(update)))
    if error is not None:
        _log(optimizer, error)
    return error is None


def _compile(optimizer, updates) -> Any:
    """Returns the compiled update of so many variables like these."""
    updated, numbers = _formula(optimizer, updates[0]), _numbers(updates[0])
    gradients = [update.gradient for update in updates]
    variables = [_variables(update) for update in updates]

    def move(*arguments):
        numbers, gradients, *variables = tf.nest.pack_sequence_as(given, arguments)
        for gradient, own in zip(gradients, variables, strict=True):
            for variable, value in zip(
                own, updated(numbers, gradient, own), strict=True
            ):
                variable.assign(value)

    # The same variable twice would be one argument.
    given = [numbers, gradients, *variables]
    function = tf.function(move, autograph=False, jit_compile=True)
    return function.get_concrete_function(
        *map(_spec, numbers),
        *map(_spec, gradients),
        *itertools.chain.from_iterable(variables),
    )


def _given(update) -> list:
    """Returns the tensors and variables of an update."""
    return [*_numbers(update), update.gradient, *_variables(update)]


def _numbers(update) -> list:
    """Returns the numbers that an update depends on, as tensors."""
    return [
        tf.convert_to_tensor(x, None if _is_bool(x) else update.gradient.dtype)
        for x in tf.nest.flatten(update.now)
        if x is not None
    ]


def _variables(update) -> list:
    """Returns the variable of an update and its state."""
    return [raw(k) for k in update.kept if k is not None]


def _is_bool(x) -> bool:
    return isinstance(x, bool) or getattr(x, "dtype", None) == tf.bool


def _tensor(rate) -> Any:
    return rate if tf.is_tensor(rate) else tf.constant(rate, "float64")


def _gradient(x: Any) -> Any:
    if x is None or isinstance(x, tf.Tensor | tf.IndexedSlices):
        return x
    return tf.convert_to_tensor(x)


def _spec(x) -> Any:
    """Returns the specification of a graph's argument."""
    if x is None:
        return None
    if isinstance(x, tf.IndexedSlices):  # with any number of rows
        of_shape = x.dense_shape if x.dense_shape is None else x.dense_shape.dtype
        return tf.IndexedSlicesSpec(
            x.shape, x.dtype, x.indices.dtype, of_shape, indices_shape=[None]
        )
    return tf.TensorSpec(x.shape, x.dtype)


def _log(optimizer, reason) -> None:
    line = (str(reason).splitlines() or [repr(reason)])[0]
    logging.getLogger(__package__).warning(
        "`%s` is not compiled and therefore slower: %s", optimizer.name, line
    )


def raw(variable) -> Any:
    """Returns the TensorFlow variable of a Keras variable."""
    return variable.value if isinstance(variable, keras.Variable) else variable
