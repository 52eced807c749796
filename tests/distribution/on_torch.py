"""Trains on PyTorch in one way: `main({WAY: FILE}, [RANK, PORT, ...])`."""

import numpy as np
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from tests.distribution import work

torch.set_num_threads(1)


def main(paths, rank=0, *ports):
    ((way, path),) = paths.items()
    if ports:
        store = f"tcp://127.0.0.1:{ports[0]}"
        distributed.init_process_group("gloo", store, rank=rank, world_size=len(ports))
    parts = work.parts(max(len(ports), 1))
    part, found = parts[rank], {}
    for name in work.trained(way):
        found |= train(name, parts, rank)
    for key, arguments in work.each_loss(way):
        found[key], found[f"{key}, slope"] = compute(*arguments, part, len(parts))
    found["second slope"] = second("SupervisedContrastiveLoss", part)
    labels = torch.tensor(work.embeddings(work.LOSSES[0])[0][part])
    found["labels"] = work.gathered(labels, _cast).numpy()
    np.savez(path, **found)
    if ports:
        distributed.barrier()


def train(name, parts, rank):
    model, optimizer = work.start(name)
    called = DistributedDataParallel(model) if len(parts) > 1 else model
    variables = model.trainable_variables
    for batch in work.batches(name):
        x, y = (torch.tensor(array[parts[rank]]) for array in batch)
        # The processes average these sums, so each is multiplied by their number.
        scale = len(parts) / work.BATCH
        model.zero_grad()
        (work.loss(y, called(x)).sum() * scale).backward()
        optimizer.apply([v.value.grad for v in variables], variables)
    return work.results(name, model, optimizer)


def compute(name, gather, reduction, part, replicas):
    batch = [torch.tensor(array[part]) for array in work.embeddings(name)]
    embeddings = batch[1].requires_grad_()
    value = work.gathering(name, gather, reduction)(*batch)
    value.backward()
    # Gradients are averaged over processes.
    scale = 1 if reduction == "sum" else replicas
    return value.item(), embeddings.grad.numpy() / scale


def _cast(tensor, dtype):  # in place of Keras's cast, which changes some dtypes
    return tensor.to(getattr(torch, dtype))


def second(name, part):
    """The gradient of the squared gradient."""
    batch = [torch.tensor(array[part]) for array in work.embeddings(name)]
    embeddings = batch[1].requires_grad_()
    value = work.gathering(name, True, "sum")(*batch)
    (slope,) = torch.autograd.grad(value, embeddings, create_graph=True)
    return torch.autograd.grad((slope**2).sum(), embeddings)[0].numpy()
