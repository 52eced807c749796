"""TensorFlow: compiles the update of an optimizer into one graph, partly by XLA."""

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
# Maximum number of graphs per optimizer. Settings that change more often are not
# worth tracing.
_MOST = 16


class Graphs:
    """The graphs of one optimizer, by the settings that they depend on.

    An eager update is traced into one graph. In any graph, XLA compiles the formula for
    large variables: once for all variables of the same shape and dtype, since the
    variables are arguments of the compiled function.
    """

    def __init__(self):
        self._updates: dict[Hashable, Any] = {}
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

    def update(self, optimizer, update) -> None:
        """Updates one variable, by XLA if it is large."""
        if optimizer.jit_compile is False or math.prod(update.gradient.shape) < _LARGE:
            optimizer._update_kept(update)
            return
        variables = [raw(k) for k in update.kept if k is not None]
        tensors = [update.gradient, *_tensors(update.now, update.gradient.dtype)]
        key = (
            settings_of(optimizer),
            optimizer._traits(update.place),
            tuple(_spec(x) for x in (*tensors, *variables)),
        )
        if key not in self._formulas:
            with tf.init_scope():
                formula = _compile(optimizer, update, tensors, variables)
            self._formulas[key] = formula
        formula = self._formulas[key]
        if formula is None:
            optimizer._update_kept(update)
        else:
            formula(*tensors, *variables)


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


def _compile(optimizer, update, tensors, variables) -> Any:
    """Returns the formula for variables like this one, or `None` if XLA cannot."""

    def updated(gradient, *others):
        others = iter(others)  # without the `None`s

        def given(x):
            return x if x is None else next(others)

        now = tf.nest.map_structure(given, update.now)
        kept = [given(k) for k in update.kept]
        values = optimizer._updated(now, update.place, gradient, kept)
        return [value for value in values if value is not None]

    def move(*arguments):
        for variable, value in zip(
            arguments[len(tensors) :], updated(*arguments), strict=True
        ):
            variable.assign(value)

    specs = [_spec(x) for x in tensors]
    test = tf.function(updated, autograph=False, jit_compile=True)
    lowered = test.experimental_get_compiler_ir(*specs, *map(_spec, variables))
    try:  # An operation that XLA does not know fails here, not in a later update.
        lowered("hlo")
    except (tf.errors.OpError, ValueError) as error:
        _log(optimizer, error)
        return None
    function = tf.function(move, autograph=False, jit_compile=True)
    return function.get_concrete_function(*specs, *variables)


def _tensors(now, dtype) -> list:
    """Returns the numbers that an update depends on, as tensors."""
    return [
        tf.convert_to_tensor(x, None if _is_bool(x) else dtype)
        for x in tf.nest.flatten(now)
        if x is not None
    ]


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
