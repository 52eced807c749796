"""Numbers from 00 to 99 as noisy images, for `metric_learning.py`."""

import numpy as np
from sklearn.datasets import load_digits

PARTS = {"training": 0.6, "validation": 0.2, "test": 0.2}
SIDE = 8


def read(seed=0, examples=20, noise=0.1):
    """Returns images and their numbers, `(x, y)`, for each of `PARTS`.

    A number is a class. Its image has two digits of scikit-learn beside each other,
    and noise. Each digit is moved by up to a pixel: what leaves its square enters on
    the other side. No number, and no handwritten digit, is in two parts. The images
    have the shape `(8, 16, 1)`.
    """
    rng = np.random.default_rng(seed)
    digits = load_digits()
    pictures, values = digits.images.astype("float32") / 16, digits.target
    written, numbers = rng.permutation(len(pictures)), rng.permutation(100)
    data, start = {}, 0.0
    for name, share in PARTS.items():
        own = written[
            round(start * len(written)) : round((start + share) * len(written))
        ]
        y = np.repeat(
            numbers[round(100 * start) : round(100 * (start + share))], examples
        )
        x = np.stack([side_by_side(n, pictures, values, own, rng) for n in y])
        x += noise * rng.normal(size=x.shape).astype("float32")
        data[name], start = (x[..., None], y), start + share
    return data


def side_by_side(number, pictures, values, own, rng):
    halves = []
    for digit in divmod(int(number), 10):
        picture = pictures[rng.choice(own[values[own] == digit])]
        halves.append(np.roll(picture, rng.integers(-1, 2, size=2), axis=(0, 1)))
    return np.concatenate(halves, axis=1)
