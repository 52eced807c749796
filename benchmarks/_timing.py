"""Timing for all benchmarks: contenders take turns, and medians are compared."""

import statistics
import sys
import time
from collections.abc import Callable
from collections.abc import Sequence


def timed(step: Callable[[], object]) -> Callable[[], float]:
    """A turn: makes one step, which waits for its result, and returns its seconds."""

    def turn():
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    return turn


def repeated(step: Callable[[], object], seconds: float, period: int = 1) -> float:
    """Mean seconds of a step: repeats it for `seconds`, `period` steps at a time."""
    start, steps, passed = time.perf_counter(), 0, 0.0
    while steps == 0 or passed < seconds:
        for _ in range(period):
            step()
        steps += period
        passed = time.perf_counter() - start
    return passed / steps


def in_turns(
    turns: Sequence[Callable | None],
    rounds: int,
    seconds: float = float("inf"),
    least: int = 3,
) -> list[list | None]:
    """The results of each turn in all rounds; `None` for a missing turn.

    Every second round runs backwards, so that no turn always follows the same one.
    After `seconds`, no further round begins, but `least` rounds always run. A turn that
    returns `None` has failed and is not called again.
    """
    results = [None if turn is None else [] for turn in turns]
    start = time.perf_counter()
    for i in range(rounds):
        if i >= least and time.perf_counter() - start > seconds:
            break
        for j in range(len(turns))[:: 1 if i % 2 == 0 else -1]:
            if results[j] is not None:
                result = turns[j]()
                results[j] = None if result is None else [*results[j], result]
    return results


def median(results: list | None):
    """The median of numbers, or of each column if the results are rows of numbers."""
    if not results:
        return None
    if isinstance(results[0], list | tuple):
        return [statistics.median(column) for column in zip(*results, strict=True)]
    return statistics.median(results)


def milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.3g}"


def ratio(theirs: float | None, ours: float | None) -> str:
    """Theirs divided by ours: above 1, ours is better."""
    return "-" if None in (theirs, ours) else f"{theirs / ours:.2g}"


def progress(*words) -> None:
    """Prints the progress of a long run to standard error."""
    print(*words, file=sys.stderr, flush=True)
