"""A few lives of `python -m tests.lives`, and tests of the model in `model.py`."""

import numpy as np
import pytest

from tests.faults import ROOT
from tests.lives.life import BACKEND
from tests.lives.life import described
from tests.lives.life import draw
from tests.lives.life import smaller
from tests.lives.lives import live
from tests.lives.lives import report
from tests.lives.lives import shrunk
from tests.lives.model import Gradient
from tests.lives.model import Model
from tests.lives.planted import PLANTED
from tests.references import optimizers as references

QUICK, COUNT = 18, {"tensorflow": 28, "jax": 18, "torch": 90}[BACKEND]
SEEDS = [*range(QUICK)]
SEEDS += [pytest.param(s, marks=pytest.mark.slow) for s in range(QUICK, COUNT)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_life_goes_as_the_plain_model_says(seed):
    life = draw(seed)
    difference = live(life)
    if difference is not None:
        pytest.fail(report(seed, *shrunk(life, difference, attempts=60)))


def test_a_life_is_that_of_its_number():
    assert draw(7) == draw(7)
    assert described(draw(7)) != described(draw(8))


def test_a_smaller_life_has_less():
    life = draw(3)
    size = len(str(life))
    assert all(len(str(candidate)) <= size + 20 for candidate in smaller(life))


@pytest.mark.only("torch")
@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_can_still_be_planted(name):
    fault = PLANTED[name]
    text = (ROOT / fault.path).read_text()
    assert fault.right in text
    compile(text.replace(fault.right, fault.wrong), fault.path, "exec")


NAMES = {
    "RAdam": "radam",
    "AdaBelief": "adabelief",
    "LAMB": "lamb",
    "Yogi": "yogi",
    "NovoGrad": "novograd",
    "ProximalAdagrad": "proximal_adagrad",
    "COCOB": "cocob",
    "ConditionalGradient": "conditional_gradient",
    "LazyAdam": "adam",
    "Adam": "adam",
    "AdamW": "adamw",
    "ADOPT": "adopt",
    "LARS": "lars",
    "AdEMAMix": "ademamix",
    "Adan": "adan",
    "Muon": "muon",
    "SOAP": "soap",
    "Prodigy": "prodigy",
}


PASS = {
    "none": {},
    "growth_rate": {"growth_rate": 1.25, "beta_3": 0.5},
    "safeguard_warmup": {"safeguard_warmup": True, "d_coef": 2.0},
    "bias_correction": {"bias_correction": True, "beta_2": 0.5},
}


@pytest.mark.only("torch")
@pytest.mark.parametrize("kind", NAMES)
def test_a_step_of_the_model_is_that_of_the_reference(kind):
    random = np.random.default_rng(0)
    start, gradients = random.normal(size=(4, 2)), random.normal(size=(6, 4, 2))
    model = Model({"kind": kind, "rate": 0.125}, [], [start], ["dense/kernel"])
    for g in gradients:
        model.optimizer.apply(model.weights, {0: Gradient(g)})
    reference = getattr(references, NAMES[kind])
    expected = reference(start, gradients, 0.125, weight_decay=0.0)
    np.testing.assert_allclose(model.weights[0], expected, rtol=1e-12)


@pytest.mark.only("torch")
@pytest.mark.parametrize("option", [*PASS])
def test_the_estimate_of_the_model_is_that_of_the_reference(option):
    """Two variables, which share the estimate, move like the halves of one."""
    hyper = {"d0": 2.0**-6} | PASS[option]
    random = np.random.default_rng(0)
    start, gradients = random.normal(size=8), 0.5 + random.normal(size=(12, 8))
    node = {"kind": "Prodigy", "rate": 0.5, "hyper": hyper}
    node["options"] = {"weight_decay": 0.25}
    model = Model(node, [], [start[:3], start[3:]], ["a", "b"])
    for g in gradients:
        both = {0: Gradient(g[:3]), 1: Gradient(g[3:])}
        model.optimizer.apply(model.weights, both)
    assert model.optimizer.estimate[0] > 2 * hyper["d0"]
    expected = references.prodigy(start, gradients, 0.5, weight_decay=0.25, **hyper)
    found = np.concatenate([model.weights[0], model.weights[1]])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
