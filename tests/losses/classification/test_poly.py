"""Relations of the Poly-1 losses to cross-entropy and to each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.tools import array
from tests.tools import wide
from tfx_extras import losses

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
few = settings(max_examples=20, deadline=None, derandomize=True, database=None)
logits = arrays.arrays("float32", (4, 3), elements=st.floats(-40, 40, width=32))
shares = arrays.arrays("float32", (4, 3), elements=st.floats(0, 1, width=32))


@few
@given(y=shares, z=logits, epsilon=st.sampled_from([-1.0, -0.5, 0.0, 2.0]))
def test_poly_losses_are_not_negative(y, z, epsilon):
    options = {"epsilon": epsilon, "from_logits": True}
    assert (array(losses.poly_categorical_crossentropy(y, z, **options)) >= 0).all()
    assert (array(losses.poly_sigmoid_crossentropy(y, z, **options)) >= 0).all()


@few
@given(y=shares, z=logits)
def test_without_the_added_term_they_are_the_other_losses(y, z):
    with wide():
        y, z = y.astype("float64"), z.astype("float64")
        pairs = (
            (
                losses.poly_categorical_crossentropy(y, z, 0.0, from_logits=True),
                losses.smoothed_categorical_crossentropy(y, z, 0.0, from_logits=True),
            ),
            (
                losses.poly_sigmoid_crossentropy(y, z, 0.0, 1.5, 0.25, 0.1, True),
                losses.sigmoid_focal_crossentropy(y, z, 0.25, 1.5, 0.1, True),
            ),
        )
        for actual, expected in pairs:
            np.testing.assert_allclose(array(actual), array(expected), 1e-12, 1e-12)


@pytest.mark.parametrize("epsilon", [-1.0, 1.0])
def test_one_class_is_the_first_of_two_with_logit_0(epsilon):
    z = np.linspace(-30, 30, 21, dtype="float32")[:, None]
    y = (np.arange(21) % 2).astype("float32")
    options = {"epsilon": epsilon, "from_logits": True}
    one = losses.poly_sigmoid_crossentropy(y[:, None], z, **options)
    two = np.concatenate([np.zeros_like(z), z], axis=1)
    other = losses.poly_sparse_categorical_crossentropy(y, two, **options)
    np.testing.assert_allclose(array(one), array(other), rtol=3e-6)


def test_certain_and_correct_probabilities_have_loss_0():
    p = np.eye(3, dtype="float32")
    for epsilon in (-1.0, 1.0):
        for values in (
            losses.poly_categorical_crossentropy(p, p, epsilon),
            losses.poly_sparse_categorical_crossentropy([0, 1, 2], p, epsilon),
            losses.poly_sigmoid_crossentropy(p, p, epsilon),
        ):
            np.testing.assert_array_equal(array(values), 0)
