"""Interrupted training ends bit for bit as if it had not been interrupted."""

import signal

import numpy as np
import pytest

from tests import processes
from tests.integration.resumed import KINDS
from tests.tools import BACKEND

pytestmark = pytest.mark.slow
# The other backends compile each kind four times.
TRIED = list(KINDS) if BACKEND == "torch" else list(KINDS)[1:3]


def start(part, folder, *kinds):
    return processes.start("tests.integration.resumed", part, folder, *kinds)


def states(part, folder):
    """The variables of each model and of its optimizer, at the end of a part."""
    found = []
    for number in map(list(KINDS).index, TRIED):
        with np.load(folder / f"{number}-{part}.npz") as arrays:
            found.append([arrays[name] for name in arrays.files])
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder in which each part ran, in its own process."""
    folder = tmp_path_factory.mktemp("resumed")
    for part in ("through", "second"):
        process = start(part, folder, *TRIED)
        process.join()
        assert process.exitcode == 0
    for process in [start("killed", folder, kind) for kind in TRIED]:
        process.join()
        assert process.exitcode == -signal.SIGKILL
    process = start("restored", folder, *TRIED)
    process.join()
    assert process.exitcode == 0
    return folder


@pytest.mark.parametrize("part", ["second", "restored"])
def test_it_ends_as_if_it_had_not_been_interrupted(part, folder):
    for kind, whole, resumed in zip(
        TRIED, states("through", folder), states(part, folder), strict=True
    ):
        for one, two in zip(whole, resumed, strict=True):
            np.testing.assert_array_equal(one, two, err_msg=kind)
    halfway = states("halfway", folder)
    assert all(
        (a != b).any()
        for first, whole in zip(halfway, states("through", folder), strict=True)
        for a, b in zip(first[:4], whole[:4], strict=True)
    )


def test_what_was_finished_is_not_trained_again(folder):
    for number in map(list(KINDS).index, TRIED):
        epochs = np.load(folder / f"{number}-restored-epochs.npy")
        np.testing.assert_array_equal(epochs, [2, 3])
