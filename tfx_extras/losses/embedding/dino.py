"""DINO: a student predicts what its teacher makes of another view of the image."""

from keras import ops

from tfx_extras._checks import Number
from tfx_extras._register import register
from tfx_extras.losses._base import aligned
from tfx_extras.losses._base import predictions

__all__ = ["dino_loss"]


@register
def dino_loss(
    y_true,
    y_pred,
    center=0.0,
    teacher_temperature: Number = 0.04,
    student_temperature: Number = 0.1,
):
    r"""DINO loss: self-distillation of a student and its teacher, without labels.

    Use it in your own training step, which keeps the center itself. In a model that
    trains with `fit`, use the layer `DINOCenter`, which computes this loss and keeps
    the center. `VICRegLoss` and `BarlowTwinsLoss` need neither a teacher nor a center.
    Keras has no equivalent; `keras.losses.CategoricalCrossentropy` compares one pair of
    views, whose targets are probabilities.

    $$ L = -\frac{1}{N} \sum_{i=1}^T \sum_{j=1,\, j \ne i}^S \sum_{d=1}^D
        p_{id} \log q_{jd} $$
    $$ p_i = \mathrm{softmax}\left( \frac{t_i - c}{\tau_t} \right), \qquad
        q_j = \mathrm{softmax}\left( \frac{s_j}{\tau_s} \right) $$

    $t_i$ is the output of the teacher for view $i$ out of $T$, and $s_j$ the output of
    the student for view $j$ out of $S$, both with $D$ numbers. The views of the teacher
    are the first ones of the student: both see the global views of an image, and the
    student also sees small crops. A pair of the same view is left out, and $N$ pairs
    remain. $c$ is the center, $\tau_t$ the temperature of the teacher and $\tau_s$ that
    of the student. The targets $p$ are constants: no gradient flows into the teacher,
    the center and the teacher's temperature.

    Time and memory grow linearly with the outputs of the student.

    Args:
        y_true: $t$, the outputs of the teacher, of shape `(batch, T, features)`, or a
            tuple or list of $T$ tensors of shape `(batch, features)`.
        y_pred: $s$, the outputs of the student, of shape `(batch, S, features)`, or a
            tuple or list of $S$ tensors of shape `(batch, features)`.
        center: $c$, of shape `(features,)`, or one number.
        teacher_temperature: $\tau_t$, in (0, inf). A small one makes sharp targets.
        student_temperature: $\tau_s$, in (0, inf).

    Returns:
        One loss per sample, in nats, in [0, inf), of shape `(batch,)`, in `float32` or
        wider: the mean over its pairs of views.

    Raises:
        ValueError: If shapes do not match, or the student has a single view, or less
            than the teacher.

    Example:
        >>> teacher = [[[1.0, 0.0], [0.9, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]
        >>> loss = tfx_extras.losses.dino_loss(
        ...     teacher, teacher, teacher_temperature=0.5, student_temperature=0.5)
        >>> print(keras.ops.convert_to_numpy(loss).round(4))
        [0.3891 1.8885]

    Reference: Caron et al., 2021, algorithm 1. https://arxiv.org/abs/2104.14294
    """
    teacher, student = views("y_true", y_true), views("y_pred", y_pred)
    if len(teacher) > len(student) or len(student) == 1:
        raise ValueError(
            "The student must have two or more views, of which the teacher sees the "
            f"first ones. Received: {len(student)} views of the student, "
            f"{len(teacher)} views of the teacher"
        )
    pairs = len(teacher) * (len(student) - 1)
    first = student[0]
    student = [first, *(aligned(s, first)[0] for s in student[1:])]
    teacher = [aligned(t, first)[0] for t in teacher]
    c = _center(center, first)
    p = [
        ops.stop_gradient(ops.softmax((t - c) / teacher_temperature, axis=-1))
        for t in teacher
    ]
    total = ops.zeros_like(first[:, 0])
    for j, s in enumerate(student):
        targets = [p[i] for i in range(len(p)) if i != j]
        if targets:
            log_q = ops.log_softmax(s / student_temperature, axis=-1)
            total = total - ops.sum(sum(targets[1:], start=targets[0]) * log_q, axis=-1)
    return total / pairs


def views(name: str, x) -> list:
    """Returns tensors of shape `(batch, features)`, one for each view."""
    if isinstance(x, tuple | list) and x and all(hasattr(view, "shape") for view in x):
        shapes = [tuple(view.shape) for view in x]
        if all(len(shape) == 2 for shape in shapes):
            return [predictions(view) for view in x]
        received = f"tensors of shapes {shapes}"
    else:
        x = predictions(x)
        shape = tuple(x.shape)
        if len(shape) == 3 and shape[1]:
            return ops.unstack(x, shape[1], axis=1)
        received = f"{name}.shape={shape}"
    raise ValueError(
        f"`{name}` must have shape `(batch, views, features)` with a known number of "
        "views, or be a tuple or list of tensors of shape `(batch, features)`. "
        f"Received: {received}"
    )


def _center(center, like):
    """Returns the center as a tensor. Raises unless it is a number or a row."""
    c = ops.cast(ops.convert_to_tensor(center), like.dtype)
    shape, features = tuple(c.shape), like.shape[-1]
    if shape and shape != (features,) and features is not None:
        raise ValueError(
            "Argument `center` must be a number or have one number per feature, of "
            f"shape {(features,)}. Received: center.shape={shape}"
        )
    return c
