"""The interface of the backends, with default implementations."""

import random
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._precision import wide


@contextmanager
def undone_random() -> Iterator[None]:
    """In this scope, random numbers may be drawn, which are then drawn again."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


class Rows(list):
    """Rows of variables of the same shape, some of which are `None`."""

    known: Any = None  # what a backend finds out about them
    programs: dict[Any, Any] | None = None  # that it makes for them, and for others


class KeptRows:
    """Rows that an optimizer assigns in each step. They are not saved with it."""

    def __init__(self):
        self._rows: dict[Any, Rows] = {}
        self._programs: dict[Any, Any] = {}

    def __reduce__(self):
        return KeptRows, ()

    def of(self, key: Any, make: Callable[[], list[tuple]]) -> Rows:
        """Returns the rows with this key. The first time, `make` returns them."""
        if key not in self._rows:
            self._rows[key] = Rows(make())
            self._rows[key].programs = self._programs
        return self._rows[key]


class Backend:
    """Methods that differ between backends. Each backend overrides some of them."""

    stacks_matrices = False  # whether `update_all` joins variables of the same shape

    def dense(self, gradient: Any, shape: Sequence[int], dtype: str) -> Any:
        """Returns a gradient as a dense tensor. Sums repeated rows of a sparse one.

        Args:
            gradient: Gradient of a variable.
            shape: Shape of that variable.
            dtype: Dtype of the sums and of the result.
        """
        return ops.cast(gradient, dtype)

    def scaled(self, gradient: Any, factor: Any) -> Any:
        """Multiplies a gradient by a scalar. A sparse gradient stays sparse."""
        return gradient * ops.cast(factor, gradient.dtype)

    def named_rows(
        self, gradient: Any, shape: Sequence[int], dtype: str, is_shared: bool
    ) -> Any:
        """Returns the rows of a sparse gradient, or `None` for a dense gradient.

        Args:
            gradient: Gradient of a variable.
            shape: Shape of that variable.
            dtype: Dtype in which repeated rows are summed.
            is_shared: Whether the gradient will be added to others of its variable.

        Returns:
            `None`, or an object with an attribute `gradient` and a method `parts`.
            `gradient` holds the rows. It can be passed to `summed`, then scaled and
            clipped. `parts(gradient, variables)` takes the result and returns the
            gradient of some rows, and for each variable an object that reads and
            assigns these rows.
        """
        return None

    def rows_of(self, gradient: Any, shape: Sequence[int]) -> Any:
        """Returns a mask of the rows in a sparse gradient, or `None` for all rows.

        Args:
            gradient: Gradient of a variable.
            shape: Shape of that variable.
        """
        return None

    def is_distributed(self) -> bool:
        """Whether replicas run this code, so that only Keras may assign variables."""
        return False

    def summed(self, tensors: Sequence[Any]) -> Sequence[Any]:
        """Sums each tensor over the replicas that run this code. Keeps `None`.

        The `gradient` of `named_rows` becomes a tensor that has each row of any
        replica once.
        """
        return tensors

    def when(
        self,
        condition: Any,
        function: Callable[..., None],
        tensors: Sequence[Any],
        variables: Sequence[Any],
    ) -> None:
        """Calls `function(tensors)` if `condition` holds, or has the same effect.

        Args:
            condition: A scalar that is the same on all replicas.
            function: A function that changes variables. It may synchronize replicas.
            tensors: Its arguments from this replica. Some may be `None`.
            variables: All variables that it may change.
        """
        raise NotImplementedError

    def fail_if(self, condition: Any, message: str) -> Any:
        """Raises an error with `message` if the scalar `condition` holds.

        Returns:
            `condition`, because some programs cannot raise: XLA on TensorFlow, and
            programs over several devices on JAX.
        """
        raise NotImplementedError

    def as_one(
        self,
        optimizer: Any,
        apply: Callable[..., None],
        grads: Sequence[Any],
        variables: Sequence[Any],
    ) -> None:
        """Calls `apply(grads, variables)`, compiled as a whole where that is faster.

        Args:
            optimizer: The optimizer. `apply` may depend on it and on nothing else.
            apply: A function that updates variables.
            grads: Gradients. Some may be sparse or `None`.
            variables: The variables of the gradients.
        """
        apply(grads, variables)

    def to_be_changed(self, tensors: Sequence[Any]) -> Sequence[Any]:
        """Returns tensors that may be changed in place: copies where needed."""
        return tensors

    def update_all(self, optimizer: Any, updates: Sequence[Any]) -> None:
        """Updates each variable as `optimizer._update_kept` does, on its devices.

        Args:
            optimizer: An optimizer of this package.
            updates: The update of each variable.
        """
        for update in updates:
            optimizer._update_kept(update)

    def gradients_of(
        self, loss: Any, variables: Any, grad_loss: Any, tape: Any
    ) -> list[tuple[Any, Any]]:
        """Returns pairs of gradient and variable for a loss.

        Args:
            loss: A function without arguments. With `tape`, a tensor.
            variables: Variables, or a function that returns them.
            grad_loss: Upstream gradient of the loss, or `None`.
            tape: The gradient tape that recorded the loss, or `None`.
        """
        raise NotImplementedError(
            "`minimize` works on TensorFlow only. Compute the gradients with the "
            "functions of this backend, and call `apply`."
        )

    def apart(self, values: tuple, kept: Sequence[Any]) -> tuple:
        """Returns new values of variables, none of which is the old one of another.

        Otherwise, it would change when that variable is assigned.
        """
        return values

    def distinct(self, values: Sequence[Any]) -> Sequence[Any]:
        """Returns new values of variables, of which no two share memory.

        Otherwise, a compiled step could not reuse it.
        """
        return values

    def round_to(self, value: Any, dtype: str) -> Any:
        """Rounds to `dtype`, even if a compiler would remove a cast and its inverse."""
        return ops.cast(value, dtype)

    def choose(self, condition: Any, a: Any, b: Any) -> Any:
        """Returns `a` if the scalar `condition` holds, else `b`."""
        if isinstance(condition, bool):
            return a if condition else b
        return ops.where(condition, a, b)

    def branch(
        self, condition: Any, one: Callable[[], Any], other: Callable[[], Any]
    ) -> Any:
        """Returns `one()` if the scalar `condition` holds, else `other()`.

        Both are tensors of the same structure. The other function costs little or
        nothing.
        """
        return ops.cond(condition, one, other)

    def beside(self, variable: Any) -> AbstractContextManager:
        """Returns a scope in which new variables live on the devices of `variable`."""
        return nullcontext()

    def without_gradients(self) -> AbstractContextManager:
        """Returns a scope in which operations are not recorded for gradients."""
        return nullcontext()

    def undone(self, model: Any) -> AbstractContextManager:
        """Returns a scope in which a model may be trained, and then is as before.

        It restores what is not in variables. In the scope, the model is in the mode for
        training.
        """
        return undone_random()

    def states_of(self, model: Any) -> list[keras.Variable]:
        """Returns the states of stateful recurrent layers.

        Keras does not list them among the variables of their layer and model.
        """
        listed = {id(variable) for variable in model.variables}
        layers = model._flatten_layers()
        states = keras.tree.flatten([getattr(x, "states", None) for x in layers])
        return [
            *{
                id(state): state
                for state in states
                if isinstance(state, keras.Variable) and id(state) not in listed
            }.values()
        ]

    def forget_steps(self, model: Any) -> None:
        """Makes sure that later calls of a model use the values of its variables."""

    def outside_of_compilation(self) -> AbstractContextManager:
        """Returns a scope in which variables have values while a function is traced."""
        return nullcontext()

    def for_each(
        self, function: Callable[..., None], variables: Sequence[Any], *columns: Any
    ) -> None:
        """Calls `function(variable, *row)` on each device where `variable` lives."""
        for row in zip(variables, *columns, strict=True):
            function(*row)

    def assign_each(
        self,
        compute: Callable[..., Sequence[Any]],
        rows: Rows,
        *scalars: Any,
        compiles: bool | None = None,
    ) -> None:
        """Stores new values of rows of variables, on each device where they live.

        Args:
            compute: Function `compute(*row, *scalars)`. It returns the new value of
                each variable of a row, or `None` to keep it. Each weight depends only
                on its own place in the row, so the function may get several rows as
                vectors.
            rows: Rows of variables. The first of each is stored last, so others may
                take its value as it is.
            *scalars: Other arguments of the function, tensors.
            compiles: Whether the function is compiled. `None` lets the backend decide.
        """
        width = len(rows[0]) if rows else 0

        def update(*given):
            pairs = zip(given[:width], compute(*given), strict=True)
            for target, value in reversed([*pairs]):
                if value is not None:
                    target.assign(value)

        columns = zip(*rows, strict=True) if rows else [[]]
        constants = ([scalar] * len(rows) for scalar in scalars)
        self.for_each(update, *map(list, columns), *constants)

    def is_ragged(self, x: Any) -> bool:
        """Whether `x` has rows of different lengths."""
        return False

    def same_shape(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Returns both with the same shape, also if it is known at run time only."""
        return a, b

    def products(self, x: Any, y: Any) -> Any:
        """Returns the inner products of all rows of `x` and `y`, in full precision."""
        return x @ ops.transpose(y)  # `ops.matmul` narrows `float64`

    def largest(self, x: Any, least: float) -> Any:
        """Returns the maximum of each row and `least`, of shape `(..., 1)`.

        An empty row gives `least`. A row with NaN gives NaN.
        """
        return ops.max(x, axis=-1, keepdims=True, initial=least)

    def sum_less_one(self, x: Any) -> Any:
        """Returns the sum of each row minus 1, with an error of at most 5e-7.

        The numbers are at most 1, and one of them is 1. Adding many small numbers to it
        one by one would round each of them away.
        """
        return ops.sum(x, axis=-1, keepdims=True) - 1

    def sum_of_many(self, x: Any) -> Any:
        """Returns the sum of each row of at most 1 each, with an error of 5e-7."""
        return ops.sum(x, axis=-1, keepdims=True)

    def less_first(self, x: Any, is_one: Any) -> Any:
        """Returns `x` with 1 subtracted once in each row, where `is_one` first holds.

        The place is found only once: a compiler that computes `is_one` again for each
        use, as XLA does, may find different values, because it rounds differently. If
        no place is found, 1 is subtracted in the last place.

        Args:
            x: Numbers of which one in each row is 1.
            is_one: Mask of the places where it is.
        """
        last = ops.shape(x)[-1] - 1
        places = ops.arange(last + 1, dtype="int32")
        first = -self.largest(-ops.where(is_one, places, last), -last)
        return x - ops.cast(places == first, x.dtype)

    def at_least(self, x: Any, bound: float) -> Any:
        """Returns the maximum of `x` and `bound`. NaN stays.

        Where `x` is at most `bound`, its gradient is 0.
        """
        bound = ops.convert_to_tensor(bound, x.dtype)
        return ops.where(x <= bound, bound, x)

    def is_within(self, x: Any, low: float, high: float) -> bool:
        """Whether all numbers are in [low, high]. They are read if that is cheap."""
        return False

    def clipped(self, x: Any, low: float, high: float) -> Any:
        """Returns `x` limited to [low, high]. NaN stays.

        The gradient is 1 in the interval, also at its bounds, and 0 outside.
        """
        start, end = (ops.convert_to_tensor(bound, x.dtype) for bound in (low, high))
        x = ops.where(x < start, start, x)
        return x if high == float("inf") else ops.where(x > end, end, x)

    def limited(self, x: Any, bound: float) -> Any:
        """Returns `x` limited to [-bound, bound]. NaN stays.

        At the bounds, the gradient of `x` may be 0 or 1.
        """
        bound = ops.convert_to_tensor(bound, x.dtype)
        x = ops.where(x > bound, bound, x)
        return ops.where(x < -bound, -bound, x)

    def kept(self, x: Any, condition: Any) -> Any:
        """Returns `x` where `condition` holds, else 0, also for NaN and infinity.

        `condition` may broadcast to the shape of `x`.
        """
        return ops.where(condition, x, ops.zeros_like(x))

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        """Returns `x` where `condition` holds, else `y`, all of one shape."""
        return ops.where(condition, x, y)

    def softmax_of_classes(self, z: Any) -> Any:
        """Returns the softmax along axis 1."""
        return ops.softmax(z, axis=1)

    def summed_in_parts(self, function: Callable[..., Any], *tensors: Any) -> Any:
        """Returns `function(*tensors)`, the sums of something over the last axis.

        The sums may be computed as the sum over parts of this axis. The tensors, of
        which some may be `None`, have this axis in common.
        """
        return function(*tensors)

    def surprise_of_one(self, x: Any, own: Any, weights: Any = None) -> list[Any]:
        """Returns minus the log-softmax of one column of each row, and its parts.

        This, and `scaled_shares`, is only for the functions of `with_slope`, where
        `has_fast_shares` holds.

        Args:
            x: Shape `(..., columns)`, of any dtype.
            own: The column, of shape `(..., 1)`.
            weights: One number, or one per column, for the mean; `None` for no mean.

        Returns:
            Tensors of shape `(..., 1)`, in `float32` or wider: the value, the
            exponential of the own column minus the maximum, the sum of the others, and
            the maximum. Then a tensor that `scaled_shares` needs. With `weights`, also
            the mean of `weights * (x - maximum)`.
        """
        x = ops.cast(x, wide(x.dtype))
        largest = ops.stop_gradient(self.largest(x, float("-inf")))
        values = x - largest
        at_own = ops.take_along_axis(values, own, axis=-1)
        share = ops.exp(at_own)
        others = ops.where(_is_at(x, own), ops.zeros_like(x), ops.exp(values))
        rest = self.sum_of_many(others)
        # The first form is exact where the probability rounds to 1.
        is_likely = rest <= share
        odds = rest / ops.where(is_likely, share, ops.ones_like(share))
        far = ops.log(rest + share) - at_own
        found = [ops.where(is_likely, ops.log1p(odds), far), share, rest, largest]
        found.append(others[..., :0])
        if weights is not None:
            count = ops.cast(ops.shape(x)[-1], x.dtype)
            found.append(ops.sum(weights * values, axis=-1, keepdims=True) / count)
        return found

    def scaled_shares(
        self, x: Any, kept: Any, scale: Any, own: Any, at_own: Any, less: Any = None
    ) -> Any:
        """Returns `exp(x - maximum) * scale - less`, with `at_own` in the own column.

        Args:
            x: Shape `(..., columns)`, of any dtype, which is also that of the result.
            kept: The maximum and the last tensor from `surprise_of_one`.
            scale: Shape `(..., 1)`.
            own: The column, of shape `(..., 1)`.
            at_own: Shape `(..., 1)`.
            less: Two factors, of shape `(..., 1)`, and a number or `(columns,)`.
        """
        values = ops.exp(ops.cast(x, scale.dtype) - kept[0]) * scale
        if less is not None:
            values = values - less[0] * less[1]
        return ops.cast(ops.where(_is_at(x, own), at_own, values), x.dtype)

    def less_at(self, x: Any, own: Any, numbers: Any) -> Any:
        """Returns `x` with a number subtracted in one column of each row.

        Args:
            x: Shape `(..., columns)`.
            own: The column, of shape `(..., 1)`.
            numbers: Shape `(..., 1)`.
        """
        none = ops.convert_to_tensor(0.0, x.dtype)
        return x - ops.where(_is_at(x, own), numbers, none)

    def holds(self, condition: Any) -> bool:
        """Whether `condition` is known to hold everywhere, if reading it is cheap."""
        return False

    def may_be_infinite(self, x: Any) -> bool:
        """Whether `x` may hold infinity. It is looked for where that costs little."""
        return True

    def may_exceed(self, x: Any, most: float) -> bool:
        """Whether `x` may hold more than `most`. Numbers are read if that is cheap."""
        return True

    def count_up_to(self, ranked: Any, values: Any) -> Any:
        """Counts, for each value, the numbers of `ranked` that are at most that value.

        Args:
            ranked: Shape `(rows, n)`, each row in ascending order.
            values: Shape `(rows, m)`.

        Returns:
            Integers of shape `(rows, m)`.
        """
        raise NotImplementedError

    def has_fast_slopes(self, x: Any) -> bool:
        """Whether `with_slope` saves time for an elementwise function of `x`."""
        return False

    def has_fast_rows(self, x: Any) -> bool:
        """Whether `with_slope` is faster than automatic gradients for such rows."""
        return False

    def has_fast_shares(self, x: Any) -> bool:
        """Whether `surprise_of_one` is faster than automatic gradients for `x`."""
        return self.has_fast_rows(x)

    def with_slope(
        self,
        value: Callable[..., Any],
        slope: Callable[..., Any],
        inputs: Sequence[Any],
        *constants: Any,
        once: bool = False,
        frozen: Sequence[bool] = (),
        **settings: Any,
    ) -> Any:
        """Returns one value per row of a compiled function with a custom gradient.

        Args:
            value: Function `value(*inputs, *constants, **settings)`. It returns one
                value per row, and a tuple of intermediate results.
            slope: Function `slope(upstream, found, *inputs, *constants, wanted,
                **settings)`. It gets the upstream gradient of the values and their
                intermediate results. It returns the gradient of each input, or `None`
                where the tuple `wanted` is false, as it is for an input that is `None`.
            inputs: Tensors with a gradient, or `None`.
            *constants: Tensors without a gradient, or numbers.
            once: Whether second derivatives are not needed. They keep all
                intermediate results in memory.
            frozen: For each input, whether its gradient is not needed. Then it is not
                computed, even if the backend cannot know that. By default, all
                gradients are needed.
            **settings: Numbers.
        """
        raise NotImplementedError

    def asks_for(self, x: Any, is_frozen: bool, is_training: bool) -> bool | None:
        """Whether a gradient of `x` may be needed; `None` if that is not known."""
        return None

    def repeat(self, times: int, step: Callable[..., Any], carried: Any) -> Any:
        """Replaces `carried` by `step(i, carried)`, `times` times, and returns it."""
        return ops.fori_loop(0, times, step, carried)

    def parts(self, columns: int) -> int:
        """Returns into how many equal parts devices may split the columns of a tensor.

        `columns` and `with_columns` take equally many columns of each part, so `start`
        and `size` must be multiples of this number.
        """
        return 1

    def columns(self, x: Any, start: Any, size: int) -> Any:
        """Returns `size` columns (along the last axis) of `x`, from `start`."""
        before = x.shape[:-1]
        return ops.slice(x, (*[0] * len(before), start), (*before, size))

    def with_columns(self, x: Any, columns: Any, start: Any) -> Any:
        """Returns `x` with its columns from `start` replaced by `columns`.

        This may write to `x` itself, so `x` must be a buffer of the caller.
        """
        before = (0,) * (len(x.shape) - 1)
        return ops.slice_update(x, (*before, start), columns)

    def state(self, variable: Any) -> Any:
        """Returns the value of a variable, which later assignments do not change.

        A call that updates its state must read it by this, or its gradient may be that
        with the new state.
        """
        return ops.convert_to_tensor(variable)

    def gather(self, x: Any) -> tuple[Any, Any]:
        """Joins the parts of a batch that the replicas of a data-parallel run have.

        Gradients flow back to the replicas.

        Returns:
            The rows of all replicas, and the number of rows before those of this one.
        """
        return x, 0

    def mean_of_all(self, mean: Any, count: Any) -> Any:
        """Combines the means of the replicas of a data-parallel run.

        Each replica gets the mean of the whole batch, as on one device. Its gradient is
        right after the gradients of the replicas are summed, with means divided by the
        number of replicas (TensorFlow), or averaged (PyTorch).

        Args:
            mean: The mean over the samples of this replica.
            count: The number (or weight) of these samples.
        """
        return mean

    def full_precision(self, x: Any) -> AbstractContextManager:
        """Returns a scope that switches off low-precision products (autocast).

        Args:
            x: A tensor. The scope holds for its device.
        """
        return nullcontext()

    def arctan2(self, y: Any, x: Any) -> Any:
        """Returns the angle of vectors in their own precision. Keras narrows it."""
        return ops.arctan2(y, x)

    def constants(self, values: Any, like: Any) -> Any:
        """Returns an array or a list of numbers as a tensor of the dtype of `like`."""
        return ops.convert_to_tensor(np.asarray(values), like.dtype)

    def cumsum(self, x: Any) -> Any:
        """Returns the cumulative sums of each row in its own dtype, unlike Keras."""
        return ops.cumsum(x, axis=-1)

    def filtered(self, images: Any, window: np.ndarray) -> Any:
        """Returns the weighted means of images in each window, for each channel.

        Args:
            images: Shape `(batch, height, width, channels)`.
            window: The weights along both axes. Their outer product is the window.
        """
        for shape in ((-1, 1, 1, 1), (1, -1, 1, 1)):
            kernel = np.repeat(window.reshape(shape), images.shape[-1], axis=2)
            images = ops.depthwise_conv(
                images,
                ops.convert_to_tensor(kernel, images.dtype),
                padding="valid",
                data_format="channels_last",
            )
        return images

    def moveaxis(self, x: Any, source: int, destination: int) -> Any:
        """Moves one axis of a tensor to another place."""
        return ops.moveaxis(x, source, destination)

    def check_within(
        self, x: Any, low: float, high: float, slack: float, message: str
    ) -> bool:
        """Raises `ValueError` if a value is too far outside, where `check` does.

        A tensor that contains NaN passes.

        Args:
            x: The values.
            low: The least value.
            high: The greatest value.
            slack: How far outside a value may be.
            message: The message of the error.

        Returns:
            Whether all values are known to be in [low, high].
        """
        low, high = low - slack, high + slack
        least, most = ops.min(x, initial=low), ops.max(x, initial=high)
        is_nan = ops.isnan(least) | ops.isnan(most)
        self.check(is_nan | ((least >= low) & (most <= high)), message)
        return False

    def check(self, condition: Any, message: str) -> None:
        """Raises `ValueError` unless `condition` holds, if reading it costs nothing."""

    def train_step(
        self, model: Any, ascend: Callable[..., Any], *arguments: Any
    ) -> Any:
        """Runs a training step with the gradients at other weights.

        The second pass starts with the same state as the first, and its changes of the
        state are discarded.

        Args:
            model: A compiled Keras model.
            ascend: Function of the weights and their gradients, of which some may be
                `None`. It returns the weights of the second pass, and a function that
                takes the gradients there and returns those for the optimizer.
            *arguments: The arguments of `model.train_step`.

        Returns:
            The result of `model.train_step`.
        """
        raise NotImplementedError


def _is_at(x, own):
    """Whether a column is the own one of its row."""
    return ops.arange(ops.shape(x)[-1], dtype=own.dtype) == own
