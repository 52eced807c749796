"""How the time of a step grows with the number of variables, and with their size.

    python benchmarks/growth.py

Prints two tables in Markdown: milliseconds of AdaBelief and of Keras's Adam on each
backend, for many matrices of 64 x 64, and for one vector. They are measured as in
`optimizers.py`. How losses grow is in `losses.py`.
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

MODES = [
    ("tensorflow", "eager", "TensorFlow eager"),
    ("tensorflow", "graph", "TensorFlow graph"),
    ("jax", "jit", "JAX jit"),
    ("torch", "eager", "PyTorch eager"),
]
CONTENDERS = [("tfx", "AdaBelief"), ("keras", "Adam")]
TURN = 0.02  # seconds


def measured(problem, backend, mode, options):
    """The median seconds of a step of each contender, `None` if it failed."""
    progress(f"{problem}, {backend} {mode}")
    environment = environment_of(options.device) | {"KERAS_BACKEND": backend}
    with Process("_optimizer_step.py", **environment) as process:
        sees = process.make("gpu", package="gpu", name="", mode="", problem="")
        if sees and sees["gpu"] != (options.device != "cpu"):
            return [None] * len(CONTENDERS)
        turns = []
        for package, name in CONTENDERS:
            known = process.make(
                name, package=package, name=name, mode=mode, problem=problem
            )
            turns.append(process.turn(name, TURN) if known else None)
        results = in_turns(turns, options.rounds, options.seconds)
        return [median(result) for result in results]


def grow(title, kind, counts, options):
    columns = [f"{count:,}" for count in counts]
    print_head(title, "backend", "optimizer", *columns, left=2)
    for backend, mode, name in MODES:
        if backend not in options.backends:
            continue
        found = [
            measured(f"{kind}:{count}", backend, mode, options) for count in counts
        ]
        titles = ("AdaBelief", "Keras's Adam")
        for title, row in zip(titles, zip(*found, strict=True), strict=True):
            print_row(name, title, *map(milliseconds, row))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="or the number of a GPU")
    parser.add_argument("--backends", nargs="*", default=["tensorflow", "jax", "torch"])
    counts, sizes = [10, 100, 1000], [10**i for i in range(4, 9)]
    parser.add_argument("--counts", nargs="*", type=int, default=counts)
    parser.add_argument("--sizes", nargs="*", type=int, default=sizes)
    parser.add_argument("--rounds", type=int, default=9, help="turns, at most")
    parser.add_argument("--seconds", type=float, default=1, help="but for 3 turns")
    options = parser.parse_args()
    print_about(options.device)
    title = "### A step by number of matrices of 64 x 64, ms"
    grow(title, "matrices", options.counts, options)
    grow("### A step by weights in one vector, ms", "vector", options.sizes, options)


if __name__ == "__main__":
    main()
