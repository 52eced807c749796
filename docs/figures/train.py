"""Trains a small network with each optimizer: `python docs/figures/train.py`.

It writes `train.json`, which `optimizers.py` draws at each build of the site.

The rule is the same for all. Each optimizer trains with every learning rate of `RATES`
and every seed of `SEEDS`. The learning rate stays constant. The curve with the lowest
final validation loss, in the median over the seeds, is kept.
"""

import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.path.insert(0, str(HERE.parents[1]))

import keras  # noqa: E402  # the backend is chosen above
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from tfx_extras import optimizers  # noqa: E402

RESULTS = HERE / "train.json"
STEPS, EVERY, BATCH = 600, 20, 32
SEEDS = [0, 1, 2, 3, 4]
RATES = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0]
FEATURES, HIDDEN, CLASSES = 10, 32, 4
SAMPLES, VALIDATION, NOISE = 2000, 1000, 0.2

BASELINES = {
    "Adam": keras.optimizers.Adam,
    "SGD": lambda: keras.optimizers.SGD(momentum=0.9),
}
OPTIMIZERS = {
    "ADOPT": optimizers.ADOPT,
    "AdEMAMix": lambda: optimizers.AdEMAMix(warmup_steps=STEPS),
    "AdaBelief": optimizers.AdaBelief,
    "AdamW": optimizers.AdamW,
    "Adan": optimizers.Adan,
    "COCOB": optimizers.COCOB,
    # The weights of this network do not fit into the default radius of 1.
    "ConditionalGradient": lambda: optimizers.ConditionalGradient(radius=10.0),
    "LAMB": optimizers.LAMB,
    # The learning rates that all optimizers try are too small for 0.001.
    "LARS": lambda: optimizers.LARS(trust_coefficient=0.1),
    "LazyAdam": optimizers.LazyAdam,
    "Lookahead": lambda: optimizers.Lookahead("adam"),
    "MovingAverage": lambda: optimizers.MovingAverage("adam"),
    "Muon": optimizers.Muon,
    "NovoGrad": optimizers.NovoGrad,
    "Prodigy": optimizers.Prodigy,
    "ProximalAdagrad": optimizers.ProximalAdagrad,
    "RAdam": optimizers.RAdam,
    "Ranger": optimizers.Ranger,
    "SOAP": optimizers.SOAP,
    "SWA": lambda: optimizers.SWA("adam", start=STEPS // 2, period=10),
    "ScheduleFree": optimizers.ScheduleFreeAdamW,
    "ScheduleFreeAdamW": optimizers.ScheduleFreeAdamW,
    "ScheduleFreeRAdam": optimizers.ScheduleFreeRAdam,
    "ScheduleFreeSGD": optimizers.ScheduleFreeSGD,
    "Yogi": optimizers.Yogi,
}


def data():
    """Labels of a random network, of which some are replaced by random classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SAMPLES + VALIDATION, FEATURES)).astype("float32")
    teacher = rng.normal(size=(FEATURES, 16)), rng.normal(size=(16, CLASSES))
    y = np.argmax(np.tanh(x @ teacher[0]) @ teacher[1], axis=-1)
    is_noise = rng.uniform(size=len(y)) < NOISE
    y = np.where(is_noise, rng.integers(CLASSES, size=len(y)), y)
    return (x[:SAMPLES], y[:SAMPLES]), (x[SAMPLES:], y[SAMPLES:])


class Training:
    """A network and an optimizer, compiled once for all learning rates and seeds."""

    def __init__(self, make):
        (x, y), (self.x, self.y) = data()
        shapes = [(FEATURES, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,)]
        self.weights = [keras.Variable(np.zeros(s), dtype="float32") for s in shapes]
        self.optimizer = make()
        self.optimizer.build(self.weights)
        self.state = [*self.weights, *self.optimizer.variables]
        self.initial = [variable.numpy() for variable in self.state]
        x, y = tf.constant(x), tf.constant(y)

        @tf.function
        def steps(batches):
            for batch in batches:
                with tf.GradientTape() as tape:
                    loss = self.loss(tf.gather(x, batch), tf.gather(y, batch))
                values = [variable.value for variable in self.weights]
                gradients = tape.gradient(loss, values)
                self.optimizer.apply(gradients, self.weights)

        self.steps = steps
        self.evaluate = tf.function(lambda: self.loss(self.x, self.y))

    def loss(self, x, y):
        first, bias, second, last = [variable.value for variable in self.weights]
        logits = tf.nn.relu(x @ first + bias) @ second + last
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        return tf.reduce_mean(losses)

    def validation_loss(self):
        """The loss of the averaged weights, where the optimizer keeps an average."""
        has_average = getattr(self.optimizer, "has_average", False)
        if has_average:
            self.optimizer.swap()
        value = float(self.evaluate())
        if has_average:
            self.optimizer.swap()
        return value

    def curve(self, rate, seed):
        """The validation loss before training, and after each `EVERY` steps."""
        rng = np.random.default_rng(seed)
        for variable, value in zip(self.state, self.initial, strict=True):
            variable.assign(value)
        for variable in self.weights[::2]:
            scale = np.sqrt(2 / variable.shape[0])
            variable.assign(scale * rng.normal(size=variable.shape))
        self.optimizer.learning_rate = rate
        batches = rng.integers(SAMPLES, size=(STEPS // EVERY, EVERY, BATCH))
        values = [self.validation_loss()]
        for some in tf.constant(batches):
            self.steps(some)
            values.append(self.validation_loss())
        return values


def best(name):
    """The learning rate that ends lowest, and the range of its curves."""
    training = Training((BASELINES | OPTIMIZERS)[name])
    found = {}
    for rate in RATES:
        curves = np.array([training.curve(rate, seed) for seed in SEEDS])
        final = np.median(curves[:, -1])
        if np.isfinite(final):
            found[rate] = final, curves
    rate = min(found, key=lambda rate: found[rate][0])
    return rate, found[rate][1]


def main():
    results = {}
    for name in BASELINES | OPTIMIZERS:
        rate, curves = best(name)
        ranges = np.median(curves, 0), np.min(curves, 0), np.max(curves, 0)
        rounded = [[round(float(v), 4) for v in each] for each in ranges]
        results[name] = {"rate": rate}
        results[name] |= dict(zip(("median", "low", "high"), rounded, strict=True))
        print(f"{name}: {rate:g} ends at {rounded[0][-1]:.3f}", flush=True)
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in results.items()]
    RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
