"""Chooses the backend and its options, and selects the tests that run on it."""

import gc
import importlib.metadata
import os
import random

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Two test processes share the cores, so more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
if os.environ["KERAS_BACKEND"] != "torch":
    # Tests compile a lot and compute little. Set `XLA_FLAGS=` to compile as users do.
    flags = (
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    )
    if os.environ["KERAS_BACKEND"] == "jax":
        # The fusion emitters double the time to compile a single operation.
        version = importlib.metadata.version("jaxlib").split(".")
        if tuple(map(int, version[:2])) >= (0, 10):
            flags += " --xla_cpu_use_fusion_emitters=false"
    os.environ.setdefault("XLA_FLAGS", flags)

import keras
import pytest

from tests import tools
from tests.losses.cases import LossCase
from tests.optimizers.cases import OptimizerCase
from tests.optimizers.wrapper_cases import WrapperCase
from tests.schedules.cases import ScheduleCase

CASES = (LossCase, OptimizerCase, ScheduleCase, WrapperCase)
BACKEND = keras.backend.backend()

if BACKEND == "tensorflow":
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
elif BACKEND == "jax" and len(tools.devices()) > 1:
    import jax

    # NumPy computes in full precision. By default a GPU multiplies in TF32, with a
    # mantissa of 10 bits, in Keras's layers and in ours. Tests could not tell its
    # rounding from a fault.
    jax.config.update("jax_default_matmul_precision", "highest")
elif BACKEND == "torch":
    import torch

    torch.set_num_threads(1)


def pytest_addoption(parser):
    all_run = BACKEND == "torch" or len(tools.devices()) > 1
    parser.addoption(
        "--combinations",
        choices=["all", "few"],
        default="all" if all_run else "few",
        help="run all combinations of parameters, or as many as use each value once",
    )


def pytest_report_header():
    module = __import__(BACKEND)
    devices = ", ".join(tools.devices())
    return [
        f"keras {keras.__version__} on {BACKEND} {module.__version__}",
        f"parity tests run on {len(tools.devices())} device(s): {devices}",
    ]


def pytest_collection_modifyitems(config, items):
    """Skips tests of other backends, orders slow tests first, and thins combinations.

    A test marked `only("jax")` is left out on other backends; a test's own mark takes
    precedence over its file's. Tests marked `slow` run first, so that no process ends
    with one while the other has nothing left to do.

    If a test has several `parametrize` marks, PyTorch runs all combinations. The other
    backends compile each combination, so they run just enough to use each value once.
    Cases of one object count as one value there: each test draws others of them. With a
    GPU, all combinations run. `--combinations` chooses.
    """
    chosen = [item for item in items if BACKEND in backends(item)]
    if config.getoption("combinations") == "few":
        tests = {}
        for item in chosen:
            tests.setdefault((item.path, item.originalname), []).append(item)
        chosen = [
            item
            for group in tests.values()
            for item in (covering(group) if "torch" in backends(group[0]) else group)
        ]
    config.hook.pytest_deselected(items=list(set(items) - set(chosen)))
    items[:] = sorted(chosen, key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish():
    # The backend and the tests stay in memory, so garbage collection can skip them.
    gc.freeze()


def backends(item):
    """The backends on which a test runs."""
    mark = item.get_closest_marker("only")
    return mark.args if mark else ("tensorflow", "jax", "torch")


def covering(group):
    """A subset of one test's items that covers each value of each `parametrize`."""
    values = {item: values_of(item) for item in group}
    missing = set().union(*values.values())
    # In the given order, the first values would be combined only with each other.
    order = random.Random(group[0].originalname).sample(group, len(group))
    found = set()
    while missing:
        best = max(order, key=lambda item: len(values[item] & missing))
        found.add(best)
        missing -= values[best]
    return [item for item in group if item in found or not values[item]]


def values_of(item):
    """The values that each `parametrize` and each fixture give a test."""
    given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    values = set()
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0]
        names = names.split(",") if isinstance(names, str) else names
        values.add(tuple((name, alike(given.pop(name.strip()))) for name in names))
    return values | {((name, alike(value)),) for name, value in given.items()}


def alike(value):
    """What identifies a value: for a case, its class."""
    return value.cls if isinstance(value, CASES) else id(value)


@pytest.fixture(autouse=True)
def _fresh_seeds():
    keras.utils.set_random_seed(0)
