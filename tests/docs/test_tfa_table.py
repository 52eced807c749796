"""Both columns of the tables in docs/guides/tfa.md give the same numbers."""

import inspect
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.tools import array
from tfx_extras import losses
from tfx_extras import optimizers
from tfx_extras import schedules
from tfx_extras import tfa

pytestmark = pytest.mark.only("torch")

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "tfa.md").read_text()
_, _, TABLES = GUIDE.partition("\n## From TFA names to native ones\n")
TABLES, _, _ = TABLES.partition("\n## ")
PARTS = dict(re.findall(r"(?ms)^### (\w+)\n(.*?)(?=^### |\Z)", TABLES))


def rows(part):
    return re.findall(r"(?m)^\| `([^`]+)` \| `([^`]+)` \|", PARTS[part])


@keras.saving.register_keras_serializable("tests")
def halved(cycle):
    return 0.5**cycle


random = np.random.default_rng(0)
C, BATCH, LAST = 3, 6, 4
LABELS = np.array([0, 1, 1, 2, 0, 2])
P = random.uniform(0.1, 0.9, (BATCH, C)).astype("float32")
MULTI = np.eye(C, dtype="float32")[LABELS]
MULTI[0, 1] = 1
S = random.normal(size=(BATCH, BATCH)).astype("float32")
X = random.normal(size=(BATCH, 5)).astype("float32")
BOXES, BOXES_2 = np.cumsum(random.uniform(0.1, 1, (2, BATCH, 2, 2)), axis=2).reshape(
    2, BATCH, 4
)
Z, Z_2 = random.normal(size=(2, BATCH, C)).astype("float32")
Y, D = np.array([0.0, 1, 1, 0, 1, 0]), random.uniform(0, 2, BATCH)
DATA = {
    "C": C,
    "labels": LABELS,
    "multi": MULTI,
    "p": P,
    "s": S,
    "x": X,
    "boxes": BOXES,
    "boxes_2": BOXES_2,
    "z": Z,
    "z_2": Z_2,
    "y": Y,
    "d": D,
}
# What a loss is called with, if not with labels and embeddings.
ARGUMENTS = {
    "ContrastiveLoss": (Y, D),
    "GIoULoss": (BOXES, BOXES_2),
    "NpairsLoss": (LABELS, S),
    "NpairsMultilabelLoss": (MULTI, S),
    "PinballLoss": (Z, Z_2),
    "SigmoidFocalCrossEntropy": (MULTI, P),
    "SparsemaxLoss": (MULTI, Z),
    "WeightedKappaLoss": (MULTI, P / P.sum(axis=-1, keepdims=True)),
}


def public(module):
    return {"keras": keras} | {name: getattr(module, name) for name in dir(module)}


@pytest.mark.parametrize(("old", "new"), rows("Losses"))
def test_losses(old, new):
    name = re.match(r"\w+", old)[0]
    values = [
        eval(code, public(module) | DATA)
        for code, module in ((old, tfa.losses), (new, losses))
    ]
    if callable(values[0]):
        arguments = ARGUMENTS.get(name, (LABELS, X))
        values = [loss(*arguments) for loss in values]
    expected, value = map(array, values)
    if 'reduction="sum"' in new:
        expected = expected.sum()
    np.testing.assert_allclose(value, expected, rtol=2e-6)
    assert np.any(expected != 0)


STEPS = 14


def trained(code, module):
    """The weights after each step, or after the last one of its averages."""
    first, last = (
        keras.layers.Dense(3, name="first"),
        keras.layers.Dense(1, name="last"),
    )
    model = keras.Sequential([keras.Input((2,)), first, last])
    for place, variable in enumerate(model.trainable_variables):
        variable.assign(np.random.default_rng(place).normal(size=variable.shape))
    names = {
        "lr": 0.1,
        "wd": 0.01,
        "r": 0.02,
        "n": 5,
        "s": 2,
        "T": 10,
        "p": 0.4,
        "W": 4,
        "m": 0.001,
        "opt": keras.optimizers.Adam(0.1),
        "opt_2": keras.optimizers.SGD(0.01),
        "first": first,
        "last": last,
        "schedule": schedules.PiecewiseLinear([0, 9], [0.1, 0.01]),
        "PiecewiseLinear": schedules.PiecewiseLinear,
    }
    optimizer = eval(code, public(module) | names)
    if inspect.isclass(optimizer):
        return None
    variables, weights = model.trainable_variables, []
    for step in range(STEPS):
        source = np.random.default_rng(step)
        gradients = [
            keras.ops.convert_to_tensor(source.normal(size=v.shape), "float32")
            for v in variables
        ]
        optimizer.apply(gradients, variables)
        weights.append([array(v) for v in variables])
    if hasattr(optimizer, "swap"):
        optimizer.swap()
        weights.append([array(v) for v in variables])
    return [np.concatenate([w.ravel() for w in each]) for each in weights]


@pytest.mark.parametrize(("old", "new"), rows("Optimizers"))
def test_optimizers(old, new):
    expected, weights = trained(old, tfa.optimizers), trained(new, optimizers)
    if expected is None:
        assert weights is None
        return
    assert len(weights) >= STEPS
    np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-5)
    assert not np.allclose(expected[-1], expected[0], atol=1e-3)


def test_the_schedule_that_looks_right_is_one_step_behind():
    old = "RectifiedAdam(lr, total_steps=T, warmup_proportion=p, min_lr=m)"
    wrong = "RAdam(PiecewiseLinear([0, W, T], [0, lr, m]))"
    assert "`PiecewiseLinear([0, W, T], [0, lr, m])` would be one step behind" in GUIDE
    expected, weights = trained(old, tfa.optimizers), trained(wrong, optimizers)
    assert not np.allclose(weights, expected, atol=1e-2)


@pytest.mark.parametrize(("old", "new"), rows("Schedules"))
def test_schedules(old, new):
    names = {"a": 1e-4, "b": 1e-2, "s": 5, "g": 0.97, "f": halved}
    expected = eval(old, public(tfa.optimizers) | names)
    schedule = eval(new, public(schedules) | names)
    steps = np.arange(40)
    np.testing.assert_allclose(
        [float(schedule(step)) for step in steps],
        [float(expected(step)) for step in steps],
        rtol=1e-6,
    )


def test_every_name_of_tensorflow_addons_is_in_a_table():
    named = {
        re.match(r"\w+", old)[0] for part in PARTS for old, _ in rows(part) if part
    }
    assert named == {*tfa.losses.__all__, *tfa.optimizers.__all__}
    assert sum(len(rows(part)) for part in PARTS) == TABLES.count("\n| `")
