"""PyTorch."""

import torch
from torch import distributed

from tfx_extras._backend._face import Backend


class _Known(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value, slope, *inputs):
        result, ctx.found = value(*inputs)
        ctx.slope = slope
        ctx.save_for_backward(*inputs)
        return result

    @staticmethod
    def backward(ctx, *upstream):
        if torch.is_grad_enabled():  # it would take what was found for a constant
            raise NotImplementedError("This gradient has no gradient of its own.")
        return None, None, *ctx.slope(*upstream, ctx.found, *ctx.saved_tensors)


class Torch(Backend):
    """Everything runs at once; only recording for gradients has to be held off."""

    def without_gradients(self):
        return torch.no_grad()

    def arctan2(self, y, x):
        return torch.arctan2(y, x)

    def count_up_to(self, ranked, values):
        return torch.searchsorted(ranked.contiguous(), values.contiguous(), right=True)

    def with_slope(self, value, slope, inputs, *constants, once=False, **settings):
        return _Known.apply(
            lambda *inputs: value(*inputs, *constants, **settings),
            lambda upstream, found, *inputs: slope(
                upstream, found, *inputs, *constants, **settings
            ),
            *inputs,
        )

    def with_columns(self, x, columns, start):
        x[..., start : start + columns.shape[-1]] = columns
        return x

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
