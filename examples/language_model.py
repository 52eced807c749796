"""A small language model: trains on a text, saves, reloads, and generates text.

python examples/language_model.py               # on the help texts of Python
python examples/language_model.py TEXT.txt      # on any other text
python examples/language_model.py --epochs 20   # trains longer
"""

import argparse
import math
import os
import re
from collections import Counter
from pathlib import Path
from pydoc_data.topics import topics

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import tfx_extras

OUT = Path("demo")
CONTEXT = 24  # words in one sample
UNKNOWN = 0  # the class of words that are too rare to learn


def numbered(text):
    """The words as integers, and the list of words that occur at least twice."""
    found = [word.group() for word in re.finditer(r"\w+|([^\w\s])\1*", text)]
    known = ["?", *sorted(word for word, n in Counter(found).items() if n > 1)]
    number = {word: i for i, word in enumerate(known)}
    return np.array([number.get(word, UNKNOWN) for word in found], "int32"), known


def split(numbers):
    """Training and test data: samples of words, and the words that follow them.

    Every tenth sample is a test sample.
    """
    count = (len(numbers) - 1) // CONTEXT
    rows, following = (
        numbers[i : i + count * CONTEXT].reshape(count, CONTEXT) for i in (0, 1)
    )
    is_test = np.arange(count) % 10 == 9
    return [[rows[k], following[k]] for k in (~is_test, is_test)]


def build(classes):
    tokens = keras.Input((CONTEXT,), dtype="int32", name="tokens")
    labels = keras.Input((CONTEXT,), dtype="int32", name="labels")
    hidden = keras.layers.Embedding(classes, 64)(tokens)
    hidden = keras.layers.GRU(128, return_sequences=True)(hidden)
    hidden = keras.layers.LayerNormalization(name="hidden")(hidden)
    head = tfx_extras.layers.ChunkedLinearCrossentropy(
        classes, ignore_class=UNKNOWN, name="head"
    )
    # Called with labels, the layer adds its mean loss to the losses of the model, so
    # `compile` needs no loss.
    model = keras.Model([tokens, labels], head(hidden, labels))
    model.compile(tfx_extras.optimizers.AdaBelief(5e-3))
    return model


def writer(model):
    """The same layers without labels: a model that returns logits."""
    logits = model.get_layer("head")(model.get_layer("hidden").output)
    return keras.Model(model.inputs[0], logits)


def write(model, numbers, known, count, seed=0):
    """Continues the first words: draws each next word by its probability."""
    random = np.random.default_rng(seed)
    written = list(numbers[:CONTEXT])
    for _ in range(count):
        row = np.array([written[-CONTEXT:]], "int32")
        logits = keras.ops.convert_to_numpy(model(row))[0, -1].astype("float64")
        logits[UNKNOWN] = -np.inf
        # Gumbel-max sampling: each class has the largest sum with its probability.
        written.append(int(np.argmax(logits / 0.7 + random.gumbel(size=len(known)))))
    return " ".join(known[i] for i in written)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", nargs="?", type=Path)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    text = options.text.read_text() if options.text else "\n".join(topics.values())
    numbers, known = numbered(text)
    train, test = split(numbers)
    print(f"{len(numbers)} words, {len(known)} of them different")

    keras.utils.set_random_seed(0)
    model = build(len(known))
    model.fit(train, epochs=options.epochs, batch_size=64, verbose=2)
    perplexity = math.exp(model.evaluate(test, verbose=0))
    print(f"Perplexity: {perplexity:.2f}, on words held out from training")

    OUT.mkdir(exist_ok=True)
    path = OUT / "language_model.keras"
    model.save(path)
    copy = keras.saving.load_model(path)
    perplexity = math.exp(copy.evaluate(test, verbose=0))
    print(f"Reloaded, it has the perplexity {perplexity:.2f}, and writes:\n")
    print(write(writer(copy), numbers, known, 60))


if __name__ == "__main__":
    main()
