"""Chooses the backend, splits the CPU in two, and says what the tests run on."""

import importlib.metadata
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Two tests at a time share the cores; more threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
if os.environ["KERAS_BACKEND"] == "jax":
    # Tests compile much and compute little. `XLA_FLAGS=` compiles as users do.
    flags = (
        "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    )
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
    """
    chosen, others = [], []
    for item in items:
        mark = item.get_closest_marker("only")
        (chosen if mark is None or BACKEND in mark.args else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = sorted(chosen, key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def _fresh_seeds():
    keras.utils.set_random_seed(0)
