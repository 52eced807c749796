"""A damaged file is rejected, or loads exactly what was saved, never a part of it."""

import struct
import warnings
import zipfile

import keras
import numpy as np
import pytest

from tests.integration.resumed import KINDS
from tests.integration.resumed import fit
from tests.integration.resumed import network

# The errors that `load_model` may raise; `OSError` comes from HDF5.
ERRORS = (
    *(zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError),
    *(NotImplementedError, RuntimeError),  # from zipfile, for flags and versions
)


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(v) for v in variables]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The path and bytes of a saved wrapper after training, and its state."""
    model = network(next(iter(KINDS)))
    model.run_eagerly = keras.backend.backend() == "tensorflow"
    fit(model, 1)
    path = tmp_path_factory.mktemp("damaged") / "model.keras"
    model.save(path)
    return path, path.read_bytes(), state(model)


def outcome(path, data, expected):
    """`refused`, `same`, or what else happens when a file of these bytes is loaded."""
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = keras.saving.load_model(path)
        except ERRORS:
            return "refused"
    found = state(model)
    same = len(found) == len(expected) and all(map(np.array_equal, found, expected))
    return "same" if same else "different"


def test_a_file_that_is_cut_off_is_refused(saved):
    path, data, expected = saved
    assert outcome(path, data, expected) == "same"
    for length in [*range(0, len(data), 997), *range(len(data) - 30, len(data))]:
        assert outcome(path, data[:length], expected) == "refused", length


@pytest.mark.slow
@pytest.mark.only("torch")  # Keras reads files in the same way on all backends
def test_bits_that_fell_over_are_found(saved):
    """Flips bits in the data, which has checksums, and around it, where none are."""
    path, data, expected = saved
    around = set(range(len(data)))
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            head = member.header_offset
            sizes = struct.unpack("<HH", data[head + 26 : head + 30])
            start = head + 30 + sum(sizes)
            around -= set(range(start, start + member.compress_size))
    random = np.random.default_rng(0)
    found = {"refused": 0, "same": 0}
    for i in [*sorted(around)[::3], *random.integers(0, len(data), 60)]:
        changed = bytearray(data)
        changed[i] ^= 1 << int(random.integers(8))
        found[outcome(path, bytes(changed), expected)] += 1
    assert found["refused"] > found["same"] > 0


def test_weights_are_loaded_from_a_whole_keras_file_or_not_at_all(saved):
    path, data, _ = saved
    model = network(next(iter(KINDS)))
    model.optimizer.build(model.trainable_variables)
    before = state(model)
    for i in range(len(data) // 5, len(data), 4001):
        changed = bytearray(data)
        changed[i] ^= 1
        path.write_bytes(changed)
        with pytest.raises(ERRORS):
            model.load_weights(path)
        assert all(map(np.array_equal, state(model), before)), i
