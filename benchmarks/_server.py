"""Runs contenders in separate processes, on request.

A process can have only one backend, and TensorFlow Addons needs its own environment. So
the contenders of a comparison may be in several processes. These wait for requests in
lines of JSON, and the process that sends the requests lets them take turns.
"""

import contextlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from _timing import progress
from _timing import repeated
from _timing import timed


def sees_gpu() -> bool:
    """Whether the backend of this process computes on a GPU."""
    backend = os.environ["KERAS_BACKEND"]
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return False
    if backend == "torch":
        import torch

        return torch.cuda.is_available()
    if backend == "jax":
        import jax

        return jax.default_backend() == "gpu"
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


class Contenders:
    """Steps that are made and timed by name."""

    def __init__(self, make: Callable[..., tuple[Callable[[], object], dict]]):
        """`make` is as in `serve`."""
        self._make = make
        self._steps: dict = {}

    def make(self, contender: str, **arguments) -> dict:
        step, known = self._make(**arguments)
        first = timed(step)()
        step()
        self._steps[contender] = step, known.get("period", 1)
        known = {k: v() if callable(v) else v for k, v in known.items()}
        return known | {"first": first}

    def time(self, contender: str, seconds: float) -> float:
        step, period = self._steps[contender]
        return repeated(step, seconds, period)

    def drop(self, contender: str) -> None:
        self._steps.pop(contender, None)

    def sees_gpu(self) -> bool:
        return sees_gpu()


def serve(make: Callable[..., tuple[Callable[[], object], dict]]) -> None:
    """Answers the requests of `Process` until its input ends.

    Args:
        make: Takes the arguments of `Process.make`, and returns a step and a
            dictionary of facts about it, or of functions that find them after two
            steps. The step compiles when it is first called, and waits for its result.
            The fact `"period"` is the number of steps after which its work repeats, if
            some steps do more than others.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the output of libraries must not mix with the answers
    contenders = Contenders(make)
    for line in sys.stdin:
        request, arguments = json.loads(line)
        try:
            answer = [getattr(contenders, request)(**arguments), None]
        except Exception as error:
            traceback.print_exc()
            message = str(error).strip().splitlines()[:1] or [""]
            answer = [None, f"{type(error).__name__}: {message[0]}"]
        print(json.dumps(answer), file=answers, flush=True)


class Process:
    """A process that runs a script which calls `serve`. Use it in a `with` statement.

    If `BENCH_VERBOSE` is set in the environment, the messages of libraries are shown.
    """

    def __init__(self, script: str, python: str = sys.executable, **environment: str):
        self._process = subprocess.Popen(
            [python, "-W", "ignore", Path(__file__).with_name(script)],
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if "BENCH_VERBOSE" in os.environ else subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _ask(self, request, **arguments):
        try:
            print(
                json.dumps([request, arguments]), file=self._process.stdin, flush=True
            )
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        answer, failure = json.loads(answer or '[null, "the process has died"]')
        if failure:
            progress("failed:", request, *arguments.values(), failure)
        return answer

    def sees_gpu(self) -> bool | None:
        """Whether its backend computes on a GPU; `None` if the process has died."""
        return self._ask("sees_gpu")

    def make(self, contender: str, **arguments) -> dict | None:
        """Makes a contender. Returns facts about it, or `None` if it failed.

        `"first"` is the time of its first step in seconds, which includes compilation.
        """
        return self._ask("make", contender=contender, **arguments)

    def turn(self, contender: str, seconds: float) -> Callable[[], float | None]:
        """A function that runs the contender and returns the seconds of one step."""
        return lambda: self._ask("time", contender=contender, seconds=seconds)

    def drop(self, contender: str) -> None:
        """Frees the memory of a contender."""
        self._ask("drop", contender=contender)
