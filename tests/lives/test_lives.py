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
from tests.lives.model import FORMULAS
from tests.lives.planted import PLANTED
from tests.references import optimizers as references

QUICK, COUNT = 20, {"tensorflow": 50, "jax": 30, "torch": 100}[BACKEND]
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
}


@pytest.mark.only("torch")
@pytest.mark.parametrize("kind", NAMES)
def test_a_step_of_the_model_is_that_of_the_reference(kind):
    random = np.random.default_rng(0)
    start, gradients = random.normal(size=(4, 2)), random.normal(size=(6, 4, 2))
    w, state = start, {}
    matrix = {"is_matrix": True} if kind == "Muon" else {}
    for t, g in enumerate(gradients, 1):
        w = FORMULAS[kind](w, g, 0.125, 0.0, t, state, **matrix)
    reference = getattr(references, NAMES[kind])
    expected = reference(start, gradients, 0.125, weight_decay=0.0)
    np.testing.assert_allclose(w, expected, rtol=1e-12)
