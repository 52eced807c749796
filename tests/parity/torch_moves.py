"""How optimizers of PyTorch move the weights of `inputs`, for scripts `make_*.py`."""

import numpy as np
import torch

from tests.parity import inputs


def trajectory(make, columns=4, rates=None):
    """The weights after each step of `inputs.STEPS`.

    `make` returns an optimizer of a list of weights. With `rates`, which are the ends
    of intervals and their values, the learning rate falls.
    """
    given = inputs.optimizers()
    start, gradients = given["start"][:, :columns], given["gradients"][:, :, :columns]
    return _moved(make, start, gradients, inputs.STEPS, rates)


def kernel_trajectory(make, form):
    """The weights of a kernel after each step of `inputs.KERNEL_STEPS`."""
    start, gradients = inputs.formed(form)
    start = inputs.in_order_of_pytorch(start)
    gradients = [inputs.in_order_of_pytorch(gradient) for gradient in gradients]
    found = _moved(make, start, gradients, inputs.KERNEL_STEPS)
    return np.stack([inputs.in_order_of_keras(kernel) for kernel in found])


def _moved(make, start, gradients, steps, rates=None):
    weights = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = make([weights])
    recorded = []
    for step, gradient in enumerate(gradients, 1):
        if rates is not None:
            ends, values = rates
            rate = values[sum(step > end for end in ends)]
            optimizer.param_groups[0]["lr"] = rate
        weights.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        if step in steps:
            recorded.append(weights.detach().numpy().copy())
    return np.stack(recorded)
