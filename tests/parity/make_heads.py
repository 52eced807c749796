"""Writes `goldens/heads.npz`: heads of face recognition by their authors.

python3.11 -m venv .venv-heads
.venv-heads/bin/pip install torch==2.13.0 numpy==2.4.6
for repository in mk-minchul/AdaFace@c60eaa7 HuangYG123/CurricularFace@68c8727
do
    folder=.venv-heads/${repository#*/}
    git clone https://github.com/${repository%@*} $folder
    git -C $folder checkout ${repository#*@}
done
.venv-heads/bin/python -m tests.parity.make_heads .venv-heads
"""

import subprocess
import sys
from importlib.util import module_from_spec
from importlib.util import spec_from_file_location
from pathlib import Path

import numpy as np
import torch

from tests.parity import inputs

FILES = {
    "AdaFace@c60eaa7": "head.py",
    "CurricularFace@68c8727": "head/metrics.py",
}
CASES = {
    "AdaFace:default": {"t_alpha": 0.01},
    "AdaFace:batch": {"m": 0.3, "h": 0.6, "s": 8.0, "t_alpha": 1.0},
    "CurricularFace:default": {},
    "CurricularFace:other": {"m": 0.3, "s": 8.0},
}


def of(name, root):
    """The class of a head."""
    (key,) = (key for key in FILES if key.startswith(name + "@"))
    folder = root / name
    command = ["git", "-C", folder, "rev-parse", "--short=7", "HEAD"]
    found = subprocess.check_output(command, text=True).strip()
    assert f"{name}@{found}" == key
    spec = spec_from_file_location(name, folder / FILES[key])
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name), found


def trained(head, given):
    """The losses of three batches in turn, gradients of the last, and the state."""
    head.kernel.data = torch.tensor(given["kernel"])
    values = []
    for x, y in zip(given["embeddings"], given["classes"], strict=True):
        x, y = torch.tensor(x, requires_grad=True), torch.tensor(y)
        if hasattr(head, "batch_mean"):
            lengths = x.norm(dim=1, keepdim=True)
            logits = head(x / lengths, lengths, y)
        else:
            logits, _ = head(x, y)
        losses = torch.nn.functional.cross_entropy(logits, y, reduction="none")
        values.append(losses.detach().numpy())
    losses.sum().backward()
    names = [n for n in ("batch_mean", "batch_std") if hasattr(head, n)] or ["t"]
    return {
        "values": np.stack(values),
        "gradient": x.grad.numpy(),
        "of_kernel": head.kernel.grad.numpy(),
        "state": np.array([getattr(head, name).item() for name in names]),
    }


def main(root):
    torch.set_default_dtype(torch.float64)
    given = inputs.heads()
    versions, cases, outputs = {"torch": torch.__version__}, {}, {}
    for title, arguments in CASES.items():
        name = title.split(":")[0]
        make, versions[name] = of(name, root)
        sizes = {"embedding_size": 6, "classnum": 5}
        if name == "CurricularFace":
            sizes = {"in_features": 6, "out_features": 5}
        cases[title] = {"arguments": arguments}
        outputs[title] = trained(make(**sizes, **arguments), given)
    inputs.save("heads", versions, cases, outputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
