"""Kills training at random moments, lets it resume, and compares how it ends.

    python -m tests.kills [KILLS] [SEED] [WAY ...]

Each way of saving runs in its own processes, with a quarter of the kills:
BackupAndRestore and tf.train.Checkpoint on TensorFlow, ModelCheckpoint on JAX,
torch.save on PyTorch. A process gets SIGKILL either at any moment or in the middle of a
write. The next process resumes from what it finds, and may be killed too. The last must
end with the weights, optimizer state and counters of an uninterrupted run, bit for bit.
Exits with 1 if one does not.

The ways `bare-backup` and `bare-file` use Keras's callbacks without changes. A kill in
the middle of a write can break their files, which is counted but is no failure.
"""

import json
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from tests.integration.resumed import KINDS
from tests.integration.resumed import data
from tests.integration.resumed import fit
from tests.integration.resumed import network

BACKENDS = {
    "backup": "tensorflow",
    "checkpoint": "tensorflow",
    "files": "jax",
    "state": "torch",
    "bare-backup": "tensorflow",
    "bare-file": "torch",
}
WAYS = [way for way in BACKENDS if not way.startswith("bare")]
EPOCHS = 8
WRITES = mmap.mmap(-1, 2)  # shared with children: whether they train, and write


class Writing(keras.callbacks.Callback):
    """Counts up before and after a write, so that the count is odd during it."""

    def on_epoch_end(self, epoch, logs=None):
        WRITES[1] += 1


class Keep(keras.callbacks.Callback):
    """Copies BackupAndRestore's folder after it; each `whole-*` copy is complete."""

    def __init__(self, folder):
        self.folder = folder

    def on_epoch_end(self, epoch, logs=None):
        part = self.folder / "part"
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(self.folder / "backup", part)
        part.rename(self.folder / f"whole-{epoch:04d}")


def newest(folder, pattern):
    """The saved files, the newest first."""
    return sorted(folder.glob(pattern), reverse=True)


def backup(kind, folder):
    """BackupAndRestore, with a copy of each complete backup."""
    shutil.rmtree(folder / "backup", ignore_errors=True)
    for whole in newest(folder, "whole-*")[:1]:
        shutil.copytree(whole, folder / "backup")
    return bare_backup(kind, folder, Keep(folder))


def bare_backup(kind, folder, *others):
    saver = keras.callbacks.BackupAndRestore(folder / "backup", delete_checkpoint=False)
    model = network(kind)
    train(model, saver, *others)
    return model


def files(kind, folder):
    """ModelCheckpoint with one file for each epoch; loads the newest complete file."""
    model, epoch = None, 0
    for path in newest(folder, "*.keras"):
        try:
            model, epoch = keras.saving.load_model(path), int(path.stem)
            break
        except Exception:  # it was killed while being written
            path.unlink()
    saver = keras.callbacks.ModelCheckpoint(folder / "{epoch:04d}.keras")
    model = model or network(kind)
    train(model, saver, initial_epoch=epoch)
    return model


def bare_file(kind, folder):
    """ModelCheckpoint with one file for all epochs."""
    path = folder / "latest.keras"
    model = keras.saving.load_model(path) if path.exists() else network(kind)
    saver = keras.callbacks.ModelCheckpoint(path)
    train(model, saver, initial_epoch=int(model.optimizer.iterations) // 4)
    return model


def train(model, *savers, **options):
    WRITES[0] = 1
    fit(model, EPOCHS, [Writing(), *savers, Writing()], **options)


def loop(model, step, save):
    """Trains in a custom loop, which counts its epochs by `iterations`."""
    x, y = data()
    WRITES[0] = 1
    for epoch in range(int(model.optimizer.iterations) // 4, EPOCHS):
        for start in range(0, 32, 8):
            step(x[start : start + 8], y[start : start + 8])
        WRITES[1] += 1
        save(epoch)
        WRITES[1] += 1


def checkpoint(kind, folder):
    """tf.train.Checkpoint."""
    import tensorflow as tf

    model = network(kind)
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    saved = tf.train.Checkpoint(model=model, optimizer=optimizer)
    manager = tf.train.CheckpointManager(saved, folder, max_to_keep=2)
    manager.restore_or_initialize()

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = optimizer.scale_loss(tf.reduce_mean((model(x) - y) ** 2))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)

    loop(model, step, lambda epoch: manager.save(epoch))
    return model


def state(kind, folder):
    """torch.save of the whole state to a temporary name, which is then renamed."""
    import torch

    model = network(kind)
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    path = folder / "latest.pt"
    if path.exists():
        for variable, value in zip(variables, torch.load(path), strict=True):
            variable.assign(value)

    def step(x, y):
        model.zero_grad()
        loss = ((model(x) - keras.ops.convert_to_tensor(y)) ** 2).mean()
        optimizer.scale_loss(loss).backward()
        gradients = [v.value.grad for v in model.trainable_variables]
        with torch.no_grad():
            optimizer.apply(gradients, model.trainable_variables)

    def save(epoch):
        part = path.with_suffix(".part")
        torch.save([v.value.detach() for v in variables], part)
        os.replace(part, path)

    loop(model, step, save)
    return model


def run(way, kind, folder):
    """Resumes from what a folder holds, trains to the end, and writes the result."""
    model = globals()[way.replace("-", "_")](kind, folder)
    values = [
        keras.ops.convert_to_numpy(v)
        for v in [*model.variables, *model.optimizer.variables]
    ]
    np.savez(folder / "end.npz", *values)


def start(way, kind, folder):
    """Starts a run as a fork of this process, which has imported everything."""
    WRITES[0] = WRITES[1] = 0
    process = os.fork()
    if process == 0:
        try:
            with open(folder / "log.txt", "w") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
                run(way, kind, folder)
            os._exit(0)
        except BaseException as error:
            (folder / "error.txt").write_text(f"{type(error).__name__}: {error}")
            os._exit(1)
    return process


def wait(process, seconds=0.0, reached=lambda: False):
    """Returns the exit code of a process that ends in time, or `None`."""
    end = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if reached() or time.monotonic() > end:
            return None
        time.sleep(0.0002)


def killed(process, chance, seconds, write):
    """Kills it and returns when: `training` or `writing`; or returns its exit code."""
    code = wait(process, 60, lambda: WRITES[0])
    if code is None and chance.random() < 0.5:  # at any time
        code = wait(process, chance.random() * seconds)
    elif code is None:  # in the middle of one of the writes
        count = 2 * chance.randrange(EPOCHS) + 1
        code = wait(process, 60, lambda: WRITES[1] >= count)
        if code is None:
            code = wait(process, chance.random() * write)
    if code is not None:
        return code
    os.kill(process, signal.SIGKILL)
    when = "writing" if WRITES[1] % 2 else "training"
    os.waitpid(process, 0)
    return when


def measured(way, kind, folder):
    """Times a whole run; returns its end, its seconds and its longest write."""
    process = start(way, kind, folder)
    code = wait(process, 60, lambda: WRITES[0])
    begin, writes, since = time.monotonic(), [], 0.0
    while code is None:
        is_writing = WRITES[1] % 2
        code = wait(process, 60, lambda now=is_writing: WRITES[1] % 2 != now)
        if is_writing:
            writes.append(time.monotonic() - since)
        since = time.monotonic()
    if code:
        raise RuntimeError((folder / "error.txt").read_text())
    return end(folder), time.monotonic() - begin, max(writes)


def end(folder):
    with np.load(folder / "end.npz") as arrays:
        return [arrays[name] for name in arrays.files]


def same(ends):
    return all(np.array_equal(*pair) for pair in zip(*ends, strict=True))


def child(way, kills, seed):
    """Makes the kills of one way, and prints the results."""
    import tensorflow  # noqa: F401 - Keras does, on each backend, and children would

    chance = random.Random(f"{way} {seed}")
    whole, found, errors = {}, Counter(), Counter()
    with tempfile.TemporaryDirectory() as root:
        while found["training"] + found["writing"] < kills:
            kind = list(KINDS)[found["runs"] % len(KINDS)]
            if kind not in whole:
                folder = Path(tempfile.mkdtemp(dir=root))
                whole[kind] = measured(way, kind, folder)
            expected, seconds, write = whole[kind]
            folder = Path(tempfile.mkdtemp(dir=root))
            for _ in range(chance.choice([1, 1, 2, 3])):
                when = killed(start(way, kind, folder), chance, seconds, write)
                if isinstance(when, int):
                    break
                found[when] += 1
            code = wait(start(way, kind, folder), 120)
            found["runs"] += 1
            if code != 0:
                found["no end"] += 1
                errors[(folder / "error.txt").read_text()[:90]] += 1
            elif same((end(folder), expected)):
                found["identical"] += 1
            else:
                found["different"] += 1
            shutil.rmtree(folder)
    print(json.dumps([found, errors]))


def main(kills="200", seed="0", *ways):
    failed = False
    ways = ways or WAYS
    for way in ways:
        command = [sys.executable, "-m", __spec__.name, way, seed, "--child"]
        process = subprocess.run(
            [*command, str(-(-int(kills) // len(ways)))],
            env=os.environ | {"KERAS_BACKEND": BACKENDS[way]},
            capture_output=True,
            text=True,
        )
        if process.returncode:
            sys.exit(process.stderr)
        found, errors = json.loads(process.stdout.splitlines()[-1])
        get = Counter(found).__getitem__
        print(
            f"{way} on {BACKENDS[way]}: {get('training') + get('writing')} kills, "
            f"{get('writing')} of them during a write; {get('runs')} runs, "
            f"{get('identical')} end identically, {get('different')} differently, "
            f"{get('no end')} cannot resume",
            flush=True,
        )
        for error, count in errors.items():
            print(f"    {count} times {error}")
        failed |= get("identical") != get("runs") and way in WAYS
    return int(failed)


if __name__ == "__main__":
    if "--child" in sys.argv:
        child(sys.argv[1], int(sys.argv[4]), sys.argv[2])
    else:
        sys.exit(main(*sys.argv[1:]))
