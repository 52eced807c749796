"""Sharpness-aware minimization: gradients at the worst weights nearby."""

import functools
import math
from typing import Any

import keras
from keras import ops

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked

# Keras calls these methods of the model that is compiled, which is the wrapper.
_NOT_CALLED = (
    "train_step",
    "test_step",
    "predict_step",
    "compute_loss",
    "compute_metrics",
)


@register
class SharpnessAware(keras.Model):
    r"""Sharpness-aware minimization (SAM, ASAM): trains a model towards flat minima.

    Use it around a model to improve generalization, above all for image classifiers
    that are trained or fine-tuned on little data. It needs two forward and backward
    passes per step, and so about twice the time. When training is limited by time, or
    by data that is seen only once, train longer without it instead. Keras has no
    equivalent.

    $$ \hat{w} = w + \rho\, \frac{T^2 g}{\|T g\|}, \qquad
        g = \nabla L(w), \qquad \hat{g} = \nabla L(\hat{w}) $$

    $w$ are the trainable weights, $L$ is the loss of the batch with all regularization
    losses, and $\|\cdot\|$ is one norm over all weights. $T = 1$ for SAM. With
    `adaptive`, for ASAM, $T = |w| + \eta$, element by element, so that large weights
    move further. The optimizer gets $\hat{g}$ and updates $w$. The second pass is made
    at weights that increase the loss the most, to first order, among those at distance
    $\rho$.

    Compile and fit this model with any optimizer, loss and metrics. They can be
    compiled or eager, and accumulate gradients. `model`, which shares its weights, is
    the one to save for inference. Save this model to resume training.

    Both passes use the same batch and the same random numbers, such as those of
    dropout. The second pass changes nothing else: the loss, the metrics, the statistics
    of batch normalization and the states of stateful recurrent layers are those of the
    first pass. If all gradients are 0, the weights do not move for the second pass. If
    a gradient of the first pass is infinite or NaN, the second gradient contains NaN,
    and `skip_nonfinite` or `keras.optimizers.LossScaleOptimizer` skip the step. Modules
    of PyTorch inside `keras.layers.TorchModuleWrapper` see both passes: their batch
    normalization and dropout do not know of them.

    With `gradient_accumulation_steps`, the weights move for each batch. Under
    `tf.distribute`, they move for each replica, by the gradient of its samples, as in
    the paper. The memory is that of training, a copy of the weights and another
    gradient. In 16-bit weights, much of the small movement is rounded away: prefer
    mixed precision, which has `float32` weights.

    Args:
        model: The model to train. It must not override `train_step` or another method
            that Keras would call in training, since only those of this model are
            called. To override `compute_loss` or `compute_metrics`, derive from
            `SharpnessAware`.
        rho: $\rho$, in [0, inf): the distance of the second pass. For ASAM, about ten
            times as much as for SAM is common, such as 0.5.
        adaptive: Whether to scale the distance by the weights (ASAM).
        eta: $\eta$, in [0, inf): added to $|w|$, so that weights close to 0 move too.
            Its effect depends on `adaptive`, which it needs. The paper uses 0.01.
        **kwargs: `name`, and other options of `keras.Model`.

    Call arguments:
        inputs: Inputs of `model`.
        training: Whether `model` is called for training.

    Raises:
        TypeError: If an argument has a wrong type, or `model` is not a `keras.Model`.
        ValueError: If an argument is out of range, `eta` is given without `adaptive`,
            or `model` overrides a method that would not be called.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> trained = tfx_extras.models.SharpnessAware(model, rho=0.05)
        >>> trained.compile("adam", loss="mse")
        >>> history = trained.fit(np.ones((8, 3)), np.zeros((8, 1)), verbose=0)
        >>> print(model.predict(np.ones((2, 3)), verbose=0).shape)  # the trained model
        (2, 1)

    Reference: Foret et al., 2020. https://arxiv.org/abs/2010.01412
    ASAM: Kwon et al., 2021. https://arxiv.org/abs/2102.11600
    """

    @typechecked
    def __init__(
        self,
        model: keras.Model,
        rho: Number = 0.05,
        adaptive: bool = False,
        eta: Number = 0.0,
        **kwargs: Any,
    ):
        _require_plain(model)
        # With the policy of the model, `compile` adds a loss scale where it would.
        kwargs.setdefault("dtype", model.dtype_policy)
        # The layers cast their inputs themselves. A cast here would round others too.
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True
        self.model = model
        self.rho = require("rho", rho, "[0, inf)")
        self.adaptive = adaptive
        self.eta = require("eta", eta, "[0, inf)")
        if eta and not adaptive:
            raise ValueError(
                "Argument `eta` has an effect only with `adaptive=True` (ASAM). "
                f"Received: eta={eta}, adaptive={adaptive}"
            )
        self.built = model.built

    @property
    def output_names(self):
        """The names of the outputs, by which `compile` finds losses and metrics."""
        return self.model.output_names

    @property
    def outputs(self):
        """The outputs of a functional model, by which `kernel_layouts` finds heads."""
        return getattr(self.model, "outputs", None)

    def call(self, inputs, training=None):
        return self.model(inputs, training=training)

    def compute_mask(self, inputs, previous_mask):
        return None  # the outputs of `model` have their masks

    def _assert_compile_called(self, method_name=None):
        if self.model.compiled and not self.compiled:
            raise ValueError(
                "`SharpnessAware` must be compiled itself, because it is what trains. "
                f"Only its `model` is compiled. Received: model={self.model}"
            )
        super()._assert_compile_called(method_name)

    def train_step(self, *args):
        if not self.trainable_variables:
            return super().train_step(*args)
        return backend.train_step(self, self._ascend, *args)

    def _ascend(self, weights, gradients):
        """Returns the weights of the second pass, and a function of its gradients.

        Args:
            weights: Values of the trainable variables.
            gradients: Their gradients. Some may be sparse or `None`.

        Returns:
            The weights, and a function that takes the list of the second gradients and
            returns those for the optimizer.
        """
        total = wide([weight.dtype for weight in weights])
        scales = [self._scale(weight) for weight in weights]
        scaled = [
            g if g is None else t * backend.dense(g, w.shape, wide(w.dtype))
            for w, g, t in zip(weights, gradients, scales, strict=True)
        ]
        scaled, norm = _normalized(scaled, total)
        distance = self.rho / norm
        moved = [
            w if s is None else _plus(w, ops.cast(distance, s.dtype) * t * s)
            for w, s, t in zip(weights, scaled, scales, strict=True)
        ]
        sizes = [math.prod(weight.shape) for weight in weights]
        return moved, functools.partial(_marked, sizes=sizes, distance=distance)

    def _scale(self, weight):
        """Returns T."""
        if not self.adaptive:
            return 1.0
        return ops.abs(ops.cast(weight, wide(weight.dtype))) + self.eta

    def export(self, *args, **kwargs):
        """Exports `model`, which has the same outputs, for inference."""
        return self.model.export(*args, **kwargs)

    def get_config(self):
        own = {
            "model": keras.saving.serialize_keras_object(self.model),
            "rho": self.rho,
            "adaptive": self.adaptive,
            "eta": self.eta,
        }
        return super().get_config() | own

    @classmethod
    def from_config(cls, config, custom_objects=None):
        model = keras.saving.deserialize_keras_object(
            config["model"], custom_objects=custom_objects
        )
        return cls(**config | {"model": model})


def _require_plain(model: keras.Model) -> None:
    """Raises if a model overrides a method that Keras would not call."""
    for name in _NOT_CALLED:
        if getattr(type(model), name) is not getattr(keras.Model, name):
            cure = "train it without `SharpnessAware`"
            if name.startswith("compute"):
                cure = "override it in a class derived from `SharpnessAware` instead"
            raise ValueError(
                f"Argument `model` must not override `{name}`, which would not be "
                f"called: {cure}. Received: model={model}"
            )


def _normalized(tensors, dtype):
    """Divides tensors by their largest number, and returns their norm after that.

    Squares of the gradients of a scaled loss could be infinite. The norm of zeros is
    returned as 1. A tensor may be `None`.
    """
    flat = [ops.reshape(s, (1, -1)) for s in tensors if s is not None]
    largest = [ops.cast(backend.largest(ops.abs(s), 0.0), dtype) for s in flat]
    unit = functools.reduce(ops.maximum, largest, ops.zeros((1, 1), dtype))
    unit = _or_one(unit)[0, 0]
    tensors = [s if s is None else s / ops.cast(unit, s.dtype) for s in tensors]
    squares = [ops.sum(ops.square(s)) for s in tensors if s is not None]
    total = sum((ops.cast(s, dtype) for s in squares), ops.zeros((), dtype))
    return tensors, _or_one(ops.sqrt(total))


def _or_one(x):
    """Returns `x`, or 1 in place of 0."""
    return ops.where(x == 0, ops.ones_like(x), x)


def _plus(weight, change):
    """Adds in the dtype of the change, and rounds once."""
    return ops.cast(ops.cast(weight, change.dtype) + change, weight.dtype)


def _marked(gradients, sizes, distance):
    """Returns gradients that contain NaN if `distance` is not finite.

    Layers such as `relu` may hide NaN in the weights. The smallest gradient is enough
    for an optimizer that skips such steps.
    """
    known = [i for i, g in enumerate(gradients) if g is not None and sizes[i] > 0]
    if not known:
        return gradients
    smallest = min(known, key=lambda i: sizes[i])
    mark = ops.where(ops.isfinite(distance), 1.0, float("nan"))
    gradients = list(gradients)
    gradients[smallest] = backend.scaled(gradients[smallest], mark)
    return gradients
