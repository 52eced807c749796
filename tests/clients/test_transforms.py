"""Losses and optimizers under autocast, function transforms and mixed precision."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import LOSSES
from tests.cases import OPTIMIZERS
from tests.cases import each
from tests.cases import each_class
from tests.losses.cases.embedding import metric_learning
from tests.tools import BACKEND
from tests.tools import array
from tests.tools import gradient
from tests.tools import looked_at
from tfx_extras import losses
from tfx_extras import optimizers

if BACKEND == "torch":
    import torch
    from torch.func import grad
    from torch.func import vmap

LABELS = np.array([0, 6, 3, -1, 2])
OPTIONS = {"ignore_class": -1, "label_smoothing": 0.125, "chunk_size": 3}


def batch(case):
    return [ops.convert_to_tensor(x) for x in case.inputs(smooth=True)]


def autocast():
    return torch.autocast(ops.ones(()).device.type, dtype=torch.bfloat16)


def both(compute, y_true, y_pred):
    """The loss and its gradient."""
    y_pred = y_pred.clone().requires_grad_()
    loss = compute(y_true, y_pred)
    (slope,) = torch.autograd.grad(loss.sum(), y_pred)
    return loss.detach(), slope


def assert_close(actual, expected):
    actual, expected = array(actual), array(expected)
    assert np.isfinite(expected).all(), (
        "the loss or its gradient overflows in float32: compute it in another order, "
        "or make `data`, or `smooth`, of its case in tests/losses/cases smaller"
    )
    least = 1e-6 * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=least)


def assert_equal(actual, expected):
    np.testing.assert_array_equal(array(actual), array(expected))


def parts():
    random = np.random.default_rng(0)
    shapes = (5, 4), (4, 7), (7,)
    arrays = [random.normal(size=s).astype("float32") for s in shapes]
    return list(map(ops.convert_to_tensor, arrays))


def chunked(hidden, kernel, bias, labels=LABELS):
    return losses.chunked_linear_crossentropy(
        labels, hidden, kernel, bias, **OPTIONS
    ).sum()


def whole(hidden, kernel, bias, labels=LABELS):
    options = {k: v for k, v in OPTIONS.items() if k != "chunk_size"}
    return losses.smoothed_sparse_categorical_crossentropy(
        labels, hidden @ kernel + bias, from_logits=True, **options
    ).sum()


@each(LOSSES)
@pytest.mark.only("torch")
def test_autocast_changes_neither_a_loss_nor_its_gradient(case):
    y_true, y_pred = batch(case)
    expected, slope = both(case.compute, y_true, y_pred)
    with autocast():
        actual, within = both(case.compute, y_true, y_pred)
        of_class = case.make(reduction="sum")(y_true, y_pred)
    assert actual.dtype == of_class.dtype == torch.float32
    assert_equal(actual, expected)
    # The terms of a gradient through a matrix product are added in another order.
    unit = 1e-6 * max(1.0, float(slope.abs().max()))
    torch.testing.assert_close(within, slope, rtol=0, atol=unit)


@pytest.mark.only("torch")
def test_autocast_changes_neither_chunked_crossentropy_nor_its_gradient():
    expected = grad(chunked, (0, 1, 2))(*parts())
    with autocast():
        loss = chunked(*parts())
        actual = grad(chunked, (0, 1, 2))(*parts())
    assert_equal(loss, chunked(*parts()))
    for a, b in zip(actual, expected, strict=True):
        assert_equal(a, b)


@pytest.mark.only("torch")
def test_autocast_does_not_reach_a_distance_of_the_user():
    def distance(x, y):
        return torch.relu(2 - x @ y.T)

    y_true, y_pred = np.array([0, 0, 1, 1]), parts()[0][:4, :3]
    # With this margin, no triplet has loss 0.
    options = {"margin": 8.0, "distance_metric": distance}
    loss = losses.triplet_hard_loss(y_true, y_pred, **options)
    assert (array(loss) > 0).all()
    with autocast():
        actual = losses.triplet_hard_loss(y_true, y_pred, **options)
    assert_equal(actual, loss)


class Product(optimizers.Optimizer):
    """Multiplies matrices, which autocast would do in another dtype."""

    is_elementwise = False

    def update(self, gradient, variable, coefficients, slots):
        return gradient @ ops.transpose(gradient) @ gradient, slots


# The first kind multiplies matrices in a scope of its own; the second does not; the
# third is the class above.
KINDS = [case.make for case in OPTIMIZERS if case.kwargs.get("norm")]
KINDS += [OPTIMIZERS[0].make, lambda: Product(0.1)]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.only("torch")
def test_autocast_does_not_change_an_update(make):
    def trained():
        start = np.linspace(-1, 1, 12).reshape(3, 4)
        # Autocast would leave float64 as it is.
        weights = keras.Variable(start, dtype="float32")
        gradient = ops.convert_to_tensor(np.linspace(0, 3, 12).reshape(3, 4), "float32")
        make().apply([gradient], [weights])
        return array(weights)

    expected = trained()
    with autocast():
        np.testing.assert_array_equal(trained(), expected)


@each(LOSSES)
@pytest.mark.only("torch")
def test_vmap_gives_what_a_loop_gives(case):
    y_true, y_pred = batch(case)
    several = torch.stack([y_true, y_true]), torch.stack([y_pred, y_pred / 2])
    for compute in (case.compute, case.make(reduction="sum")):
        expected = torch.stack([compute(*one) for one in zip(*several, strict=True)])
        assert_close(vmap(compute)(*several), expected)


@each(LOSSES)
@pytest.mark.only("torch")
def test_functional_gradients_are_those_of_the_tape(case):
    y_true, y_pred = batch(case)
    _, expected = both(case.compute, y_true, y_pred)
    slope = grad(lambda y_true, x: case.compute(y_true, x).sum(), argnums=1)
    assert_close(slope(y_true, y_pred), expected)
    two = vmap(slope)(torch.stack([y_true] * 2), torch.stack([y_pred] * 2))
    assert_close(two, torch.stack([expected] * 2))


@pytest.mark.only("torch")
@pytest.mark.parametrize(
    "mapped", [(0, None, None, 0), (0, 0, None, None), (None, 0, 0, 0)]
)
def test_chunked_crossentropy_can_be_transformed(mapped):
    inputs = [*parts(), ops.convert_to_tensor(LABELS)]
    moved = [part * 2 for part in inputs[:3]] + [inputs[3].flip(0)]
    inputs = [
        one if axis is None else torch.stack([one, other])
        for one, other, axis in zip(inputs, moved, mapped, strict=True)
    ]
    for function in (lambda loss: loss, lambda loss: grad(loss, (0, 1, 2))):
        actual, expected = (
            vmap(function(loss), mapped)(*inputs) for loss in (chunked, whole)
        )
        for a, b in zip(actual, expected, strict=True):
            assert_close(a, b)


@pytest.mark.only("torch")
def test_a_functional_second_derivative_of_chunked_crossentropy_is_refused():
    hidden, kernel, bias = parts()

    def slope(kernel):
        return grad(chunked, 1)(hidden, kernel, bias).sum()

    with pytest.raises(NotImplementedError, match="no second derivative"):
        grad(slope)(kernel)


def one_of_each_file(cases):
    """The first case of each file of the package."""
    return list({case.function.__module__: case for case in reversed(cases)}.values())


def assert_one_graph(compute, y_true, y_pred):
    """`torch.compile` captures a loss without a graph break, and changes nothing."""
    torch._dynamo.reset()
    whole = torch.compile(compute, backend="eager", fullgraph=True)
    pairs = zip(both(whole, y_true, y_pred), both(compute, y_true, y_pred), strict=True)
    for actual, expected in pairs:
        assert_close(actual, expected)


@pytest.mark.slow
@each(one_of_each_file(LOSSES))
@pytest.mark.only("torch")
def test_a_compiled_loss_is_one_graph(case):
    assert_one_graph(case.compute, *batch(case))


@pytest.mark.only("torch")
@pytest.mark.parametrize(
    "loss",
    [
        losses.SmoothedSparseCategoricalCrossentropy(ignore_class=1),
        losses.WeightedKappaLoss(),
        losses.Huber() + 0.5 * losses.PinballLoss(tau=[0.1, 0.5, 0.9]),
    ],
    ids=lambda loss: loss.name,
)
def test_a_compiled_class_is_one_graph(loss):
    """With a mask, with weights within the loss, and as a sum of losses."""
    y_pred = ops.softmax(ops.convert_to_tensor(parts()[1][:, :3]))
    is_sparse = loss.name != "combined_loss"
    y_true = ops.convert_to_tensor([0, 1, 2, 1]) if is_sparse else y_pred / 2
    weights = ops.convert_to_tensor([1.0, 2.0, 0.0, 3.0])
    assert_one_graph(lambda y, x: loss(y, x, weights), y_true, y_pred)


@pytest.mark.only("torch")
@pytest.mark.parametrize("label", [3, -1])
def test_a_label_out_of_range_is_nan_in_a_graph(label):
    whole = torch.compile(
        losses.sparse_categorical_focal_crossentropy, backend="eager", fullgraph=True
    )
    y_pred = ops.full((2, 3), 1 / 3)
    loss = whole(ops.convert_to_tensor([1, label]), y_pred)
    assert np.isnan(array(loss)).tolist() == [False, True]


@pytest.mark.only("torch")
def test_a_label_out_of_range_is_seen_behind_a_vmap():
    labels, logits = torch.tensor([[0, 1], [2, 3]]), torch.zeros(2, 2, 3)
    with looked_at(), pytest.raises(ValueError, match=r"classes in \[0, 3\)"):
        vmap(losses.sparse_categorical_focal_crossentropy)(labels, logits)


# Other backends take long for each loss, and the base does the casts for all of them.
@each_class(LOSSES if BACKEND == "torch" else LOSSES[::80])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_mixed_policies_change_a_loss_only_by_what_is_rounded_before(case, dtype):
    y_true, y_pred = case.inputs(smooth=True)
    rounded = ops.cast(ops.cast(np.clip(y_pred, -1e4, 1e4), dtype), "float32")
    expected = array(case.make()(y_true, rounded))
    slope = gradient(lambda x: case.make()(y_true, x), rounded)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{dtype}")
    try:
        loss = case.make()
        actual = loss(y_true, ops.cast(rounded, dtype))
        within = gradient(lambda x: loss(y_true, ops.cast(x, dtype)), rounded)
    finally:
        keras.config.set_dtype_policy(before)
    assert keras.backend.standardize_dtype(actual.dtype) == "float32"
    np.testing.assert_array_equal(array(actual), expected)
    # XLA computes what is around a cast together with it. A number near half of the
    # smallest one of `float16` then becomes either this or 0.
    unit = 6e-8 if (BACKEND, dtype) == ("jax", "float16") else 0
    np.testing.assert_allclose(within, array(ops.cast(slope, dtype)), 0, unit)


@pytest.mark.only("jax")
def test_gathering_within_a_mapped_function_is_an_error():
    import jax

    loss = losses.SupervisedContrastiveLoss(gather=True)
    y_true, y_pred = metric_learning.labelled()
    with pytest.raises(ValueError, match="`gather` must be False within") as error:
        jax.eval_shape(shard_map(loss), y_true, y_pred)
    assert "'replicas'" in str(error.value)
    stacked = y_true[None], y_pred[None]
    with pytest.raises(ValueError, match="`gather` must be False within"):
        jax.eval_shape(jax.pmap(loss), *stacked)
    jax.eval_shape(shard_map(losses.SupervisedContrastiveLoss()), y_true, y_pred)
    for function in (jax.jit(loss), jax.jit(jax.grad(loss, argnums=1))):
        jax.eval_shape(function, y_true, y_pred)
    jax.eval_shape(jax.vmap(loss), *stacked)


def shard_map(function):
    """Maps `function` over the samples, on the only device."""
    import jax

    if hasattr(jax, "shard_map"):
        map_, options = jax.shard_map, {"check_vma": False}
    else:  # JAX before 0.6
        from jax.experimental.shard_map import shard_map as map_

        options = {"check_rep": False}
    split = jax.sharding.PartitionSpec("replicas")
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("replicas",))
    whole = jax.sharding.PartitionSpec()
    return map_(function, mesh=mesh, in_specs=split, out_specs=whole, **options)


@pytest.mark.only("torch")
def test_a_mask_is_not_written_into_the_weights_of_the_user():
    weights = ops.convert_to_tensor([1.0, 2.0, 3.0])
    y_true, y_pred = np.array([0, -1, 2]), ops.zeros((3, 4))
    loss = losses.SparseCategoricalFocalCrossentropy(from_logits=True, ignore_class=-1)
    expected = loss(y_true, y_pred, weights)
    assert weights.tolist() == [1.0, 2.0, 3.0]
    assert_equal(loss(y_true, y_pred, weights), expected)
