"""Writes `goldens/metric_learning.npz`: proxies, and recall, of another library.

python3.11 -m venv .venv-metric
.venv-metric/bin/pip install torch==2.13.0 numpy==2.4.6 scikit-learn tqdm
.venv-metric/bin/pip install --no-deps pytorch-metric-learning==2.9.0
.venv-metric/bin/python -m tests.parity.make_metric_learning

To search for neighbors, PyTorch Metric Learning needs Faiss, which breaks ties as it
likes. Here a stable sort searches: among equal distances, the lower index is nearer.
"""

from importlib.metadata import version

import torch
from pytorch_metric_learning.losses import CrossBatchMemory
from pytorch_metric_learning.losses import MultiSimilarityLoss
from pytorch_metric_learning.losses import ProxyAnchorLoss
from pytorch_metric_learning.losses import ProxyNCALoss
from pytorch_metric_learning.losses import SoftTripleLoss
from pytorch_metric_learning.losses import SupConLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from tests.parity import inputs

LOSSES = {
    ProxyAnchorLoss: {"paper": {}, "other": {"margin": 0.25, "alpha": 8.0}},
    ProxyNCALoss: {"paper": {"softmax_scale": 9}, "other": {"softmax_scale": 1}},
    SoftTripleLoss: {
        "paper": {"la": 20, "gamma": 0.1, "margin": 0.01, "centers_per_class": 3},
        "other": {"la": 5, "gamma": 0.5, "margin": 0.25, "centers_per_class": 3},
    },
}
MEMORIES = {
    "SupConLoss": (SupConLoss(temperature=0.1), None),
    "MultiSimilarityLoss": (MultiSimilarityLoss(), MultiSimilarityMiner(0.1)),
}


def evaluated(loss, given):
    """The value of a loss with the given centers, and its gradient."""
    x = torch.tensor(given["embeddings"], requires_grad=True)
    if isinstance(loss, SoftTripleLoss):
        loss.fc.data = torch.tensor(given["centers"])
    else:
        loss.proxies.data = torch.tensor(given["proxies"]).T
    value = loss(x, torch.tensor(given["classes"]))
    value.backward()
    return {"value": value.detach().numpy(), "gradient": x.grad.numpy()}


def remembered(loss, miner, given):
    """The losses of five batches with a memory, and the gradient of the last one."""
    memory = CrossBatchMemory(loss, 8, memory_size=48, miner=miner)
    x = torch.tensor(given["batches"], requires_grad=True)
    pairs = zip(x, torch.tensor(given["batch_classes"]), strict=True)
    values = [memory(batch, classes) for batch, classes in pairs]
    values[-1].backward()
    values = torch.stack(values).detach().numpy()
    return {"values": values, "gradient": x.grad[-1].numpy()}


def sorted_neighbors(query, k, reference, ref_includes_query):
    """Distances and indices of the neighbors of each embedding, without itself."""
    distances = torch.cdist(query, reference).fill_diagonal_(-1.0)
    distances, indices = torch.sort(distances, dim=1, stable=True)
    return distances[:, 1 : k + 1], indices[:, 1 : k + 1]


def main():
    torch.set_default_dtype(torch.float64)
    given = inputs.metric_learning()
    cases, outputs = {}, {}
    for make, settings in LOSSES.items():
        for title, arguments in settings.items():
            name = f"{make.__name__}:{title}"
            cases[name] = {"arguments": arguments}
            outputs[name] = evaluated(make(5, 8, **arguments), given)
    for title, (loss, miner) in MEMORIES.items():
        cases[f"CrossBatchMemory:{title}"] = {}
        outputs[f"CrossBatchMemory:{title}"] = remembered(loss, miner, given)
    metrics = ("precision_at_1", "mean_average_precision_at_r")
    found = AccuracyCalculator(
        include=metrics, knn_func=sorted_neighbors, k="max_bin_count"
    ).get_accuracy(torch.tensor(given["set"]), torch.tensor(given["set_classes"]))
    for name in metrics:
        cases[name] = {}
        outputs[name] = {"value": found[name]}
    names = ("pytorch-metric-learning", "torch")
    versions = {package: version(package) for package in names}
    inputs.save("metric_learning", versions, cases, outputs)


if __name__ == "__main__":
    main()
