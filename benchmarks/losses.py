"""Time and memory of the losses, forward and backward, beside those of other packages.

    python benchmarks/losses.py --tfa .venv-tfa/bin/python --pml .venv-pml/bin/python

Prints three tables in Markdown: our losses beside those of TensorFlow Addons, on
TensorFlow, and of PyTorch Metric Learning, on PyTorch; how ours grow with the batch;
and the cross-entropy of smoothed sparse labels beside Keras's of one-hot labels. Each
package has an environment of its own, given by its Python: that of TensorFlow Addons is
in `tests/parity/make_tfa.py`; for the other, `pip install pytorch-metric-learning`.

Every measurement is a process of its own: the median time of its runs, after one to
warm up, and how far the peak of its memory rose above what it held before the first.
Processes take turns, and what they say is the median again. One that needs more than
`--memory` gigabytes is stopped.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from _loss_step import LOSSES

STEP = Path(__file__).with_name("_loss_step.py")


def measured(contender, memory):
    """The mean loss, seconds and megabytes of a process, or `None` if it fails."""
    python, package, name, batch, framework, mode = contender
    arguments = [package, name, batch, framework, mode, memory]
    environment = {
        "KERAS_BACKEND": framework,
        "TF_CPP_MIN_LOG_LEVEL": "3",
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
    print("failed:", *arguments, *reason, file=sys.stderr, flush=True)
    return None


def in_turns(options, *contenders):
    """The medians of the measurements of each one that is there, or `None`."""
    results = [[] if contender else None for contender in contenders]
    for i in range(options.rounds):
        for j in range(len(contenders))[:: 1 if i % 2 == 0 else -1]:
            if results[j] is not None:
                result = measured(contenders[j], options.memory)
                results[j] = [*results[j], result] if result else None
    return [
        results and [statistics.median(column) for column in zip(*results, strict=True)]
        for results in results
    ]


def milliseconds(result):
    return f"{1000 * result[1]:.3g}" if result else "-"


def megabytes(result):
    return f"{result[2]:.3g}" if result else "-"


def ratio(ours, theirs, i):
    """How many times as much theirs is; below a megabyte, memory is not worth it."""
    if not ours or not theirs or (i == 2 and min(ours[i], theirs[i]) < 1):
        return "-"
    return f"{theirs[i] / ours[i]:.2g}"


def same(ours, theirs):
    """Whether both computed one number."""
    if not ours or not theirs:
        return "-"
    return "yes" if abs(ours[0] - theirs[0]) < 1e-4 * abs(theirs[0]) else "no"


def print_row(*values):
    print("|", " | ".join(map(str, values)), "|", flush=True)


def print_head(title, *columns):
    print(f"\n{title}\n")
    print_row(*columns)
    print_row(*["-"] * len(columns))


def versions(python, *packages):
    code = (
        "from importlib.metadata import version; import platform, sys;"
        "print('Python', platform.python_version(), *(f'{p} {version(p)}' "
        "for p in sys.argv[1:]), sep=', ')"
    )
    command = [python, "-c", code, *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def beside_others(options, known):
    columns = ("loss", "beside", "batch", "ours, ms", "theirs, ms", "ratio")
    columns += ("ours, MB", "theirs, MB", "ratio", "same value")
    print_head(
        "Beside other packages: time, and peak memory above the inputs", *columns
    )
    peers = [
        ("tfa", "TensorFlow Addons", options.tfa, "tensorflow", "graph"),
        ("pml", "PyTorch Metric Learning", options.pml, "torch", "eager"),
    ]
    for package, title, python, framework, mode in peers:
        for name in options.losses:
            if not python or package not in LOSSES[name].beside:
                continue
            for batch in options.batches:
                case = (name, batch, framework, mode)
                ours, theirs = in_turns(
                    options,
                    (sys.executable, "tfx", *case) if name in known else None,
                    (python, package, *case),
                )
                print_row(
                    f"`{name}`",
                    title,
                    batch,
                    milliseconds(ours),
                    milliseconds(theirs),
                    ratio(ours, theirs, 1),
                    megabytes(ours),
                    megabytes(theirs),
                    ratio(ours, theirs, 2),
                    same(ours, theirs),
                )


def growth(options, known):
    print_head("Ours, by batch: ms, MB", "loss", *options.growth)
    for name in known:
        row = []
        for batch in options.growth:
            case = (sys.executable, "tfx", name, batch, options.backend, "graph")
            (result,) = in_turns(options, case)
            row.append(f"{milliseconds(result)}, {megabytes(result)}")
        print_row(f"`{name}`", *row)


def smoothed(options):
    batch = options.smoothed
    columns = ("TensorFlow", "ours, ms", "one-hot, ms", "ratio")
    columns += ("ours, MB", "one-hot, MB", "ratio", "same value")
    title = (
        f"Smoothed cross-entropy from logits, {batch} x 50,000, against one-hot labels"
    )
    print_head(title, *columns)
    for mode in ("eager", "graph", "XLA"):
        case = (batch, "tensorflow", mode)
        ours, theirs = in_turns(
            options,
            *(
                (sys.executable, "smoothed", form, *case)
                for form in ("sparse", "dense")
            ),
        )
        print_row(
            mode,
            milliseconds(ours),
            milliseconds(theirs),
            ratio(ours, theirs, 1),
            megabytes(ours),
            megabytes(theirs),
            ratio(ours, theirs, 2),
            same(ours, theirs),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tfa", help="the Python of TensorFlow Addons")
    parser.add_argument("--pml", help="the Python of PyTorch Metric Learning")
    parser.add_argument("--losses", nargs="*", default=list(LOSSES))
    parser.add_argument("--batches", nargs="*", type=int, default=[256, 512, 1024])
    sizes = [256, 512, 1024, 2048, 4096, 8192]
    parser.add_argument("--growth", nargs="*", type=int, default=sizes)
    parser.add_argument("--backend", default="tensorflow", help="of the growth")
    parser.add_argument("--smoothed", type=int, default=1024, help="a batch; 0: none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, default=12, help="gigabytes, at most")
    options = parser.parse_args()

    from tfx_extras import losses

    known = [name for name in options.losses if hasattr(losses, name)]
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, rounds: {options.rounds}  ")
    print(f"Ours: {versions(sys.executable, 'keras', 'tensorflow', 'torch')}  ")
    if options.tfa:
        print(versions(options.tfa, "tensorflow-cpu", "tensorflow-addons") + "  ")
    if options.pml:
        print(versions(options.pml, "torch", "pytorch-metric-learning") + "  ")
    for name in options.losses:
        if name not in known:
            print(f"Not in tfx_extras.losses, so not measured: {name}  ")
    if options.batches:
        beside_others(options, known)
    if options.growth:
        growth(options, known)
    if options.smoothed:
        smoothed(options)


if __name__ == "__main__":
    main()
