"""Writes `goldens/segmentation.npz`: overlap losses of MONAI, Lovasz losses of authors.

The Lovasz losses are code in a repository and no package.

python3.11 -m venv .venv-segmentation
.venv-segmentation/bin/pip install torch==2.13.0 numpy==2.4.6
.venv-segmentation/bin/pip install --no-deps monai==1.6.1
folder=.venv-segmentation/LovaszSoftmax
git clone https://github.com/bermanmaxim/LovaszSoftmax $folder
git -C $folder checkout 7d48792
.venv-segmentation/bin/python -m tests.parity.make_segmentation .venv-segmentation

Both convert to `float32` within. Here all stays in `float64`: `main` replaces the
method of tensors that narrows them. The weights of MONAI's generalized Dice loss are
`float32` all the same.
"""

import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import torch
from monai.losses import DiceLoss
from monai.losses import GeneralizedDiceLoss
from monai.losses import TverskyLoss

from tests.parity import inputs

COMMIT = "7d48792"
OVERLAPS = {
    DiceLoss: {
        "sigmoid": {"sigmoid": True, "smooth_nr": 2.0, "smooth_dr": 2.0},
        "softmax": {"softmax": True, "smooth_nr": 1e-5, "smooth_dr": 1e-5},
        "shares": {"smooth_nr": 1.0, "smooth_dr": 1.0},
        "batch": {"softmax": True, "smooth_nr": 2.0, "smooth_dr": 2.0, "batch": True},
        "jaccard": {
            "softmax": True,
            "jaccard": True,
            "smooth_nr": 2.0,
            "smooth_dr": 2.0,
        },
    },
    TverskyLoss: {
        "sigmoid": {
            "sigmoid": True,
            "alpha": 0.25,
            "beta": 0.75,
            "smooth_nr": 1.0,
            "smooth_dr": 1.0,
        },
        "batch": {
            "softmax": True,
            "alpha": 1.0,
            "beta": 0.5,
            "smooth_nr": 1e-5,
            "smooth_dr": 1e-5,
            "batch": True,
        },
    },
    GeneralizedDiceLoss: {
        "square": {"softmax": True, "w_type": "square"},
        "simple": {"softmax": True, "w_type": "simple"},
        "uniform": {"sigmoid": True, "w_type": "uniform", "smooth_nr": 1.0,
                    "smooth_dr": 1.0},
        "batch": {"softmax": True, "batch": True},
    },
}  # fmt: skip
HINGES = {
    "image": {"per_image": True},
    "batch": {"per_image": False},
    "ignored": {"per_image": True, "ignore": 2},
}
SOFTMAXES = {
    "image": {"per_image": True, "classes": "present"},
    "all": {"per_image": True, "classes": "all"},
    "batch": {"per_image": False, "classes": "present"},
    "ignored": {"per_image": True, "classes": "present", "ignore": 2},
}


def channels_first(x):
    return x.movedim(-1, 1)


def evaluated(loss, x):
    """The values of `loss(x)`, and the gradient of their sum."""
    x = torch.tensor(x, requires_grad=True)
    values = loss(x)
    values.sum().backward()
    return {"value": values.detach().numpy(), "gradient": x.grad.numpy()}


def overlap(make, arguments):
    given = inputs.segmentation()
    has_logits = arguments.get("sigmoid") or arguments.get("softmax")
    y_pred = given["logits" if has_logits else "shares"]
    y_true = torch.tensor(given["one_hot"])
    loss = make(reduction="none", **arguments)

    def each(x):
        found = loss(channels_first(x), channels_first(y_true))
        return found.reshape(1 if "batch" in arguments else len(x), -1).mean(-1)

    return evaluated(each, y_pred)


def of_images(function, per_image, y_pred, y_true, **arguments):
    y_true = torch.tensor(y_true)

    def each(x):
        if not per_image:
            return function(x, y_true, per_image=False, **arguments)[None]
        return torch.stack(
            [
                function(x[i : i + 1], y_true[i : i + 1], **arguments)
                for i in range(len(x))
            ]
        )

    return evaluated(each, y_pred)


def main(root):
    folder = root / "LovaszSoftmax"
    command = ["git", "-C", folder, "rev-parse", "--short=7", "HEAD"]
    assert subprocess.check_output(command, text=True).strip() == COMMIT
    sys.path.insert(0, str((folder / "pytorch").resolve()))
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    lovasz = import_module("lovasz_losses")
    given = inputs.segmentation()
    cases, outputs = {}, {}
    for make, settings in OVERLAPS.items():
        for title, arguments in settings.items():
            name = f"{make.__name__}:{title}"
            cases[name] = {"arguments": arguments}
            outputs[name] = overlap(make, arguments)
    for title, arguments in HINGES.items():
        name = f"lovasz_hinge:{title}"
        cases[name] = {"arguments": arguments}
        y_true = given["void_masks" if "ignore" in arguments else "masks"]
        outputs[name] = of_images(
            lovasz.lovasz_hinge, y_pred=given["scores"], y_true=y_true, **arguments
        )
    for title, arguments in SOFTMAXES.items():
        name = f"lovasz_softmax:{title}"
        cases[name] = {"arguments": arguments}

        def softmax(p, y, **options):
            return lovasz.lovasz_softmax(channels_first(p), y, **options)

        outputs[name] = of_images(
            softmax, y_pred=given["shares"], y_true=given["classes"], **arguments
        )
    versions = {package: version(package) for package in ("monai", "torch")}
    inputs.save("segmentation", versions | {"LovaszSoftmax": COMMIT}, cases, outputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
