"""The loss of DINO with its state: the center of the teacher's outputs."""

import functools
from typing import Any

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from tfx_extras._backend import backend
from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._configuration import loaded
from tfx_extras._configuration import saved
from tfx_extras._precision import wide
from tfx_extras._register import register
from tfx_extras._typed import typechecked
from tfx_extras.layers._base import Layer
from tfx_extras.layers._base import mean_of
from tfx_extras.layers._base import spread
from tfx_extras.losses.embedding.dino import dino_loss
from tfx_extras.losses.embedding.dino import views


@register
class DINOCenter(Layer):
    r"""DINO center and loss: self-distillation of a student and its teacher.

    Use it as the last layer of a model that learns from images without labels. The
    student sees all views of an image, and the teacher only the large ones. The teacher
    has the architecture of the student, and its weights are a moving average of the
    student's. The loss asks the student to predict what the teacher makes of another
    view. The center and the low temperature of the teacher keep all images from having
    the same output. `VICRegLoss`, `BarlowTwinsLoss` and `NTXentLoss` need no teacher.
    Keras has no equivalent.

    $$ L = -\frac{1}{N} \sum_{i=1}^T \sum_{j=1,\, j \ne i}^S \sum_{d=1}^D
        p_{id} \log q_{jd}, \qquad c \leftarrow m c + (1 - m)\, \bar t $$
    $$ p_i = \mathrm{softmax}\left( \frac{t_i - c}{\tau_t} \right), \qquad
        q_j = \mathrm{softmax}\left( \frac{s_j}{\tau_s} \right) $$

    $t_i$ is the output of the teacher for view $i$ out of $T$, and $s_j$ the output of
    the student for view $j$ out of $S$, both with $D$ numbers. The views of the teacher
    are the first ones of the student. A pair of the same view is left out, and $N$
    pairs remain. $c$ is the center, $\bar t$ the mean of the teacher's outputs over the
    views and the samples of the batch, and $m$ the momentum. $\tau_t$ and $\tau_s$ are
    the temperatures of the teacher and the student. No gradient flows into the teacher.

    Called with both outputs, `layer(student, teacher)`, the layer returns one loss per
    sample, in nats, of shape `(batch,)`, and adds the mean to the losses of the model.
    Compile the model without a loss. Called with the student's outputs alone, the layer
    returns them unchanged. The layer does not update the teacher.
    `examples/self_supervised.py` does it in a layer.

    The state is $c$, which starts at 0, and the number of steps, on which a schedule of
    the temperature depends. Both change in training, after the loss is computed, unless
    the layer is frozen. Masked samples, those of weight 0, and outputs that are not
    finite do not count in $\bar t$. The state and the losses are in `float32` or wider,
    whatever the dtype policy.

    In a data-parallel run, the paper's center is the mean over all replicas. That is
    what `gather=True` computes. Without it, each replica has a center of its own, from
    its own samples. TensorFlow saves the mean of these centers, and PyTorch the center
    of the process that saves. On JAX, a program over several devices sees the whole
    batch, and has one center.

    Args:
        momentum: $m$, in [0, 1): how much of the center each batch keeps.
        teacher_temperature: $\tau_t$, in (0, inf), or a schedule: any
            `keras.optimizers.schedules.LearningRateSchedule` of the number of training
            steps, with values above 0. With many features, the paper raises it from
            0.04 to 0.07 in the first 30 epochs, which
            `PiecewiseLinear([0, steps], [0.04, 0.07])` does.
        student_temperature: $\tau_s$, in (0, inf).
        gather: Whether the center is updated with the samples of all replicas of a
            data-parallel run.
        **kwargs: Options of every Keras layer, such as `name` and `dtype`.

    Call arguments:
        inputs: $s$, the outputs of the student, of shape `(batch, S, features)`, or a
            tuple or list of $S$ tensors of shape `(batch, features)`.
        teacher: $t$, the outputs of the teacher, of shape `(batch, T, features)`, or a
            tuple or list of $T$ tensors of shape `(batch, features)`. `None` gives
            `inputs` instead of losses.
        sample_weight: Weights of the samples in the mean, of shape `(batch,)`.
        mask: Which samples count, of shape `(batch,)`. `None` takes the mask of
            `inputs`, if there is one.

    Raises:
        ValueError: If an argument is outside its interval, the shapes do not match, or
            the student has a single view, or less than the teacher.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> student, teacher = keras.layers.Dense(16), keras.layers.Dense(16)
        >>> teacher.trainable = False
        >>> views = keras.Input((2, 64))
        >>> layer = tfx_extras.layers.DINOCenter()
        >>> model = keras.Model(views, layer(student(views), teacher(views)))
        >>> model.compile("adam")
        >>> history = model.fit(np.random.normal(size=(8, 2, 64)), verbose=0)
        >>> tuple(layer.center.shape)
        (16,)

    Reference: Caron et al., 2021, algorithm 1. https://arxiv.org/abs/2104.14294
    """

    @typechecked
    def __init__(
        self,
        momentum: Number = 0.9,
        teacher_temperature: Number | LearningRateSchedule = 0.04,
        student_temperature: Number = 0.1,
        gather: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.momentum = require("momentum", momentum, "[0, 1)")
        self.teacher_temperature: Any = teacher_temperature
        if not isinstance(teacher_temperature, LearningRateSchedule):
            require("teacher_temperature", teacher_temperature, "(0, inf)")
        elif not (first := float(self.teacher_temperature(0))) > 0:
            raise ValueError(
                "Argument `teacher_temperature` must be a schedule of values above 0. "
                f"Received: {first} at step 0"
            )
        self.student_temperature = require(
            "student_temperature", student_temperature, "(0, inf)"
        )
        self.gather = gather
        self.center: Any = None
        self.steps: Any = None

    def build(self, input_shape):
        first = input_shape[0]
        shape = first if isinstance(first, tuple | list) else input_shape
        self.center = self._add_state("center", "zeros", (shape[-1],))
        self.steps = self._add_state(
            "steps", "zeros", dtype="int32", aggregation="only_first_replica"
        )
        self.built = True

    def call(
        self,
        inputs,
        teacher=None,
        sample_weight=None,
        mask=None,
        inputs_mask=None,
        training=False,
    ):
        if teacher is None:
            return inputs
        s, t = views("inputs", inputs), views("teacher", teacher)
        mask = _mask_of_all(inputs_mask) if mask is None else mask  # set by Keras
        counted = ops.isfinite(sum(ops.sum(x, axis=-1) for x in t))
        kept = None
        if mask is not None:
            kept = ops.cast(spread("mask", mask, s[0][:, 0]), "bool")
            counted = counted & kept
            # A masked NaN would reach the gradient.
            s, t = (
                [ops.where(kept[:, None], x, ops.zeros_like(x)) for x in each]
                for each in (s, t)
            )
        if sample_weight is not None:
            weights = spread("sample_weight", sample_weight, s[0][:, 0])
            counted = counted & (weights != 0)
        center, steps = map(backend.state, (self.center, self.steps))
        temperature: Any = self.teacher_temperature
        if isinstance(temperature, LearningRateSchedule):
            temperature = ops.cast(temperature(steps), s[0].dtype)
        losses = dino_loss(t, s, center, temperature, self.student_temperature)
        if kept is not None:
            losses = ops.where(kept, losses, ops.zeros_like(losses))
        if training and self.trainable:
            self.center.assign(self._moved(center, t, counted))
            self.steps.assign(steps + 1)
        self.add_loss(mean_of(losses, mask, sample_weight))
        return losses

    def _moved(self, center, t, counted):
        """Returns the center after a batch, which counts if any of its samples does."""
        total = ops.stop_gradient(sum(t[1:], start=t[0]))
        total = ops.where(counted[:, None], total, ops.zeros_like(total))
        number = ops.cast(counted, total.dtype) * len(t)
        row = ops.concatenate([total, number[:, None]], axis=-1)
        row = ops.sum(row, axis=0, keepdims=True)
        if self.gather:
            rows, _ = backend.gather(row)
            row = ops.sum(rows, axis=0, keepdims=True)
        row = ops.cast(row[0], center.dtype)
        number = row[-1]
        mean = row[:-1] / ops.where(number > 0, number, ops.ones_like(number))
        moved = self.momentum * center + (1 - self.momentum) * mean
        return ops.where(number > 0, moved, center)

    def compute_output_spec(
        self,
        inputs,
        teacher=None,
        sample_weight=None,
        mask=None,
        inputs_mask=None,
        training=False,
    ):
        if teacher is None:
            return keras.tree.map_structure(
                lambda x: keras.KerasTensor(x.shape, x.dtype), inputs
            )
        first = inputs[0] if isinstance(inputs, tuple | list) else inputs
        return keras.KerasTensor(first.shape[:1], wide(first.dtype))

    def get_config(self):
        own = {
            "momentum": self.momentum,
            "teacher_temperature": saved(self.teacher_temperature),
            "student_temperature": self.student_temperature,
            "gather": self.gather,
        }
        return super().get_config() | own

    @classmethod
    def from_config(cls, config):
        temperature = loaded(config.get("teacher_temperature", 0.04))
        return super().from_config(config | {"teacher_temperature": temperature})


def _mask_of_all(masks):
    """Returns which samples none of the masks leaves out, or `None` without masks."""
    masks = [mask for mask in keras.tree.flatten(masks) if mask is not None]
    return functools.reduce(ops.logical_and, masks) if masks else None
