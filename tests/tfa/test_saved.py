"""Models that TensorFlow Addons saved can be loaded and trained further."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from tests import tools
from tfx_extras import tfa

DATA = Path(__file__).parent / "data"
NAMES = ("adamw_focal", "lookahead_triplet", "average_pinball", "lamb_contrastive")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved")
    with zipfile.ZipFile(DATA / "saved.zip") as archive:
        archive.extractall(path)
    return path


@pytest.fixture(scope="module")
def expected():
    with np.load(DATA / "expected.npz") as file:
        return dict(file)


def train(model, expected, name):
    x, y = expected[f"{name}/x"], expected[f"{name}/y"]
    model.run_eagerly = tools.BACKEND == "tensorflow"  # compiling takes seconds
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)


@pytest.mark.parametrize("name", NAMES)
def test_an_h5_file_trains_on_as_if_nothing_had_happened(folder, expected, name):
    model = keras.saving.load_model(folder / f"{name}.h5")
    x, y = expected[f"{name}/x"], expected[f"{name}/y"]
    predictions = tools.array(model(x))
    np.testing.assert_allclose(predictions, expected[f"{name}/predictions"], atol=1e-6)
    loss = tools.array(model.loss(y, model(x)))
    np.testing.assert_allclose(loss, expected[f"{name}/loss"], rtol=1e-5)
    train(model, expected, name)
    for i, weights in enumerate(model.get_weights()):
        np.testing.assert_allclose(weights, expected[f"{name}/trained/{i}"], atol=5e-6)


@pytest.mark.parametrize("name", NAMES if tools.BACKEND == "torch" else NAMES[:1])
def test_a_keras_file_has_no_state_and_says_so(folder, expected, name):
    with pytest.warns(UserWarning, match="0 variables|0 were saved"):
        model = keras.saving.load_model(folder / f"{name}.keras")
    assert isinstance(model.optimizer, tuple(vars(tfa.optimizers)[n] for n in CLASSES))
    x = expected[f"{name}/x"]
    predictions = tools.array(model(x))
    np.testing.assert_allclose(predictions, expected[f"{name}/predictions"], atol=1e-6)
    # Keras 2 wrote `null` for steps per execution, and Keras 3 cannot train with that.
    model.compile(model.optimizer, model.loss)
    before = model.get_weights()
    train(model, expected, name)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert not np.array_equal(before[0], model.get_weights()[0])


CLASSES = ("AdamW", "Lookahead", "MovingAverage", "LAMB")


class Data:
    """A dataset in a file."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.value, dtype)


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        (tfa.optimizers.NovoGrad(0.5), {"m": [-3.0, 4.0], "v": 9.0}),
        (tfa.optimizers.Yogi(0.5), {"v": [4.0, 9.0], "m": [1.0, 2.0]}),
        (tfa.optimizers.Yogi(0.5, beta1=0.0), {"v": [4.0, 9.0]}),
        (
            tfa.optimizers.COCOB(),
            {"lr": [1.0, 2.0], "grad_norm_sum": [3.0, 4.0], "tilde_w": [0.0, 2.0]}
            | {"gradients_sum": [-1.0, 1.0], "reward": [0.5, 0.25]},
        ),
        (tfa.optimizers.ProximalAdagrad(0.5), {"accumulator": [4.0, 9.0]}),
    ],
    ids=lambda x: getattr(x, "name", None),
)
def test_slots_are_found_by_their_names(optimizer, slots):
    w = keras.Variable([1.0, 2.0])
    data = [Data("/optimizer_weights/iter:0", 7)]
    data += [Data(f"/optimizer_weights/X/w/{k}:0", v) for k, v in slots.items()]
    optimizer.set_weights(data)  # not built yet
    optimizer.build([w])
    assert int(optimizer.iterations) == 7
    held = {
        name: tools.array(v[0]).tolist() for name, v in optimizer._noted.slots.items()
    }
    if isinstance(optimizer, tfa.optimizers.NovoGrad):
        assert held == {"momentum": [3.0, -4.0], "variance": 9.0}
    elif isinstance(optimizer, tfa.optimizers.COCOB):
        assert list(held.values()) == [
            slots[name]
            for name in ("lr", "gradients_sum", "grad_norm_sum", "reward", "tilde_w")
        ]
    else:
        for name, value in slots.items():
            ours = {"v": "variance", "m": "momentum"}.get(name, name)
            assert held[ours] == value


def test_what_does_not_fit_is_named():
    optimizer = tfa.optimizers.RectifiedAdam()
    optimizer.build([keras.Variable([1.0, 2.0], name="w")])
    data = [Data("iter:0", 7), Data("w/m:0", [1.0, 2.0])]
    with pytest.warns(UserWarning, match="w_variance"):
        optimizer.set_weights(data)
    assert int(optimizer.iterations) == 0
    again = [tools.array(v) for v in optimizer.variables]
    optimizer.set_weights(again)  # its own format
