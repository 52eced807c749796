"""Reads images and their classes for `digits.py`, and draws the results."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tfx_extras


def read(source):
    """Returns training images, test images, training classes and test classes.

    Args:
        source: A `.npz` file with the arrays `x`, numbers of shape `(n, ...)`, and
            `y`, classes that count from 0, of shape `(n,)`; or `""` for the digits
            of scikit-learn.
    """
    if source:
        x, y = read_file(Path(source))
    else:
        digits = load_digits()
        x, y = digits.images, digits.target
    x = ((x - x.min()) / max(np.ptp(x), 1e-9)).astype("float32")
    return train_test_split(x, y, test_size=0.2, random_state=0, stratify=y)


def read_file(path):
    try:
        with np.load(path) as arrays:
            x, y = arrays["x"], arrays["y"]
    except FileNotFoundError:
        sys.exit(f"{path}: there is no such file.")
    except KeyError as error:
        sys.exit(f"{path}: must hold arrays `x` and `y`. {error}.")
    except Exception as error:  # NumPy raises many types for a file of another format
        sys.exit(f"{path}: is not a .npz file of numeric arrays. {error}")
    if x.ndim < 2 or not np.issubdtype(x.dtype, np.number) or not np.isfinite(x).all():
        sys.exit(
            f"{path}: `x` must hold finite numbers, of shape (n, ...). "
            f"Received: shape {x.shape}, dtype {x.dtype}"
        )
    if y.shape != x.shape[:1] or not np.issubdtype(y.dtype, np.integer):
        sys.exit(
            f"{path}: `y` must hold one integer class per image, of shape "
            f"({len(x)},). Received: shape {y.shape}, dtype {y.dtype}"
        )
    counts = np.bincount(np.maximum(y, 0), minlength=1)
    is_countable = len(y) >= 5 * len(counts) and y.min() >= 0
    if not is_countable or counts[counts > 0].min() < 2:
        sys.exit(
            f"{path}: classes must count from 0, with at least 2 images in each class "
            f"that occurs, and 5 on average. Received: {len(y)} images of classes "
            f"{np.unique(y)[:10]}"
        )
    return x, y


def draw(folder, schedule, updates, losses, images, logits, truth):
    """Draws the learning rate, the losses and some predictions. Returns the paths."""
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    tfx_extras.schedules.plot(schedule, updates, axes)
    axes.set_title("WarmupCosine")
    paths = [save(figure, folder / "learning_rate.png")]

    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    epochs = np.arange(1, len(losses["loss"]) + 1)
    axes.plot(epochs, losses["loss"], label="training")
    axes.plot(epochs, losses["val_loss"], label="test")
    axes.set(xlabel="epoch", ylabel="smoothed cross-entropy (nats)", ylim=(0, None))
    axes.legend()
    paths.append(save(figure, folder / "loss.png"))

    classes = logits.argmax(axis=1)
    wrong = np.flatnonzero(classes != truth)
    chosen = np.concatenate([wrong, np.flatnonzero(classes == truth)])[:18]
    figure, grid = plt.subplots(3, 6, figsize=(6, 3.8), layout="constrained")
    for axes in grid.flat:
        axes.axis("off")
    for axes, i in zip(grid.flat, chosen, strict=False):
        axes.imshow(images[i].reshape(as_picture(images[i].shape)), cmap="gray_r")
        miss = "" if classes[i] == truth[i] else f", not {truth[i]}"
        axes.set_title(f"{classes[i]}{miss}", color="tab:red" if miss else "black")
    figure.suptitle(f"Predictions: {len(wrong)} of {len(truth)} wrong (red)")
    return [*paths, save(figure, folder / "predictions.png")]


def as_picture(shape):
    """The shape to show an image in: (height, width) or (height, width, channels)."""
    if len(shape) == 2 or (len(shape) == 3 and shape[-1] in (3, 4)):
        return shape
    size = int(np.prod(shape))
    side = round(size**0.5)
    return (side, side) if side * side == size else (1, size)


def save(figure, path):
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path
