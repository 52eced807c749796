"""Long tensors, which take faster paths on PyTorch, have the losses of short ones."""

import numpy as np
import pytest

pytestmark = pytest.mark.only("torch")
PIXELS = 2**17  # two parts of the sums of overlap losses


def found(loss, y, x):
    """The values of a loss, and its first and second derivatives."""
    import torch

    y, x = torch.tensor(y), torch.tensor(x).requires_grad_()
    values = loss(y, x)
    (first,) = torch.autograd.grad(values.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x)
    return [tensor.detach().numpy() for tensor in (values, first, second)]


def assert_same(loss, y, x, step, atol):
    long = found(loss, y, x)
    pieces = range(0, len(x), step)
    short = [found(loss, y[i : i + step], x[i : i + step]) for i in pieces]
    for one, parts in zip(long, zip(*short, strict=True), strict=True):
        np.testing.assert_allclose(one, np.concatenate(parts), rtol=1e-4, atol=atol)


@pytest.mark.parametrize(
    "name",
    ["huber", "smooth_l1", "pseudo_huber", "poisson_nll", "negative_binomial_nll"],
)
def test_elementwise_losses_of_long_tensors_are_those_of_short_ones(name):
    from tfx_extras import losses

    random = np.random.default_rng(0)
    x = 3 * random.standard_normal((96, 64, 2), "float32")
    if name == "negative_binomial_nll":
        y = random.integers(0, 9, (96, 64)).astype("float32")
    else:
        x = x[..., 0]
        y = np.abs(random.standard_normal((96, 64), "float32")).round()
    assert_same(getattr(losses, name), y, x, 16, 1e-4)


@pytest.mark.parametrize("activation", [None, "sigmoid", "softmax"])
@pytest.mark.parametrize("name", ["dice_loss", "sparse_dice_loss"])
def test_overlap_losses_of_long_rows_are_those_of_their_formula(name, activation):
    import torch

    from tfx_extras import losses

    random = np.random.default_rng(0)
    classes = random.integers(0, 3, (1, PIXELS))
    y = np.eye(3, dtype="float32")[classes]
    logits = random.standard_normal(y.shape, "float32")
    x = 1 / (1 + np.exp(-logits)) if activation is None else logits
    labels = classes if name.startswith("sparse") else y

    def formula(y, x):
        y, z = torch.tensor(np.float64(shares)), x
        q = {None: z, "sigmoid": z.sigmoid(), "softmax": z.softmax(-1)}[activation]
        found, all_ = (y * q).sum(1), (y + q).sum(1)
        return (1 - (2 * found + 2) / (all_ + 2)).mean(-1)

    shares = y
    ours = found(
        lambda y, x: getattr(losses, name)(y, x, activation=activation), labels, x
    )
    theirs = found(formula, labels, np.float64(x))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3 * np.abs(b).max())
