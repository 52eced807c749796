"""The GPU script reports what it found, even after a failure."""

import collections
import json
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
STEPS = """the device

### 20 weights in one vector: beside Keras's Adam

| backend | optimizer | ours, ms | ratio | reached |
| --- | --- | --: | --: | --: |
| JAX jit | RAdam | 2 | 1.5 | 0.9 |

### 20 weights in one vector: beside other packages

| backend | optimizer | beside | ratio |
| --- | --- | --- | --: |
| JAX jit | RAdam | Optax `radam` | 1.1 |
"""
CHUNKED = """### 4 rows

| backend | chunked, ms | ratio | ratio of memory |
| --- | --: | --: | --: |
| torch eager | 3 | 0.8 | 7.5 |
"""


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return runpy.run_path(str(FOLDER / "gpu.py"))


def test_the_short_table_has_failures_and_the_main_ratios(gpu):
    count = collections.Counter(passed=5, failed=1)
    found = {
        "jax": {"count": count, "failed": ["tests/a.py::test_b"], "is_whole": True},
        "torch": {"count": collections.Counter(), "failed": [], "is_whole": False},
    }
    table = gpu["summary_of_tests"](found)
    table += gpu["summary_of_times"](gpu["tables"](STEPS), gpu["tables"](CHUNKED))
    lines = table.splitlines()
    assert "| jax | 5 | 1 | 0 | yes |" in lines
    assert "| torch | 0 | 0 | 0 | no |" in lines
    assert "- jax: `tests/a.py::test_b`" in lines
    assert "| JAX jit, 20 weights in one vector, RAdam | 1.5 | 0.9 |" in lines
    assert "| torch eager | 0.8 | 7.5 |" in lines
    assert "Optax" not in table
    assert gpu["summary_of_tests"]({}).count("\n") == 1
    assert gpu["summary_of_times"]([], []) == ""


def test_a_page_keeps_what_it_has_and_begins_with_what_is_short(gpu, tmp_path):
    path = tmp_path / "page.md"
    path.write_text("# A page\n\n## Optimizers\n\nold\n\n## Import\n\nkept\n")
    gpu["write"](path, "cpu", {"In short": "a", "optimizers": "new", "fit": ""})
    assert path.read_text() == (
        "# A page\n\n## In short\n\na\n\n## Optimizers\n\nnew\n\n## Import\n\nkept\n"
    )


def test_wheels_are_unpacked_of_what_is_missing_alone(gpu, tmp_path):
    for name in ("pytest", "no_such_package"):
        with zipfile.ZipFile(tmp_path / f"{name}-1.0-py3-none-any.whl", "w") as file:
            file.writestr(f"{name}/__init__.py", "")
    target = gpu["unpacked"](tmp_path, tmp_path / "site")
    assert [path.name for path in target.iterdir()] == ["no_such_package"]


def test_what_takes_too_long_is_ended_with_what_it_started(gpu):
    child = "import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    assert not gpu["ended"](process, 0.2)
    assert process.returncode != 0
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    assert gpu["ended"](process, 60)


def test_tests_are_counted_while_they_run_and_not_those_of_the_cpu_beside_a_gpu(
    tmp_path,
):
    (tmp_path / "test_few.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('device', ['cpu', 'cuda:0'])\n"
        "def test_on(device): assert device == 'cpu'\n"
        "def test_cpu_in_its_name(): pass\n"
        "@pytest.mark.skip\n"
        "def test_skipped(): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "_counting", "test_few.py"]
    counted, failures = tmp_path / "counted", tmp_path / "failures"
    environment = {"PYTHONPATH": str(FOLDER), "COUNTED": str(counted)}
    subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment | {"FAILURES": str(failures)},
        capture_output=True,
    )
    outcomes = map(json.loads, counted.read_text().splitlines())
    assert {name.split("::")[1]: outcome for outcome, name in outcomes} == {
        "test_on[cuda:0]": "failed",
        "test_cpu_in_its_name": "passed",
        "test_skipped": "skipped",
    }
    assert "assert 'cuda:0' == 'cpu'" in failures.read_text()


def test_every_file_that_it_runs_is_there(gpu):
    for name in gpu["TESTS"] + gpu["QUICK_TESTS"]:
        assert (FOLDER.parent / name).exists(), name
