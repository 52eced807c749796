"""Tests of SOAP beyond the contracts."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.references import optimizers as references
from tests.tools import BACKEND
from tests.tools import array
from tests.tools import compiled
from tests.tools import wide
from tfx_extras.optimizers import SOAP
from tfx_extras.optimizers import ParameterGroups

RATE = 2.0**-6


def trained(optimizer, start, gradients, dtype="float32"):
    variable = keras.Variable(start, dtype=dtype, name="w")
    for g in gradients:
        optimizer.apply([ops.convert_to_tensor(g, dtype)], [variable])
    return array(variable)


def example(shape, count=12):
    rng = np.random.default_rng(0)
    return rng.normal(size=shape), rng.normal(size=(count, *shape))


# The first gradient along each axis has full rank, so that the bases are determined.
SETTINGS = [
    ((5, 5), {}),
    ((2, 3, 2, 4), {"frequency": 2}),
    ((4, 7), {"max_size": 4, "basis_beta": 0.5}),
    ((3, 3), {"frequency": 1, "beta_1": 0.0, "beta_2": 0.0, "epsilon": 0.25}),
    ((1, 6), {"max_size": 5}),
]


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)]
)
@pytest.mark.parametrize(("shape", "kwargs"), SETTINGS)
def test_bases_follow_the_reference(shape, kwargs, dtype, tolerance):
    start, gradients = example(shape)
    expected = references.soap(start, gradients, RATE, **kwargs)
    with wide():
        actual = trained(SOAP(RATE, **kwargs), start, gradients, dtype)
    moved = np.abs(expected - start).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * moved)


@pytest.mark.parametrize("seed", range(4))  # PyTorch fails for half of these
def test_embeddings_of_which_a_batch_uses_few_rows_have_eigenvectors(seed):
    rng = np.random.default_rng(seed)
    gradients = np.zeros((2, 200, 4))
    gradients[:, rng.choice(200, size=10)] = rng.normal(size=(2, 10, 4))
    end = trained(SOAP(RATE, max_size=200), np.zeros((200, 4)), gradients)
    assert np.isfinite(end).all()
    assert np.abs(end).max() > 0


def test_a_rotation_of_the_gradients_rotates_the_steps():
    """Adam has no such symmetry. Here, no other basis than the eigenvectors has it."""
    _, gradients = example((4, 4))
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    start = np.zeros((4, 4))
    plain, rotated = (
        trained(SOAP(RATE, frequency=3), start, some)
        for some in (gradients, rotation @ gradients)
    )
    np.testing.assert_allclose(rotated, rotation @ plain, atol=1e-5)
    adam = SOAP(RATE, max_size=1)
    assert np.abs(trained(adam, start, rotation @ gradients) - rotated).max() > 0.01


def test_a_variable_begins_with_its_first_gradient_that_is_not_zero():
    start, gradients = example((3, 3), 6)
    variables = [keras.Variable(start, dtype="float32", name=n) for n in "abc"]
    optimizer = SOAP(RATE, frequency=2)
    optimizer.build(variables)
    zeros = ops.zeros((3, 3))
    for step in range(9):
        # The first begins at once. The second has zeros, and the third no gradient.
        some = [
            ops.convert_to_tensor(gradients[max(step - late, 0)], "float32")
            for late in (0, 3, 3)
            if step - late < 6
        ]
        if step >= 6:
            optimizer.apply(some[-2:], variables[1:])
        elif step < 3:
            optimizer.apply([some[0], zeros], variables[:2])
        else:
            optimizer.apply(some, variables)
    expected = references.soap(start, gradients, RATE, frequency=2)
    for variable in variables:
        np.testing.assert_allclose(array(variable), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 3), (3,), ()])
def test_the_first_gradient_only_sets_the_bases(shape):
    start, gradients = example(shape, 2)
    first = trained(SOAP(RATE), start, gradients[:1])
    np.testing.assert_array_equal(first, start.astype("float32"))
    decayed = trained(SOAP(0.5, weight_decay=0.5), start, gradients[:1])
    np.testing.assert_allclose(decayed, 0.75 * start, rtol=1e-6)
    assert (trained(SOAP(RATE), start, gradients) != first).all()


@pytest.mark.parametrize("in_graph", [False, *[True] * (BACKEND == "tensorflow")])
@pytest.mark.parametrize("step", [0, 1, 3])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e25])
def test_nan_gives_nan_and_no_error(bad, step, in_graph):
    """TensorFlow's `eigh` raises an error for NaN. The square of 1e25 is infinite."""
    start, gradients = example((3, 3), 6)
    gradients[step, 1, 1] = bad
    variable = keras.Variable(start, dtype="float32", name="w")
    optimizer = SOAP(RATE, frequency=2)
    optimizer.build([variable])

    def apply(g):
        optimizer.apply([g], [variable])

    step = compiled(apply, jit_compile=False) if in_graph else apply
    for g in gradients:
        step(ops.convert_to_tensor(g, "float32"))
    assert np.isnan(array(variable)).all()


def test_state_is_as_large_as_the_guide_says():
    optimizer = SOAP(max_size=4)
    shapes = [(3, 4, 5), (5, 1), (4,), ()]
    variables = [keras.Variable(np.ones(s), dtype="float32") for s in shapes]
    optimizer.build(variables)
    sizes = [
        sum(int(np.prod(tuple(slot.shape))) for slot in slots if len(slot.shape))
        for slots in optimizer._slots
    ]
    assert sizes == [2 * 60 + 2 * (9 + 16), 2 * 5, 2 * 4, 0]


def test_steps_are_counted_beyond_the_numbers_of_float32():
    """Without a new beginning below, 2^24 + 1 would stay 2^24, never to be due."""
    start, gradients = example((3, 3), 2)
    variable = keras.Variable(start, dtype="float32", name="w")
    optimizer = SOAP(RATE, frequency=3)
    optimizer.apply([ops.convert_to_tensor(gradients[0], "float32")], [variable])
    count, bases = optimizer._slots[0][2], optimizer._slots[0][4]
    count.assign(2.0**23 - 1)  # not divisible by 3
    changed, before = [], array(bases)
    for _ in range(9):
        remainder = int(array(count)) % 3
        optimizer.apply([ops.convert_to_tensor(gradients[1], "float32")], [variable])
        changed.append(bool((array(bases) != before).any()))
        before = array(bases)
        assert changed[-1] == (remainder == 0)
    assert sum(changed) == 3
    assert array(count) < 2**23


def test_groups_with_a_rate_of_their_own():
    start, gradients = example((3, 3), 5)
    variable = keras.Variable(start, dtype="float32", name="w")
    optimizer = ParameterGroups(SOAP(1.0), {"w": {"learning_rate_multiplier": RATE}})
    for g in gradients:
        optimizer.apply([ops.convert_to_tensor(g, "float32")], [variable])
    expected = references.soap(start, gradients, RATE)
    np.testing.assert_allclose(array(variable), expected, atol=1e-5)


def test_wrong_lengths_are_refused():
    with pytest.raises(ValueError, match="`frequency` must be a whole number of steps"):
        SOAP(frequency=2.5)
    with pytest.raises(ValueError, match=r"`frequency` must be in \[1, 4194304\]"):
        SOAP(frequency=2**22 + 1)
