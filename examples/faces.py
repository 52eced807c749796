"""Face recognition in small: embeddings of clean and of degraded images with AdaFace.

python examples/faces.py           # a few minutes, with 3 seeds
python examples/faces.py --fast    # a few steps, to see that it runs

The "faces" are made: a smooth random pattern for each identity. A photo of it is
shifted and changed, then blurred and covered by noise; some photos cannot be recognized
at all. Training and test have different identities.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from scipy.ndimage import gaussian_filter

import tfx_extras

FAST = "--fast" in sys.argv
SEEDS = range(1 if FAST else 3)
EPOCHS, IDENTITIES, PHOTOS = (1, 20, 8) if FAST else (20, 100, 20)
SIZE, SCALE = 16, 16.0


def smooth(rng, count, sigma):
    """Random patterns, of mean 0 and standard deviation 1."""
    x = gaussian_filter(rng.normal(size=(count, SIZE, SIZE)), (0, sigma, sigma))
    return (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)


def photos(rng, low, high):
    """Returns photos of new identities with a quality in [low, high], and who it is."""
    who = np.repeat(np.arange(IDENTITIES), PHOTOS)
    x = smooth(rng, IDENTITIES, 2.0)[who] + 0.6 * smooth(rng, len(who), 1.5)
    bad = 1 - rng.uniform(low, high, len(who))
    for i, shift in enumerate(rng.integers(-1, 2, size=(len(who), 2))):
        x[i] = gaussian_filter(np.roll(x[i], shift, (0, 1)), 3 * bad[i])
    x += 1.5 * bad[:, None, None] * rng.normal(size=x.shape)
    return x[..., None].astype("float32"), who


def encoder():
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, 2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, 2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(32),
            # As in face recognition. The length of embeddings then tells the quality.
            layers.BatchNormalization(),
        ]
    )


def train(method, x, who):
    """Returns an encoder, trained to classify the identities."""
    model = encoder()
    updates = EPOCHS * -(-len(x) // 64)
    adam = keras.optimizers.Adam(tfx_extras.schedules.WarmupCosine(3e-3, 0, updates))
    options = {"batch_size": 64, "epochs": EPOCHS, "verbose": 0}
    if method == "AdaFace":  # the layer computes the loss, from labels as inputs
        image, label = keras.Input((SIZE, SIZE, 1)), keras.Input((), dtype="int32")
        head = tfx_extras.layers.AdaFace(IDENTITIES, scale=SCALE)
        classifier = keras.Model([image, label], head(model(image), label))
        classifier.compile(adam)
        classifier.fit([x, who], **options)
        return model
    if method == "ArcFace":
        head = tfx_extras.layers.CosineDense(IDENTITIES)
        loss = tfx_extras.losses.ArcFaceLoss(margin=0.4, scale=SCALE)
    else:
        head = layers.Dense(IDENTITIES)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier = keras.Sequential([model, head])
    classifier.compile(adam, loss)
    classifier.fit(x, who, **options)
    return model


def recall(model, x, who):
    metric = tfx_extras.metrics.RecallAtK(distance_metric="angular")
    metric.update_state(who, model.predict(x, verbose=0))
    return 100 * float(metric.result())


print(
    f"Keras {keras.__version__} on {keras.backend.backend()}, "
    f"tfx_extras {tfx_extras.__version__}; {len(SEEDS)} seed(s)\n"
)
print("| method | recall@1, clean photos | degraded | length, clean | degraded |")
print("|---|---|---|---|---|")
for method in ("softmax", "ArcFace", "AdaFace"):
    found = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        keras.utils.set_random_seed(seed)
        model = train(method, *photos(rng, 0.0, 1.0))
        clean, degraded = photos(rng, 0.8, 1.0), photos(rng, 0.2, 0.6)
        scores = [recall(model, *test) for test in (clean, degraded)]
        tests = (model.predict(x, verbose=0) for x, _ in (clean, degraded))
        lengths = [np.linalg.norm(embedding, axis=1).mean() for embedding in tests]
        found.append(scores + lengths)
    a, b, c, d = np.mean(found, axis=0)
    e, f, *_ = np.std(found, axis=0)
    print(
        f"| {method} | {a:.1f} % ± {e:.1f} | {b:.1f} % ± {f:.1f} | {c:.1f} | {d:.1f} |"
    )
