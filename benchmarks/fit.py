"""Time of an epoch of `fit` with our optimizers, compared with Keras's Adam.

    python benchmarks/fit.py

Prints a table in Markdown: the median milliseconds of an epoch on each backend, for two
dense layers on handwritten digits and for a convolutional network on noise, and how
many times longer an epoch takes with Adam. Epochs take turns, after two warm-up epochs.
"""

import argparse

from _fit_epoch import MODELS
from _report import environment_of
from _report import print_about
from _report import print_head
from _report import print_row
from _server import Process
from _timing import in_turns
from _timing import median
from _timing import milliseconds
from _timing import progress
from _timing import ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU")
    parser.add_argument("--backends", nargs="*", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--optimizers", nargs="*", default=["AdaBelief", "LAMB"])
    parser.add_argument(
        "--rounds", type=int, default=9, help="maximum number of epochs"
    )
    parser.add_argument(
        "--seconds", type=float, default=8, help="limit, after at least 3 epochs"
    )
    options = parser.parse_args()
    print_about(options.device)
    columns = ("backend", "model", "optimizer", "ours, ms", "Keras's Adam, ms", "ratio")
    print_head("### An epoch of `fit`", *columns, left=3)
    contenders = [("keras", "Adam"), *(("tfx", name) for name in options.optimizers)]
    for backend in options.backends:
        environment = environment_of(options.device) | {"KERAS_BACKEND": backend}
        for model in options.models:
            progress(f"{model}, {backend}")
            with Process("_fit_epoch.py", **environment) as process:
                if process.sees_gpu() != (options.device != "cpu"):
                    progress(f"{backend} sees no GPU")
                    continue
                turns = [
                    process.turn(name, 0)
                    if process.make(name, package=package, name=name, model=model)
                    else None
                    for package, name in contenders
                ]
                results = in_turns(turns, options.rounds, options.seconds)
            adam, *all_of_ours = map(median, results)
            for name, ours in zip(options.optimizers, all_of_ours, strict=True):
                print_row(
                    backend,
                    model,
                    name,
                    milliseconds(ours),
                    milliseconds(adam),
                    ratio(adam, ours),
                )


if __name__ == "__main__":
    main()
