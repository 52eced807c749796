"""The loss of DINO: a function without a class, whose state is in a layer."""

import numpy as np
import pytest
from keras import ops

from tests.references import self_supervised
from tests.tools import array
from tests.tools import compiled
from tests.tools import gradient
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras import losses

RANDOM = np.random.default_rng(6)
TEACHER = RANDOM.normal(size=(4, 2, 5))
STUDENT = RANDOM.normal(size=(4, 6, 5))
CENTER = RANDOM.normal(size=5)
OPTIONS = {"center": CENTER, "teacher_temperature": 0.3, "student_temperature": 0.5}
each_count = pytest.mark.parametrize(
    ("t", "s"), [(2, 6), (2, 2), (1, 3), (1, 2)], ids=str
)


@each_count
def test_values_and_gradients_are_those_of_the_reference(t, s):
    teacher, student = TEACHER[:, :t], STUDENT[:, :s]
    expected = self_supervised.dino_loss(teacher, student, **OPTIONS)
    slope = np.zeros_like(student)
    for i in np.ndindex(slope.shape):
        step = np.zeros_like(student)
        step[i] = 1e-6
        ends = [
            self_supervised.dino_loss(teacher, x, **OPTIONS).sum()
            for x in (student + step, student - step)
        ]
        slope[i] = (ends[0] - ends[1]) / 2e-6
    with wide():
        y = ops.convert_to_tensor(teacher, "float64")
        c = ops.convert_to_tensor(CENTER, "float64")
        values, actual = values_and_gradient(
            lambda x: losses.dino_loss(y, x, c, 0.3, 0.5), student
        )
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_allclose(actual, slope, atol=1e-8)


def test_the_temperatures_are_those_of_the_paper():
    expected = self_supervised.dino_loss(TEACHER, STUDENT)
    y, x = TEACHER.astype("float32"), STUDENT.astype("float32")
    np.testing.assert_allclose(array(losses.dino_loss(y, x)), expected, rtol=1e-5)


def test_no_gradient_flows_into_the_teacher_and_the_center():
    x = ops.convert_to_tensor(STUDENT.astype("float32"))
    teacher, center = TEACHER.astype("float32"), CENTER.astype("float32")
    # A term that depends on the input, so that there is a gradient at all.
    of_teacher = gradient(lambda y: losses.dino_loss(y, x) + 0 * ops.sum(y), teacher)
    of_center = gradient(
        lambda c: losses.dino_loss(teacher, x, c) + 0 * ops.sum(c), center
    )
    assert not of_teacher.any()
    assert not of_center.any()


def test_lists_of_views_and_16_bits():
    y, x = TEACHER.astype("float16"), STUDENT.astype("float16")
    expected = self_supervised.dino_loss(y.astype("float64"), x.astype("float64"))
    for make in (lambda z: z, lambda z: [z[:, i] for i in range(z.shape[1])]):
        parts = [ops.convert_to_tensor(each) for each in make(x)]
        student = ops.stack(parts) if not isinstance(make(x), list) else parts
        actual = losses.dino_loss(make(y), student)
        assert "float32" in str(actual.dtype)
        np.testing.assert_allclose(array(actual), expected, rtol=1e-5)


def test_large_logits_are_finite_and_nan_stays_in_its_sample():
    y, x = 1e4 * TEACHER.astype("float32"), 1e4 * STUDENT.astype("float32")
    values, slope = values_and_gradient(lambda x: losses.dino_loss(y, x), x)
    assert np.isfinite(values).all()
    assert np.isfinite(slope).all()
    x[1, 2, 3] = np.nan
    y[2, 0, 0] = np.nan
    is_nan = np.isnan(array(losses.dino_loss(y, x)))
    np.testing.assert_array_equal(is_nan, [False, True, True, False])


def test_compiled_and_with_an_empty_batch():
    y, x = TEACHER.astype("float32"), STUDENT.astype("float32")
    function = compiled(losses.dino_loss)
    expected = self_supervised.dino_loss(TEACHER, STUDENT)
    np.testing.assert_allclose(array(function(y, x)), expected, rtol=1e-5)
    assert array(losses.dino_loss(y[:0], x[:0])).shape == (0,)


@pytest.mark.parametrize(
    ("y", "x", "options", "said"),
    [
        ((4, 1, 5), (4, 1, 5), {}, "1 views of the student, 1 views"),
        ((4, 3, 5), (4, 2, 5), {}, "2 views of the student, 3 views"),
        ((4, 2, 5), (4, 2, 6), {}, r"y_true.shape=\(4, 5\), y_pred.shape=\(4, 6\)"),
        ((3, 2, 5), (4, 2, 5), {}, r"y_true.shape=\(3, 5\), y_pred.shape=\(4, 5\)"),
        ((4, 5), (4, 2, 5), {}, r"`y_true` must have .* y_true.shape=\(4, 5\)"),
        ((4, 2, 5), (4, 5), {}, r"`y_pred` must have .* y_pred.shape=\(4, 5\)"),
        ((4, 2, 5), (4, 2, 5), {"center": np.ones(4)}, r"center.shape=\(4,\)"),
        ((4, 2, 5), (4, 2, 5), {"center": np.ones((4, 5))}, r"of shape \(5,\)"),
    ],
)
def test_wrong_shapes_are_named(y, x, options, said):
    with pytest.raises(ValueError, match=said):
        losses.dino_loss(np.ones(y, "float32"), np.ones(x, "float32"), **options)
