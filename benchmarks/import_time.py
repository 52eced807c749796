"""Time of `import tfx_extras` after `import keras`: the median over processes.

    python benchmarks/import_time.py [--processes 11]

Prints a table in Markdown.
"""

import argparse
import os
import subprocess
import sys

from _report import print_about
from _report import print_head
from _report import print_row
from _timing import median
from _timing import milliseconds

CODE = """
import keras, time
start = time.perf_counter()
import tfx_extras
print(time.perf_counter() - start)
"""


def imported(backend):
    """The seconds of the import in a new process."""
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=11)
    options = parser.parse_args()
    print_about()
    title = f"### `import tfx_extras` after Keras, median of {options.processes}"
    print_head(title, "backend", "ms")
    for backend in ("tensorflow", "jax", "torch"):
        seconds = [imported(backend) for _ in range(options.processes)]
        print_row(backend, milliseconds(median(seconds)))


if __name__ == "__main__":
    main()
