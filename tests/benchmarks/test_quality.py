"""The comparison of optimizers and losses follows its rule, and its page its runs."""

import importlib
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from tfx_extras import optimizers

FOLDER = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.only("torch")  # the others differ only in their steps


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.syspath_prepend(str(FOLDER.parent / "examples"))


@pytest.fixture
def quality():
    return importlib.import_module("quality")


@pytest.fixture
def tables():
    return importlib.import_module("_quality_tables")


def short(quality, name="cancer", **changes):
    return quality.TASKS[name]._replace(steps=10, **changes)


def test_each_optimizer_is_compared(quality):
    others = {"ParameterGroups", "ScheduleFree"}  # several in one; any in one
    names = {
        name
        for name in optimizers.__all__
        if isinstance(getattr(optimizers, name), type)
        and issubclass(getattr(optimizers, name), optimizers.Optimizer)
    }
    assert names - {"Optimizer"} - others <= quality.OPTIMIZERS.keys()


@pytest.mark.parametrize("name", ["AdamW", "Lookahead", "SWA", "SharpnessAware"])
def test_a_run_depends_on_its_rate_and_seed_alone(quality, name):
    task = short(quality, "digits_convolution" if name == "SWA" else "cancer")
    training = quality.Training(task, quality.OPTIMIZERS[name], True)
    keys = [(0.01, 1), (0.02, 1), (0.01, 2), (0.01, 1)]
    runs = [training.run(*key)["curve"] for key in keys]
    assert runs[0] == runs[3]
    assert len(set(runs)) == 3


def test_a_run_that_diverges_has_no_score_and_the_next_one_has(quality):
    training = quality.Training(short(quality), quality.OPTIMIZERS["keras SGD"], False)
    wild, tame = training.run(1e30, 1), training.run(0.01, 1)
    assert math.isnan(wild["validation"])
    assert math.isnan(wild["cross-entropy"])
    assert math.isfinite(tame["cross-entropy"])


def test_batches_use_each_sample_once_in_an_epoch_and_follow_the_seed(quality):
    task = quality.TASKS["diabetes"]
    (x, _), size = task.data()["training"], task.batch
    count = len(x) // size

    def epochs(seed):
        given = itertools.islice(quality.batches(task, seed), 2 * count)
        return np.stack([batch for batch, _ in given]).reshape(2, count * size, -1)

    first, second = epochs(1)
    assert len(np.unique(first, axis=0)) == count * size
    assert not np.array_equal(first, second)
    assert np.array_equal(first, epochs(1)[0])
    assert not np.array_equal(first, epochs(2)[0])


@pytest.mark.parametrize("best", [4.0**-2, 4.0**3, 4.0**5])
def test_the_grid_grows_until_the_best_rate_is_inside(quality, tmp_path, best):
    made = []

    class Results(quality.Results):
        def run(self, name, decay, rate, seed):
            made.append((decay, rate, seed))
            return {"validation": abs(math.log(rate / 1e-3 / best)) + decay}

    quality.study(Results(tmp_path, "cancer"), "keras Adam")
    grid = {rate for decay, rate, seed in made if (decay, seed) == (0, 0)}
    assert len(grid) >= quality.RATES
    assert min(grid) < 1e-3 * best < max(grid)
    final = {(decay, rate) for decay, rate, seed in made if seed > 0}
    assert final == {(0, 1e-3 * best * factor) for factor in (0.5, 1.0, 2.0)}
    assert {seed for *_, seed in made} == {0, 1, 2, 3, 4, 5}


def test_what_has_run_does_not_run_again_and_the_page_is_written(
    quality, tables, tmp_path, monkeypatch
):
    arguments = ["quality", "cancer", "--only", "AdamW", "COCOB", "--quick"]
    arguments += ["--jobs", "1", "--results", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    quality.main()
    first = (tmp_path / "cancer.csv").read_text()
    assert set(tables.read("cancer", tmp_path)) == {"AdamW", "COCOB"}
    page = (tmp_path / "README.md").read_text()
    assert "| AdamW | **" in page or "| COCOB | **" in page
    monkeypatch.setattr(quality.Training, "run", None)
    quality.main()
    assert (tmp_path / "cancer.csv").read_text() == first


def test_the_page_is_that_of_the_runs(tables):
    page = (tables.RESULTS / "README.md").read_text()
    about = page.split("\n\n")[1]
    assert page == tables.page(about)


def test_leaders_are_those_that_the_seeds_do_not_tell_apart(tables):
    def found(*values):
        runs = [{"validation": "0", "error": str(v), "curve": ""} for v in values]
        return tables.Found(1.0, 1.0, False, {1.0: runs}, 1.0)

    contestants = {
        "best": found(1, 2, 3),
        "alike": found(2.5, 2.8, 9),
        "wide": found(0, 4, 9),
        "worse": found(3.5, 4, 4.5),
        "diverged": found(0.1, math.nan, math.nan),
    }
    assert tables.leaders(contestants, "error") == {"best", "alike", "wide"}
    assert tables.cell(contestants["diverged"].scores("error"), False).startswith(
        "2 of"
    )
    runs = [{"validation": "0", "accuracy": "0.9"}]
    more = contestants["best"]._replace(runs={1.0: runs})
    less = more._replace(runs={1.0: [runs[0] | {"accuracy": "0.8"}]})
    assert tables.leaders({"more": more, "less": less}, "accuracy") == {"more"}


@pytest.mark.parametrize("score", ["accuracy", "error"])
def test_a_rate_at_which_runs_diverge_is_not_chosen(tables, tmp_path, score):
    values = {0.5: 0.5, 1.0: 0.6, 2.0: math.nan}
    rows = [f"contestant,decay,rate,seed,validation,{score},milliseconds,curve"]
    rows += [f"a,0,{r},{s},{v},{v},1," for r, v in values.items() for s in (1, 2)]
    (tmp_path / "task.csv").write_text("\n".join(rows))
    best = {"accuracy": 1.0, "error": 0.5}[score]
    assert tables.read("task", tmp_path)["a"].factor == best


def test_scores_are_those_computed_by_hand(quality):
    tasks = importlib.import_module("_quality_tasks")
    y, logits = np.array([0, 0, 1, 1]), np.log([[3, 1], [1, 3], [1, 9], [1, 9]])
    values = [math.log(4 / 3), math.log(4), math.log(10 / 9), math.log(10 / 9)]
    assert tasks.crossentropy(y, logits) == pytest.approx(np.mean(values))
    assert tasks.balanced_accuracy(y, logits) == 0.75
    assert tasks.worst_class(y, logits) == 0.5
    # Confidences 0.75 of which one of two is right, and 0.9 of which both are.
    assert tasks.calibration_error(y, logits) == pytest.approx((0.5 + 0.2) / 4)
    masks = np.array([1.0, 1.0, 0.0, 0.0]), np.array([2.0, -1.0, 3.0, -4.0])
    assert tasks.iou(*masks) == pytest.approx(1 / 3)
    expected = np.mean(np.log1p(np.exp([-2.0, 1.0, 3.0, -4.0])))
    assert tasks.binary_crossentropy(*masks) == pytest.approx(expected)
    assert tasks.error(*masks) == pytest.approx(math.sqrt((1 + 4 + 9 + 16) / 4))
