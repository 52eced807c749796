"""The normalizer, limits and bounds of the bi-tempered logistic loss."""

import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tests.tools import gradient
from tests.tools import wide
from tfx_extras import losses
from tfx_extras.losses.classification.bi_tempered import _surprise

# What follows from the formula. The contracts test values and gradients everywhere.
pytestmark = pytest.mark.only("torch")
RANDOM = np.random.default_rng(1906)
LABELS = RANDOM.integers(0, 7, 9)
Z = RANDOM.normal(size=(9, 7)) * 4
ONE_HOT = np.eye(7)[LABELS]


def probabilities(z, t2):
    """The probabilities, from losses with t1 = 1, which are -log(p) for one label."""
    labels = np.arange(z.shape[-1])[:, None].repeat(len(z), 1)
    values = [
        array(losses.sparse_bi_tempered_loss(y, z, t1=1.0, t2=t2)) for y in labels
    ]
    return np.exp(-np.stack(values, axis=-1))


@pytest.mark.parametrize("t2", [1.0, 1.0 + 1e-9, 1.05, 1.4, 2.0, 5.0])
@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_probabilities_sum_to_1(t2, scale):
    with wide():
        p = probabilities(Z * scale, t2)
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-12)


@pytest.mark.parametrize("t2", [1.4, 2.0, 5.0])
def test_many_classes_converge_too(t2):
    for classes in (1000, 20_000):
        for scale in (1.0, 10.0, 100.0, 1000.0):
            z = RANDOM.normal(size=(4, classes)) * scale
            z[1] = np.where(np.arange(classes) == 0, 0, -scale)
            z[2] = np.where(np.arange(classes) < classes // 2, 0, -scale)
            total = np.exp(-array(_surprise(ops.convert_to_tensor(z), t2))).sum(-1)
            np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_both_temperatures_1_give_crossentropy():
    with wide():
        sparse = losses.sparse_bi_tempered_loss(LABELS, Z, 1.0, 1.0)
        expected = losses.smoothed_sparse_categorical_crossentropy(
            LABELS, Z, 0.0, from_logits=True
        )
        np.testing.assert_allclose(array(sparse), array(expected), rtol=1e-12)


def test_t1_0_gives_half_the_squared_error():
    with wide():
        p = probabilities(Z, 1.4)
        actual = array(losses.bi_tempered_loss(ONE_HOT, Z, t1=0.0))
    expected = ((p - ONE_HOT) ** 2).sum(-1) / 2
    np.testing.assert_allclose(actual, expected, rtol=1e-11)


def test_the_gradient_is_that_of_the_paper():
    t1, t2 = 0.6, 1.7
    with wide():
        p = probabilities(Z, t2)
        slope = gradient(lambda z: losses.bi_tempered_loss(ONE_HOT, z, t1, t2), Z)
    direct = (p - ONE_HOT) * p ** (t2 - t1)
    escort = p**t2 / (p**t2).sum(-1, keepdims=True)
    expected = direct - escort * direct.sum(-1, keepdims=True)
    np.testing.assert_allclose(slope, expected, rtol=1e-9, atol=1e-13)


def test_it_is_bounded_if_t1_is_below_1():
    z = np.float32([[1e4, -1e4], [1e30, 0]])
    for t1 in (0.0, 0.8):
        most = 1 / (1 - t1)  # - log_t(0), minus 1 / b, plus p**b / b of the other class
        values = array(losses.sparse_bi_tempered_loss([1, 1], z, t1, 1.4))
        assert np.isfinite(values).all()
        assert (values <= most * (1 + 1e-6)).all()


def test_both_forms_of_labels_agree():
    for smoothing in (0.0, 0.25):
        options = {"t1": 0.5, "t2": 2.0, "label_smoothing": smoothing}
        with wide():
            dense = array(losses.bi_tempered_loss(ONE_HOT, Z, **options))
            sparse = array(losses.sparse_bi_tempered_loss(LABELS, Z, **options))
        np.testing.assert_allclose(dense, sparse, rtol=1e-12)


def test_second_derivatives_are_those_of_differences():
    import torch

    def loss(z):
        return losses.sparse_bi_tempered_loss(LABELS[:2], z).sum()

    z = torch.tensor(Z[:2])
    direction = torch.tensor(RANDOM.normal(size=(2, 7)))
    _, actual = torch.autograd.functional.hvp(loss, z, direction)
    ahead, behind = (
        gradient(loss, (z + step * direction).numpy()) for step in (1e-5, -1e-5)
    )
    np.testing.assert_allclose(actual, (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-9)
