"""Inputs of the goldens, and how a golden is written; in NumPy alone.

Every input is a multiple of a power of two that `float32` holds: the goldens of both
dtypes start from the same numbers, and no library's `pow` or `exp` can change them.
"""

import json
import platform
from pathlib import Path

import numpy as np

GOLDENS = Path(__file__).parent / "goldens"
# Rectification is first defined in step 5 (threshold 4) or 6 (threshold 5).
STEPS = (1, 2, 5, 6, 7, 10, 50)


def _normal(random, shape, scale=1.0):
    return np.round(random.standard_normal(shape) * 1024) / 1024 * scale


def optimizers():
    """Weights, and 50 gradients that vary: over magnitudes, signs, and zeros."""
    random = np.random.default_rng(1908)
    shape = (50, 3, 4)
    gradients = _normal(random, shape, np.exp2(random.integers(-10, 4, shape)))
    gradients[random.random(shape) < 0.05] = 0
    gradients[:3, 0, 0] = 0  # the variance is still 0 while the step counts on
    gradients[:, 1, 1] *= 2.0**-12  # small enough for an epsilon of 1e-14 to matter
    gradients[:, 2, 3] = 0  # moves by its decay alone
    return {"start": _normal(random, (3, 4), 0.25), "gradients": gradients}


def losses():
    """Labels and predictions: logits far and near, probabilities, distances."""
    random = np.random.default_rng(1708)
    shape = (6, 5)
    logits = _normal(random, shape, np.exp2(random.integers(-3, 3, shape)))
    extreme = logits.copy()
    extreme[0] = [0, 30, -30, 100, -100]
    extreme[1] = [-100, 100, -30, 30, 0]
    targets = random.integers(1, 64, shape) / 64
    targets[2] = [1, 0, 0, 0, 0]
    distances = random.integers(0, 192, 12) / 64
    distances[:4] = [0, 0.5, 1, 3]  # the bounds: no distance, at a margin, beyond
    errors = _normal(random, shape, np.exp2(random.integers(-6, 4, shape)))
    errors[0] = [0, 0.5, -0.5, 2, -2]  # the bounds: no error, at a delta
    values = _normal(random, shape)
    hard = random.integers(0, 2, shape).astype("float64")
    return {
        "logits": logits,
        "extreme_logits": extreme,
        # Right, and more and more sure: 1 less the probability loses its digits.
        "sure_logits": np.where(hard, 1, -1) * np.arange(2.0, 8.0)[:, None],
        "probabilities": random.integers(1, 64, shape) / 64,
        "hard": hard,
        "soft": random.integers(0, 65, shape) / 64,
        "classes": np.array([0, 4, 2, 1, 2, 3]),
        "targets": targets,
        "class_weights": np.array([0.5, 1, 2, 0.25, 0]),
        "similar": random.integers(0, 2, 12).astype("float64"),
        "distances": distances,
        "values": values,
        "predictions": values + errors,
    }


def save(library, versions, cases, outputs):
    """Writes `goldens/{library}.npz`: inputs, outputs, and what they are of.

    `cases` maps the name of a case to its settings, in the words of `library`, and
    `outputs` to its arrays; `versions`, the names of packages to their versions.
    """
    arrays = {"versions": {"python": platform.python_version()} | versions}
    arrays["versions"]["numpy"] = np.__version__
    arrays["cases"] = cases
    arrays = {key: np.array(json.dumps(arrays[key])) for key in arrays}
    for key, value in {**optimizers(), **losses()}.items():
        arrays[f"inputs/{key}"] = value
    for name, values in outputs.items():
        for key, value in values.items():
            arrays[f"{name}/{key}"] = np.asarray(value)
    GOLDENS.mkdir(exist_ok=True)
    np.savez_compressed(GOLDENS / f"{library}.npz", **arrays)


class Golden:
    """What is in `goldens/{library}.npz`."""

    def __init__(self, library):
        with np.load(GOLDENS / f"{library}.npz") as file:
            arrays = dict(file)
        self.versions = json.loads(arrays.pop("versions").item())
        self.cases = json.loads(arrays.pop("cases").item())
        self.inputs, self.arrays = {}, {}
        for key, value in arrays.items():
            if key.startswith("inputs/"):
                self.inputs[key.removeprefix("inputs/")] = value
            else:
                self.arrays[key] = value

    def named(self, symbol):
        """Names of the cases of `symbol`, such as `"RAdam"`."""
        return [name for name in self.cases if name.split(":")[0] == symbol]
