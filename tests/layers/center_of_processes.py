"""Updates the center of DINO in one of two processes of PyTorch."""

import numpy as np
import torch
from torch import distributed

torch.set_num_threads(1)


def main(path, rank, port):
    from tests.layers import test_dino_center as dino
    from tests.tools import array

    store = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", store, rank=rank, world_size=2)
    rows = slice(2) if rank == 0 else slice(2, None)
    t, s = (dino.narrow(x[0][rows]) for x in (dino.TEACHERS, dino.STUDENTS))
    found = {}
    for name, gather in {"own": False, "gathered": True}.items():
        layer = dino.build(gather=gather)
        layer(s, t, training=True)
        found[name] = array(layer.center)
    np.savez(path, **found)
    distributed.barrier()
