"""PyTorch."""

import torch
from torch import distributed

from tfx_extras._backend._face import Backend


class Torch(Backend):
    """Everything runs at once; only recording for gradients has to be held off."""

    def without_gradients(self):
        return torch.no_grad()

    def arctan2(self, y, x):
        return torch.arctan2(y, x)

    def count_up_to(self, ranked, values):
        return torch.searchsorted(ranked.contiguous(), values.contiguous(), right=True)

    def gather(self, x):
        if not (distributed.is_available() and distributed.is_initialized()):
            return x, 0
        from torch.distributed.nn.functional import all_gather

        replicas = distributed.get_world_size()
        sizes = [torch.empty(1, dtype=torch.int64, device=x.device)] * replicas
        sizes = [size.clone() for size in sizes]
        distributed.all_gather(sizes, torch.tensor([len(x)], device=x.device))
        # What is gathered must be of one size: the shorter parts are filled up.
        missing = int(max(sizes)) - len(x)
        filled = torch.cat([x, x.new_zeros(missing, *x.shape[1:])])
        parts = all_gather(filled)
        parts = [part[: int(size)] for part, size in zip(parts, sizes, strict=True)]
        before = sum(sizes[: distributed.get_rank()])
        return torch.cat(parts), int(before)

    def check(self, condition, message):
        is_free = condition.device.type == "cpu" and not torch.compiler.is_compiling()
        if is_free and not bool(condition.all()):
            raise ValueError(message)
