"""How the time of a step grows with the number of variables and with their size.

    python benchmarks/growth.py

Prints two tables in Markdown: the milliseconds of AdaBelief and of Keras's Adam on each
backend, for many matrices of 64 x 64 and for one vector. The method is that of
`optimizers.py`. `losses.py` measures how losses grow.
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
    ("jax", "jit", "JAX jit"),
    ("torch", "default", "PyTorch"),
]
CONTENDERS = [("tfx", "AdaBelief"), ("keras", "Adam")]
TURN = 0.02  # seconds


def measured(problems, backend, mode, options):
    """The median seconds of a step by problem and contender; `None` if it failed."""
    environment = environment_of(options.device) | {"KERAS_BACKEND": backend}
    medians = {}
    with Process("_optimizer_step.py", **environment) as process:
        if process.sees_gpu() != (options.device != "cpu"):
            progress(f"{backend} sees no GPU")
            return None
        for problem in problems:
            progress(f"{problem}, {backend} {mode}")
            turns = [
                process.turn(name, TURN)
                if process.make(
                    name, package=package, name=name, mode=mode, problem=problem
                )
                else None
                for package, name in CONTENDERS
            ]
            results = in_turns(turns, options.rounds, options.seconds)
            for (_, name), result in zip(CONTENDERS, results, strict=True):
                medians[problem, name] = median(result)
                process.drop(name)
    return medians


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU")
    parser.add_argument("--backends", nargs="*", default=["tensorflow", "jax", "torch"])
    counts, sizes = [10, 100, 1000], [10**i for i in range(4, 9)]
    parser.add_argument("--counts", nargs="*", type=int, default=counts)
    parser.add_argument("--sizes", nargs="*", type=int, default=sizes)
    parser.add_argument("--rounds", type=int, default=9, help="maximum number of turns")
    parser.add_argument(
        "--seconds", type=float, default=1, help="limit, after at least 3 turns"
    )
    options = parser.parse_args()
    print_about(options.device)
    tables = {
        "number of matrices of 64 x 64": ("matrices", options.counts),
        "weights in one vector": ("vector", options.sizes),
    }
    problems = [f"{kind}:{n}" for kind, counts in tables.values() for n in counts]
    found = {
        title: measured(problems, backend, mode, options)
        for backend, mode, title in MODES
        if backend in options.backends
    }
    for title, (kind, counts) in tables.items():
        columns = [f"{n:,}" for n in counts]
        title = f"### A step by {title}, ms"
        print_head(title, "backend", "optimizer", *columns, left=2)
        for backend, medians in found.items():
            for package, name in CONTENDERS:
                if medians is not None:
                    row = (milliseconds(medians[f"{kind}:{n}", name]) for n in counts)
                    owner = "Keras's " if package == "keras" else ""
                    print_row(backend, owner + name, *row)


if __name__ == "__main__":
    main()
