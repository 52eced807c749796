"""Time and memory of the losses, forward and backward, compared with other packages.

    python benchmarks/losses.py --tfa .venv-tfa/bin/python --pml .venv-pml/bin/python

Prints tables in Markdown. They compare our losses with TensorFlow Addons on TensorFlow
and with PyTorch Metric Learning on PyTorch, show how our losses grow with the batch
size and with the number of classes, compare the cross-entropy of smoothed integer
labels with Keras's cross-entropy of smoothed one-hot labels, and compare our losses on
PyTorch with the same losses compiled by `torch.compile`. Each package has its own
environment, given by its Python. `make bench` makes the environment of TensorFlow
Addons; for the other one, use `pip install pytorch-metric-learning`.

Each measurement runs in its own process. It takes the median time of the runs after one
warm-up run, and the rise of the memory peak above the memory before the first run.
Processes take turns, and the tables have the median over processes. A process that
needs more than `--memory` gigabytes is stopped.
"""

import argparse
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from _loss_step import LOSSES
from _report import environment_of
from _report import print_about
from _report import print_head
from _report import print_row
from _report import versions
from _timing import in_turns
from _timing import median
from _timing import milliseconds
from _timing import progress
from _timing import ratio

WIDTH = 64  # values per sample
CLASSES = 50_000  # for the smoothed cross-entropy
BATCH = 64  # for the growth with the classes
MANY = 1000  # classes, for the compiled losses
COMPILED = (
    "triplet_hard_loss",
    "lifted_structured_loss",
    "multi_similarity_loss",
    "nt_xent_loss",
    "sigmoid_focal_crossentropy",
    "pinball_loss",
    "sparsemax_loss",
)
NAMES = {"sparse": "smoothed_sparse_categorical_crossentropy"}
STEP = Path(__file__).with_name("_loss_step.py")


def measured(contender, memory):
    """What a process of `_loss_step.py` prints, or `None` if it fails."""
    python, *case = contender
    arguments = [*case, memory]
    *_, framework, _ = case
    environment = environment_of("cpu") | {
        "KERAS_BACKEND": framework,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",  # for the time of the first call
    }
    done = subprocess.run(
        [python, "-W", "ignore", STEP, *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    reason = [line for line in done.stderr.splitlines() if line.strip()][-1:]
    progress("failed:", *arguments, *reason)
    return None


def compared(options, *contenders):
    """The medians of each contender; `None` for one that is missing or fails."""
    turns = [
        contender and partial(measured, contender, options.memory)
        for contender in contenders
    ]
    return [median(results) for results in in_turns(turns, options.rounds)]


def time(result):
    return milliseconds(result and result[1])


def megabytes(result):
    return f"{result[2]:.3g}" if result else "-"


def times(ours, theirs, i):
    """Theirs divided by ours. Memory below one megabyte is not compared."""
    if not ours or not theirs or (i == 2 and min(ours[i], theirs[i]) < 1):
        return "-"
    return ratio(theirs[i], ours[i])


def same(ours, theirs):
    """Whether both computed the same value."""
    if not ours or not theirs:
        return "-"
    return "yes" if abs(ours[0] - theirs[0]) < 1e-4 * abs(theirs[0]) else "no"


def beside_others(options, known):
    columns = ("loss", "beside", "batch", "ours, ms", "theirs, ms", "ratio")
    columns += ("ours, MB", "theirs, MB", "ratio", "same value")
    title = "### Beside other packages: time, and peak memory above the inputs"
    print_head(title, *columns, left=2)
    peers = [
        ("tfa", "TensorFlow Addons", options.tfa, "tensorflow", "graph"),
        ("pml", "PyTorch Metric Learning", options.pml, "torch", "eager"),
    ]
    for package, beside, python, framework, mode in peers:
        for name in options.losses:
            if not python or package not in LOSSES[name].beside:
                continue
            for batch in options.batches:
                case = (name, batch, WIDTH, framework, mode)
                ours, theirs = compared(
                    options,
                    (sys.executable, "tfx", *case) if name in known else None,
                    (python, package, *case),
                )
                print_row(
                    f"`{name}`",
                    beside,
                    batch,
                    time(ours),
                    time(theirs),
                    times(ours, theirs, 1),
                    megabytes(ours),
                    megabytes(theirs),
                    times(ours, theirs, 2),
                    same(ours, theirs),
                )


def growth(options, title, of, cases):
    """Prints a table of our losses: one row per loss, one column per size.

    Args:
        options: The options of the command line.
        title: The title of the table.
        of: The batch size and the number of values, by size.
        cases: Packages of `_loss_step.py`, and the names of their losses.
    """
    print_head(title, "loss", *map("{:,}".format, of))
    for package, name in cases:
        row = []
        for sizes in of.values():
            case = (sys.executable, package, name, *sizes, options.backend, "graph")
            (result,) = compared(options, case)
            row.append(f"{time(result)}, {megabytes(result)}")
        print_row(f"`{NAMES.get(name, name)}`", *row)


def smoothed(options):
    batch = options.smoothed
    columns = ("TensorFlow", "ours, ms", "one-hot, ms", "ratio")
    columns += ("ours, MB", "one-hot, MB", "ratio", "same value")
    title = (
        f"### Smoothed cross-entropy from logits, {batch} x {CLASSES:,}, "
        "against one-hot labels"
    )
    print_head(title, *columns)
    for mode in ("eager", "graph", "XLA"):
        case = (batch, CLASSES, "tensorflow", mode)
        ours, theirs = compared(
            options,
            *(
                (sys.executable, "smoothed", form, *case)
                for form in ("sparse", "dense")
            ),
        )
        print_row(
            mode,
            time(ours),
            time(theirs),
            times(ours, theirs, 1),
            megabytes(ours),
            megabytes(theirs),
            times(ours, theirs, 2),
            same(ours, theirs),
        )


def compiled(options):
    """Prints a table of our losses on PyTorch, plain and compiled."""
    columns = ("loss", "size", "plain, ms", "compiled, ms", "ratio", "first call, s")
    columns += ("plain, MB", "compiled, MB", "ratio", "same value")
    title = "### On PyTorch: plain, and compiled by `torch.compile`"
    print_head(title, *columns)
    cases = [("tfx", name) for name in COMPILED if name in options.losses]
    for package, name in [*cases, ("smoothed", "sparse")]:
        is_of_pairs = package == "tfx" and LOSSES[name].labels != "one_hot"
        size = options.compiled, WIDTH if is_of_pairs else MANY
        ours, plain = compared(
            options,
            *(
                (sys.executable, package, name, *size, "torch", mode)
                for mode in ("compiled", "eager")
            ),
        )
        print_row(
            f"`{NAMES.get(name, name)}`",
            "{} x {}".format(*size),
            time(plain),
            time(ours),
            times(ours, plain, 1),
            f"{ours[3]:.3g}" if ours else "-",
            megabytes(plain),
            megabytes(ours),
            times(ours, plain, 2),
            same(ours, plain),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tfa", help="Python of an environment with TensorFlow Addons")
    parser.add_argument(
        "--pml", help="Python of an environment with PyTorch Metric Learning"
    )
    parser.add_argument("--losses", nargs="*", default=list(LOSSES))
    parser.add_argument("--batches", nargs="*", type=int, default=[256, 512, 1024])
    sizes = [256, 512, 1024, 2048, 4096, 8192]
    parser.add_argument("--growth", nargs="*", type=int, default=sizes)
    classes = [1000, 10_000, 100_000]
    parser.add_argument("--classes", nargs="*", type=int, default=classes)
    parser.add_argument(
        "--backend", default="tensorflow", help="backend of the growth tables"
    )
    parser.add_argument(
        "--smoothed", type=int, default=1024, help="batch size; 0: no table"
    )
    parser.add_argument(
        "--compiled", type=int, default=1024, help="batch size; 0: no table"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--memory", type=int, default=12, help="maximum number of gigabytes"
    )
    options = parser.parse_args()

    from tfx_extras import losses

    known = [name for name in options.losses if hasattr(losses, name)]
    print_about(tfa=options.tfa)
    if options.pml:
        print(versions(options.pml, "torch", "pytorch-metric-learning") + "  ")
    for name in options.losses:
        if name not in known:
            print(f"Not in tfx_extras.losses, so not measured: {name}  ")
    if options.batches:
        beside_others(options, known)
    if options.growth:
        by_batch = {batch: (batch, WIDTH) for batch in options.growth}
        cases = [("tfx", name) for name in known]
        growth(options, "### Ours, by batch: ms, MB", by_batch, cases)
    if options.classes:
        by_classes = {classes: (BATCH, classes) for classes in options.classes}
        cases = [("tfx", name) for name in known if LOSSES[name].labels == "one_hot"]
        cases.append(("smoothed", "sparse"))
        title = f"### Ours, by classes, for a batch of {BATCH}: ms, MB"
        growth(options, title, by_classes, cases)
    if options.smoothed:
        smoothed(options)
    if options.compiled:
        compiled(options)


if __name__ == "__main__":
    main()
