"""Semi-supervised learning: classifies digits with 50 labels and 1,387 without.

python examples/semi_supervised.py           # a few minutes, with 5 choices of the 50
python examples/semi_supervised.py --fast    # a few steps, to see that it runs
"""

import math
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tfx_extras

FAST = "--fast" in sys.argv
SEEDS = range(1 if FAST else 5)
UPDATES = 10 if FAST else 600
LABELS, LABELED, UNLABELED = 50, 32, 128  # in total; of each kind in a batch

# For each method: the augmentation of the second view, the options of the loss, and the
# weight of the unlabeled samples. In the pi-model, both views are augmented alike, and
# the weight rises from nearly 0.
RAMP = tfx_extras.schedules.Warmup(
    1.0, UPDATES // 2, mode="gaussian", start_factor=math.exp(-5)
)
METHODS = {
    "labels alone": (None, {"consistency": None}, 1.0),
    "pi-model": ("weak", {"consistency": "mse", "unlabeled_weight": 20.0}, RAMP),
    "UDA": ("strong", {"consistency": "uda"}, 1.0),
    "FixMatch": ("strong", {"consistency": "fixmatch"}, 1.0),
}


def read(seed):
    """Returns the labeled digits, the unlabeled digits and the test digits."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).reshape(-1, 8, 8, 1).astype("float32")
    x, x_test, y, y_test = train_test_split(
        x, y, test_size=0.2, random_state=0, stratify=y
    )
    x, others, y, _ = train_test_split(
        x, y, train_size=LABELS, random_state=seed, stratify=y
    )
    return (x, y), others, (x_test, y_test)


def batches(x, y, others, seed):
    """Yields batches of labeled digits and of unlabeled ones, whose label is -1."""
    rng = np.random.default_rng(seed)
    y_batch = np.full(LABELED + UNLABELED, -1)
    while True:
        chosen = rng.integers(len(x), size=LABELED)
        added = rng.integers(len(others), size=UNLABELED)
        y_batch[:LABELED] = y[chosen]
        yield np.concatenate([x[chosen], others[added]]), y_batch.copy()


def build(second_view):
    """Returns a classifier, and a model that applies it to one or two views."""
    classifier = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, 2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    shift = {"fill_mode": "constant", "interpolation": "nearest"}
    augment = {
        "weak": layers.RandomTranslation(0.125, 0.125, **shift),
        "strong": keras.Sequential(
            [
                layers.RandomTranslation(0.25, 0.25, **shift),
                layers.RandomErasing(1.0, scale=(0.1, 0.2), fill_value=0.0),
                layers.GaussianNoise(0.2),
            ]
        ),
    }
    x = keras.Input((8, 8, 1))
    outputs = classifier(augment["weak"](x))
    if second_view is not None:
        second = classifier(augment[second_view](x))
        outputs = keras.ops.stack([outputs, second], axis=1)
    return classifier, keras.Model(x, outputs)


def accuracy(method, seed):
    """Trains with the labels that `seed` chooses. Returns the test accuracy."""
    (x, y), others, (x_test, y_test) = read(seed)
    keras.utils.set_random_seed(seed)
    second_view, options, schedule = METHODS[method]
    classifier, model = build(second_view)
    model.compile(
        keras.optimizers.Adam(tfx_extras.schedules.WarmupCosine(3e-3, 0, UPDATES)),
        tfx_extras.losses.SemiSupervisedCrossentropy(**options, from_logits=True),
    )
    data = tfx_extras.losses.weigh_unlabeled(batches(x, y, others, seed), schedule)
    model.fit(data, steps_per_epoch=UPDATES, shuffle=False, verbose=0)
    return np.mean(classifier.predict(x_test, verbose=0).argmax(-1) == y_test)


print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"tfx_extras {tfx_extras.__version__}; {LABELS} labels, {len(SEEDS)} seed(s)\n"
)
print("| method | test accuracy |\n|---|---|")
for method in METHODS:
    found = 100 * np.array([accuracy(method, seed) for seed in SEEDS])
    print(f"| {method} | {found.mean():.1f} % ± {found.std():.1f} |", flush=True)
