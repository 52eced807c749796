"""Does the same work on one device and on many, in each way, and compares.

    KERAS_BACKEND=torch python -m tests.distribution.matrix [WAY...]

Ways that need a single process share one. Exits with 1 if a result differs from that of
one device.
"""

import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from tests import processes

SECONDS = 600


class Way(NamedTuple):
    """A way to distribute work, with its number of replicas."""

    backend: str
    name: str
    title: str
    replicas: int
    processes: int = 1


ONE = {b: Way(b, "one", "one device", 1) for b in ("tensorflow", "jax", "torch")}
WAYS = [
    Way("tensorflow", "mirrored over 2", "`tf.distribute.MirroredStrategy`", 2),
    Way("tensorflow", "mirrored over 4", "`tf.distribute.MirroredStrategy`", 4),
    Way(
        "tensorflow",
        "workers",
        "`tf.distribute.MultiWorkerMirroredStrategy`, custom loop",
        2,
        processes=2,
    ),
    Way("jax", "data", "`keras.distribution.DataParallel`", 8),
    Way("jax", "model", "`keras.distribution.ModelParallel`, 2 x 4", 8),
    Way("torch", "gloo", "`DistributedDataParallel`, gloo", 2, processes=2),
]


def ports(count):
    """Free port numbers, all reserved at the same time."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    numbers = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return numbers


def run(ways):
    """Returns the results of each process in each way; all ways share the processes."""
    module, count = f"tests.distribution.on_{ways[0].backend}", ways[0].processes
    numbers = ports(count) if count > 1 else []
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder, f"{rank}.log") for rank in range(count)]
        paths = [
            {way.name: Path(folder, f"{i} {rank}.npz") for i, way in enumerate(ways)}
            for rank in range(count)
        ]
        started = []
        for rank, log in enumerate(logs):
            place = (rank, *numbers) if numbers else ()
            started.append(processes.start(module, paths[rank], *place, log=log))
        for process in started:
            process.join(SECONDS)
        for process, log in zip(started, logs, strict=True):
            process.kill()
            if process.exitcode != 0:
                raise RuntimeError(f"{ways[0].title}: {log.read_text()[-3000:]}")
        return {
            way: [dict(np.load(paths[rank][way.name])) for rank in range(count)]
            for way in ways
        }


def faults(way, one, several):
    """Returns what differs from one device, in sentences, and how many results agree.

    Args:
        way: How the work was distributed.
        one: The results of one device.
        several: The results of each process.
    """
    # Imported here because it computes at import, before which a process must set how
    # many devices JAX has.
    from tests.distribution import work

    wrong, right = [], 0
    expected = {*work.trained(way.name), *(key for key, _ in work.each_loss(way.name))}
    missing = (expected - several[0].keys()) | (several[0].keys() - one.keys())
    wrong += [f"{key} is missing" for key in missing]
    for key in one.keys() & several[0].keys():
        found = [result[key] for result in several]
        if "slope" in key:  # each process has a part
            found = [np.concatenate(found)]
        elif "sum" in key:
            found = [sum(found)]
        furthest = max(
            error(f, one[key], 1e-2 if "bfloat16" in key else 1e-5) for f in found
        )
        # Without `gather`, the value differs unless the program sees the whole batch.
        differs = "gather=False" in key and way.backend != "jax"
        if (furthest > 100) if differs else (furthest <= 1):
            right += 1
        else:
            wrong.append(f"{key} is {furthest:.2g} times the tolerance away")
    return wrong, right


def error(actual, expected, tolerance):
    """The maximum error, as a multiple of the allowed error."""
    scale = np.maximum(np.abs(expected), np.abs(expected).max() / 10)
    multiple = np.abs(actual - expected) / (tolerance * scale + 1e-30)
    return np.max(np.where(np.isfinite(multiple), multiple, np.inf))


def compare(ways):
    """Yields each way of a backend, its faults, and how many results are right."""
    one = ONE[ways[0].backend]
    alike = [one, *(way for way in ways if way.processes == 1)]
    done = run(alike)
    for way in ways:
        several = done[way] if way in done else run([way])[way]
        yield way, *faults(way, done[one][0], several)


def table():
    """Returns the guide's table, in Markdown."""
    lines = ["| On | with | replicas |", "|---|---|---|"]
    names = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
    lines += [
        f"| {names[way.backend]} | {way.title} | {way.replicas} |" for way in WAYS
    ]
    return "\n".join(lines) + "\n"


def main(*names):
    os.environ["ALL_DISTRIBUTED"] = "1"  # processes inherit this
    ways = [
        way
        for way in WAYS
        if way.backend == keras.backend.backend() and (not names or way.name in names)
    ]
    failed = False
    for way, wrong, right in compare(ways):
        print(f"{way.backend}, {way.name}: {right} right, {len(wrong)} wrong")
        print(*wrong, sep="\n", end="\n" * bool(wrong))
        failed |= bool(wrong)
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    main(*sys.argv[1:])
