"""A simulated accelerator: PyTorch's tensors claim to be on a GPU.

In its scope, tensors report the device `cuda:0`, although they are computed on the CPU.
Only tensors that are made without a device, or copied to the CPU, report the CPU. As on
a real GPU, an operation that mixes tensors of both devices raises an error, and so does
converting a tensor on the GPU to a NumPy array. A scalar on the CPU may be combined
with tensors on the GPU, except by functions that join tensors. The simulation does not
see what PyTorch does below Python.
"""

from contextlib import contextmanager

import keras
import torch
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

GPU = torch.device("cuda:0")
CPU = torch.device("cpu")
DEVICE_OF = torch.Tensor.device.__get__
# These functions make tensors on the CPU if no device is given.
MAKERS = {
    torch.arange,
    torch.empty,
    torch.eye,
    torch.from_numpy,
    torch.full,
    torch.linspace,
    torch.ones,
    torch.rand,
    torch.randn,
    torch.randint,
    torch.zeros,
}
# These do too, unless they are given a tensor.
CONVERTERS = {torch.as_tensor, torch.tensor}
# These functions require even scalars to be on the same device as the other tensors.
JOINERS = {torch.cat, torch.stack, torch.gather, torch.take_along_dim, torch.isin}
ARRAYS = {torch.Tensor.numpy, torch.Tensor.__array__}
COPIES = {torch.Tensor.copy_, torch._foreach_copy_}
INDEXING = {torch.Tensor.__getitem__, torch.Tensor.__setitem__}


class _Accelerator(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self._on_cpu = WeakIdKeyDictionary()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function == DEVICE_OF:
            return CPU if self._is_on_cpu(args[0]) else GPU
        if function == torch.Tensor.is_cuda.__get__:
            return not self._is_on_cpu(args[0])
        if function is torch.Tensor.backward:
            loss = args[0]
            with self:  # otherwise it would not see gradients written in Python
                return torch.autograd.Variable._execution_engine.run_backward(
                    (loss,),
                    (torch.ones_like(loss),),
                    keep_graph=False,
                    create_graph=False,
                    inputs=(),
                    allow_unreachable=True,
                    accumulate_grad=True,
                )
        given = list(_tensors((args, kwargs)))
        on_cpu = [t for t in given if self._is_on_cpu(t)]
        if function in ARRAYS:
            if not on_cpu:
                raise TypeError(f"can't convert {GPU} device type tensor to numpy.")
            return function(*args, **kwargs)
        asked = kwargs.pop("device", None)
        if function is torch.Tensor.cpu:
            asked = CPU
        elif function is torch.Tensor.cuda:
            function, asked = torch.Tensor.clone, GPU
        elif function is torch.Tensor.to:
            devices = [a for a in args if _is_device(a)]
            asked = devices[0] if devices else asked
            args = tuple(CPU if _is_device(a) else a for a in args)
        if asked is None:
            is_mixed = 0 < len(on_cpu) < len(given)
            is_scalar = function not in JOINERS and all(t.ndim == 0 for t in on_cpu)
            if is_mixed and not is_scalar and function not in COPIES | INDEXING:
                raise RuntimeError(
                    "Expected all tensors to be on the same device, but found at least "
                    f"two devices, {GPU} and cpu! ({function})"
                )
            is_made = function in MAKERS or (function in CONVERTERS and not given)
            to_cpu = is_made or (on_cpu and not is_mixed)
        else:
            asked = torch.device(asked)
            to_cpu = asked.type == "cpu"
        result = function(*args, **kwargs)
        if asked is not None and any(result is tensor for tensor in given):
            result = result.view_as(result)  # one is on the CPU, the other is not
        for tensor in _tensors(result):
            if to_cpu:
                self._on_cpu[tensor] = True
            elif asked is not None:
                self._on_cpu.pop(tensor, None)
        return result

    def _is_on_cpu(self, tensor):
        return tensor in self._on_cpu


def _is_device(x):
    return isinstance(x, torch.device) or (
        isinstance(x, str) and x[:4] in ("cuda", "cpu")
    )


def _tensors(x):
    if isinstance(x, torch.Tensor):
        yield x
    elif isinstance(x, dict):
        yield from _tensors(list(x.values()))
    elif isinstance(x, list | tuple):
        for part in x:
            yield from _tensors(part)


@contextmanager
def accelerator():
    """In this scope, everything is on a simulated GPU."""
    with _Accelerator(), keras.device("cuda:0"):
        yield
