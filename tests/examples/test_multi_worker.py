"""Two workers, one of which is killed midway, train like one device."""

import importlib.util
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import tfx_extras
from tests import processes

pytestmark = [pytest.mark.only("tensorflow"), pytest.mark.slow]
SCRIPT = Path(__file__).parents[2] / "examples" / "multi_worker.py"


def weights_of_one_device(epochs):
    """The weights and the loss of each epoch of the example without workers."""
    import tensorflow as tf

    spec = importlib.util.spec_from_file_location("multi_worker", SCRIPT)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    x, y = example.data()
    model = example.build()
    loss = tfx_extras.losses.SmoothedSparseCategoricalCrossentropy(from_logits=True)
    means = []
    for epoch in range(1, epochs + 1):
        values = []
        order = np.random.default_rng(epoch).permutation(len(x))
        for batch in order.reshape(example.STEPS, example.BATCH):
            with tf.GradientTape() as tape:
                values.append(loss(y[batch], model(x[batch], training=True)))
            weights = [v.value for v in model.trainable_variables]
            grads = tape.gradient(values[-1], weights)
            model.optimizer.apply(grads, model.trainable_variables)
        means.append(np.mean(values))
    return model.get_weights(), means


def test_a_killed_worker_stops_the_other_and_both_go_on_from_the_checkpoint(tmp_path):
    # The supervisor and the four workers would otherwise import TensorFlow five times.
    arguments = ["--epochs", "2", "--kill", "2"]
    module, log = "tests.examples.forked", tmp_path / "log"
    processes.run(module, tmp_path, SCRIPT, arguments, log=log)
    said = (tmp_path / "printed").read_text()
    # The other worker ended by itself: it was not killed (-9), and did not hang.
    (seconds,) = re.findall(r"ended with \[1, -9\], the last (\d+) s", said)
    assert int(seconds) < 120
    assert "Error" in said
    expected, means = weights_of_one_device(2)
    printed = re.findall(r"^Epoch \d: loss (.*)$", said, re.MULTILINE)
    np.testing.assert_allclose(np.array(printed, float), means, rtol=2e-6)
    model = keras.saving.load_model(tmp_path / "demo" / "multi_worker.keras")
    for a, b in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
