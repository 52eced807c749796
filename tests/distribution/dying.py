"""Trains as one of several processes on PyTorch.

    main(FILE, UPDATES, DIES, RANK, PORT, ...)

Resumes from the file, which the first process writes after every second update. The
last process is killed in update `DIES`, unless that is 0.
"""

import os
import signal
from datetime import timedelta

import keras
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from tests.distribution import work


def main(path, updates, dies, rank, *ports):
    distributed.init_process_group(
        "gloo",
        f"tcp://127.0.0.1:{ports[0]}",
        rank=rank,
        world_size=len(ports),
        timeout=timedelta(seconds=60),
    )
    if path.exists():
        model = keras.saving.load_model(path)
        optimizer = model.optimizer
    else:
        model, optimizer = work.start("Lookahead")
        model.compile(optimizer)
    part = work.parts(len(ports))[rank]
    called, variables = DistributedDataParallel(model), model.trainable_variables
    batches = list(work.batches("Lookahead"))
    for update in range(int(optimizer.iterations) + 1, updates + 1):
        if update == dies and rank == len(ports) - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        x, y = (torch.tensor(array[part]) for array in batches[update - 1])
        model.zero_grad()
        work.loss(y, called(x)).mean().backward()
        optimizer.apply([v.value.grad for v in variables], variables)
        if rank == 0 and update % 2 == 0:
            model.save(path.with_name("part.keras"))
            path.with_name("part.keras").replace(path)
    distributed.barrier()
