"""Runs all benchmarks and writes one page per device.

    make bench [PARTS="optimizers losses"] [BACKENDS=jax] [QUICK=1] [DEVICES="cpu 0"]

or, in your own environments:

    python benchmarks [PART ...] [--tfa .venv-tfa/bin/python] [--quick]

Runs the other scripts in this folder, which print tables in Markdown, and writes their
output to `benchmarks/results/DEVICE.md`, with the figure `DEVICE.svg`. If the page
exists, only the parts that run are replaced. A device is `cpu` or the number of a GPU;
the default is the CPU and one GPU of each model. `--quick` runs a small version of
everything, to see that it works, and writes to `build/bench`.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from _report import KEPT_MEMORY
from _report import device
from _report import gpus
from _timing import progress

FOLDER = Path(__file__).parent
HEAD = """# Benchmarks: {device}

Written by `make bench`, whose code is in `benchmarks/`. Times are medians. The
contenders of a comparison take turns on the same machine. A ratio is the time or memory
of the other contender divided by ours: above 1, ours is faster or needs less memory.
"""


class Part(NamedTuple):
    """A script and its arguments."""

    title: str
    script: str
    full: str = ""
    quick: str = ""
    takes: tuple[str, ...] = ()  # options of this script to pass on
    on_gpu: bool = False
    keeps_memory: bool = False  # whether the C library keeps freed memory


PARTS = {
    "optimizers": Part(
        "Optimizers",
        "optimizers.py",
        full="--plain AdaBelief LAMB",
        quick="--optimizers AdaBelief --problems matrices:2 --rounds 3 --seconds 0",
        takes=("tfa", "backends", "device", "picture"),
        on_gpu=True,
    ),
    "modern_optimizers": Part(
        "Optimizers that TensorFlow Addons does not have",
        "optimizers.py",
        # Without SOAP, whose first step takes minutes on TensorFlow and JAX.
        full="--optimizers AdamW ADOPT AdEMAMix Adan LARS Muon Prodigy "
        "ScheduleFreeAdamW --problems matrices:300",
        quick="--optimizers Muon --problems matrices:2 --rounds 3 --seconds 0",
        takes=("backends", "device"),
        on_gpu=True,
    ),
    "compilation": Part(
        "Compilation on PyTorch",
        "compilation.py",
        quick="--optimizers AdaBelief --problems matrices:2 --rounds 3 --seconds 0",
        takes=("device",),
        on_gpu=True,
    ),
    "traffic": Part("Memory traffic", "traffic.py", takes=("device",), on_gpu=True),
    "growth": Part(
        "Growth of the optimizers",
        "growth.py",
        quick="--counts 1 2 --sizes 100 1000 --rounds 3 --seconds 0",
        takes=("backends", "device"),
        on_gpu=True,
    ),
    "fit": Part(
        "Epochs",
        "fit.py",
        quick="--models digits --optimizers AdaBelief --rounds 3 --seconds 0",
        takes=("backends", "device"),
        on_gpu=True,
    ),
    "losses": Part(
        "Losses",
        "losses.py",
        full="--batches 1024 --growth 512 2048 --classes 1000 100000 --rounds 1",
        quick="--losses sigmoid_focal_crossentropy --batches 16 --growth "
        "--classes 8 --smoothed 0 --compiled 16 --rounds 1",
        takes=("tfa",),
    ),
    "peer_losses": Part(
        "Losses on PyTorch beside other packages",
        "peer_losses.py",
        quick="--losses smoothed_categorical_crossentropy --rounds 3 --seconds 0",
    ),
    "vision_losses": Part(
        "Losses of images",
        "vision_losses.py",
        quick="--side 16 --rounds 3 --seconds 0",
        takes=("backends",),
    ),
    "chunked_crossentropy": Part(
        "Cross-entropy in chunks",
        "chunked_crossentropy.py",
        full="--rounds 1",
        quick="--ways 'jax jit' --sizes 8 4 16 --rounds 1",
    ),
    "lazy_adam": Part(
        "LazyAdam",
        "lazy_adam.py",
        quick="--rows 100 --ids 10 --turns 3",
        keeps_memory=True,
    ),
    "import_time": Part(
        "Import", "import_time.py", full="--processes 5", quick="--processes 1"
    ),
}


def slug(name):
    """The file name of a page: `cpu`, or the name of the GPU."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def replaced(page, part, text):
    """Replaces a part of a page; parts are in the order of `PARTS`, after others."""
    head, *old = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    sections = {section[3:].split("\n", 1)[0]: section for section in old}
    title = PARTS[part].title if part in PARTS else part
    sections[title] = f"## {title}\n\n{text.strip()}\n"
    titles = [p.title for p in PARTS.values()]
    others = [title for title in sections if title not in titles]
    known = others + [title for title in titles if title in sections]
    return "\n".join(
        [head.strip() + "\n", *(sections[t].strip() + "\n" for t in known)]
    )


def run(part, number, path, options):
    """Runs a part on a device and writes it to a page. Returns whether it worked."""
    _, script, full, quick, takes, _, keeps_memory = PARTS[part]
    given = {
        "tfa": [options.tfa] if options.tfa else [],
        "backends": options.backends,
        "device": [number],
        "picture": [path.with_suffix(".svg")],
    }
    arguments = shlex.split(quick if options.quick else full)
    for name in takes:
        if given[name]:
            arguments += [f"--{name}", *given[name]]
    progress(f"== {part} on {number}")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", FOLDER / script, *map(str, arguments)],
        env=os.environ
        | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        | (KEPT_MEMORY if keeps_memory else {}),
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        progress(f"failed: {part} on {number}")
        return False
    text = done.stdout
    if "picture" in takes and path.with_suffix(".svg").exists():
        text = f"![Ratios]({path.with_suffix('.svg').name})\n\n{text}"
    page = path.read_text() if path.exists() else HEAD.format(device=device(number))
    path.write_text(replaced(page, part, text))
    return True


def main():
    there = [name for name, part in PARTS.items() if (FOLDER / part.script).exists()]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "parts", nargs="*", help=f"some of {', '.join(there)}; default: all"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a small version, to see that it works"
    )
    parser.add_argument("--tfa", help="Python of an environment with TensorFlow Addons")
    parser.add_argument("--backends", nargs="*", default=["tensorflow", "jax", "torch"])
    kinds = {name: str(i) for i, name in reversed(list(enumerate(gpus())))}
    devices = ["cpu", *sorted(kinds.values(), key=int)]
    parser.add_argument("--devices", nargs="*", default=devices)
    parser.add_argument("--results", type=Path, help="folder for the pages")
    options = parser.parse_args()
    for name in options.parts:
        if name not in there:
            parser.error(f"there is no part {name!r}")
    folder = FOLDER.parent / "build" / "bench" if options.quick else FOLDER / "results"
    folder = options.results or folder
    folder.mkdir(parents=True, exist_ok=True)
    worked = True
    for number in options.devices:
        name = "cpu" if number == "cpu" else slug(gpus()[int(number)])
        for part in options.parts or there:
            if number == "cpu" or PARTS[part].on_gpu:
                worked &= run(part, number, folder / f"{name}.md", options)
        progress(f"written: {folder / name}.md")
    sys.exit(not worked)


if __name__ == "__main__":
    main()
