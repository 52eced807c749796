"""Runs many random lives of a model, and reports which end badly.

    python -m tests.lives [--lives N] [--seed S] [--life SEED] [--keep] [--planted]

A life is a random sequence of events in the training of a model. Its seed determines
it; the first of N seeds is S. A life that differs from the plain model in `model.py` is
made smaller and printed. `--life` runs a single life, and `--keep` does not make it
smaller. `--planted` plants faults in copies of the package, one at a time, and reports
how many lives it took to find each. `KERAS_BACKEND` chooses the backend. Exits with 1
if a life ends badly, or a fault is not found.
"""

import argparse
import logging
import os
import sys
import time

from tests.lives import planted

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")
if os.environ["KERAS_BACKEND"] == "jax":
    # As in `conftest.py`: lives compile a lot and compute little.
    flags = (
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    )
    os.environ.setdefault("XLA_FLAGS", flags)


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.lives")
    parser.add_argument("--lives", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--life", type=int)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--most", type=int, default=20)
    parser.add_argument("--planted", nargs="?", const="", metavar="PATTERN")
    options = parser.parse_args()
    if options.planted is not None:
        return planted.main(options.planted)

    from tests.lives.life import described
    from tests.lives.life import draw
    from tests.lives.lives import live
    from tests.lives.lives import report
    from tests.lives.lives import shrunk

    # A checkpoint restored before everything is built warns of missing variables.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    seeds = range(options.seed, options.seed + options.lives)
    if options.life is not None:
        seeds = [options.life]
    lived, failed, since = 0, 0, time.monotonic()
    for seed in seeds:
        life = draw(seed)
        lived += 1
        if lived % 250 == 0:
            print(f"{lived} lives so far, {failed} failed", flush=True)
        if options.life is not None:
            print("\n".join(described(life)))
        difference = live(life)
        if difference is not None:
            failed += 1
            if not options.keep:
                life, difference = shrunk(life, difference)
            print(report(seed, life, difference), flush=True)
            if failed == options.most:
                break
    seconds = time.monotonic() - since
    print(f"{lived} lives, {failed} ended badly, {seconds:.0f} s")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
