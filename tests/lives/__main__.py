"""Lives many random lives of a model, and says which end badly.

    python -m tests.lives [--lives N] [--seed S] [--life SEED] [--keep] [--planted]

Each life is the number of its seed: the first of N is S. One that differs from the
plain model in `model.py` is made smaller, and printed. `--life` lives one, and
`--keep` does not make it smaller. `KERAS_BACKEND` chooses the backend. Exits with 1 if
a life ends badly.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.lives")
    parser.add_argument("--lives", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--life", type=int)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--most", type=int, default=20)
    options = parser.parse_args()

    from tests.lives.life import described
    from tests.lives.life import draw
    from tests.lives.lives import live
    from tests.lives.lives import report
    from tests.lives.lives import shrunk

    seeds = range(options.seed, options.seed + options.lives)
    if options.life is not None:
        seeds = [options.life]
    failed, since = 0, time.monotonic()
    for count, seed in enumerate(seeds, 1):
        life = draw(seed)
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
    print(f"{count} lives, {failed} ended badly, {seconds:.0f} s")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
