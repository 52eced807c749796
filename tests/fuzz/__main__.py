"""Feeds the package with what no one should, and says what it does not withstand.

    python -m tests.fuzz [PART] [COUNT] [SEED]

The parts are `losses`, `configs` and `calls`; each has a file of that name here, which
says what it makes and what may come of it. Anything else is a fault: an answer that is
not finite, an error that is not clear, more than ten seconds. Exits with 1 if there is
one.
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
    """The faults of some attempts, by what they are of; and how many attempts."""
    attempt = importlib.import_module(f"tests.fuzz.{part}").attempt
    found, counts = collections.Counter(), collections.Counter()
    signal.signal(signal.SIGALRM, too_long)
    for i in range(count):
        random = np.random.default_rng([seed, i])
        name = "?"
        signal.alarm(SECONDS)
        try:
            name, reason = attempt(random, i)
        except Exception as error:  # what this is there to find
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
