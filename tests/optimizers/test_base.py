"""The base of optimizers, as a user subclasses it."""

import inspect
import re

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tests.tools import wide
from tfx_extras import optimizers
from tfx_extras.optimizers import RAdam


class Momentum(optimizers.Optimizer):
    """A correct optimizer, in which each test makes one thing wrong."""

    slots = ("momentum",)

    def update(self, gradient, variable, coefficients, slots):
        return gradient, (slots[0] + gradient,)


def step(optimizer):
    weights = keras.Variable(np.ones(3), dtype="float32")
    optimizer.apply([ops.ones(3)], [weights])
    return ops.convert_to_numpy(weights)


def test_the_base_is_no_optimizer():
    for cls in (optimizers.Optimizer, type("Empty", (optimizers.Optimizer,), {})):
        with pytest.raises(TypeError, match=f"`{cls.__name__}` has no formula"):
            cls(0.1)
        with pytest.raises(TypeError, match="has no formula"):
            cls.from_config({"learning_rate": 0.1})
    assert "Optimizer" not in optimizers.list()
    with pytest.raises(ValueError, match="Unknown optimizer"):
        optimizers.get("Optimizer")


def test_update_move_and_update_step_are_formulas():
    def move(self, gradient, variable, now, slots, index):
        return variable - now.learning_rate * gradient, slots

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, learning_rate * gradient)

    for method in (move, update_step):
        made = type("Made", (optimizers.Optimizer,), {method.__name__: method})
        np.testing.assert_allclose(step(made(0.25)), [0.75] * 3)
    np.testing.assert_allclose(step(Momentum(0.25)), [0.75] * 3)


@pytest.mark.parametrize("argument", ["scalar_slots", "initial_values"])
def test_names_that_are_no_slots_are_errors(argument):
    optimizer = Momentum(0.1)
    setattr(optimizer, argument, {"variance": 1.0})
    with pytest.raises(ValueError, match=r"must name slots.*'variance'"):
        step(optimizer)


@pytest.mark.parametrize("is_fast", [True, False])
@pytest.mark.parametrize("number", [0, 2, None])
def test_another_number_of_slots_is_an_error(number, is_fast, monkeypatch):
    def update(self, gradient, variable, coefficients, slots):
        return gradient, gradient if number is None else (gradient,) * number

    monkeypatch.setattr(Momentum, "update", update)
    optimizer = Momentum(0.1)
    optimizer.has_fast_paths = is_fast
    with pytest.raises(ValueError, match=r"a tuple of slots=\('momentum',\)"):
        step(optimizer)


def test_what_a_subclass_needs_is_documented():
    said = set(re.findall(r"`(\w+)`", inspect.getdoc(optimizers.Optimizer)))
    names = {"coefficients", "update", "move", "penalized", "get_config", "slots"}
    names |= {"scalar_slots", "initial_values", "decays_inside", "is_elementwise"}
    names |= {"slot_shape", "totals", "shared_values"}
    assert said >= names | {"has_fast_paths"}
    assert all(hasattr(optimizers.Optimizer, name) for name in names)


class RowScale(optimizers.Optimizer):
    """Divides by the magnitude of a row, except for variables named `plain`."""

    slots = ("largest",)
    is_elementwise = False

    def slot_shape(self, name, variable):
        is_plain = "plain" in variable.path
        return () if is_plain else (variable.shape[0], 1)

    def update(self, gradient, variable, coefficients, slots):
        (largest,) = slots
        is_row = len(largest.shape) > 0
        axes = 1 if is_row else None
        size = ops.max(ops.absolute(gradient), axes, keepdims=is_row)
        largest = ops.maximum(largest, size)
        return gradient / largest, (largest,)


@pytest.mark.parametrize("is_fast", [True, False])
def test_state_can_have_other_shapes(is_fast):
    """Also if variables of the same shape have state of different shapes."""
    rng = np.random.default_rng(0)
    names = ["kernel", "other", "plain", "plain_2"]
    weights = [keras.Variable(np.zeros((3, 2), "float32"), name=n) for n in names]
    optimizer = RowScale(1.0)
    optimizer.has_fast_paths = is_fast
    gradients = rng.normal(size=(2, 4, 3, 2)).astype("float32")
    for several in gradients:
        optimizer.apply([ops.convert_to_tensor(g) for g in several], weights)
    shapes = [tuple(slots[0].shape) for slots in optimizer._slots]
    assert shapes == [(3, 1), (3, 1), (), ()]
    for i, weight in enumerate(weights):
        axes = 2 if i < 2 else (1, 2)
        largest = np.abs(gradients[:, i]).max(axes, keepdims=True)
        expected = -gradients[:, i] / np.maximum.accumulate(largest)
        np.testing.assert_allclose(array(weight), expected.sum(0), rtol=1e-5)


def test_a_formula_whose_state_has_other_shapes_must_say_so():
    for changes in ({"is_elementwise": True}, {"has_norms": True}):
        cls = type("Made", (RowScale,), changes)
        with pytest.raises(TypeError, match="must set `is_elementwise = False`"):
            step(cls(0.1))


@pytest.mark.parametrize("option", ["clipnorm", "global_clipnorm"])
def test_gradients_of_float64_are_clipped_in_float64(option):
    """Also together with float32 gradients."""
    with wide():
        one = keras.Variable(np.ones(3), dtype="float64", name="one")
        two = keras.Variable(np.ones(3), dtype="float32", name="two")
        g = np.array([0.1, 0.2, 0.3])
        optimizer = RAdam(0.1, **{option: 0.3})
        gradients = [ops.convert_to_tensor(g, "float64"), ops.zeros(3, "float32")]
        optimizer.apply(gradients, [one, two])
        expected = 1 - 0.1 * 0.3 * g / np.linalg.norm(g)
        rate = array(optimizer.learning_rate) / 0.1  # Keras keeps the rate in float32
        expected = 1 - rate * (1 - expected)
        np.testing.assert_allclose(array(one), expected, rtol=1e-14)


def test_a_formula_with_norms_must_say_so():
    """Else several variables would be taken for one."""

    class Normalized(optimizers.Optimizer):
        def update(self, gradient, variable, coefficients, slots):
            (square,) = self.squared_norms(gradient)
            return gradient / ops.sqrt(square), slots

    weights = [keras.Variable([3.0, 4.0]), keras.Variable([1.0, 0.0])]
    gradients = [ops.convert_to_tensor(w) for w in weights]
    with pytest.raises(TypeError, match="must set `has_norms = True`"):
        Normalized(1.0).apply(gradients, weights)
    Normalized.has_norms = True
    Normalized(1.0).apply(gradients, weights)
    np.testing.assert_allclose(array(weights[0]), [2.4, 3.2], rtol=1e-6)
    np.testing.assert_allclose(array(weights[1]), [0.0, 0.0], atol=1e-7)
