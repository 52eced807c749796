"""Finds a learning rate: trains for a few steps at ever higher rates."""

from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_steps
from tfx_extras._typed import typechecked
from tfx_extras.schedules._plot import new_axes
from tfx_extras.schedules._rates import leaves
from tfx_extras.schedules._rates import rate_variable
from tfx_extras.schedules._rates import require_rates
from tfx_extras.schedules._rates import value_of

__all__ = ["LearningRates", "find_learning_rate"]


class LearningRates:
    r"""Learning rates of a range test, their losses, and the suggested learning rate.

    Use it as the result of `find_learning_rate`, or to look again at rates and losses
    that you kept. Keras has no equivalent.

    $$
    s_i = \frac{\sum_j \beta^{|i - j|}\, l_j}{\sum_j \beta^{|i - j|}}
    $$

    $l_i$ is the loss of step $i$, and $s_i$ is the smoothed loss. The average goes in
    both directions and is divided by the sum of its weights, so it has neither a lag
    nor a bias towards 0. Losses after the minimum are clipped at the highest loss
    before it, so that divergence does not hide the fall. The minimum is that of the
    average over the steps so far.

    The suggestion is the rate at which the smoothed loss falls most steeply over the
    logarithm of the rate. There is none if the loss did not fall by more than its
    noise, which is the standard deviation of $l_i - s_i$ up to the minimum of $s$. Then
    `reason` says so. `plot()` shows the curve.

    Attributes:
        rates: The learning rate of each step.
        losses: The loss of each batch, before its step: $l$.
        smoothed_losses: The smoothed loss, $s$, for the losses before the first one
            that is not finite.
        suggestion: The suggested learning rate, or `None`.
        reason: Why there is no suggestion, or `None`.

    Args:
        rates: The learning rate of each step, in ascending order.
        losses: The loss of each step.
        smoothing: $\beta$, in [0, 1): 0 does not smooth.

    Raises:
        ValueError: If an argument is outside its interval, or the lengths differ.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> rates = 10.0 ** np.arange(-5, 1)
        >>> found = tfx_extras.schedules.LearningRates(
        ...     rates, [2.0, 1.9, 1.6, 0.7, 0.5, 9.0], smoothing=0.0)
        >>> print(f"{found.suggestion:.4f}")
        0.0010
    """

    @typechecked
    def __init__(self, rates: Any, losses: Any, smoothing: Number = 0.9):
        self.rates = np.array(rates, "float64")
        self.losses = np.array(losses, "float64")
        if self.rates.ndim != 1 or self.rates.shape != self.losses.shape:
            raise ValueError(
                "Arguments `rates` and `losses` must be lists of equal length. "
                f"Received: shapes {self.rates.shape} and {self.losses.shape}"
            )
        is_positive = (self.rates > 0).all() and np.isfinite(self.rates).all()
        if not (is_positive and (np.diff(self.rates) > 0).all()):
            raise ValueError(
                "Argument `rates` must be positive, finite and in ascending order. "
                f"Received: rates={rates}"
            )
        self.smoothing = require("smoothing", smoothing, "[0, 1)")
        is_finite = np.isfinite(self.losses)
        count = len(self.losses) if is_finite.all() else int(np.argmin(is_finite))
        self.smoothed_losses = _smoothed(self.losses[:count], self.smoothing)
        self.suggestion, self.reason = self._suggested()

    def __repr__(self):
        if self.suggestion is None:
            return f"LearningRates({len(self.rates)} rates, no suggestion)"
        return (
            f"LearningRates({len(self.rates)} rates, suggestion={self.suggestion:.3g})"
        )

    def _suggested(self) -> tuple[float | None, str | None]:
        """Returns the suggestion, or the reason why there is none."""
        count = len(self.smoothed_losses)
        if count < 3:
            return None, f"Only {count} losses were finite."
        lowest = int(np.argmin(self.smoothed_losses))
        until = slice(lowest + 1)
        noise = np.std(self.losses[until] - self.smoothed_losses[until])
        fall = np.max(self.smoothed_losses[until]) - self.smoothed_losses[lowest]
        rounding = 1e-6 * np.max(np.abs(self.losses[until]))
        if not fall > max(noise, rounding):
            return None, (
                "The loss did not fall by more than its noise between the rate "
                f"{self.rates[0]:.3g} and the minimum of the loss, at the rate "
                f"{self.rates[lowest]:.3g}. Try a higher `high`, larger batches or "
                "more steps."
            )
        slopes = np.gradient(self.smoothed_losses, np.log(self.rates[:count]))
        return float(self.rates[np.argmin(slopes[until])]), None

    def plot(self, axes: Any = None, **line_options) -> Any:
        """Plots the losses over the learning rates, and marks the suggestion.

        The line is the smoothed loss, and the points are the losses. Points after the
        minimum are drawn no higher than the highest loss before it. So points in a row
        at that height show divergence.

        Args:
            axes: Matplotlib axes to plot on; by default, those of a new figure.
            **line_options: Options of `matplotlib.axes.Axes.plot` for the line of the
                smoothed losses, such as `label="Adam"`.

        Returns:
            The Matplotlib axes.

        Raises:
            ImportError: If Matplotlib is not installed.
        """
        axes = new_axes() if axes is None else axes
        count = len(self.smoothed_losses)
        (line,) = axes.plot(self.rates[:count], self.smoothed_losses, **line_options)
        shown = _clipped(self.losses[:count])
        axes.plot(self.rates[:count], shown, ".", color=line.get_color(), alpha=0.3)
        if self.suggestion is not None:
            axes.axvline(self.suggestion, color=line.get_color(), linestyle=":")
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        return axes


class Average:
    """The average of the values so far: exponential, without a bias towards 0."""

    def __init__(self, beta: float):
        self.beta = beta
        self.total = self.weight = 0.0

    def after(self, value: float) -> float:
        """Adds a value, and returns the average."""
        self.total = self.beta * self.total + value
        self.weight = self.beta * self.weight + 1
        return self.total / self.weight


def _clipped(losses: np.ndarray, smoothing: float = 0.9) -> np.ndarray:
    """Clips losses after the minimum of their average at the maximum before it."""
    if len(losses) == 0:
        return losses
    average = Average(smoothing)
    lowest = int(np.argmin([average.after(loss) for loss in losses]))
    return np.minimum(losses, np.max(losses[: lowest + 1]))


def _smoothed(losses: np.ndarray, beta: float) -> np.ndarray:
    places = np.arange(len(losses))
    weights = float(beta) ** np.abs(places[:, None] - places)
    return weights @ _clipped(losses, beta) / np.sum(weights, axis=1)


@typechecked
def find_learning_rate(
    model: keras.Model,
    x: Any,
    y: Any = None,
    low: Number = 1e-7,
    high: Number = 10.0,
    steps: Number = 100,
    batch_size: Number | None = None,
    sample_weight: Any = None,
    class_weight: dict | None = None,
    shuffle: bool = True,
    smoothing: Number = 0.9,
    stop_factor: Number = 4.0,
    verbose: bool | int | str = "auto",
) -> LearningRates:
    r"""Find a learning rate: trains for a few steps at ever higher rates (range test).

    Use it to choose the peak of a schedule, such as that of `WarmupCosine` or
    `OneCycle`. It needs no more than some ten to a hundred batches. Optimizers that
    find their own step size, `COCOB` and `Prodigy`, are refused. Keras has no
    equivalent.

    $$
    \eta_i = \eta_{low}\, (\eta_{high} / \eta_{low})^{i / (n - 1)}
    $$

    Step $i$ of $n$ trains on one batch at the learning rate $\eta_i$, and records the
    loss of that batch before the step. It stops early if a loss is not finite, or if
    the average of the losses so far is more than `stop_factor - 1` times the absolute
    value of its minimum above that minimum. The averages of fewer than
    $1 / (1 - \beta)$ losses do not count as a minimum. `LearningRates` describes the
    smoothed losses and the suggestion: the rate at which the loss falls most steeply.

    Afterwards, the model and its optimizer are as before, bit for bit, also after an
    error or `KeyboardInterrupt`: weights, statistics of batch normalization, states of
    stateful recurrent layers, seeds of layers, metrics, moments, step counters and
    learning rates, and the random state of Python, NumPy and PyTorch. A model or
    optimizer that was not built is built with its first values. The random state of
    TensorFlow advances if layers draw from it, and so do a generator, a shuffling
    `tf.data.Dataset` and other data with a state. Meanwhile, a copy of all this state
    takes memory.

    The rate is that of the optimizer inside wrappers. In `ParameterGroups`, multipliers
    and the ratios between the rates of several optimizers stay as they are. In
    `keras.optimizers.MultiOptimizer`, it is the rate of the first optimizer. A schedule
    is replaced while the rates are tried. With gradient accumulation, each batch has
    its own rate, and the rate of the last batch is used; give a number of `steps` that
    is several times that of an accumulation.

    Args:
        model: A compiled model.
        x: Inputs: an array, or a list or dictionary of arrays. Or batches `(x, y)` or
            `(x, y, sample_weight)`: a `tf.data.Dataset`, `keras.utils.PyDataset`,
            PyTorch `DataLoader`, generator, or another iterable. What ends starts
            again.
        y: Targets, if `x` is arrays.
        low: $\eta_{low}$, in (0, inf): the learning rate of the first step.
        high: $\eta_{high}$, above `low`: the learning rate of the last step.
        steps: $n$, the number of steps, a whole number in [2, inf).
        batch_size: Samples in a batch, in [1, inf), if `x` is arrays. `None` means 32.
            All batches have this size.
        sample_weight: Weights of the samples, if `x` is arrays.
        class_weight: A dictionary from class numbers to weights, as in `fit`.
        shuffle: Whether to take the samples of arrays in random order. The order is the
            same in each call.
        smoothing: $\beta$ of the average, in [0, 1): 0 does not smooth.
        stop_factor: In (1, inf): how far above its minimum the average may rise.
        verbose: Whether to show a progress bar: `"auto"`, 0, 1 or 2, as in `fit`.

    Returns:
        `LearningRates`, with the arrays `rates`, `losses` and `smoothed_losses`, the
        number `suggestion`, and the method `plot()`. `suggestion` is `None` if the loss
        did not fall. Then `reason` says why.

    Raises:
        ValueError: If an argument is outside its interval, the model is not compiled,
            its optimizer finds its own step size, or the data ends too early.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(64, 3))
        >>> layer = keras.layers.Dense(1, kernel_initializer="zeros")
        >>> model = keras.Sequential([keras.Input((3,)), layer])
        >>> model.compile(keras.optimizers.SGD(), "mse")
        >>> found = tfx_extras.schedules.find_learning_rate(
        ...     model, x, x @ [[1.0], [2.0], [3.0]], 1e-4, 10.0, steps=50, verbose=0)
        >>> print(0.001 < found.suggestion < 1)
        True

    Reference: Smith, 2015 (range test). https://arxiv.org/abs/1506.01186
    """
    low = require("low", low, "(0, inf)")
    high = require("high", high, "(0, inf)")
    if not low < high:
        raise ValueError(
            f"Argument `high` must be above `low`. Received: low={low}, high={high}"
        )
    steps = require_steps("steps", steps, "[2, inf)")
    average = Average(require("smoothing", smoothing, "[0, 1)"))
    require("stop_factor", stop_factor, "(1, inf)")
    if not model.compiled or model.optimizer is None:
        raise ValueError(
            "The model must be compiled with an optimizer: call `model.compile` "
            f"first. Received: model={model!r}"
        )
    require_rates(model.optimizer)
    batches = _batches(x, y, sample_weight, batch_size, shuffle, steps)
    first = next(batches)
    rates = np.geomspace(low, high, steps)
    losses = []
    lowest = np.inf
    settled = 1 / (1 - smoothing)  # the average of fewer losses may be low by chance
    bar = keras.utils.Progbar(
        steps,
        verbose=1 if verbose == "auto" else int(verbose),
        stateful_metrics=["learning_rate", "loss"],
    )
    with _restored(model, first[0]), _trial(model, rates[[0, -1]]) as set_rate:
        for step, rate in enumerate(rates, 1):
            batch = first if step == 1 else next(batches)
            set_rate(rate)
            losses.append(_train_on(model, batch, class_weight))
            mean = average.after(losses[-1])
            if step >= settled:
                lowest = min(lowest, mean)
            is_over = not np.isfinite(mean) or (
                np.isfinite(lowest) and mean - lowest > (stop_factor - 1) * abs(lowest)
            )
            shown = [("learning_rate", rate), ("loss", mean)]
            bar.update(step, shown, finalize=is_over or step == steps)
            if is_over:
                break
    return LearningRates(rates[: len(losses)], losses, smoothing)


def _train_on(model: Any, batch: tuple, class_weight: dict | None) -> float:
    """Makes one step, and returns the loss of the batch."""
    # The logs of `fit` would hold the mean over the epoch so far, and in Keras 3.12
    # those of this method too.
    model.reset_metrics()
    logs = model.train_on_batch(*batch, class_weight=class_weight, return_dict=True)
    if "loss" not in logs:
        raise ValueError(
            "`train_step` of the model must return the loss under the name 'loss'. "
            f"Received: names={list(logs)}"
        )
    return float(logs["loss"])


@contextmanager
def _restored(model: Any, x: Any) -> Iterator[None]:
    """In this scope, a model may be trained. Then it is as before."""
    if not all(layer.built for layer in model._flatten_layers()):
        states = {id(s): ops.copy(s.value) for s in backend.states_of(model)}
        with backend.undone(model), backend.without_gradients():
            model(x)
            for state in backend.states_of(model):
                state.assign(states.get(id(state), ops.zeros_like(state.value)))
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    kept = [
        *model.variables,
        *backend.states_of(model),
        *optimizer.variables,
        *model.metrics_variables,
    ]
    kept = list({id(variable): variable for variable in kept}.values())
    with backend.without_gradients():
        before = [ops.copy(variable.value) for variable in kept]
    with backend.undone(model):
        try:
            yield
        finally:
            backend.forget_steps(model)
            model.reset_metrics()  # some may be made by the first step
            for variable, value in zip(kept, before, strict=True):
                variable.assign(value)


@contextmanager
def _trial(model: Any, bounds: Any) -> Iterator[Any]:
    """In this scope, the function that it gives sets the learning rate."""
    optimizers = list(leaves(model.optimizer))
    numbers = [rate_variable(each) for each in optimizers]
    is_number = all(number is not None for number in numbers)
    ratios = [1.0]
    if len(optimizers) > 1:
        now = [None if n is None else value_of(n) for n in numbers]
        if now[0] is None or None in now or not now[0]:
            raise ValueError(
                "The learning rates of several optimizers are scaled by one factor: "
                "all must be numbers, and that of the first not 0. "
                f"Received: learning rates {now}, where None is a schedule"
            )
        ratios = [rate / now[0] for rate in now if rate is not None]
    for each, ratio in zip(optimizers, ratios, strict=True):
        interval = getattr(each, "_rate_interval", "[0, inf)")
        for name, bound in zip(("low", "high"), bounds, strict=True):
            require(name, bound * ratio, interval)
    with ExitStack() as stack:
        if not is_number or model.steps_per_execution != 1:
            stack.enter_context(_with(model, "steps_per_execution", 1))
            stack.enter_context(_with(model, "train_function", None))
        if not is_number:
            numbers = [stack.enter_context(_with_number(*optimizers))]

        def set_rate(rate: float) -> None:
            for number, ratio in zip(numbers, ratios, strict=True):
                number.assign(rate * ratio)

        yield set_rate


@contextmanager
def _with(thing: Any, name: str, value: Any) -> Iterator[None]:
    """In this scope, an attribute has another value."""
    before = getattr(thing, name)
    setattr(thing, name, value)
    try:
        yield
    finally:
        setattr(thing, name, before)


@contextmanager
def _with_number(optimizer: Any) -> Iterator[Any]:
    """In this scope, the learning rate is the variable that it gives."""
    before = optimizer._learning_rate
    # On JAX, a step reads only variables that the optimizer tracks.
    number = optimizer.add_variable((), initializer="zeros", name="tried_rate")
    optimizer.learning_rate = lambda: ops.convert_to_tensor(number)
    try:
        yield number
    finally:
        optimizer.learning_rate = before
        optimizer._untrack_variable(number)


def _batches(
    x: Any, y: Any, sample_weight: Any, batch_size: Any, shuffle: bool, steps: int
) -> Iterator[tuple]:
    """Yields batches `(x, y, sample_weight)`, starting again where they end."""
    if isinstance(x, list | tuple | dict) or hasattr(x, "shape"):
        yield from _batches_of_arrays(x, y, sample_weight, batch_size, shuffle)
        return
    given = {"y": y, "sample_weight": sample_weight, "batch_size": batch_size}
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"Argument `{name}` must be None if `x` is batches, which have their "
                f"own. Received: {name} of type {type(value).__name__}"
            )
    count = seen = 0
    while True:
        for batch in _once(x):
            count += 1
            parts = keras.utils.unpack_x_y_sample_weight(batch)
            yield tuple(
                None if part is None else keras.tree.map_structure(_tensor, part)
                for part in parts
            )
        if count == seen:
            raise ValueError(
                f"The data must have {steps} batches, or be able to start again, as a "
                "generator cannot. Give fewer `steps`, or a dataset. "
                f"Received: {count} batches, steps={steps}"
            )
        seen = count


def _once(batches: Any) -> Iterator[Any]:
    if not isinstance(batches, keras.utils.PyDataset):
        yield from batches
        return
    number, count = 0, batches.num_batches
    while count is None or number < count:
        yield batches[number]
        number += 1


def _tensor(part: Any) -> Any:
    """Returns a part of a batch as a tensor of this backend, or as an array."""
    return part if ops.is_tensor(part) else np.asarray(part)


def _batches_of_arrays(
    x: Any, y: Any, sample_weight: Any, batch_size: Any, shuffle: bool
) -> Iterator[tuple]:
    size = 32 if batch_size is None else batch_size
    size = require_steps("batch_size", size, "[1, inf)")
    given = [
        None if part is None else keras.tree.map_structure(_array, part)
        for part in (x, y, sample_weight)
    ]
    lengths = [
        len(part)
        for part in keras.tree.flatten([each for each in given if each is not None])
    ]
    if len({*lengths}) != 1 or not lengths[0]:
        raise ValueError(
            "Arguments `x`, `y` and `sample_weight` must have the same number of "
            f"samples, at least 1. Received: {lengths} samples"
        )
    random = np.random.default_rng(0)  # not the global one, which `fit` may use
    size = min(size, lengths[0])
    while True:
        order = np.arange(lengths[0])
        if shuffle:
            random.shuffle(order)
        for start in range(0, lengths[0] - size + 1, size):
            rows = np.sort(order[start : start + size])
            yield tuple(
                None
                if part is None
                else keras.tree.map_structure(lambda a, r=rows: _rows(a, r), part)
                for part in given
            )


def _array(part: Any) -> Any:
    """Returns an array of samples, which may be on disk."""
    if not hasattr(part, "shape"):
        raise ValueError(
            "Argument `x` must be arrays or an iterable of batches. For a list of "
            f"numbers, use `np.array`. Received: {type(part).__name__} in a list"
        )
    if ops.is_tensor(part):
        return ops.convert_to_numpy(part)
    if hasattr(part, "to_numpy"):
        return part.to_numpy()
    return part if hasattr(part, "__getitem__") else np.asarray(part)


def _rows(array: Any, rows: Any) -> np.ndarray:
    """Returns some samples; floating-point numbers in the default dtype, as `fit`."""
    some = np.asarray(array[rows])
    return some.astype(keras.config.floatx()) if some.dtype.kind == "f" else some
