"""A network with bfloat16 weights learns real data as well as one with float32."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from tfx_extras import optimizers


def accuracy(optimizer, dtype, seed):
    """Trains on half of scikit-learn's digits; returns the accuracy on the rest."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu", dtype=dtype),
            keras.layers.Dense(10, dtype=dtype),
        ]
    )
    assert {str(v.dtype) for v in model.variables} == {dtype}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    model.fit(x[::2], y[::2], batch_size=32, epochs=15, verbose=0)
    logits = keras.ops.cast(model(x[1::2]), "float32")
    return (keras.ops.convert_to_numpy(logits).argmax(axis=1) == y[1::2]).mean()


@pytest.mark.slow
@pytest.mark.only("torch")  # the other backends round alike: see `test_training.py`
def test_digits_are_read_within_one_percentage_point_of_float32():
    means = {
        dtype: np.mean(
            [accuracy(optimizers.AdaBelief(0.01), dtype, seed) for seed in range(2)]
        )
        for dtype in ("float32", "bfloat16")
    }
    assert means["float32"] > 0.9
    assert abs(means["bfloat16"] - means["float32"]) < 0.01, means
