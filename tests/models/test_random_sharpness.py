"""Random trainings with `SharpnessAware` go as a plain NumPy model says.

The optimizers of this model are those of `tests/lives`. Its network has two layers, so
that the gradient of the second pass differs from that of the first.
"""

import keras
import numpy as np
import pytest
from keras import layers

from tests import tools
from tests.lives.model import Gradient
from tests.lives.model import Model
from tests.tools import BACKEND
from tfx_extras import optimizers
from tfx_extras.models import SharpnessAware

pytestmark = pytest.mark.filterwarnings("ignore:`use_ema` of:UserWarning")

RATE, BATCH = 0.125, 6
EPSILON = 2.0**-6  # less would magnify the rounding of small gradients
QUICK, COUNT = {"torch": (12, 60), "tensorflow": (2, 5), "jax": (2, 5)}[BACKEND]
SEEDS = [*range(QUICK)]
SEEDS += [pytest.param(s, marks=pytest.mark.slow) for s in range(QUICK, COUNT)]


def averaging(**options):
    inner = optimizers.AdaBelief(RATE, epsilon=EPSILON, **options)
    return optimizers.MovingAverage(inner, 0.5)


def looking_ahead(**options):
    return optimizers.Lookahead(optimizers.RAdam(RATE, **options), 2)


def schedule_free(**options):
    inner = optimizers.AdamW(RATE, 0.0, epsilon=EPSILON, weight_decay=None, **options)
    return optimizers.ScheduleFree(inner)


def leaf(kind, **hyper):
    return {"kind": kind, "hyper": hyper, "rate": RATE}


def around(kind, node, **hyper):
    return {"kind": kind, "hyper": hyper, "inner": node}


# Functions that make an optimizer with more options, and what the model makes it of.
OPTIMIZERS = [
    (
        lambda **options: keras.optimizers.SGD(RATE, 0.5, **options),
        leaf("SGD", momentum=0.5),
    ),
    (
        lambda **options: optimizers.AdamW(
            RATE, epsilon=EPSILON, nesterov=True, weight_decay=None, **options
        ),
        leaf("AdamW", epsilon=EPSILON, nesterov=True),
    ),
    (
        lambda **options: optimizers.Prodigy(
            RATE, d0=0.125, epsilon=EPSILON, **options
        ),
        leaf("Prodigy", d0=0.125, epsilon=EPSILON),
    ),
    (averaging, around("MovingAverage", leaf("AdaBelief", epsilon=EPSILON), decay=0.5)),
    (looking_ahead, around("Lookahead", leaf("RAdam"), sync_period=2)),
    (
        schedule_free,
        around("ScheduleFree", leaf("AdamW", beta_1=0.0, epsilon=EPSILON)),
    ),
]


def draw(seed):
    """The settings and the events of a training."""
    random = np.random.default_rng(seed)

    def one(items):
        return items[random.integers(len(items))]

    made = int(random.integers(len(OPTIMIZERS)))
    adaptive = one([False, True])
    window, momentum = one([None, None, 2, 3]), one([None, None, 0.5])
    options: dict = {"gradient_accumulation_steps": window} if window else {}
    if made > 0 and momentum:  # Keras averages in other steps
        options |= {"use_ema": True, "ema_momentum": momentum}
    if one([False, True]):
        options["global_clipnorm"] = 0.25
    # On JAX, and with an optimizer of Keras, the same variables learn from the start.
    is_fixed = BACKEND == "jax" or made == 0
    others = ["save"] if is_fixed else ["save", "freeze", "unfreeze"]
    events = ["fit", *(one(["fit", *others]) for _ in range(2)), "fit"]
    return {
        "rho": one([0.0, 0.0625, 0.5, 2.0]),
        "adaptive": adaptive,
        "eta": one([0.0, 0.25]) if adaptive else 0.0,
        "optimizer": made,
        "options": options,
        "l2": one([0.0, 0.0625]),
        "frozen": one([None, None, 0, 1]) if is_fixed else None,
        "run_eagerly": BACKEND != "jax" or one([True, False]),
        "events": [(do, int(random.integers(2**31))) for do in events],
    }


def start(seed):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for shape in [(4, 3), (3,), (3, 2), (2,)]]


def batch(random):
    return random.normal(size=(BATCH, 4)), 2 * random.normal(size=(BATCH, 2))


def gradients(w, x, y, l2):
    """Those of the mean squared error of a network with `tanh` between its layers."""
    h = np.tanh(x @ w[0] + w[1])
    d = 2 * (h @ w[2] + w[3] - y) / y.size
    e = (d @ w[2].T) * (1 - h**2)
    return [x.T @ e + 2 * l2 * w[0], e.sum(0), h.T @ d, d.sum(0)]


def sharp_gradients(w, x, y, learned, drawn):
    """Those at the weights of the second pass; only learned weights move for it."""
    g = gradients(w, x, y, drawn["l2"])
    T = [np.abs(v) + drawn["eta"] if drawn["adaptive"] else 1.0 for v in w]  # noqa: N806
    norm = np.sqrt(sum(np.sum((T[i] * g[i]) ** 2) for i in learned))
    w_hat = list(w)
    for i in learned:
        w_hat[i] = w[i] + drawn["rho"] * T[i] ** 2 * g[i] / norm
    return gradients(w_hat, x, y, drawn["l2"])


class Training:
    """The actual training beside the expected one."""

    def __init__(self, seed, folder):
        self.drawn, self.folder, values = draw(seed), folder, start(seed)
        l2 = keras.regularizers.L2(self.drawn["l2"]) if self.drawn["l2"] else None
        first = layers.Dense(3, "tanh", kernel_regularizer=l2, name="first")
        network = [keras.Input((4,)), first, layers.Dense(2, name="last")]
        model = keras.Sequential(network)
        model.set_weights(values)
        names = ("rho", "adaptive", "eta")
        self.model = SharpnessAware(model, **{name: self.drawn[name] for name in names})
        make, node = OPTIMIZERS[self.drawn["optimizer"]]
        options = self.drawn["options"]
        self.optimizer = make(**options)
        self.compile()
        inner = node.get("inner", node) | {"options": options}
        node = node | {"inner": inner} if "inner" in node else inner
        paths = [v.path for v in model.trainable_variables]
        rounded = [value.astype("float32") for value in values]
        self.expected = Model(node, [], rounded, paths)
        self.frozen = self.drawn["frozen"]
        if self.frozen is None:
            self.optimizer.build(model.trainable_variables)

    def compile(self):
        eager = self.drawn["run_eagerly"]
        self.model.compile(self.optimizer, "mse", run_eagerly=eager)

    def fit(self, seed):
        random = np.random.default_rng(seed)
        drawn = [batch(random) for _ in range(random.integers(2, 5))]
        x, y = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
        if self.frozen is not None:
            self.model.model.layers[self.frozen].trainable = False
            self.compile()
        self.model.fit(
            x.astype("float32"), y, batch_size=BATCH, shuffle=False, verbose=0
        )
        if self.frozen != self.drawn["frozen"]:  # the optimizer knows all variables
            self.model.model.layers[self.frozen].trainable = True
            self.compile()
        learned = [i for i in range(4) if i // 2 != self.frozen]
        weights, optimizer = self.expected.weights, self.expected.optimizer
        for each in drawn:
            g = sharp_gradients(weights.values, *each, learned, self.drawn)
            optimizer.apply(weights, {i: Gradient(g[i]) for i in learned})
        optimizer.finalize(weights, learned)

    def freeze(self, seed):
        self.frozen = seed % 2

    def unfreeze(self, seed):
        self.frozen = None

    def save(self, seed):
        path = self.folder / f"{seed}.keras"
        self.model.save(path)
        self.model = keras.saving.load_model(path)
        self.optimizer = self.model.optimizer

    def compare(self):
        weights = self.expected.weights
        for i, variable in enumerate(self.model.model.variables):
            bound = 1e-4 * weights.moved[i] + 1e-6 * weights.largest[i]
            np.testing.assert_allclose(
                tools.array(variable), weights[i], rtol=0, atol=bound
            )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_training_goes_as_the_plain_model_says(seed, tmp_path):
    training = Training(seed, tmp_path)
    for do, number in training.drawn["events"]:
        getattr(training, do)(number)
        training.compare()
    assert max(training.expected.weights.moved) > 0.01
