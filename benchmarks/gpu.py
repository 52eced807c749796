"""Tests correctness and speed on a GPU, in five minutes.

    make gpu [PYTHON=python3] [WHEELS=wheels] [RESULTS=folder] [QUICK=1]

For a machine that you have for a few minutes, without a network. The script needs JAX,
PyTorch or TensorFlow, and tests those that are installed. Other packages may be in a
folder of wheels, which are unpacked but not installed. First, the tests that compare
every object with its reference in `float64` run on all backends at once, with one
process per core. Then the benchmarks run, one after the other. Both have a time limit.
At the end, the script prints a short table, and writes `DEVICE.md` and the logs of the
tests to `benchmarks/results`, or to `build/gpu` if there is no GPU.
"""

import argparse
import collections
import importlib.metadata
import importlib.util
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from _report import cores
from _report import device
from _report import environment_of
from _report import gpus
from _report import versions
from _timing import progress

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
PAGE = runpy.run_path(str(FOLDER / "__main__.py"))
BUILD = ROOT / "build" / "gpu"
# The most important tests come first: the time limit may cut off the last ones.
TESTS = [
    "tests/parity",
    "tests/contracts/test_backend.py",
    "tests/contracts/test_losses.py",
    "tests/contracts/test_optimizers.py",
    "tests/contracts/test_wrappers.py",
    "tests/contracts/test_schedules.py",
    "tests/losses/classification/test_chunked.py",
    "tests/losses/classification/test_long_rows.py",
    "tests/clients/test_transforms.py",
    "tests/contracts/test_fast_paths.py",
    "tests/contracts/test_skipping.py",
    "tests/losses/test_labels.py",
    "tests/optimizers/test_conditional_gradient.py",
]
QUICK_TESTS = ["tests/contracts/test_backend.py"]
PROBLEMS = ["vector:20000000", "matrices:300", "transformer:12"]
TIMED = ["--rounds", "5", "--seconds", "0.3"]
QUICK_TIMED = ["--optimizers", "AdaBelief", "--rounds", "3", "--seconds", "0"]
MODES = {"tensorflow": "XLA", "jax": "jit", "torch": "eager"}
LEAST = 8  # seconds that a measurement needs at least
NAMED = 25  # maximum number of failed tests in the table


def unpacked(folder, target):
    """Unpacks the wheels of missing packages. Returns their folder."""
    target.mkdir(parents=True, exist_ok=True)
    for wheel in sorted(Path(folder).glob("*.whl")):
        name = wheel.name.split("-")[0]
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            with zipfile.ZipFile(wheel) as file:
                file.extractall(target)
    return target


class Limit:
    """A time limit, and the seconds that are left."""

    def __init__(self, seconds):
        self._end = time.monotonic() + seconds

    @property
    def left(self):
        return max(self._end - time.monotonic(), 0.0)


def ended(process, seconds):
    """Waits for a process, and stops it and its children after some seconds.

    Returns:
        Whether the process ended by itself.
    """
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(3)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        return False


def tested(backends, tests, environment, results, seconds):
    """Runs the tests on all backends at once. Returns their outcomes."""
    limit, running = Limit(seconds), {}
    processes = max(cores() // len(backends), 1)
    for backend in backends:
        counted = BUILD / f"{backend}.jsonl"
        failures = results / f"failures-{backend}.log"
        for path in (counted, failures):
            path.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", *tests, "-p", "_counting"]
        command += ["--numprocesses", str(processes), "--dist", "worksteal"]
        command += ["-q", "--tb=short", "-p", "no:cacheprovider", "--durations=20"]
        # The versions of other packages are unknown here: their warnings are no errors.
        command += ["-W", "default"]
        own = {"KERAS_BACKEND": backend, "COUNTED": str(counted)}
        own["FAILURES"] = str(failures)
        with open(results / f"tests-{backend}.log", "w") as log:
            running[backend] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment | own,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    found = {}
    for backend, process in running.items():
        is_whole = ended(process, limit.left)
        lines = BUILD / f"{backend}.jsonl"
        lines = lines.read_text().splitlines() if lines.exists() else []
        outcomes = [json.loads(line) for line in lines if line.endswith("]")]
        found[backend] = {
            "count": collections.Counter(outcome for outcome, _ in outcomes),
            "failed": sorted(
                {name for outcome, name in outcomes if outcome == "failed"}
            ),
            "is_whole": is_whole and process.returncode in (0, 1),
        }
    return found


def printed(script, arguments, environment, seconds):
    """The output of a script, up to the time limit if it takes longer."""
    if seconds < LEAST:
        return ""
    command = [sys.executable, "-W", "ignore", str(FOLDER / script), *arguments]
    progress("==", script, *arguments)
    path = BUILD / "printed.md"
    with open(path, "w") as file:
        process = subprocess.Popen(
            command, env=environment, stdout=file, start_new_session=True
        )
        if not ended(process, seconds):
            progress("stopped:", script, *arguments)
    return path.read_text()


def tables(text):
    """The sections of a text, without the text above the first title."""
    _, *sections = re.split(r"^(?=### )", text, flags=re.MULTILINE)
    return [section.strip() for section in sections if section.strip()]


def rows(table):
    """The rows of a table in Markdown, by the names of its columns."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, rest = cells[0] if cells else [], cells[2:]
    return [dict(zip(head, row, strict=True)) for row in rest]


def summary_of_tests(found):
    """The short table: results of the tests."""
    lines = ["| backend | passed | failed | skipped | all of them |"]
    lines += ["| --- | --: | --: | --: | --- |"]
    for backend, result in found.items():
        count = result["count"]
        numbers = " | ".join(str(count[key]) for key in ("passed", "failed", "skipped"))
        lines.append(
            f"| {backend} | {numbers} | {'yes' if result['is_whole'] else 'no'} |"
        )
    for backend, result in found.items():
        failed = result["failed"]
        lines += [""] * bool(failed)
        lines += [f"- {backend}: `{name}`" for name in failed[:NAMED]]
        lines += [f"- {backend}: and {len(failed) - NAMED} more"][: len(failed) > NAMED]
    return "\n".join(lines)


def summary_of_times(optimizers, chunked):
    """The short table: the main ratios."""
    lines = []
    if optimizers:
        lines += ["", "| step of an optimizer | Adam's / ours | of the copy |"]
        lines += ["| --- | --: | --: |"]
    for table in optimizers:
        title = table.splitlines()[0].removeprefix("### ").split(":")[0]
        for row in rows(table):
            if "reached" in row:
                name = f"{row['backend']}, {title}, {row['optimizer']}"
                lines.append(f"| {name} | {row['ratio']} | {row['reached']} |")
    if chunked:
        lines += ["", "| chunked head | dense / chunked, time | memory |"]
        lines += ["| --- | --: | --: |"]
    for table in chunked:
        for row in rows(table):
            numbers = f"{row['ratio']} | {row['ratio of memory']}"
            lines.append(f"| {row['backend']} | {numbers} |")
    return "\n".join(lines)


def write(path, number, sections):
    page = (
        path.read_text()
        if path.exists()
        else PAGE["HEAD"].format(device=device(number))
    )
    for part, text in sections.items():
        if text:
            page = PAGE["replaced"](page, part, text)
    path.write_text(page)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="*", default=list(MODES))
    parser.add_argument("--wheels", help="folder of wheels of missing packages")
    parser.add_argument("--results", type=Path, help="folder for the page and the logs")
    parser.add_argument(
        "--seconds", type=float, default=300, help="time limit for everything"
    )
    parts = ["tests", "times"]
    parser.add_argument("--parts", nargs="*", choices=parts, default=parts)
    parser.add_argument(
        "--quick", action="store_true", help="a small version, to see that it works"
    )
    options = parser.parse_args()
    limit = Limit(options.seconds)
    number = "0" if gpus() else "cpu"
    results = options.results or (FOLDER / "results" if gpus() else BUILD)
    for folder in (results, BUILD):
        folder.mkdir(parents=True, exist_ok=True)
    paths = [str(ROOT), str(FOLDER), os.environ.get("PYTHONPATH", "")]
    if options.wheels:
        paths.append(str(unpacked(options.wheels, BUILD / "site")))
    environment = os.environ | environment_of(number)
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": ""}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    os.environ.update(environment)
    backends = [b for b in options.backends if importlib.util.find_spec(b)]
    if not backends:
        parser.error("no backend is installed: JAX, PyTorch or TensorFlow")
    about = f"{device(number)}  \n{versions(sys.executable, 'keras', *backends)}"
    progress(about)
    tests, timed = (QUICK_TESTS, QUICK_TIMED) if options.quick else (TESTS, TIMED)
    problems = ["matrices:2"] if options.quick else PROBLEMS
    sizes = ["8", "4", "16"] if options.quick else ["4096", "512", "32000"]
    found, optimizers, chunked = {}, [], []

    def measure(script, *arguments):
        given = ["--device", number, *arguments]
        return tables(printed(script, given, environment, limit.left))

    def measure_steps(problem):
        for backend in backends:
            given = ["--problems", problem, "--backends", backend, *timed]
            optimizers.extend(measure("optimizers.py", *given))

    try:
        if "tests" in options.parts:
            share = limit.left / len(options.parts)
            found = tested(backends, tests, environment, results, share)
        for place, problem in enumerate(problems if "times" in options.parts else []):
            measure_steps(problem)
            for backend in backends if place == 0 else []:
                given = ["--ways", f"{backend} {MODES[backend]}", "--sizes", *sizes]
                given += ["--rounds", "1", "--seconds", "1"]
                chunked += measure("chunked_crossentropy.py", *given)
    except KeyboardInterrupt:
        progress("stopped")
    right = summary_of_tests(found) if found else ""
    fast = summary_of_times(optimizers, chunked)
    name = "cpu" if number == "cpu" else PAGE["slug"](gpus()[0])
    sections = {
        "Tests": [right] if found else [],
        "In short": [fast] if fast else [],
        "optimizers": optimizers,
        "chunked_crossentropy": chunked,
    }
    sections = {
        part: "\n\n".join([about, *texts]) for part, texts in sections.items() if texts
    }
    write(results / f"{name}.md", number, sections)
    print(f"{about}\n\n{right}\n\n{fast}\n\n{results / name}.md", flush=True)
    is_right = all(not r["failed"] and r["count"]["passed"] for r in found.values())
    sys.exit(not is_right or bool(found) != ("tests" in options.parts))


if __name__ == "__main__":
    main()
