"""PyTorch without a compiler: a recorded formula, repeated in parts, is the formula."""

import random
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import OPTIMIZERS
from tests.cases import each_class
from tests.contracts.test_jit_compile import made_by
from tests.contracts.test_optimizers import RATE
from tests.tools import array
from tfx_extras import optimizers
from tfx_extras.optimizers import Optimizer

pytestmark = pytest.mark.only("torch")
if keras.backend.backend() == "torch":
    import torch

    from tfx_extras._backend import _recorded
    from tfx_extras._backend import _updates
    from tfx_extras._backend._recorded import Inputs
    from tfx_extras._backend._recorded import Recorded


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Makes each part 4 elements per thread, or one row."""
    monkeypatch.setattr(_recorded, "_PART", 4)
    monkeypatch.setitem(_updates._LARGE, "cpu", 16)


@pytest.fixture
def made(monkeypatch):
    """The programs that are made, `None` for a formula that cannot be repeated."""
    return made_by(monkeypatch, "_recorded")


def example(length, seed=0, rows=()):
    generator = torch.Generator().manual_seed(seed)
    gradient, *kept = [
        torch.randn(length, *rows, generator=generator) for _ in range(4)
    ]
    scalars = [torch.rand((), generator=generator) for _ in range(2)]
    return Inputs(scalars, gradient, kept)


def copied(inputs):
    return keras.tree.map_structure(torch.clone, inputs)


UNARY = {
    "detach": lambda x: x.detach(),
    "alias": lambda x: x.unsqueeze(-1).squeeze(-1),
    "turned": lambda x: x.t().t(),
    "clone": lambda x: x.clone(),
    "narrow": lambda x: x.bfloat16().float(),
    "wide": lambda x: x.double().float(),
    "sign": lambda x: x.sign(),
    "root": lambda x: x.abs().sqrt(),
    "square": lambda x: x.square(),
    "bounded": lambda x: x.clamp(-1, 0.5),
    "less": lambda x: 1 - x,
    "zeros": lambda x: torch.zeros_like(x),
    "flipped": lambda x: x.flip(-1).flip(-1),
    "finite": lambda x: torch.nan_to_num(x),
}
BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: torch.sub(x, y, alpha=0.5),
    "mul": lambda x, y: x * y,
    "where": lambda x, y: torch.where(x > y, x, y * 0.5),
    "mixed": lambda x, y: torch.lerp(x, y, 0.3),
    "maximum": lambda x, y: torch.maximum(x, y),
    "first": lambda x, y: x,
}


def random_formula(seed, asks_for_sums=False):
    """Returns a formula of random operations, of which any may be a new value."""
    choose = random.Random(seed)
    steps = [
        (choose.choice([*UNARY, *BINARY]), choose.random(), choose.random())
        for _ in range(choose.randint(1, 12))
    ]
    results = [choose.random() for _ in range(3)]

    def formula(inputs):
        values = [inputs.gradient, *inputs.kept, *inputs.scalars]
        for name, a, b in steps:
            a, b = (values[int(i * len(values))] for i in (a, b))
            values.append(UNARY[name](a) if name in UNARY else BINARY[name](a, b))
        if asks_for_sums:
            full = [v for v in values if v.ndim]
            return [x.square().sum() for x in full[-2:]], []
        new = [values[int(r * len(values))] for r in results]
        addresses = [k.data_ptr() for k in inputs.kept]
        # As `backend.apart` does
        return [], [v.clone() if v.data_ptr() in addresses else v for v in new]

    return formula


@pytest.mark.parametrize("seed", range(150))
def test_random_operations(seed):
    """Whatever is read, written, a view or an old value, for each number of parts."""
    formula = random_formula(seed)
    rows = (3,) if seed % 3 == 0 else ()
    recorded = Recorded(formula, example(9, rows=rows))
    for length in (9, 1, 16, 21):
        inputs = example(length, seed=length, rows=rows)
        expected = copied(inputs)
        for kept, value in zip(expected.kept, formula(copied(inputs))[1], strict=True):
            kept.copy_(value)
        assert recorded(inputs) == []
        for ours, theirs in zip(inputs.kept, expected.kept, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("seed", range(30))
def test_sums_of_random_operations(seed):
    formula = random_formula(seed, asks_for_sums=True)
    inputs = example(21)
    before = copied(inputs)
    found = Recorded(formula, example(9))(inputs)
    expected = formula(copied(inputs))[0]
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(inputs, before, rtol=0, atol=0)


@each_class([case for case in OPTIMIZERS if case.cls.is_elementwise])
def test_each_optimizer_is_recorded(case, made):
    """Once for each kind of variable, whatever the number of the step is."""
    optimizer, sizes = case.make(), (3, 20, 4)
    variables = [keras.Variable(np.ones(n), dtype="float32") for n in sizes]
    counts = []
    for _ in range(12):
        optimizer.apply([ops.ones(n) for n in sizes], variables)
        counts.append(len(made))
    assert counts[-1] == counts[8] > 0
    assert None not in made


@each_class(OPTIMIZERS)
def test_variables_of_one_and_of_no_element_too(case, made):
    """A program for one of them must not be taken for others, or fail without any."""
    results = []
    for is_fast in (True, False):
        optimizer, shapes = case.make(), [(1,), (), (0, 3), (3,), (0, 3), (1, 18)]
        optimizer.has_fast_paths = is_fast
        weights = [keras.Variable(np.ones(s), dtype="float32") for s in shapes]
        optimizer.build(weights)
        for i in (0, 1, 2, 3, 4, 5):
            optimizer.apply([ops.ones(shapes[i])], [weights[i]])
        results.append([array(v) for v in [*weights, *optimizer.variables]])
    assert None not in made
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_transposed_result_is_not_written_over_while_it_is_read(monkeypatch):
    def formula(inputs):
        doubled = inputs.gradient * 2
        return [], [2 * (doubled + doubled.t()), *inputs.kept[1:]]

    monkeypatch.setattr(_recorded, "_PART", 16)
    inputs = example(4, rows=(4,))
    expected = formula(inputs)[1][0]
    Recorded(formula, copied(inputs))(inputs)
    torch.testing.assert_close(inputs.kept[0], expected)


def test_results_need_few_buffers_and_state_none():
    """Each result takes the place of one that is needed no more."""

    def formula(inputs):
        m, v, w = inputs.kept
        m = 0.9 * m + 0.1 * inputs.gradient
        v = 0.9 * v + 0.1 * (inputs.gradient - m).square()
        return [], [m, v, w - inputs.scalars[0] * m / (v.sqrt() + 1e-7)]

    recorded = Recorded(formula, example(9))
    assert recorded.buffers == [torch.float32] * 2
    inputs, places = example(9), []
    recorded._update, update = lambda *given: places.append(given), recorded._update
    recorded(inputs)
    prepared, part, buffers = places[0]
    before = [x.data_ptr() for x in part]
    update(prepared, part, buffers)
    assert [x.data_ptr() for x in part] == before


class Odd(Optimizer):
    """Gradient descent that does what cannot be repeated with other numbers."""

    how = ""

    def update(self, gradient, variable, coefficients, slots):
        if self.how == "branch":
            return (gradient * 2 if (gradient > 0).all() else gradient), ()
        if self.how == "number":
            return gradient * float(gradient.amax().sign()), ()
        if self.how == "number of its own":
            return gradient * float(self.factor), ()
        if self.how == "counts":
            self.factor.assign(self.factor * 2)
            return gradient, ()
        if self.how == "array":
            return gradient * torch.tensor(np.sign(gradient.amax().numpy())), ()
        if self.how == "list":
            return gradient * max(gradient.tolist()), ()
        if self.how == "in place":
            return gradient.mul_(2), ()
        if self.how == "shape":
            return gradient * torch.ones(gradient.shape), ()
        return sum(gradient.split(len(gradient))), ()


@pytest.mark.parametrize(
    "how",
    [
        "branch",
        "number",
        "number of its own",
        "counts",
        "array",
        "list",
        "in place",
        "shape",
        "split",
    ],
)
def test_what_cannot_be_repeated_is_done_as_it_is_written(how, made, caplog):
    caplog.set_level("DEBUG", "tfx_extras")
    results = []
    for is_fast in (True, False):
        optimizer = Odd(0.1)
        optimizer.how, optimizer.has_fast_paths = how, is_fast
        optimizer.factor = keras.Variable(1.0)
        weights = [keras.Variable(np.ones(n), dtype="float32") for n in (3, 20, 4)]
        for sign in (1, -1, 1):
            optimizer.apply([sign * ops.ones(w.shape) for w in weights], weights)
            if how != "counts":
                optimizer.factor.assign(optimizer.factor * 2)
        results.append([array(w) for w in weights])
    assert made
    assert not any(made)
    assert "`odd` is not recorded: " in caplog.text
    assert how != "counts" or array(optimizer.factor) == 2**9
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_error_of_a_formula_is_the_error_of_the_step():
    class Wrong(Optimizer):
        def update(self, gradient, variable, coefficients, slots):
            raise OverflowError("too much")

    weights = keras.Variable(np.ones(3), dtype="float32")
    with pytest.raises(OverflowError, match="too much"):
        Wrong(0.1).apply([ops.ones(3)], [weights])


def test_settings_that_change_all_the_time_are_recorded_no_more(made, monkeypatch):
    monkeypatch.setattr(_updates, "_MOST_RECORDED", 3)
    results = []
    for is_fast in (True, False):
        optimizer = optimizers.RAdam(RATE)
        optimizer.has_fast_paths = is_fast
        weights = keras.Variable(np.ones(20), dtype="float32")
        for i in range(6):
            optimizer.beta_1 = i / 40
            optimizer.apply([ops.ones(20)], [weights])
        results.append(array(weights))
    assert len(made) == 3
    np.testing.assert_allclose(*results, rtol=1e-6)


class Listed(Optimizer):
    """Keeps a tensor of its own, a constant, and what it does not change."""

    slots = ("same", "zero", "gradient")

    def update(self, gradient, variable, coefficients, slots):
        zeros = ops.zeros_like(gradient)
        return gradient * torch.tensor(0.5), (slots[0], zeros, gradient)


def test_a_gradient_a_constant_and_the_old_value_can_be_new_state(made):
    optimizer = Listed(0.5)
    weights = keras.Variable(np.ones(20), dtype="float32")
    gradients = [ops.arange(20, dtype="float32") + i for i in range(3)]
    for gradient in gradients:
        optimizer.apply([gradient], [weights])
    same, zero, last = optimizer._slots[0]
    assert None not in made
    assert not array(same).any()
    assert not array(zero).any()
    np.testing.assert_array_equal(array(last), array(gradients[-1]))
    expected = 1 - 0.25 * sum(map(array, gradients))
    np.testing.assert_allclose(array(weights), expected, rtol=1e-6)


def test_weights_as_their_own_gradient():
    """What is stored in parts must not change the gradient before it is read."""
    for sizes in ([20], [3, 4]):
        weights = [keras.Variable(np.ones(n), dtype="float32") for n in sizes]
        for _ in range(2):
            gradients = [w.value.detach() for w in weights]
            Listed(0.5).apply(gradients, weights)
        for w in weights:
            np.testing.assert_allclose(array(w), 0.75**2, rtol=1e-6)


def test_nan_spreads_to_its_own_element_alone():
    optimizer = optimizers.AdaBelief(RATE)
    weights = keras.Variable(np.ones(20), dtype="float32")
    optimizer.apply([ops.convert_to_tensor([*range(19), np.nan])], [weights])
    assert np.isnan(array(weights)).tolist() == [False] * 19 + [True]


class Hidden:
    """Holds a number where programs do not find it."""

    def __init__(self, number):
        self.number = number

    def __repr__(self):
        return "the same for all numbers"


class Given(NamedTuple):
    """What a formula is made of."""

    coefficients: Any
    update: Any


FORMULAS = {
    "hidden number": Given(Hidden, lambda g, c: g * c.number),
    "array": Given(
        lambda step: np.r_[np.zeros(1000), float(step), np.zeros(1000)],
        lambda g, c: g * float(c[1000]),
    ),
    "NumPy number": Given(lambda step: np.float32(float(step)), lambda g, c: g * c),
    "not a condition": Given(
        lambda step: step > 2, lambda g, c: ops.where(~c, g, 2 * g)
    ),
    "sum of conditions": Given(lambda step: step > 2, lambda g, c: (c + c) * g),
    "branch on a condition": Given(
        lambda step: step > 2, lambda g, c: g if c else 2 * g
    ),
    "branch on two": Given(
        lambda step: (step > 1, step < 3),
        lambda g, c: g if c[0] & c[1] else 2 * g,
    ),
    "variable of a gradient": Given(lambda _: None, lambda g, _: keras.Variable(g) * 2),
    "parameter": Given(
        lambda _: None, lambda g, _: torch.nn.Parameter(g, requires_grad=False) * 2
    ),
    "text": Given(lambda _: None, lambda g, _: g * (1 + ("2." in str(g)))),
}


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", FORMULAS)
def test_no_step_uses_numbers_of_another(name, jit_compile, monkeypatch):
    monkeypatch.setattr(_updates, "_COMPILER", "eager")
    given = FORMULAS[name]

    class Formula(Optimizer):
        def coefficients(self, step):
            return given.coefficients(step)

        def update(self, gradient, variable, coefficients, slots):
            return given.update(gradient, coefficients), slots

    results = []
    for is_fast in (True, False):
        optimizer = Formula(0.1, jit_compile=jit_compile)
        optimizer.has_fast_paths = is_fast
        weights = [keras.Variable(np.ones(n), dtype="float32") for n in (1, 4, 20)]
        for factor in (1, 2, 5, 7):
            optimizer.apply([factor * ops.ones(w.shape) for w in weights], weights)
        results.append([array(w) for w in weights])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_the_first_step_may_be_in_inference_mode():
    weights = [keras.Variable(np.ones(n), dtype="float32") for n in (3, 4, 20)]
    optimizer = optimizers.RAdam(RATE)
    optimizer.build(weights)
    gradients = [ops.ones(w.shape) for w in weights]
    with torch.inference_mode():
        optimizer.apply(gradients, weights)
    optimizer.apply(gradients, weights)
    assert all(np.isfinite(array(w)).all() for w in weights)


@pytest.mark.parametrize("of", ["weights", "one weight", "state"])
def test_gradients_in_the_memory_of_what_changes(of):
    results = []
    for is_fast in (True, False):
        weights = keras.Variable(np.arange(20.0), dtype="float32")
        optimizer = optimizers.Yogi(RATE)
        optimizer.has_fast_paths = is_fast
        optimizer.apply([ops.ones(20)], [weights])
        if of == "weights":
            base = torch.arange(30.0) / 30
            weights.value.data, gradient = base[10:], base[:20]
        elif of == "one weight":
            gradient = weights.value.detach()[5:6].expand(20)
        else:
            gradient = optimizer._slots[0][0].value.detach()
        optimizer.apply([gradient], [weights])
        results.append(array(weights))
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_what_is_kept_for_changing_settings_is_bounded(monkeypatch):
    monkeypatch.setattr(_updates, "_MOST_RECORDED", 3)
    monkeypatch.setattr(_updates, "_MOST_SETTINGS", 8)
    optimizer = optimizers.RAdam(RATE)
    weights = keras.Variable(np.ones(3), dtype="float32")
    for i in range(30):
        optimizer.another = i
        optimizer.apply([ops.ones(3)], [weights])
    updates = optimizer._joint_updates
    assert len(updates._settings) <= 8
    assert len(updates._programs) <= 3
    assert len(updates._worked) <= 3


class Mixed(Optimizer):
    """Gradient descent with an `if` on all elements of a variable."""

    has_norms = True

    def update(self, gradient, variable, coefficients, slots):
        if self.is_elementwise:
            (squared,) = self.squared_norms(gradient)
        else:
            squared = ops.sum(gradient**2)
        return (gradient if squared > 20 else 3 * gradient), slots


@pytest.mark.parametrize("is_elementwise", [True, False])
def test_an_if_on_a_whole_variable_is_made_for_each(is_elementwise):
    results = []
    for is_fast in (True, False):
        optimizer = Mixed(0.1)
        optimizer.is_elementwise, optimizer.has_fast_paths = is_elementwise, is_fast
        weights = [keras.Variable(np.ones(n), dtype="float32") for n in (3, 3, 24)]
        optimizer.apply([i + ops.ones(w.shape) for i, w in enumerate(weights)], weights)
        results.append([array(w) for w in weights])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)


class Normed(Optimizer):
    """Gradient descent that divides by the norm of a gradient, if told."""

    def update(self, gradient, variable, coefficients, slots):
        if self.has_norms:
            (squared,) = self.squared_norms(gradient)
            gradient = gradient / ops.sqrt(squared)
        return gradient, slots


def test_norms_may_be_asked_for_later():
    """Joined as one vector before, variables become rows."""
    optimizer = Normed(0.1)
    weights = [keras.Variable(np.ones(4), dtype="float32") for _ in range(2)]
    for optimizer.has_norms in (False, True):
        optimizer.apply([ops.ones(4), 2 * ops.ones(4)], weights)
    assert [array(w)[0].round(4) for w in weights] == [0.85, 0.75]
