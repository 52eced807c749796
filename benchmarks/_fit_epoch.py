"""Epochs of `fit` on one backend, for `fit.py`."""

import numpy as np
from _server import serve

MODELS = ("digits", "convolutional")


def dense():
    import keras
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    layers = [
        keras.Input((64,)),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10),
    ]
    return (x / 16).astype("float32"), y, layers


def convolutional():
    import keras

    random = np.random.default_rng(0)
    x = random.standard_normal((512, 28, 28, 1), "float32")
    layers = [keras.Input((28, 28, 1))]
    for filters in (32, 64):
        layers.append(keras.layers.Conv2D(filters, 3, padding="same"))
        layers.append(keras.layers.BatchNormalization())
        layers.append(keras.layers.ReLU())
        layers.append(keras.layers.MaxPooling2D())
    layers += [
        keras.layers.Flatten(),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10),
    ]
    return x, random.integers(0, 10, len(x)), layers


def make(package, name, model):
    """An epoch of a model in batches of 32, with an optimizer of a package."""
    import keras

    if package == "keras":
        from keras import optimizers
    else:
        from tfx_extras import optimizers

    keras.utils.set_random_seed(0)
    x, y, layers = dense() if model == "digits" else convolutional()
    network = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(getattr(optimizers, name)(), loss)
    return lambda: network.fit(x, y, batch_size=32, verbose=0), {}


if __name__ == "__main__":
    serve(make)
