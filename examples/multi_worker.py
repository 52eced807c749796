"""Trains on two workers, each a process, and continues after one of them dies.

python examples/multi_worker.py            # two workers on this computer
python examples/multi_worker.py --kill 3   # one of them is killed in epoch 3

Needs TensorFlow. With several computers, call `worker` on each of them, with a
`TF_CONFIG` that lists all of them and a path in a folder that all of them can read.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import tfx_extras

OUT = Path("demo")
WORKERS = 2
BATCH = 32  # samples of all workers together
STEPS = 8  # per epoch
# How long a worker waits for one that hangs. It notices at once that one has died.
SECONDS = 60.0


def data():
    random = np.random.default_rng(0)
    x = random.normal(size=(BATCH * STEPS, 8)).astype("float32")
    return x, np.argmax(x @ random.normal(size=(8, 4)), axis=1)


def build():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(4),
        ]
    )
    # Clipping applies to the sum of the gradients of all workers. If a gradient is not
    # finite on one worker, all workers skip the step.
    optimizer = tfx_extras.optimizers.AdaBelief(
        0.01, rectify=False, global_clipnorm=1.0, skip_nonfinite=True
    )
    optimizer.build(model.trainable_variables)
    model.compile(optimizer)  # saves the optimizer with the model
    return model


def worker(path, epochs, kill):
    options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=SECONDS)
    strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    rank = strategy.cluster_resolver.task_id
    with strategy.scope():  # all workers start with the same weights
        model = keras.saving.load_model(path) if path.exists() else build()
    optimizer, variables = model.optimizer, model.trainable_variables
    loss = tfx_extras.losses.SmoothedSparseCategoricalCrossentropy(
        from_logits=True, reduction="sum"
    )

    def update(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True)) / BATCH
        grads = tape.gradient(value, [v.value for v in variables])
        optimizer.apply(grads, variables)
        return value

    @tf.function
    def step(x, y):
        return strategy.reduce("SUM", strategy.run(update, (x, y)), axis=None)

    x, y = data()
    for epoch in range(int(optimizer.iterations.numpy()) // STEPS + 1, epochs + 1):
        order = np.random.default_rng(epoch).permutation(len(x))
        values = []
        for batch in order.reshape(STEPS, BATCH):
            own = batch[rank::WORKERS]
            values.append(step(tf.constant(x[own]), tf.constant(y[own])))
            if epoch == kill and rank == WORKERS - 1:
                os.kill(os.getpid(), signal.SIGKILL)
        if rank == 0:  # replaced at once: the file is always complete
            model.save(path.with_name("part.keras"))
            os.replace(path.with_name("part.keras"), path)
            print(f"Epoch {epoch}: loss {np.mean(values):.6f}", flush=True)


def log(rank):
    return OUT / f"worker_{rank}.log"


def start(arguments):
    """Starts all workers, which reach each other on ports of this computer."""
    sockets = [socket.socket() for _ in range(WORKERS)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    addresses = ["{}:{}".format(*each.getsockname()) for each in sockets]
    for each in sockets:
        each.close()
    started = []
    for rank in range(WORKERS):
        task = {"type": "worker", "index": rank}
        config = {"cluster": {"worker": addresses}, "task": task}
        environment = os.environ | {"TF_CONFIG": json.dumps(config)}
        command = [sys.executable, __file__, "--worker", *arguments]
        with log(rank).open("w") as error:
            started.append(subprocess.Popen(command, env=environment, stderr=error))
    return started


def wait(process):
    try:
        process.wait(3 * SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()  # it hangs


def supervise(epochs, kill):
    """Starts the workers, and restarts all of them if one ends with an error."""
    OUT.mkdir(exist_ok=True)
    for attempt in range(3):
        arguments = ["--epochs", str(epochs)]
        if kill and attempt == 0:
            arguments += ["--kill", str(kill)]
        workers = start(arguments)
        try:
            while not any(code := [w.poll() for w in workers]) and None in code:
                time.sleep(0.1)
            failed = time.perf_counter()
            for each in workers:
                wait(each)
        finally:
            for each in workers:
                each.kill()
        codes = [w.wait() for w in workers]
        if not any(codes):
            return
        seconds = time.perf_counter() - failed
        print(f"Workers ended with {codes}, the last {seconds:.0f} s after the first:")
        found = re.findall(r"^[\w.]*Error.*$", log(0).read_text(), re.MULTILINE)
        print(
            *[line[:200] for line in found[-1:]], "All workers start again.", sep="\n"
        )
    raise SystemExit(f"The workers failed three times: see {log(0)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--kill", type=int, help="epoch in which one worker is killed")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = OUT / "multi_worker.keras"
    if options.worker:
        worker(path, options.epochs, options.kill)
        return
    path.unlink(missing_ok=True)
    supervise(options.epochs, options.kill)
    model = keras.saving.load_model(path)
    x, y = data()
    accuracy = np.mean(np.argmax(model.predict(x, verbose=0), axis=1) == y)
    print(f"Accuracy: {accuracy:.3f}. Model: {path}")


if __name__ == "__main__":
    main()
