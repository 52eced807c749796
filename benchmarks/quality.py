"""Which optimizer, and which loss: all of them on small tasks, by one rule.

    KERAS_BACKEND=jax python benchmarks/quality.py [TASK ...] [--only NAME ...]
    python benchmarks/quality.py --compare FOLDER

Trains each contestant on each task of `_quality_tasks.py`, by the rule in `quality.md`,
and appends each run to `results/quality/TASK.csv`. What is there is not run again, so
that the command may be stopped at any time. At the end it writes `README.md` there,
with the tables. `--compare` shows how far the runs of another folder, made with
`--results FOLDER`, differ. Each run uses one core.
"""

import argparse
import contextlib
import csv
import functools
import io
import itertools
import math
import multiprocessing
import os
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# One core for each run.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import keras
import numpy as np
from _quality_contestants import LOSSES
from _quality_contestants import OPTIMIZERS
from _quality_contestants import Contestant
from _quality_contestants import Given
from _quality_tables import FACTORS
from _quality_tables import RESULTS
from _quality_tables import page
from _quality_tables import read
from _quality_tasks import TASKS
from _quality_tasks import Task
from _report import cores
from _report import print_about
from _timing import progress

from tfx_extras import optimizers
from tfx_extras import schedules
from tfx_extras import utils

FACTOR, RATES, MOST_RATES = 4.0, 6, 10
SEEDS = (1, 2, 3, 4, 5)
SCHEDULES = {
    "cosine": lambda n: schedules.WarmupCosine(1.0, n // 10, n - n // 10),
    "warm-up": lambda n: schedules.Warmup(1.0, n // 10),
    "constant": lambda n: lambda step: 1.0,
}
DECAY = 0.05  # the sum of learning rate times weight decay, at the default rate
POINTS = 10  # of a curve


def contestants(task: str) -> dict[str, Contestant]:
    return LOSSES.get(task, OPTIMIZERS)


class Training:
    """A contestant on a task: compiled once for all learning rates and seeds."""

    def __init__(self, task: Task, contestant: Contestant, decay: bool):
        self.task, self.contestant = task, contestant
        self.data = task.data()
        shape = SCHEDULES[contestant.schedule](task.steps)
        self.shape = np.array([float(shape(step)) for step in range(task.steps)])
        total = contestant.rate * self.shape.sum()
        self.decay = DECAY / total if decay else None
        y = self.data["training"].y
        self.loss = contestant.loss(y) if contestant.loss else task.loss
        weigh = contestant.class_weight
        self.class_weight = weigh(y) if weigh else None
        self.model, self.network, self.optimizer = self.new(0)
        # On TensorFlow, XLA would take longer to compile than the training.
        is_compiled = "auto" if keras.backend.backend() == "jax" else False
        self.model.compile(self.optimizer, self.loss, jit_compile=is_compiled)

    def new(self, seed):
        """Returns a model, the network of it that is measured, and an optimizer."""
        keras.utils.set_random_seed(seed)
        model, network = self.contestant.model(self.task.network())
        given = Given(1.0, self.decay, network, self.task.steps)
        optimizer = self.contestant.optimizer(given)
        optimizer.build(model.trainable_variables)
        return model, network, optimizer

    def reset(self, seed):
        """Gives the model and the optimizer what new ones have."""
        model, _, optimizer = self.new(seed)
        own = [*self.model.variables, *self.optimizer.variables]
        new = [*model.variables, *optimizer.variables]
        for variable, value in zip(own, new, strict=True):
            variable.assign(value)

    def run(self, rate: float, seed: int) -> dict:
        """Trains, and returns a row of the results."""
        self.reset(seed)
        first = next(iter(self.task.scores))
        curve, seconds = [self.scores("validation", first)[first]], []
        data = batches(self.task, seed)
        for steps in np.split(self.shape, POINTS):
            start = time.perf_counter()
            for share in steps:
                self.optimizer.learning_rate.assign(rate * share)
                x, y = next(data)
                loss = self.model.train_on_batch(x, y, class_weight=self.class_weight)
            seconds.append(time.perf_counter() - start)
            if not np.isfinite(loss):
                break
            with averaged(self):
                curve.append(self.scores("validation", first)[first])
                if len(curve) == POINTS + 1:
                    test = self.scores("test", *self.task.scores)
        if len(curve) <= POINTS:  # the training diverged
            curve += [math.nan] * (POINTS + 1 - len(curve))
            test = dict.fromkeys(self.task.scores, math.nan)
        return {
            "validation": curve[-1],
            **test,
            "milliseconds": 1000 * np.median(seconds) * POINTS / self.task.steps,
            "curve": " ".join(f"{value:.4g}" for value in curve),
        }

    def scores(self, part, *names):
        x, y = self.data[part]
        outputs = self.network.predict(x, batch_size=1024, verbose=0)
        with np.errstate(invalid="ignore", over="ignore"):  # where it diverges
            return {name: self.task.scores[name](y, outputs) for name in names}


@contextlib.contextmanager
def averaged(training: Training):
    """Puts the average that the optimizer keeps, if any, into the network."""
    optimizer = training.optimizer
    if not getattr(optimizer, "has_average", False):
        yield
        return
    optimizer.swap()
    kinds = [type(layer) for layer in training.network.layers]
    if keras.layers.BatchNormalization in kinds:
        optimizers.update_batch_norm(training.network, training.data["training"].x, 256)
    yield
    optimizer.swap()


def batches(task: Task, seed: int):
    """Endless batches of the training samples, which depend on the seed alone."""
    x, y = task.data()["training"]
    rng = np.random.default_rng(seed)
    if task.is_balanced:
        sampler = utils.BalancedBatches(y, task.batch // 2, 2, seed=seed)
    while True:
        if task.is_balanced:
            rows = list(sampler)
        else:
            order = rng.permutation(len(y))
            rows = np.split(order, range(task.batch, len(y), task.batch))
        yield from ((x[r], y[r]) for r in rows if len(r) == task.batch)


class Results:
    """The runs of a task, in memory and in a file."""

    def __init__(self, folder: Path, name: str):
        self.name, self.task = name, TASKS[name]
        self.file = folder / f"{name}.csv"
        self.columns = [
            *("contestant", "decay", "rate", "seed", "validation"),
            *self.task.scores,
            *("milliseconds", "curve"),
        ]
        self.rows = {}
        if self.file.exists():
            with self.file.open(newline="") as lines:
                for row in csv.DictReader(lines):
                    self.rows[self.key(row)] = row

    @staticmethod
    def key(row):
        decay, rate, seed = int(row["decay"]), float(row["rate"]), int(row["seed"])
        return row["contestant"], decay, rate, seed

    def run(self, name: str, decay: int, rate: float, seed: int) -> dict:
        """Returns a run, which is made and written if it is not there yet."""
        key = name, decay, float(f"{rate:.4g}"), seed
        if key not in self.rows:
            found = self.training(name, decay).run(key[2], seed)
            found = {k: f"{v:.5g}" if k != "curve" else v for k, v in found.items()}
            row = dict(zip(self.columns[:4], key, strict=True)) | found
            self.write([row], "a")
            self.rows[key] = row
        return self.rows[key]

    @functools.lru_cache(1)  # noqa: B019  # the objects live as long as the process
    def training(self, name, decay):
        return Training(self.task, contestants(self.name)[name], bool(decay))

    def write(self, rows, mode):
        with self.file.open(mode, newline="") as lines:
            table = csv.DictWriter(lines, self.columns, lineterminator="\n")
            if mode == "w":
                table.writeheader()
            table.writerows(rows)

    def sort(self):
        """Writes the file in the order of the contestants."""
        names = list(contestants(self.name))
        known = [key for key in self.rows if key[0] in names]
        order = sorted(known, key=lambda key: (names.index(key[0]), *key[1:]))
        self.write([self.rows[key] for key in order], "w")

    def cost(self, row):
        """The validation score of a run, turned so that less is better."""
        value = float(row["validation"])
        value = -value if self.task.more_is_better else value
        return value if math.isfinite(value) else math.inf


def study(results: Results, name: str, seeds=SEEDS, rates=RATES) -> None:
    """Makes all runs of a contestant on a task."""
    contestant = contestants(results.name)[name]
    middle = rates // 2
    grids = {}
    for decay in (0, 1) if contestant.has_decay else (0,):
        exponents = list(range(-middle, rates - middle))

        def cost(exponent, decay=decay):
            rate = contestant.rate * FACTOR**exponent
            return results.cost(results.run(name, decay, rate, 0))

        while len(exponents) < MOST_RATES:
            best = min(exponents, key=cost)
            if rates == 1 or best not in (exponents[0], exponents[-1]):
                break
            step = -1 if best == exponents[0] else 1
            exponents.insert(0 if step < 0 else len(exponents), best + step)
        best = min(exponents, key=cost)
        grids[decay] = cost(best), contestant.rate * FACTOR**best
    decay = min(grids, key=lambda decay: grids[decay][0])
    rate = grids[decay][1]
    for factor, seed in itertools.product(FACTORS, seeds):
        results.run(name, decay, rate * factor, seed)


def work(arguments) -> str:
    """Studies a contestant on a task, in a process of its own."""
    folder, task, name, quick = arguments
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(1)
    start = time.monotonic()
    results = Results(folder, task)
    before = len(results.rows)
    if quick:
        results.task = results.task._replace(steps=20)
        study(results, name, SEEDS[:1], 1)
    else:
        study(results, name)
    made = len(results.rows) - before
    return f"{task}, {name}: {made} runs in {time.monotonic() - start:.0f} s"


def compare(folder: Path) -> None:
    """Prints how far the medians of two folders differ, by the range of the seeds."""
    for task in TASKS:
        ours, theirs = read(task), read(task, folder)
        score = next(iter(TASKS[task].scores))
        for name in ours.keys() & theirs.keys():
            values = ours[name].scores(score)
            low, high = values.min(), values.max()
            ours_, theirs_ = ours[name].median(score), theirs[name].median(score)
            is_within = low <= theirs_ <= high
            print(
                f"{task}, {name}: {ours_:.4f} ({low:.4f} to {high:.4f}), again "
                f"{theirs_:.4f}: {'within' if is_within else 'OUTSIDE'} the range"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", default=list(TASKS), metavar="TASK")
    parser.add_argument("--only", nargs="*", help="names of contestants")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--compare", type=Path, metavar="FOLDER")
    parser.add_argument("--jobs", type=int, default=cores())
    parser.add_argument("--quick", action="store_true", help="to see that it runs")
    options = parser.parse_args()
    if options.compare:
        compare(options.compare)
        return
    options.results.mkdir(parents=True, exist_ok=True)
    jobs = [
        (options.results, task, name, options.quick)
        for task in options.tasks
        for name in contestants(task)
        if not options.only or name in options.only
    ]
    sort(options.results, options.tasks)  # also writes the heads of new files
    if options.jobs == 1:
        for job in jobs:
            progress(work(job))
    else:
        context = multiprocessing.get_context("spawn")
        with context.Pool(options.jobs) as pool:
            for done in pool.imap_unordered(work, jobs):
                progress(done)
    sort(options.results, options.tasks)
    about = io.StringIO()
    with contextlib.redirect_stdout(about):
        print_about()
        print(
            f"Trained with Keras on {keras.backend.backend()}, a core for each run.\n"
        )
    (options.results / "README.md").write_text(page(about.getvalue(), options.results))


def sort(folder, tasks):
    for task in tasks:
        Results(folder, task).sort()


if __name__ == "__main__":
    main()
