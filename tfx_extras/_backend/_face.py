"""The common face of the backends, and what holds where one says nothing else."""

from collections.abc import Callable
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import nullcontext
from typing import Any

from keras import ops


class Backend:
    """Each method does on every backend what its docstring says."""

    def dense(self, gradient: Any, shape: Sequence[int], dtype: str) -> Any:
        """A gradient as a tensor of `dtype`; repeated rows of a sparse one are summed.

        Args:
            gradient: Gradient of a variable.
            shape: Shape of that variable.
            dtype: Type in which to sum, and of the result.
        """
        return ops.cast(gradient, dtype)

    def scaled(self, gradient: Any, factor: Any) -> Any:
        """A gradient, which may be sparse and stays so, times a scalar."""
        return gradient * ops.cast(factor, gradient.dtype)

    def named_rows(
        self, gradient: Any, shape: Sequence[int], dtype: str, is_shared: bool
    ) -> Any:
        """The rows that a sparse gradient names; `None` if it is dense.

        Args:
            gradient: Gradient of a variable.
            shape: Shape of that variable.
            dtype: Type in which to sum rows that are named more than once.
            is_shared: Whether the gradient will be added to others of its variable.

        Returns:
            `None`, or an object with a `gradient`, of all that it names, which `summed`
            takes, to be scaled and clipped then; and the method `parts(gradient,
            variables)`, which takes what that became, and returns a gradient and what
            stands for the rows named in each variable: it is read and assigned as the
            variable.
        """
        return None

    def rows_of(self, gradient: Any, shape: Sequence[int]) -> Any:
        """Which rows a sparse gradient names, to be broadcast; `None` for all.

        Args:
            gradient: Gradient of a variable.
            shape: Shape of that variable.
        """
        return None

    def is_distributed(self) -> bool:
        """Whether replicas run this, so that only Keras may assign variables."""
        return False

    def summed(self, tensors: Sequence[Any]) -> Sequence[Any]:
        """Sums each tensor, or `None`, over the replicas that run this.

        The `gradient` of `named_rows` becomes a tensor of the rows that any replica
        names, each once.
        """
        return tensors

    def when(
        self,
        condition: Any,
        function: Callable[..., None],
        tensors: Sequence[Any],
        variables: Sequence[Any],
    ) -> None:
        """Calls `function(tensors)` if `condition` holds, or does what comes to that.

        Args:
            condition: A scalar, the same on all replicas.
            function: What changes variables; it may let replicas meet.
            tensors: What it needs of this replica, some of which may be `None`.
            variables: All variables that it may change.
        """
        raise NotImplementedError

    def fail_if(self, condition: Any, message: str) -> Any:
        """Raises an error with `message` if `condition`, a scalar, holds.

        Returns:
            `condition`, for what is to be done only if there was no error. There is
            none from XLA on TensorFlow, nor from a program over several devices on JAX.
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
            optimizer: The optimizer, on which alone it may depend beside.
            apply: What makes an update.
            grads: Gradients, of which some may be sparse or `None`.
            variables: Their variables.
        """
        apply(grads, variables)

    def to_be_changed(self, tensors: Sequence[Any]) -> Sequence[Any]:
        """Tensors of the same values, of which none else knows, if they may change."""
        return tensors

    def update_all(self, optimizer: Any, updates: Sequence[Any]) -> None:
        """Updates variables, each as `optimizer._update_kept` would, on its devices.

        Args:
            optimizer: An optimizer of ours.
            updates: What is to be done with each variable.
        """
        for update in updates:
            optimizer._update_kept(update)

    def gradients_of(
        self, loss: Any, variables: Any, grad_loss: Any, tape: Any
    ) -> list[tuple[Any, Any]]:
        """The gradients of a loss, in pairs with their variables.

        Args:
            loss: A function without arguments, or with `tape` a tensor.
            variables: Variables, or a function that returns them.
            grad_loss: Gradient with respect to the loss, or `None`.
            tape: What recorded the loss, or `None`.
        """
        raise NotImplementedError(
            "`minimize` is for TensorFlow. Compute gradients as this backend does, and "
            "call `apply`."
        )

    def round_to(self, value: Any, dtype: str) -> Any:
        """Rounds to `dtype`, even if a compiler would skip a cast and its inverse."""
        return ops.cast(value, dtype)

    def choose(self, condition: Any, a: Any, b: Any) -> Any:
        """Returns one of two tensors, by a scalar."""
        return ops.where(condition, a, b)

    def beside(self, variable: Any) -> AbstractContextManager:
        """A scope in which new variables live on the devices of `variable`."""
        return nullcontext()

    def without_gradients(self) -> AbstractContextManager:
        """A scope in which no operation is recorded for differentiation."""
        return nullcontext()

    def outside_of_compilation(self) -> AbstractContextManager:
        """A scope in which variables have values, while a function is compiled."""
        return nullcontext()

    def for_each(
        self, function: Callable[..., None], variables: Sequence[Any], *columns: Any
    ) -> None:
        """Calls `function(variable, *row)`, on each device where `variable` lives."""
        for row in zip(variables, *columns, strict=True):
            function(*row)

    def is_ragged(self, x: Any) -> bool:
        """Whether `x` has rows of different lengths."""
        return False

    def same_shape(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Returns both, of one shape also where that is known only when they run."""
        return a, b

    def products(self, x: Any, y: Any) -> Any:
        """The inner product of each row of `x` with each of `y`, in full precision."""
        return x @ ops.transpose(y)  # `ops.matmul` makes `float64` narrow

    def largest(self, x: Any, least: float) -> Any:
        """The largest of each row, of shape `(..., 1)`, and at least `least`.

        A row without values has `least`, and one with NaN has NaN.
        """
        return ops.max(x, axis=-1, keepdims=True, initial=least)

    def sum_less_one(self, x: Any) -> Any:
        """The sum of each row less 1, within 5e-7, of numbers up to 1 of which one is.

        Many small ones would be rounded away, each, if they were added to it in turn.
        """
        return ops.sum(x, axis=-1, keepdims=True) - 1

    def count_up_to(self, ranked: Any, values: Any) -> Any:
        """How many of the ascending `ranked` are at most each value, row by row.

        Args:
            ranked: Shape `(rows, n)`, each row in ascending order.
            values: Shape `(rows, m)`.

        Returns:
            Integers of shape `(rows, m)`.
        """
        raise NotImplementedError

    def has_fast_rows(self, x: Any) -> bool:
        """Whether `with_slope` is faster than the gradient of rows of that length."""
        return False

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
        """Returns what a function has for each row, compiled, with a known slope.

        Args:
            value: Function `value(*inputs, *constants, **settings)`, which returns
                one value for each row and a tuple of what it found on its way.
            slope: Function `slope(upstream, found, *inputs, *constants, wanted,
                **settings)`, which returns the derivative in each input of the sum of
                all values, each times its `upstream`; `None` where `wanted`, a tuple,
                is false. It always is for an input that is `None`.
            inputs: Tensors with a gradient, or `None`.
            *constants: Tensors without one, or numbers.
            once: Whether a gradient of the slope, which keeps all that leads to it,
                can be done without.
            frozen: Of each input, whether nobody asks for its gradient, which then is
                not computed, also where the backend does not know; by default, none is.
            **settings: Numbers.
        """
        raise NotImplementedError

    def asks_for(self, x: Any, is_frozen: bool, is_training: bool) -> bool | None:
        """Whether a gradient of `x` may be asked for; `None` where nobody knows."""
        return None

    def repeat(self, times: int, step: Callable[..., Any], carried: Any) -> Any:
        """Returns what becomes of `carried` by `step(i, carried)`, `times` times."""
        return ops.fori_loop(0, times, step, carried)

    def parts(self, columns: int) -> int:
        """Into how many equal parts the columns of a tensor may be split over devices.

        `columns` and `with_columns` take as many of each part: `start` and `size` must
        be multiples of this.
        """
        return 1

    def columns(self, x: Any, start: Any, size: int) -> Any:
        """Returns as many columns of `x` as `size`, the last axis, from `start`."""
        before = x.shape[:-1]
        return ops.slice(x, (*[0] * len(before), start), (*before, size))

    def with_columns(self, x: Any, columns: Any, start: Any) -> Any:
        """Returns `x` with `columns` in place of its own from `start`.

        It is for a buffer that the caller made: `x` itself may be written to.
        """
        before = (0,) * (len(x.shape) - 1)
        return ops.slice_update(x, (*before, start), columns)

    def gather(self, x: Any) -> tuple[Any, Any]:
        """Joins what the replicas of a data-parallel run have of a batch.

        Gradients flow back to where the rows come from.

        Returns:
            The rows of all replicas, and how many precede those of this one.
        """
        return x, 0

    def mean_of_all(self, mean: Any, count: Any) -> Any:
        """Joins the means that the replicas of a data-parallel run have taken.

        Each gets the same number, that of one device which has the whole batch. Its
        gradient is right once the gradients of the replicas are summed where means
        are divided by the number of replicas (TensorFlow), or averaged (PyTorch).

        Args:
            mean: The mean of what this replica has.
            count: What its sum was divided by.
        """
        return mean

    def full_precision(self, x: Any) -> AbstractContextManager:
        """A scope in which the user's choice of less precise products is void.

        Args:
            x: A tensor, on whose device that is.
        """
        return nullcontext()

    def arctan2(self, y: Any, x: Any) -> Any:
        """The angle of vectors, in their precision, where Keras makes it narrow."""
        return ops.arctan2(y, x)

    def moveaxis(self, x: Any, source: int, destination: int) -> Any:
        """The same tensor with one of its axes in another place."""
        return ops.moveaxis(x, source, destination)

    def check_within(self, x: Any, low: float, high: float, message: str) -> None:
        """Raises `ValueError` if a value is outside of [low, high], as `check` does.

        NaN is nowhere, and then nothing is said of the others.
        """
        least, most = ops.min(x, initial=low), ops.max(x, initial=high)
        is_nan = ops.isnan(least) | ops.isnan(most)
        self.check(is_nan | ((least >= low) & (most <= high)), message)

    def check(self, condition: Any, message: str) -> None:
        """Raises `ValueError` unless `condition` holds, where looking is free."""
