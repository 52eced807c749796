"""What compiled steps cost on PyTorch: the first step, and what it gains.

    python benchmarks/compilation.py

Prints one table in Markdown. Each optimizer takes steps in two processes, one after the
other. The first finds no programs of PyTorch on disk, the second finds those of the
first. In the second, compiled and plain steps take turns. "Pays off after" is the
number of steps that make up for the first step, with nothing on disk.
"""

import argparse
import math
import tempfile

from _report import environment_of
from _report import print_about
from _report import print_head
from _report import print_row
from _server import Process
from _timing import in_turns
from _timing import median
from _timing import milliseconds
from _timing import progress
from optimizers import TURN
from optimizers import title

COLUMNS = ("optimizer", "programs", "first step, s", "in a second process, s")
COLUMNS += ("a step, ms", "without a compiler, ms", "pays off after, steps")


def measured(problem, name, options):
    """The cells of a row."""
    with tempfile.TemporaryDirectory() as cache:
        environment = environment_of(options.device) | {
            "KERAS_BACKEND": "torch",
            "TORCHINDUCTOR_CACHE_DIR": cache,
        }
        about = {"package": "tfx", "name": name, "problem": problem}
        with Process("_optimizer_step.py", **environment) as process:
            cold = process.make("compiled", mode="compiled", **about)
        with Process("_optimizer_step.py", **environment) as process:
            warm = process.make("compiled", mode="compiled", **about)
            plain = process.make("eager", mode="eager", **about)
            if not (cold and warm and plain):
                return ["-"] * (len(COLUMNS) - 1)
            turns = [process.turn(mode, TURN) for mode in ("compiled", "eager")]
            results = in_turns(turns, options.rounds, options.seconds)
    compiled, eager = map(median, results)
    gain = eager - compiled
    return [
        cold["programs"],
        f"{cold['first']:.2g}",
        f"{warm['first']:.2g}",
        milliseconds(compiled),
        milliseconds(eager),
        f"{math.ceil(cold['first'] / gain):,}" if gain > 0 else "-",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU")
    default = ["transformer:12", "vector:20000000", "matrices:300"]
    parser.add_argument("--problems", nargs="*", default=default)
    default = ["AdaBelief", "RAdam", "LAMB", "NovoGrad"]
    parser.add_argument("--optimizers", nargs="*", default=default)
    parser.add_argument(
        "--rounds", type=int, default=15, help="maximum number of turns"
    )
    parser.add_argument(
        "--seconds", type=float, default=3, help="limit, after at least 3 turns"
    )
    options = parser.parse_args()
    print_about(options.device)
    for problem in options.problems:
        print_head(f"### {title(problem)}", *COLUMNS)
        for name in options.optimizers:
            progress(f"{problem}: {name}")
            print_row(f"`{name}`", *measured(problem, name, options))


if __name__ == "__main__":
    main()
