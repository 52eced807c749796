"""Chooses the backend, splits the CPU in two, and says what the tests run on."""

import gc
import importlib.metadata
import os
import random

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Two tests at a time share the cores; more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
if os.environ["KERAS_BACKEND"] != "torch":
    # Tests compile much and compute little. `XLA_FLAGS=` compiles as users do.
    flags = (
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    )
    if os.environ["KERAS_BACKEND"] == "jax":
        # What emits fusions compiles each single operation for twice as long.
        version = importlib.metadata.version("jaxlib").split(".")
        if tuple(map(int, version[:2])) >= (0, 10):
            flags += " --xla_cpu_use_fusion_emitters=false"
    os.environ.setdefault("XLA_FLAGS", flags)

import keras
import pytest

from tests import tools

BACKEND = keras.backend.backend()

if BACKEND == "tensorflow":
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
elif BACKEND == "jax" and len(tools.devices()) > 1:
    import jax

    # As NumPy does. Else a GPU multiplies in TF32, with 10 bits of mantissa: layers of
    # Keras do, and those of ours as they, so that no test could tell a fault from it.
    jax.config.update("jax_default_matmul_precision", "highest")
elif BACKEND == "torch":
    import torch

    torch.set_num_threads(1)


def pytest_addoption(parser):
    parser.addoption(
        "--every-combination",
        action="store_true",
        help="of parameters, on TensorFlow and JAX too",
    )


def pytest_report_header():
    module = __import__(BACKEND)
    devices = ", ".join(tools.devices())
    return [
        f"keras {keras.__version__} on {BACKEND} {module.__version__}",
        f"parity tests run on {len(tools.devices())} device(s): {devices}",
    ]


def pytest_collection_modifyitems(config, items):
    """Leaves out what is said to hold of other backends alone: `only("jax")`.

    What a test says goes before what its file says. What is `slow` begins, lest one
    process ends with it while the other has nothing left to do.

    Where tests are parametrized more than once, PyTorch runs all combinations. The
    others, which compile each, run as many as give each value a turn; unless they have
    a GPU, on which all is to be tried.
    """
    chosen = [item for item in items if BACKEND in backends(item)]
    are_all = config.getoption("every_combination") or len(tools.devices()) > 1
    if BACKEND != "torch" and not are_all:
        alike = {}
        for item in chosen:
            alike.setdefault((item.path, item.originalname), []).append(item)
        chosen = [
            item
            for group in alike.values()
            for item in (covering(group) if "torch" in backends(group[0]) else group)
        ]
    config.hook.pytest_deselected(items=list(set(items) - set(chosen)))
    items[:] = sorted(chosen, key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish():
    # The backend and the tests stay: no need to look through them for garbage.
    gc.freeze()


def backends(item):
    """Those on which a test holds."""
    mark = item.get_closest_marker("only")
    return mark.args if mark else ("tensorflow", "jax", "torch")


def covering(group):
    """Some of the items of one test, in which each value of each `parametrize` is."""
    values = {item: values_of(item) for item in group}
    missing = set().union(*values.values())
    # Not the first of all, for values that come first would meet only each other.
    order = random.Random(group[0].originalname).sample(group, len(group))
    found = set()
    while missing:
        best = max(order, key=lambda item: len(values[item] & missing))
        found.add(best)
        missing -= values[best]
    return [item for item in group if item in found or not values[item]]


def values_of(item):
    """What each `parametrize`, and each fixture, gives a test."""
    given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    values = set()
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0]
        names = names.split(",") if isinstance(names, str) else names
        values.add(tuple((name, id(given.pop(name.strip()))) for name in names))
    return values | {((name, id(value)),) for name, value in given.items()}


@pytest.fixture(autouse=True)
def _fresh_seeds():
    keras.utils.set_random_seed(0)
