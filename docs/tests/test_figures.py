"""The training curves that the site draws are those that the code gives."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from figures import train

CURVES = json.loads(train.RESULTS.read_text())


def test_each_optimizer_has_a_curve_by_the_rule_of_all():
    assert CURVES.keys() == train.BASELINES.keys() | train.OPTIMIZERS.keys()
    for curve in CURVES.values():
        assert curve["rate"] in train.RATES
        low, median, high = (curve[key] for key in ("low", "median", "high"))
        assert len(low) == train.STEPS // train.EVERY + 1
        assert np.all(np.array(low) <= median)
        assert np.all(np.array(median) <= high)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow computed the curves"
)
def test_a_curve_is_computed_again():
    training = train.Training(train.OPTIMIZERS["RAdam"])
    curves = [training.curve(CURVES["RAdam"]["rate"], seed) for seed in train.SEEDS]
    np.testing.assert_allclose(
        np.median(curves, axis=0), CURVES["RAdam"]["median"], atol=0.01
    )
