"""What each earlier version has saved can be loaded and trained further."""

import json
import zipfile

import keras
import numpy as np
import pytest

import tfx_extras
from tests.saved.make import DATA
from tests.saved.make import STEPS
from tests.saved.make import weights_after
from tests.tools import array

FILES = sorted(DATA.glob("*.zip"))


@pytest.fixture(scope="module", params=FILES, ids=[path.stem for path in FILES])
def folder(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved")
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(path)
    return path


@pytest.fixture(scope="module")
def expected(folder):
    with np.load(folder / "expected.npz") as file:
        return dict(file)


@pytest.mark.only("torch")  # what is read from a file is the same on all backends
def test_losses_have_the_same_values(folder, expected):
    for name, config in json.loads((folder / "losses.json").read_text()).items():
        loss = keras.losses.deserialize(config)
        value = array(loss(expected[f"{name}/y_true"], expected[f"{name}/y_pred"]))
        np.testing.assert_allclose(
            value, expected[f"{name}/value"], rtol=1e-5, err_msg=name
        )


@pytest.mark.only("torch")
def test_schedules_have_the_same_rates(folder, expected):
    for name, config in json.loads((folder / "schedules.json").read_text()).items():
        schedule = keras.optimizers.schedules.deserialize(config)
        np.testing.assert_allclose(
            array(schedule(STEPS)),
            expected[f"{name}/rates"],
            rtol=1e-5,  # float32 functions differ between backends
            atol=1e-8,
            err_msg=name,
        )


def test_models_train_on(folder, expected):
    paths = sorted(folder.glob("*.keras"))
    assert len(paths) >= 14  # the number in the first version
    for path in paths:
        model = keras.saving.load_model(path)
        assert model.loss.delta == 2.0
        after = weights_after(model)
        known = {key for key in expected if key.startswith(f"{path.stem}/")}
        assert {f"{path.stem}/{key}" for key in after} == known
        for key, weights in after.items():
            np.testing.assert_allclose(
                weights, expected[f"{path.stem}/{key}"], atol=1e-6, err_msg=key
            )


@pytest.mark.only("torch")
def test_this_version_has_a_file_with_every_class():
    path = DATA / f"{tfx_extras.__version__}.zip"
    cure = f"`python -m tests.saved.make` writes {path.name}, until it is released"
    assert path.exists(), cure
    with zipfile.ZipFile(path) as archive:
        saved = {name.split(".")[0] for name in archive.namelist()}
        for kind in ("losses", "schedules"):
            saved |= {
                name.split("/")[0] for name in json.loads(archive.read(f"{kind}.json"))
            }
    public = {
        name
        for package in (tfx_extras.losses, tfx_extras.optimizers, tfx_extras.schedules)
        for name in package.__all__
        if hasattr(getattr(package, name), "get_config")
    }
    missing = public - saved - {"Optimizer", "CombinedLoss"}  # these have no cases
    assert not missing, f"{sorted(missing)}: {cure}"
