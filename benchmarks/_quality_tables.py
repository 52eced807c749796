"""Reads the runs of `quality.py`, and shows them in tables."""

import csv
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results" / "quality"
TEMPLATE = FOLDER / "quality.md"
KEYS = ("contestant", "decay", "rate", "seed", "validation")
FACTORS = (0.5, 1.0, 2.0)

MORE_IS_BETTER = ("accuracy", "balanced accuracy", "worst class", "iou", "recall@1")


class Found(NamedTuple):
    """A contestant on a task: what it chose, and the runs of the five seeds."""

    rate: float  # of the grid
    factor: float  # of it, which the validation samples chose
    has_decay: bool
    runs: dict[float, list[dict]]  # by the factor of the learning rate
    milliseconds: float  # of a step

    def scores(self, name: str, factor: float | None = None) -> np.ndarray:
        runs = self.runs[factor or self.factor]
        return np.array([float(run[name]) for run in runs])

    def median(self, name: str, factor: float | None = None) -> float:
        """The median over the seeds; a run that diverged is the worst."""
        return sign(name) * self.cost(name, name, factor)

    def cost(self, name: str, score: str, factor: float | None = None) -> float:
        """The median of what holds a score, turned so that less is better."""
        values = sign(score) * self.scores(name, factor)
        return float(np.median(np.where(np.isfinite(values), values, np.inf)))


def sign(score: str) -> int:
    return -1 if score in MORE_IS_BETTER else 1


def read(task: str, folder: Path = RESULTS) -> dict[str, Found]:
    """The contestants of a task whose runs are complete."""
    file = folder / f"{task}.csv"
    if not file.exists():
        return {}
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    found = {}
    for name in dict.fromkeys(row["contestant"] for row in rows):
        own = [row for row in rows if row["contestant"] == name]
        tested = [row for row in own if row["seed"] != "0"]
        rates = sorted({float(row["rate"]) for row in tested})
        if len(rates) != len(FACTORS) or len(tested) % len(FACTORS):
            continue  # it has not been run to the end
        runs = {
            factor: [row for row in tested if float(row["rate"]) == rate]
            for factor, rate in zip(FACTORS, rates, strict=True)
        }
        time = float(np.median([float(row["milliseconds"]) for row in own]))
        each = Found(rates[1], 1.0, tested[0]["decay"] == "1", runs, time)
        score = scores({name: each})[0]
        costs = {f: each.cost("validation", score, f) for f in FACTORS}
        found[name] = each._replace(factor=min(costs, key=costs.__getitem__))
    return found


def scores(found: dict[str, Found]) -> list[str]:
    """The names of the scores of a task."""
    run = next(iter(found.values())).runs[1.0][0]
    return [name for name in run if name not in (*KEYS, "milliseconds", "curve")]


def leaders(found: dict[str, Found], score: str) -> set[str]:
    """The best contestant, and those that the seeds do not tell apart from it.

    The median of such a one is within the range of the best, or the other way round.
    """
    best = min(found, key=lambda name: found[name].cost(score, score))

    def is_within(name, other):
        values = found[other].scores(score)
        return values.min() <= found[name].median(score) <= values.max()

    return {n for n in found if is_within(n, best) or is_within(best, n)}


def cell(values: np.ndarray, is_leader: bool) -> str:
    """The median and the range of scores."""
    if not np.isfinite(values).all():
        return f"{np.isnan(values).sum()} of {len(values)} diverged"
    low, middle, high = np.percentile(values, [0, 50, 100])
    middle = f"**{middle:.3f}**" if is_leader else f"{middle:.3f}"
    return f"{middle} ({low:.3f} to {high:.3f})"


def number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "diverged"


def table(head, rows) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def of_task(found: dict[str, Found]) -> str:
    """A table: the test scores, at other rates too, and what was chosen."""
    if not found:
        return "Not run yet."
    names = scores(found)
    best = {name: leaders(found, name) for name in names}
    head = ["", *names, "at the lower rate", "middle", "higher", "middle rate"]
    head += ["weight decay", "ms per step"]
    rows = []
    for name, each in found.items():
        row = [name]
        row += [cell(each.scores(s), name in best[s]) for s in names]
        row += [number(each.median(names[0], factor)) for factor in FACTORS]
        row += [f"{each.rate:.2g}", "yes" if each.has_decay else "no"]
        rows.append([*row, f"{each.milliseconds:.2g}"])
    return "\n".join(table(head, rows))


def page(about: str, folder: Path = RESULTS) -> str:
    """All tasks, in Markdown. The comments let guides include a table."""

    def marked(found):
        task = found[1]
        table = of_task(read(task, folder))
        return f"<!-- {task} -->\n\n{table}\n\n<!-- end of {task} -->"

    text = TEMPLATE.read_text().replace("{about}", about.strip())
    return re.sub(r"{(\w+)}", marked, text)
