"""Goldens match today's inputs, cases and library versions."""

import numpy as np
import pytest

from tests.parity import inputs

LIBRARIES = {
    "tfa": {"tensorflow": "2.15.1", "tensorflow-addons": "0.23.0"},
    "tfa_optimizers": {"tensorflow": "2.15.1", "tensorflow-addons": "0.23.0"},
    "tfa_losses": {"tensorflow": "2.15.1", "tensorflow-addons": "0.23.0"},
    "tfa_schedules": {"tensorflow": "2.15.1", "tensorflow-addons": "0.23.0"},
    "timm_schedules": {"timm": "1.0.31", "torch": "2.13.0"},
    "timm_optimizers": {"timm": "1.0.31", "diffusers": "0.42.1", "torch": "2.13.0"},
    "torch": {"torch": "2.13.0"},
    "optax": {"jax": "0.10.2", "optax": "0.2.8"},
    "pytorch_optimizer": {"pytorch-optimizer": "4.1.0", "torch": "2.13.0"},
    "prodigy_and_soap": {
        "prodigyopt": "1.1.2",
        "pytorch-optimizer": "4.1.0",
        "torch": "2.13.0",
    },
    "authors": {
        "Muon": "857d1ad",
        "ml-ademamix": "c3d73c0",
        "SOAP": "a1e5535",
        "adopt": "6468572",
        "Adan": "2c65bea",
        "torch": "2.13.0",
    },
    "classification": {
        "timm": "1.0.31",
        "torch": "2.13.0",
        "optax": "0.2.8",
        "jax": "0.10.2",
        "Active-Passive-Losses": "04bce53",
        "LDAM-DRW": "2536330",
        "bi-tempered-loss": "1c65c77",
    },
    "preference": {"lightly": "1.6.0", "torch": "2.13.0", "trl": "0.11.4"},
    "ordinal_and_robust": {
        "coral-pytorch": "1.4.0",
        "mmpose": "1.3.2",
        "robust_loss_pytorch": "9831f1d",
        "scipy": "1.17.1",
        "timm": "1.0.31",
        "torch": "2.13.0",
    },
    "schedulefree": {"schedulefree": "1.4.1", "torch": "2.13.0"},
    "distributions": {
        "torch": "2.13.0",
        "scipy": "1.17.1",
        "scikit-learn": "1.9.1",
        "scoringrules": "0.10.0",
        "statsmodels": "0.15.0",
    },
    "lightly": {"lightly": "1.6.0", "torch": "2.13.0"},
    "metric_learning": {"pytorch-metric-learning": "2.9.0", "torch": "2.13.0"},
    "segmentation": {"LovaszSoftmax": "7d48792", "monai": "1.6.1", "torch": "2.13.0"},
    "sam": {"jax": "0.10.2", "optax": "0.2.8", "sam": "3c3afdb", "torch": "2.13.0"},
}
each_library = pytest.mark.parametrize("library", LIBRARIES)


@each_library
def test_a_golden_names_its_versions(library):
    versions = inputs.Golden(library).versions
    assert versions.keys() == {"python", "numpy"} | LIBRARIES[library].keys()
    for package, version in LIBRARIES[library].items():
        # A build for one kind of device has a suffix: 2.13.0+cpu.
        assert versions[package].split("+")[0] == version


@each_library
def test_a_golden_is_of_todays_inputs(library):
    golden = inputs.Golden(library)
    today = inputs.of(library)
    assert golden.inputs.keys() == today.keys()
    for key, value in today.items():
        np.testing.assert_array_equal(golden.inputs[key], value, err_msg=key)


@each_library
def test_a_golden_holds_every_case_and_is_finite(library):
    golden = inputs.Golden(library)
    of_cases = {key.rsplit("/", 1)[0] for key in golden.arrays}
    assert of_cases == golden.cases.keys()
    for key, values in golden.arrays.items():
        fault = golden.cases[key.rsplit("/", 1)[0]].get("fault", "")
        assert np.isfinite(values).all() != fault.startswith(("NaN", "inf")), key


@each_library
def test_every_input_is_exact_in_float32(library):
    for key, values in inputs.of(library).items():
        if values.dtype.kind == "f":
            np.testing.assert_array_equal(values, values.astype("float32"), err_msg=key)


@pytest.mark.parametrize("key", ["points", "spread"])
@pytest.mark.parametrize("metric", ["L2", "angular"])
def test_no_two_distances_are_equal(key, metric):
    points = inputs.more_losses()[key]
    if metric == "angular":
        points = points / np.linalg.norm(points, axis=1, keepdims=True)
    pairs = np.triu_indices(len(points), 1)
    distances = np.linalg.norm(points[pairs[0]] - points[pairs[1]], axis=1) ** 2
    # The differences are many times the rounding error of float32.
    assert np.diff(np.sort(distances)).min() > 1e-6 * distances.max()
