"""Feeds the package with invalid and extreme input, and reports what fails.

    python -m tests.fuzz [PART] [COUNT] [SEED]

The parts are `losses`, `configs` and `calls`. Each has a file of that name here, which
says what input it makes and which outcomes are allowed. Anything else is a fault: a
nonfinite result, an unclear error, or more than ten seconds. Exits with 1 if there is a
fault.
"""

import collections
import importlib
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

SECONDS = 10


def run(part, count, seed):
    """The number of faults and the number of attempts, by object."""
    attempt = importlib.import_module(f"tests.fuzz.{part}").attempt
    found, counts = collections.Counter(), collections.Counter()
    signal.signal(signal.SIGALRM, too_long)
    for i in range(count):
        random = np.random.default_rng([seed, i])
        name = "?"
        signal.alarm(SECONDS)
        try:
            name, reason = attempt(random, i)
        except Exception as error:  # finding these is the purpose
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            reason = f"{type(error).__name__} at {place}: {error}"
        finally:
            signal.alarm(0)
        counts[name.partition("(")[0]] += 1
        if reason:
            found[name.partition("(")[0]] += 1
            print(f"{part} {i}, {name}: {reason}"[:400], flush=True)
    return found, counts


def too_long(*_):
    raise TimeoutError(f"more than {SECONDS} seconds")


def main(part="losses", count=20000, seed=0):
    warnings.simplefilter("ignore")
    found, counts = run(part, int(count), int(seed))
    backend = keras.backend.backend()
    print(f"{sum(counts.values())} {part} on {backend}, seed {seed}:", dict(counts))
    print("faults:", dict(found) or "none")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
