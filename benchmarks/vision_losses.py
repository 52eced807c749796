"""Time of losses of images, forward and backward, on each backend.

    python benchmarks/vision_losses.py

Prints a table in Markdown: the median milliseconds of each loss, beside a function of
the backend where it has one. TensorFlow and JAX compile a step. Contenders take turns.
"""

import argparse

from _report import environment_of
from _report import print_about
from _report import print_head
from _report import print_row
from _server import Process
from _timing import in_turns
from _timing import median
from _timing import milliseconds
from _timing import progress
from _timing import ratio
from _vision_step import LOSSES


def is_same(ours, theirs):
    """Whether the mean loss and the mean size of the gradient are equal."""
    pairs = zip(ours["means"], theirs["means"], strict=True)
    return all(abs(a - b) <= 1e-3 * abs(b) for a, b in pairs)


def compare(backend, name, options):
    """Prints a row of the table."""
    shape, other = LOSSES[name]
    others = [other] if other and backend == "tensorflow" else []
    environment = environment_of("cpu") | {"KERAS_BACKEND": backend}
    progress(f"{name}, {backend}")
    with Process("_vision_step.py", **environment) as process:
        known = {
            package: process.make(
                package, package=package, name=name, side=options.side
            )
            for package in ("tfx_extras", *others)
        }
        turns = [
            process.turn(package, 0) if known[package] else None for package in known
        ]
        results = in_turns(turns, options.rounds, options.seconds)
    ours, *theirs = map(median, results)
    theirs = theirs[0] if theirs else None
    same = "-"
    if others and all(known.values()):
        same = "yes" if is_same(*known.values()) else "no"
    print_row(
        f"`{name}`",
        " x ".join(map(str, shape)),
        backend,
        milliseconds(ours),
        f"`{others[0]}`" if others else "-",
        milliseconds(theirs),
        ratio(theirs, ours),
        same,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="*", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--side", type=int, help="of the images, instead of 256")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=8, help="for each row")
    options = parser.parse_args()
    print_about()
    columns = ("loss", "predictions", "backend", "ours, ms", "beside", "theirs, ms")
    title = "### Losses of images, forward and backward"
    print_head(title, *columns, "ratio", "same value", left=3)
    for name in LOSSES:
        for backend in options.backends:
            compare(backend, name, options)


if __name__ == "__main__":
    main()
