"""Chooses the backend and its options, and selects the tests that run on it."""

import gc
import importlib.metadata
import logging
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

import numpy as np
import pytest

BACKEND = os.environ["KERAS_BACKEND"]


def pytest_collection(session):
    """Prepares the backend, only in processes that run tests."""
    if session.config.pluginmanager.has_plugin("dsession"):
        return  # a process that gives tests to others imports no backend

    from tests import tools

    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * 2,
        )
        tf.random.set_seed(0)
    elif BACKEND == "jax" and len(tools.devices()) > 1:
        import jax

        # NumPy computes in full precision. By default a GPU multiplies in TF32, with a
        # mantissa of 10 bits, in Keras's layers and in ours. Tests could not tell its
        # rounding from a fault.
        jax.config.update("jax_default_matmul_precision", "highest")
    elif BACKEND == "torch":
        import torch

        torch.set_num_threads(1)
        # In each test, pytest attaches itself to all loggers that do not propagate,
        # which are 55 here.
        for logger in logging.root.manager.loggerDict.values():
            if isinstance(logger, logging.Logger):
                logger.propagate = True


def pytest_addoption(parser):
    parser.addoption(
        "--combinations",
        choices=["all", "few"],
        help="run all combinations of parameters, or as many as use each value once",
    )


def pytest_report_header():
    keras, backend = map(importlib.metadata.version, ("keras", BACKEND))
    return f"keras {keras} on {BACKEND} {backend}"


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
    from tests import tools

    chosen = [item for item in items if BACKEND in backends(item)]
    default = "all" if BACKEND == "torch" or len(tools.devices()) > 1 else "few"
    if (config.getoption("combinations") or default) == "few":
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
    return getattr(value, "cls", id(value))


@pytest.fixture(autouse=True)
def _fresh_seeds():
    """Starts random numbers anew. Keras takes its seeds from those of Python.

    `keras.utils.set_random_seed` takes milliseconds. It imports TensorFlow on each
    backend and clears TensorFlow's caches; PyTorch prints the stack for each kind of
    device that is missing.
    """
    random.seed(0)
    np.random.seed(0)
    if BACKEND == "torch":
        import torch

        torch.default_generator.manual_seed(0)
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(0)
    elif BACKEND == "tensorflow":
        import tensorflow as tf
        from tensorflow.python.eager import context

        # A test before this one has drawn from it.
        if context.context()._rng.getstate() != random.Random(0).getstate():
            tf.random.set_seed(0)
