"""PyTorch."""

import torch

from tfx_extras._backend._face import Backend


class Torch(Backend):
    """Everything runs at once; only recording for gradients has to be held off."""

    def without_gradients(self):
        return torch.no_grad()

    def arctan2(self, y, x):
        return torch.arctan2(y, x)

    def check(self, condition, message):
        is_free = condition.device.type == "cpu" and not torch.compiler.is_compiling()
        if is_free and not bool(condition.all()):
            raise ValueError(message)
