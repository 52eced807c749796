"""Learned weights of the losses of several tasks."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._checks import require_one_of
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.layers._base import Layer
from tfx_extras.layers._base import of_one_replica
from tfx_extras.losses._base import FunctionLoss
from tfx_extras.losses._base import with_mask
from tfx_extras.losses._probabilities import at_least

FACTORS = {"regression": 0.5, "classification": 1.0}


@register
class UncertaintyWeighting(Layer):
    r"""Uncertainty weighting: multi-task learning with learned weights of the losses.

    Use it as the last layer of a model with several outputs whose losses have different
    units, so that the sum of the losses would follow the largest one. Where you know
    good weights, the argument `loss_weights` of `keras.Model.compile` sets them, and
    costs nothing. Keras has no equivalent that learns them.

    $$ L = \sum_{i=1}^n \left( a_i e^{-s_i} L_i + \frac{s_i}{2} \right), \qquad
        a_i = \frac12 \text{ for regression, } 1 \text{ for classification} $$

    $L_i$ is the loss of task $i$ out of $n$, and $s_i = \log \sigma_i^2$ a trained
    weight: the logarithm of the variance of the task's noise, which starts at 0. It
    follows the logarithm of the loss, and stays where $2 a_i e^{-s_i} L_i = 1$. So each
    task gets the weight $1 / (2 L_i)$, whatever its unit, and the term $s_i / 2$ keeps
    the weights from becoming 0. The kind of a task only decides where its weight
    starts, at 1/2 or 1. The total may be negative.

    The layer is called with all outputs and all labels, which are inputs of the model:
    `layer([a, b], [labels_a, labels_b])`. It adds $L$ to the losses of the model and
    returns the outputs unchanged. Compile the model without a loss. To see each task in
    the logs, compile it with metrics, and give `fit` the labels as `y` too. Without
    labels, the layer returns the outputs and adds nothing.

    Each loss has its own `reduction`, weights and masks. A task that has no sample in a
    batch, because all are masked or have weight 0, adds nothing, and its $s_i$ stays as
    it is.

    $s$ is the weight `log_variances`, of shape `(tasks,)`, in `float32` or wider,
    whatever the dtype policy. An optimizer never lowers it below `minimum`: a task
    whose loss was 0 for long then still gets a weight of at most
    $a_i e^{-\mathrm{minimum}}$ when it is needed again. Weight decay would pull $s$ to
    0: exempt it by `weight_decay_exclude=["log_variances"]`, or by a rule of
    `ParameterGroups` for this path.

    Args:
        task_losses: One loss for each task: a `keras.losses.Loss`, a function that
            returns one value per sample, or a name that `keras.losses.get` knows. Its
            reduction is not `None`.
        kinds: `"regression"` or `"classification"` for all tasks, or a list with one of
            them for each task.
        minimum: The minimum of $s$, in (-80, 0].
        **kwargs: Options of every Keras layer, such as `name` and `dtype`.

    Call arguments:
        inputs: A list of the outputs of the tasks, in the order of the losses.
        y_true: A list of their labels. `None` adds no loss.
        sample_weight: A list of the weights of each task's samples, which may hold
            `None`, or one tensor for all tasks.
        mask: A list of the masks of each task's samples, which may hold `None`, or one
            tensor for all tasks. `None` takes the masks of `inputs`, if there are any.

    Raises:
        ValueError: If an argument is outside its interval or unknown, a loss has no
            reduction, or the numbers of losses, outputs and labels differ.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> image = keras.Input((64,))
        >>> digit, ink = keras.Input((), dtype="int32"), keras.Input((1,))
        >>> hidden = keras.layers.Dense(16, activation="relu")(image)
        >>> outputs = [keras.layers.Dense(10)(hidden), keras.layers.Dense(1)(hidden)]
        >>> layer = tfx_extras.layers.UncertaintyWeighting(
        ...     [keras.losses.SparseCategoricalCrossentropy(from_logits=True), "mse"],
        ...     kinds=["classification", "regression"])
        >>> model = keras.Model([image, digit, ink], layer(outputs, [digit, ink]))
        >>> model.compile("adam")
        >>> x, y = np.random.normal(size=(8, 64)), np.arange(8)
        >>> history = model.fit([x, y, np.ones((8, 1))], verbose=0)
        >>> keras.Model(image, outputs).predict(x, verbose=0)[0].shape
        (8, 10)

    Reference: Kendall et al., 2018, eq. 7 and 10. https://arxiv.org/abs/1705.07115
    """

    @typechecked
    def __init__(
        self,
        task_losses: Sequence[Any],
        kinds: str | Sequence[str] = "regression",
        minimum: Number = -7.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.task_losses = [
            _loss(f"task_losses[{i}]", loss) for i, loss in enumerate(task_losses)
        ]
        if not self.task_losses:
            raise ValueError(
                "Argument `task_losses` must have one or more losses. "
                f"Received: task_losses={task_losses}"
            )
        count = len(self.task_losses)
        given = [kinds] * count if isinstance(kinds, str) else list(kinds)
        if len(given) != count:
            raise ValueError(
                f"Argument `kinds` must have one kind per loss, {count} in total. "
                f"Received: kinds={kinds}"
            )
        self.kinds = [require_one_of("kinds", kind, FACTORS) for kind in given]
        self.minimum = require("minimum", minimum, "(-80, 0]")
        self.log_variances: Any = None

    def build(self, input_shape):
        self.log_variances = self.add_weight(
            name="log_variances",
            shape=(len(self.task_losses),),
            initializer="zeros",
            constraint=_AtLeast(self.minimum),
            dtype=wide(self.variable_dtype),
            autocast=False,
        )
        self.built = True

    def call(
        self, inputs, y_true=None, sample_weight=None, mask=None, inputs_mask=None
    ):
        outputs = self._each("inputs", inputs)
        if y_true is None:
            return inputs
        labels = self._each("y_true", y_true)
        weights = self._each("sample_weight", sample_weight, is_shared=True)
        mask = inputs_mask if mask is None else mask  # set by Keras
        masks = self._each("mask", mask, is_shared=True)
        s = ops.convert_to_tensor(self.log_variances)
        parts = zip(self.task_losses, labels, outputs, weights, masks, strict=True)
        found = [_evaluated(s.dtype, *part) for part in parts]
        losses = ops.stack([loss for loss, _ in found])
        counted = ops.stack([is_counted for _, is_counted in found])
        factors = ops.convert_to_tensor([FACTORS[k] for k in self.kinds], s.dtype)
        losses = ops.where(counted, losses, ops.zeros_like(losses))
        terms = factors * ops.exp(-s) * losses + s / 2
        self.add_loss(ops.sum(ops.where(counted, terms, ops.zeros_like(terms))))
        return inputs

    def compute_output_spec(
        self, inputs, y_true=None, sample_weight=None, mask=None, inputs_mask=None
    ):
        self._each("inputs", inputs)
        if y_true is not None:
            self._each("y_true", y_true)
        return keras.tree.map_structure(
            lambda x: keras.KerasTensor(x.shape, x.dtype), inputs
        )

    def get_config(self):
        own = {
            "task_losses": [keras.losses.serialize(loss) for loss in self.task_losses],
            "kinds": list(self.kinds),
            "minimum": self.minimum,
        }
        return super().get_config() | own

    @classmethod
    def from_config(cls, config):
        losses = [
            keras.losses.deserialize(loss) for loss in config.get("task_losses", [])
        ]
        return super().from_config(config | {"task_losses": losses})

    def _each(self, name: str, given, is_shared=False):
        """Returns a list with what is given for each task."""
        count = len(self.task_losses)
        if is_shared and not isinstance(given, list | tuple):
            return [given] * count
        each = given if isinstance(given, list | tuple) else [given]
        if len(each) != count:
            raise ValueError(
                f"`{name}` must be a list with one entry for each of the {count} "
                f"losses. Received: {len(each)} entries"
            )
        return each


class _AtLeast(keras.constraints.Constraint):
    """Keeps a weight from falling below a minimum."""

    def __init__(self, minimum):
        self.minimum = minimum

    def __call__(self, w):
        return at_least(ops.convert_to_tensor(w), self.minimum)


class _Mean(keras.losses.Loss):
    """The mean of what a function returns."""

    def __init__(self, function, dtype):
        super().__init__(dtype=wide(dtype))
        self._function = function

    def call(self, y_true, y_pred):
        return self._function(y_true, y_pred)


def _loss(name: str, loss: Any) -> Any:
    """Returns a Keras loss, or a function. Raises for anything else."""
    if isinstance(loss, str):
        try:
            return keras.losses.get(loss)
        except ValueError as error:
            raise ValueError(
                f"Argument `{name}` must be a loss, or the name of a loss of Keras. "
                "For a loss of this package, give an instance, such as "
                f"`tfx_extras.losses.Huber()`. Received: {name}={loss!r}"
            ) from error
    if isinstance(loss, keras.losses.Loss):
        if getattr(loss, "reduction", None) in (None, "none"):
            raise ValueError(
                f"Argument `{name}` must have a reduction, such as "
                f"'sum_over_batch_size'. Received: {name}.reduction={loss.reduction}"
            )
        return loss
    if not callable(loss) or isinstance(loss, type):
        hint = " Did you mean an instance?" if isinstance(loss, type) else ""
        raise ValueError(
            f"Argument `{name}` must be a loss, a function or a name.{hint} "
            f"Received: {name}={loss!r}"
        )
    return loss


def _evaluated(dtype, loss, y_true, y_pred, sample_weight, mask):
    """Returns the loss of a task as one number, and whether any sample counts."""
    counted = ops.ones_like(_of_samples(y_pred), dtype="bool")
    if mask is not None:
        y_pred = with_mask(y_pred, mask)
        counted = _with_axes(counted, mask) & ops.cast(mask, "bool")
    if not isinstance(loss, keras.losses.Loss):
        loss = _Mean(loss, y_pred.dtype)
    if sample_weight is not None:
        sample_weight = ops.convert_to_tensor(sample_weight)
        is_counted = sample_weight != 0
        y_true = ops.convert_to_tensor(y_true)
        y_true = _known(y_true, is_counted)
        counted = _with_axes(counted, is_counted) & _with_axes(is_counted, counted)
        if not isinstance(loss, FunctionLoss):
            # Keras would take weights of samples for those of their last axis.
            sample_weight = _with_axes(sample_weight, y_pred[..., 0])
        # On PyTorch, Keras multiplies weights by a mask in place.
        (sample_weight,) = backend.to_be_changed([sample_weight])
    # For an empty batch Keras returns no values.
    value = ops.cast(ops.sum(loss(y_true, y_pred, sample_weight)), dtype)
    return of_one_replica(value), ops.any(counted)


def _known(y_true, is_counted):
    """Returns labels with 0 where the weight is 0: they may be NaN, for "unknown"."""
    missing = len(y_true.shape) - len(is_counted.shape)
    if missing == -1 and is_counted.shape[-1] == 1:
        is_counted = is_counted[..., 0]
    if missing < -1:
        return y_true
    is_counted = _with_axes(is_counted, y_true)
    return ops.where(is_counted, y_true, ops.zeros_like(y_true))


def _with_axes(x, like):
    """Returns `x` with last axes of size 1, until it has as many as `like`."""
    missing = len(like.shape) - len(x.shape)
    return ops.reshape(x, (*ops.shape(x), *[1] * missing)) if missing > 0 else x


def _of_samples(x):
    """Returns whether any number of each sample is not 0, of shape `(batch,)`."""
    x = ops.cast(x, "bool")
    axes = tuple(range(1, len(x.shape)))
    # Keras 3.12 takes `any` over a single axis only, on PyTorch.
    return ops.sum(ops.cast(x, "int32"), axis=axes) > 0 if axes else x
