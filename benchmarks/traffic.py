"""How much memory the programs of XLA move in a step of each optimizer.

    python benchmarks/traffic.py

Prints one table in Markdown: how many arrays of the size of the weights a step must
read or write, and how many the program does, by the cost analysis of XLA for JAX. A
step must read gradients, and read and write weights and state. Norms over all weights
need a second pass, which is not counted. Temporary arrays hold intermediate results in
memory. The programs are not run.
"""

import argparse
import json
import os
import subprocess
import sys

from _report import environment_of
from _report import print_about
from _report import print_head
from _report import print_row

SIZE = 1_000_000
COLUMNS = ("optimizer", "must move", "the program moves", "ratio", "temporary")


def counted():
    """Prints the counts of all optimizers, in JSON. Runs in a process with JAX."""
    import jax
    import keras
    from optimizers import OF_TFA

    from tfx_extras import optimizers

    ones, found = jax.numpy.ones(SIZE), {}
    for name in OF_TFA:
        optimizer = getattr(optimizers, name)()
        weights = keras.Variable(ones)
        optimizer.build([weights])
        state = [v.value for v in optimizer.variables]
        slots = sum(v.size == SIZE for v in state)
        step = jax.jit(
            lambda values, state, gradients, apply=optimizer.stateless_apply: apply(
                state, gradients, values
            ),
            donate_argnums=(0, 1),
        )
        program = step.lower([weights.value], state, [ones]).compile()
        moved = program.cost_analysis()["bytes accessed"] / ones.nbytes
        temporary = program.memory_analysis().temp_size_in_bytes / ones.nbytes
        found[name] = 3 + 2 * slots, moved, temporary
    print(json.dumps(found))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU")
    parser.add_argument("--count", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.count:
        counted()
        return
    print_about(options.device)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--count"],
        env=os.environ | environment_of(options.device) | {"KERAS_BACKEND": "jax"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    print_head("### Arrays of the size of the weights, on JAX", *COLUMNS)
    for name, found in json.loads(done.stdout.splitlines()[-1]).items():
        must, moved, temporary = found
        ratio = f"{must / moved:.2g}"
        print_row(f"`{name}`", must, f"{moved:.0f}", ratio, f"{temporary:.0f}")


if __name__ == "__main__":
    main()
