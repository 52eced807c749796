"""Time and memory of the chunked cross-entropy, compared with Keras's layer and loss.

    python benchmarks/chunked_crossentropy.py

Prints one table in Markdown. It compares `chunked_linear_crossentropy` with `hidden @
kernel` and `keras.losses.SparseCategoricalCrossentropy(from_logits=True)`, for the
forward and backward pass with the gradients of the hidden states and the kernel.

Each measurement runs in its own process. It takes the median time of the steps after
one warm-up step, and the rise of the memory peak above the memory before the first
step, which includes the inputs. Processes take turns, and the table has the median over
processes.
"""

import argparse
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from _report import environment_of
from _report import print_about
from _report import print_head
from _report import print_row
from _timing import in_turns
from _timing import median
from _timing import milliseconds
from _timing import ratio

WAYS = ["tensorflow eager", "tensorflow graph", "tensorflow XLA", "jax jit"]
WAYS += ["torch eager"]
STEP = Path(__file__).with_name("_chunked_step.py")


def measured(contender, way, options):
    """The mean loss, seconds and megabytes of a process."""
    framework, mode = way.split()
    numbers = [options.seconds, *options.sizes]
    arguments = [contender, framework, mode, *map(str, numbers)]
    environment = environment_of(options.device) | {
        "KERAS_BACKEND": framework,
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", STEP, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ways", nargs="*", default=WAYS)
    sizes = (4096, 512, 32_000)
    parser.add_argument("--sizes", nargs=3, type=int, default=sizes)
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="per process")
    options = parser.parse_args()

    print_about(options.device)
    title = "### {} rows, {} features, {} classes, float32".format(*options.sizes)
    columns = ("backend", "chunked, ms", "dense, ms", "ratio")
    columns += ("chunked, MB", "dense, MB", "ratio of memory", "same value")
    print_head(title, *columns)
    for way in options.ways:
        turns = [
            partial(measured, contender, way, options)
            for contender in ("chunked", "dense")
        ]
        ours, theirs = map(median, in_turns(turns, options.rounds))
        print_row(
            way,
            milliseconds(ours[1]),
            milliseconds(theirs[1]),
            ratio(theirs[1], ours[1]),
            f"{ours[2]:.0f}",
            f"{theirs[2]:.0f}",
            ratio(theirs[2], ours[2]) if ours[2] >= 1 else "-",
            "yes" if abs(ours[0] - theirs[0]) < 1e-5 * theirs[0] else "no",
        )


if __name__ == "__main__":
    main()
