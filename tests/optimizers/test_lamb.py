"""Tests of LAMB beyond the contracts."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tfx_extras.optimizers import LAMB


def layers():
    return [keras.Variable([3.0, -4.0], dtype="float32", name=n) for n in ("a", "b")]


def moved(optimizer, gradient=(1.0, 1.0)):
    variables = layers()
    optimizer.apply([ops.convert_to_tensor(gradient)] * 2, variables)
    return [array(v) - [3.0, -4.0] for v in variables]


def test_a_step_is_as_long_as_the_weights_unless_excluded():
    a, b = moved(LAMB(0.1, layer_adaptation_exclude=["^b"]))
    np.testing.assert_allclose(np.linalg.norm(a), 0.1 * 5, rtol=1e-5)
    np.testing.assert_allclose(b, -0.1, rtol=1e-5)


def test_the_trust_ratio_is_without_independent_decay():
    options = {"weight_decay": 0.5, "independent_decay": True}
    for change in moved(LAMB(0.1, **options)):
        # The decay comes first and turns 5 into 2.5. The step is then that long.
        step = change + 0.5 * np.array([3.0, -4.0])
        np.testing.assert_allclose(np.linalg.norm(step), 0.1 * 2.5, rtol=1e-5)


def test_the_maximum_holds_for_a_ratio_of_zero_weights_and_not_for_excluded_ones():
    variables = [keras.Variable([0.0, 0.0], name=name) for name in ("a", "b")]
    optimizer = LAMB(0.1, layer_adaptation_exclude=["^b"], max_trust_ratio=0.25)
    optimizer.apply([ops.convert_to_tensor((1.0, 1.0))] * 2, variables)
    a, b = map(array, variables)
    np.testing.assert_allclose(a, -0.025, rtol=1e-5)
    np.testing.assert_allclose(b, -0.1, rtol=1e-5)


def test_a_pattern_that_finds_nothing_is_reported():
    with pytest.warns(
        UserWarning, match="layer_adaptation_exclude.*'bias' matches no var"
    ):
        LAMB(layer_adaptation_exclude=["bias"]).build(layers())
    with pytest.raises(TypeError, match="`layer_adaptation_exclude` of `LAMB` must be"):
        LAMB(layer_adaptation_exclude="bias")
