"""The benchmarks page reports what was measured. No test depends on the times."""

import importlib
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SMALL = ("--optimizers", "AdaBelief", "--problems", "matrices:2")


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


def table(page, title):
    """The rows of the table whose title ends with `title`, as dicts by column name."""
    lines = iter(page.splitlines())
    next(line for line in lines if line.startswith("#") and line.endswith(title))
    rows = []
    for line in lines:
        if line.startswith("#"):
            break
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    head, _, *rows = rows
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.fixture
def run_here(monkeypatch, capsys):
    """Runs a script, whose contenders are in this process, and returns its page.

    Contenders have processes of their own otherwise. PyTorch's compiler, which takes
    10 seconds, is replaced by one that takes no time.
    """
    from _server import Contenders

    class Here(Contenders):
        def __init__(self, script, **environment):
            super().__init__(importlib.import_module(Path(script).stem).make)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def turn(self, contender, seconds):
            return lambda: self.time(contender, seconds)

    def run(name, *arguments):
        script = importlib.import_module(name)
        monkeypatch.setattr(script, "Process", Here)
        monkeypatch.setattr("tfx_extras._backend._updates._COMPILER", "eager")
        arguments = [*arguments, "--rounds", "3", "--seconds", "0"]
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        script.main()
        return capsys.readouterr().out

    return run


@pytest.mark.only("torch")  # the other backends differ only in their steps: see below
def test_a_page_has_finite_times_and_the_ratios_of_them(run_here, tmp_path):
    picture = tmp_path / "cpu.svg"
    page = run_here(
        "optimizers", *SMALL, "--backends", "torch", "--picture", str(picture)
    )
    assert f"keras {keras.__version__}" in page
    rows = table(page, "beside Keras's Adam")
    assert [row["backend"] for row in rows] == ["PyTorch eager", "PyTorch compiled"]
    for row in rows:
        ours, adam, bound = (
            float(row[name]) for name in ("ours, ms", "Keras's Adam, ms", "bound, ms")
        )
        assert 0 < ours < 1e5
        assert 0 < adam < 1e5
        assert 0 < bound < 1e5
        assert 0 < float(row["first step, s"]) < 1e3
        # The page prints two digits.
        assert float(row["ratio"]) == pytest.approx(adam / ours, rel=0.06)
        assert float(row["reached"]) == pytest.approx(bound / ours, rel=0.06)
    peers = table(page, "beside other packages")
    assert "PyTorch `Adam fused`" in {row["beside"] for row in peers}
    for row in peers:
        times = float(row["theirs, ms"]) / float(row["ours, ms"])
        assert float(row["ratio"]) == pytest.approx(times, rel=0.06)
    assert "<path" in picture.read_text()


@pytest.mark.only("torch")
def test_a_page_says_how_many_programs_were_made_and_when_they_pay_off(run_here):
    (row,) = table(run_here("compilation", *SMALL), "2 matrices of 64 x 64")
    assert int(row["programs"]) >= 1
    for column in ("first step, s", "in a second process, s", "a step, ms"):
        assert 0 < float(row[column]) < 1e3


@pytest.mark.slow
def test_losses_of_images_are_those_of_the_backend(run_here):
    backend = keras.backend.backend()
    page = run_here("vision_losses", "--backends", backend, "--side", "16")
    rows = {row["loss"]: row for row in table(page, "forward and backward")}
    assert {row["backend"] for row in rows.values()} == {backend}
    assert all(0 < float(row["ours, ms"]) < 1e5 for row in rows.values())
    is_compared = backend == "tensorflow"
    assert rows["`ssim_loss`"]["same value"] == ("yes" if is_compared else "-")


@pytest.mark.only("jax")
def test_a_page_says_how_many_arrays_each_optimizer_moves(tmp_path):
    command = [sys.executable, FOLDER, "traffic", "--devices", "cpu"]
    done = subprocess.run(
        [*command, "--results", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = table((tmp_path / "cpu.md").read_text(), "on JAX")
    must = {row["optimizer"]: int(row["must move"]) for row in rows}
    assert must["`ConditionalGradient`"] == 3
    assert must["`RAdam`"] == 7
    assert must["`COCOB`"] == 13
    for row in rows:
        assert int(row["must move"]) <= int(row["the program moves"])


def test_contenders_take_turns_and_one_that_fails_is_left_out():
    from _timing import in_turns
    from _timing import median

    turns = []

    def contender(name, *results):
        results = iter(results)

        def turn():
            turns.append(name)
            return next(results)

        return turn

    results = in_turns(
        [
            contender("a", 3, 1, 2),
            None,
            contender("b", 5, None),
            contender("c", 4, 4, 9),
        ],
        rounds=3,
    )
    assert "".join(turns) == "abc" + "cba" + "ac"
    assert results == [[3, 1, 2], None, None, [4, 4, 9]]
    assert [median(result) for result in results] == [2, None, None, 4]


def test_turns_end_when_their_seconds_are_over_but_not_before_the_least():
    from _timing import in_turns

    assert in_turns([lambda: 1], rounds=9, seconds=0, least=3) == [[1, 1, 1]]
    assert in_turns([lambda: 1], rounds=2, seconds=0, least=3) == [[1, 1]]


def test_the_bytes_are_of_gradients_once_and_of_weights_and_slots_twice():
    from _optimizer_step import make
    from _optimizer_step import size_of

    # A layer has 4 matrices, 4 biases and 2 normalizations with a scale and an offset.
    layer = 4 * 512 * 512 + 2 * 512 * 4 * 512 + 3 * 512 + 512 + 4 * 512 + 512 + 4 * 512
    around = (32_000 + 512) * 512 + 2 * 512
    assert size_of("transformer:12") == 12 * layer + around
    weights = 2 * 64 * 64
    for name, slots in [("ConditionalGradient", 0), ("NovoGrad", 1), ("RAdam", 2)]:
        _, known = make("tfx", name, "eager", "matrices:2")
        assert known["bytes"] == 4 * weights * (1 + 2 + 2 * slots)


@pytest.mark.only("tensorflow", "torch")  # on JAX, a step returns the new state
def test_each_step_is_an_update():
    from _optimizer_step import arrays
    from _optimizer_step import of_keras

    optimizer = keras.optimizers.SGD()
    step, _ = of_keras(optimizer, "graph", ["w"], *arrays("vector:5"))
    step()
    step()
    assert int(optimizer.iterations) == 2


@pytest.mark.only("tensorflow", "jax")  # a page has those of PyTorch: see above
def test_each_mode_of_a_backend_takes_steps():
    from _optimizer_step import make
    from optimizers import BACKENDS
    from optimizers import HAS

    backend = keras.backend.backend()
    modes = {"tensorflow": ("eager", "graph", "XLA"), "jax": ("jit",)}[backend]
    assert BACKENDS[backend][1] == modes
    for mode in modes:
        step, known = make("tfx", "AdaBelief", mode, "vector:5")
        step()
        step()
        assert known["bytes"] == 4 * 5 * (1 + 2 + 2 * 2)
    step, _ = make("copy", "", modes[-1], "vector:5")
    step()
    package, name = ("optax", "adabelief") if backend == "jax" else ("plain", "RAdam")
    assert (backend, modes[0]) in HAS[package]
    step, _ = make(package, name, modes[0], "vector:5")
    step()


def test_a_part_replaces_itself_in_a_page_and_leaves_the_others():
    replaced = runpy.run_path(str(FOLDER / "__main__.py"))["replaced"]
    page = replaced("# Title\n\nhead\n", "fit", "### An epoch\n\nold\n")
    page = replaced(page, "optimizers", "numbers")
    page = replaced(page, "fit", "### An epoch\n\nnew")
    assert page == (
        "# Title\n\nhead\n\n## Optimizers\n\nnumbers\n\n"
        "## Epochs\n\n### An epoch\n\nnew\n"
    )


@pytest.mark.slow
@pytest.mark.only("torch")
def test_losses_are_compared_by_their_recall(monkeypatch, capsys):
    script = importlib.import_module("metric_learning")
    names = ["MultiSimilarityLoss", "ArcFaceLoss"]
    arguments = ["metric_learning", "--quick", "--losses", *names]
    monkeypatch.setattr(sys, "argv", arguments)
    script.main()
    rows = table(capsys.readouterr().out, "of 1 seeds")
    assert [row["loss"] for row in rows[2:]] == [f"`{name}`" for name in names]
    recalls = [row["recall@1"] for row in rows] + [rows[2]["recall@1 with memory"]]
    assert all(0 < float(recall.split()[0]) < 1 for recall in recalls)
    assert rows[3]["recall@1 with memory"] == "-"
