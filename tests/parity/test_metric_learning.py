"""Losses of proxies and metrics of retrieval are those of PyTorch Metric Learning."""

import numpy as np
import pytest

from tests import tools
from tests.parity import inputs
from tfx_extras import layers
from tfx_extras import losses
from tfx_extras import metrics

GOLDEN = inputs.Golden("metric_learning")
# The formulas are the same on all backends, and references test each backend.
pytestmark = pytest.mark.only("torch")
each_dtype = pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)]
)


def assert_alike(name, function, kernel, dtype, tolerance, **pooling):
    """The mean of the losses of cosines that a layer has computed."""
    given = inputs.metric_learning()
    layer = layers.CosineDense(5, dtype=dtype, **pooling)
    layer.build((None, 8))
    layer.kernel.assign(given[kernel])

    def loss(x):
        return function(given["classes"], layer(x)) / len(given["classes"])

    values, slope = tools.values_and_gradient(loss, given["embeddings"].astype(dtype))
    value, gradient = (GOLDEN.arrays[f"{name}/{k}"] for k in ("value", "gradient"))
    np.testing.assert_allclose(values.sum(), value, rtol=tolerance)
    least = tolerance * np.abs(gradient).max()
    np.testing.assert_allclose(slope, gradient, rtol=tolerance, atol=least)


@each_dtype
@pytest.mark.parametrize("name", GOLDEN.named("ProxyAnchorLoss"))
def test_proxy_anchor(name, dtype, tolerance):
    loss = losses.ProxyAnchorLoss(**GOLDEN.cases[name]["arguments"], dtype=dtype)
    assert_alike(name, loss.call, "proxies", dtype, tolerance)


@each_dtype
@pytest.mark.parametrize("name", GOLDEN.named("ProxyNCALoss"))
def test_proxy_nca(name, dtype, tolerance):
    temperature = 1 / GOLDEN.cases[name]["arguments"]["softmax_scale"]
    loss = losses.ProxyNCALoss(temperature, dtype=dtype)
    assert_alike(name, loss.call, "proxies", dtype, tolerance)


@each_dtype
@pytest.mark.parametrize("name", GOLDEN.named("SoftTripleLoss"))
def test_soft_triple(name, dtype, tolerance):
    case = GOLDEN.cases[name]["arguments"]
    loss = losses.SoftTripleLoss(case["la"], case["margin"], dtype=dtype)
    pooling = {"centers": 3, "pooling": "soft", "gamma": case["gamma"]}
    assert_alike(name, loss.call, "centers", dtype, tolerance, **pooling)


@each_dtype
@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("SupConLoss", losses.SupervisedContrastiveLoss(0.1)),
        ("MultiSimilarityLoss", losses.MultiSimilarityLoss()),
    ],
)
def test_a_memory_of_batches(name, loss, dtype, tolerance):
    name = f"CrossBatchMemory:{name}"
    given = inputs.metric_learning()
    layer = layers.CrossBatchMemory(loss, size=48, dtype=dtype)
    batches, classes = given["batches"].astype(dtype), given["batch_classes"]
    values = []
    for x, y in zip(batches[:-1], classes[:-1], strict=True):
        values.append(tools.array(layer(x, y, training=True)).mean())

    def last(x):
        return layer(x, classes[-1], training=True) / len(x)

    losses_of_last, slope = tools.values_and_gradient(last, batches[-1])
    values.append(losses_of_last.sum())
    expected, gradient = (GOLDEN.arrays[f"{name}/{k}"] for k in ("values", "gradient"))
    np.testing.assert_allclose(values, expected, rtol=tolerance)
    least = tolerance * np.abs(gradient).max()
    np.testing.assert_allclose(slope, gradient, rtol=tolerance, atol=least)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("precision_at_1", metrics.RecallAtK),
        ("mean_average_precision_at_r", metrics.MeanAveragePrecisionAtR),
    ],
)
def test_metrics_of_a_set_with_ties_and_lone_classes(name, make, dtype):
    given = inputs.metric_learning()
    metric = make(distance_metric="L2", dtype=dtype)
    metric.update_state(given["set_classes"], given["set"])
    np.testing.assert_allclose(
        tools.array(metric.result()), GOLDEN.arrays[f"{name}/value"], rtol=1e-6
    )
