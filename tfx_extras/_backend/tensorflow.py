"""The TensorFlow backend."""

import functools
import itertools
import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfx_extras._backend._face import Backend
from tfx_extras._backend._face import Rows
from tfx_extras._backend._graphs import Graphs
from tfx_extras._backend._graphs import assign_by_xla
from tfx_extras._backend._graphs import raw

_PART = 16
_LONG = 4096


class _NamedRows:
    """Rows by their index, some of them more than once.

    No tensor is as long as the variable. Shapes depend on shapes only, not on values,
    because XLA cannot compile `tf.unique`.
    """

    def __init__(self, slices):
        self.slices = slices

    @property
    def gradient(self):
        return self  # `summed` replaces it by a tensor

    def summed(self, replica):
        """Returns the gradient: one sum for each index, then zeros."""
        numbers, values = self.slices.indices, self.slices.values
        if replica is not None:
            numbers = replica.all_gather(_here(tf.cast(numbers, "int64")), axis=0)
            values = replica.all_gather(_here(values), axis=0)
        order = tf.argsort(numbers, stable=True)
        self.numbers = tf.gather(numbers, order)
        is_new = self.numbers[1:] != self.numbers[:-1]
        self.places = tf.cumsum(tf.cast(is_new, "int32"))
        self.places = tf.concat([tf.zeros_like(order[:1]), self.places], 0)
        values = tf.gather(values, order)
        return tf.math.unsorted_segment_sum(values, self.places, tf.size(order))

    def parts(self, gradient, variables):
        parts = [v if v is None else _NamedPart(v, self.numbers) for v in variables]
        # Equal indices get equal sums, so the order of storing does not matter.
        return tf.gather(gradient, self.places), parts


class _NamedPart:
    def __init__(self, variable, numbers):
        self.variable, self.numbers = raw(variable), numbers
        self.dtype = self.variable.dtype

    def __tf_tensor__(self, dtype=None, name=None):
        # `tf.gather` would first read the whole variable if it is on several devices.
        return tf.raw_ops.ResourceGather(
            resource=self.variable.handle, indices=self.numbers, dtype=self.dtype
        )

    def assign(self, value):
        self.variable.scatter_update(tf.IndexedSlices(value, self.numbers))


class _NonzeroRows:
    """The nonzero rows of a sum of several gradients."""

    def __init__(self, gradient):
        self.gradient = gradient

    def parts(self, gradient, variables):
        axes = list(range(1, len(gradient.shape)))
        is_named = tf.reduce_any(gradient != 0, axes, keepdims=True)
        parts = [v if v is None else _MaskedPart(v, is_named) for v in variables]
        return gradient, parts


class _MaskedPart:
    def __init__(self, variable, is_named):
        self.variable, self.is_named = raw(variable), is_named
        self.dtype = self.variable.dtype

    def __tf_tensor__(self, dtype=None, name=None):
        return tf.convert_to_tensor(self.variable)

    def assign(self, value):
        self.variable.assign(tf.where(self.is_named, value, self.variable))


class TensorFlow(Backend):
    """Handles sparse gradients, replicas, and shapes known at run time only."""

    def dense(self, gradient, shape, dtype):
        if isinstance(gradient, tf.IndexedSlices):
            slices = _wide_rows(gradient, shape, dtype)
            return tf.math.unsorted_segment_sum(slices.values, slices.indices, shape[0])
        return _shaped(tf.cast(gradient, dtype), shape)

    def scaled(self, gradient, factor):
        if not isinstance(gradient, tf.IndexedSlices):
            return super().scaled(gradient, factor)
        values = super().scaled(gradient.values, factor)
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)

    def named_rows(self, gradient, shape, dtype, is_shared):
        if not isinstance(gradient, tf.IndexedSlices):
            return None
        if is_shared:  # with gradients of other rows
            return _NonzeroRows(self.dense(gradient, shape, dtype))
        return _NamedRows(_wide_rows(gradient, shape, dtype))

    def rows_of(self, gradient, shape):
        is_sparse = isinstance(gradient, tf.IndexedSlices)
        if not is_sparse or tf.distribute.has_strategy():  # replicas differ
            return None
        ones = tf.ones_like(gradient.indices)
        counts = tf.math.unsorted_segment_sum(ones, gradient.indices, shape[0])
        return tf.reshape(counts > 0, [-1] + [1] * (len(shape) - 1))

    def is_distributed(self):
        return tf.distribute.has_strategy()

    def summed(self, tensors):
        replica = _replica()
        named = [x.summed(replica) for x in tensors if isinstance(x, _NamedRows)]
        known = [x for x in tensors if tf.is_tensor(x)]
        if replica is not None and known:
            known = replica.all_reduce(tf.distribute.ReduceOp.SUM, [*map(_here, known)])
        named, known = iter(named), iter(known)
        return [
            x if x is None else next(named if isinstance(x, _NamedRows) else known)
            for x in tensors
        ]

    def when(self, condition, function, tensors, variables):
        def conditional(condition, call):
            tf.cond(condition, lambda: _nothing(call()), _nothing)

        if tf.__internal__.distribute.strategy_supports_no_merge_call():
            conditional(condition, lambda: function(tensors))
            return

        # Replicas cannot synchronize within a condition. But where they have
        # synchronized, there may be a condition.
        def merged(strategy, condition, tensors):
            run = strategy.extended.call_for_each_replica
            condition = strategy.experimental_local_results(condition)[0]
            conditional(condition, lambda: run(function, args=(tensors,)))

        replica = tf.distribute.get_replica_context()
        replica.merge_call(merged, args=(condition, tensors))

    def fail_if(self, condition, message):
        assertion = tf.debugging.Assert(tf.logical_not(condition), [message])
        with tf.control_dependencies([] if assertion is None else [assertion]):
            return tf.identity(condition)

    def as_one(self, optimizer, apply, grads, variables):
        is_eager = tf.executing_eagerly() and not tf.config.functions_run_eagerly()
        if not is_eager or tf.distribute.has_strategy():
            apply(grads, variables)
        else:
            Graphs.of(optimizer).apply(optimizer, apply, grads, variables)

    def update_all(self, optimizer, updates):
        if tf.distribute.has_strategy():
            variables = [update.kept[0] for update in updates]
            self.for_each(lambda _, u: optimizer._update_kept(u), variables, updates)
        elif tf.executing_eagerly():  # because tracing failed
            super().update_all(optimizer, updates)
        else:
            Graphs.of(optimizer).update(optimizer, updates)

    def gradients_of(self, loss, variables, grad_loss, tape):
        if tape is None and not callable(loss):
            raise ValueError(
                "Argument `loss` must be a function without arguments, unless `tape` "
                f"is given. Received: loss={loss}"
            )
        tape = tape or tf.GradientTape()
        value: Any = loss
        if callable(loss):
            with tape:
                value = loss()
        wanted: Any = variables() if callable(variables) else variables
        wanted = list(wanted)
        raws = [raw(variable) for variable in wanted]
        return list(zip(tape.gradient(value, raws, grad_loss), wanted, strict=True))

    def beside(self, variable):
        return tf.distribute.get_strategy().extended.colocate_vars_with(raw(variable))

    def outside_of_compilation(self):
        return tf.init_scope()

    def for_each(self, function, variables, *columns):
        def update(strategy, variables, *columns):
            for variable, *row in zip(variables, *columns, strict=True):
                strategy.extended.update(variable, function, args=row, group=False)

        raws = [raw(variable) for variable in variables]
        # Use the strategy of the variables: `fit` ends outside the model's scope.
        strategy = tf.distribute.get_strategy()
        strategy = (
            getattr(raws[0], "distribute_strategy", strategy) if raws else strategy
        )
        columns = [[raw(item) for item in column] for column in columns]
        if tf.distribute.in_cross_replica_context():
            update(strategy, raws, *columns)
            return
        # Within a replica, only all replicas together may assign variables.
        tf.__internal__.distribute.interim.maybe_merge_call(
            update,
            strategy,
            raws,
            *columns,
        )

    def assign_each(self, compute, rows, *scalars, compiles=None):
        is_plain_graph = not tf.executing_eagerly() and not tf.distribute.has_strategy()
        if compiles is not False and is_plain_graph:
            rows = Rows(assign_by_xla(compute, rows, scalars))
        super().assign_each(compute, rows, *scalars)

    def is_ragged(self, x):
        return isinstance(x, tf.RaggedTensor)

    def same_shape(self, a, b):
        if a.shape.is_fully_defined() and b.shape.is_fully_defined():
            return a, b
        sizes, others = tf.shape(a), tf.shape(b)
        message = "`y_true` and `y_pred` must have the same shape."
        with tf.control_dependencies(
            [tf.debugging.assert_equal(sizes, others, message)]
        ):
            # XLA ignores assertions, but it cannot reshape to a size of -2.
            same = tf.reshape(a, tf.where(sizes == others, others, -2))
        return tf.ensure_shape(same, a.shape.merge_with(b.shape)), b

    def count_up_to(self, ranked, values):
        # This takes a tenth of the time of `tf.searchsorted`, which takes as long as
        # sorting, and under XLA compares every pair.
        return _compiled(_count_up_to)(ranked, values)

    def sum_less_one(self, x):
        return tf.cast(self._wide_sum(x) - 1, x.dtype)

    def sum_of_many(self, x):
        return tf.cast(self._wide_sum(x), x.dtype)

    def _wide_sum(self, x):
        # XLA adds numbers one by one. Converting all of them to `float64` would copy
        # them, so only the sums of small parts are converted.
        shape, last = tf.shape(x), x.shape[-1] % _PART
        parts = tf.reshape(x[..., last:], tf.concat([shape[:-1], [-1, _PART]], 0))
        parts = tf.cast(tf.reduce_sum(parts, axis=-1), "float64")
        rest = tf.reduce_sum(x[..., :last], axis=-1, keepdims=True)
        return tf.reduce_sum(parts, axis=-1, keepdims=True) + tf.cast(rest, "float64")

    def has_fast_rows(self, x):
        # Compiling takes time, which pays off for long rows.
        return (x.shape[-1] or 0) >= _LONG and not tf.distribute.has_strategy()

    def apart(self, values, kept):
        # A cast to the dtype of a variable returns the variable itself.
        return tuple(
            tf.identity(x) if isinstance(x, tf.Variable) else x for x in values
        )

    def with_slope(
        self, value, slope, inputs, *constants, once=False, frozen=(), **settings
    ):
        if not tf.distribute.has_strategy():
            value, slope = _compiled(value), _compiled(slope)
        # NumPy numbers would become tensors in compiled functions.
        settings = {
            k: v.item() if isinstance(v, np.generic) else v for k, v in settings.items()
        }
        # A custom gradient would have to name variables, so pass tensors.
        inputs = [x if x is None else tf.convert_to_tensor(x) for x in inputs]
        # TensorFlow does not say which gradients it needs.
        frozen = frozen or [False] * len(inputs)
        given = zip(inputs, frozen, strict=True)
        wanted = tuple(x is not None and not is_frozen for x, is_frozen in given)

        @tf.custom_gradient
        def known(*_):
            # Otherwise all intermediate results are kept for second derivatives.
            stop = tf.stop_gradient if once else tf.identity
            same = [x if x is None else stop(x) for x in inputs]
            result, found = value(*same, *constants, **settings)

            def backward(upstream):
                slopes = slope(
                    upstream, found, *inputs, *constants, wanted=wanted, **settings
                )
                return list(itertools.compress(slopes, wanted))

            return result, backward

        return known(*itertools.compress(inputs, wanted))

    def asks_for(self, x, is_frozen, is_training):
        return x is not None and not is_frozen if is_training else None

    def gather(self, x):
        replica = _replica()
        if replica is None:
            return x, 0
        dtype = x.dtype
        if not dtype.is_floating:  # replicas cannot exchange every dtype
            x = tf.cast(x, "int64")
        elif dtype.size < 4:
            x = tf.cast(x, "float32")
        sizes = replica.all_gather(_here(tf.shape(x)[:1]), axis=0)
        is_before = tf.range(tf.size(sizes)) < replica.replica_id_in_sync_group
        before = tf.reduce_sum(tf.where(is_before, sizes, 0))

        @tf.custom_gradient
        def gathered(x):
            def backward(upstream):
                replica = tf.distribute.get_replica_context()
                total = replica.all_reduce(tf.distribute.ReduceOp.SUM, _here(upstream))
                return total[before : before + tf.shape(x)[0]]

            return replica.all_gather(_here(x), axis=0), backward

        rows: Any = gathered(x)
        return tf.cast(rows, dtype), before

    def mean_of_all(self, mean, count):
        replica = _replica()
        if replica is None:
            return mean
        own = [_here(mean * count), _here(count)]
        total, counts = replica.all_reduce(tf.distribute.ReduceOp.SUM, own)
        return tf.math.divide_no_nan(total, counts)

    def train_step(self, model, ascend, *arguments):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(*arguments)
        variables = model.trainable_variables
        others = [*model.non_trainable_variables, *self.states_of(model)]
        others = [(v, tf.identity(v.value)) for v in others]

        def passes(weights):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                y_pred = model(x, training=True)
                loss = model.compute_loss(x, y, y_pred, sample_weight)
                scaled = model.optimizer.scale_loss(loss)
            return tape.gradient(scaled, weights), loss, y_pred

        gradients, loss, y_pred = passes([v.value for v in variables])
        weights = [tf.convert_to_tensor(v.value) for v in variables]
        moved, finish = ascend(weights, gradients)
        # A replica cannot assign other weights than the others have. In the scope, all
        # variables have other values, and nothing is assigned.
        given = [*zip(variables, moved, strict=True), *others]
        with keras.StatelessScope(given, collect_losses=True):
            gradients, *_ = passes(moved)
        model.optimizer.apply_gradients(zip(finish(gradients), variables, strict=True))
        # Keras divides the loss by the number of replicas, whose gradients are summed.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        count = tf.shape(next(i for i in keras.tree.flatten(x) if i is not None))[0]
        model.metrics[0].update_state(loss * replicas, sample_weight=count)
        return model.compute_metrics(x, y, y_pred, sample_weight)

    def check(self, condition, message):
        if tf.config.list_logical_devices("GPU"):  # reading would wait for it
            return
        if not tf.executing_eagerly():
            tf.debugging.Assert(tf.reduce_all(condition), [message])
        elif not tf.reduce_all(condition):
            raise ValueError(message)


def _replica():
    """Returns the replica that runs this code, if it is one of several."""
    replica = tf.distribute.get_replica_context()
    return None if replica is None or replica.num_replicas_in_sync == 1 else replica


def _wide_rows(slices, shape, dtype):
    values = _shaped(tf.cast(slices.values, dtype), (None, *shape[1:]))
    return tf.IndexedSlices(values, slices.indices, slices.dense_shape)


def _shaped(x, shape):
    """Sets the shape of a tensor if TensorFlow does not know it."""
    is_unknown = not x.shape.is_fully_defined()
    fits = is_unknown and x.shape.is_compatible_with(shape)
    return tf.ensure_shape(x, shape) if fits else x


def _here(x):
    """Copies a tensor to the device of a worker that has only one, by name."""
    devices = tf.distribute.get_strategy().extended.worker_devices
    with tf.device(devices[0] if len(devices) == 1 else None):
        return tf.identity(x)


def _nothing(_=None):
    """Returns what both branches of a condition return that is run for its effect."""
    return tf.constant(0)


def _count_up_to(ranked, values):
    size = tf.shape(ranked)[-1]
    bits = tf.math.ceil(tf.math.log(tf.cast(size + 1, "float32")) / math.log(2.0))
    stride = tf.bitwise.left_shift(1, tf.cast(bits, "int32"))

    def advance(stride, count):
        further = count + stride
        at = tf.maximum(tf.minimum(further, size) - 1, 0)
        is_up_to = tf.gather(ranked, at, batch_dims=1) <= values
        return stride // 2, tf.where(is_up_to & (further <= size), further, count)

    start = stride, tf.zeros_like(values, "int32")
    return tf.while_loop(lambda stride, _: stride > 0, advance, start)[1]


@functools.cache
def _compiled(function):
    return tf.function(function, jit_compile=True, autograph=False)
