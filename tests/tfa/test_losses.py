"""The losses by their TensorFlow Addons names give what they gave there."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tfx_extras import tfa

CONFIGS = json.loads((Path(__file__).parent / "data" / "configs.json").read_text())
GOLDENS = {library: inputs.Golden(library) for library in ("tfa", "tfa_losses")}
# Every third case; the native losses behind these names are compared with all cases.
NAMES = [
    (library, name)
    for library, golden in GOLDENS.items()
    for symbol in sorted({name.split(":")[0] for name in golden.cases})
    if symbol[0].islower()
    for name in golden.named(symbol)[::3]
]

# Each takes seconds to compile on JAX, where only the native losses are tested.
not_on_jax = pytest.mark.only("tensorflow", "torch")


@not_on_jax
@tools.each_device
@pytest.mark.parametrize(("library", "name"), NAMES)
def test_losses_give_what_those_of_tensorflow_addons_gave(library, name, device):
    golden = GOLDENS[library]
    case, symbol = golden.cases[name], name.split(":")[0]
    dtype = case.get("dtype", "float64")
    y_true, y_pred = (golden.inputs[case[key]] for key in ("y_true", "y_pred"))
    if y_true.dtype.kind == "f":
        y_true = y_true.astype(dtype)

    def loss(y_pred):
        arguments = case["arguments"]
        if symbol == "weighted_kappa_loss":
            return tfa.losses.WeightedKappaLoss(**arguments).call(y_true, y_pred)
        if symbol == "sparsemax_loss":
            return tfa.losses.sparsemax_loss(y_pred, None, y_true)
        return getattr(tfa.losses, symbol)(y_true, y_pred, **arguments)

    with tools.wide(), keras.device(device):
        # Like the goldens, so that epsilon does not show.
        keras.config.set_epsilon(1e-30)
        try:
            values = tools.array(loss(ops.convert_to_tensor(y_pred.astype(dtype))))
        finally:
            keras.config.set_epsilon(1e-7)
    expected = golden.arrays[f"{name}/value"]
    assert values.shape == expected.shape
    tolerance = {"float64": 1e-9, "float32": 1e-5}[dtype]
    np.testing.assert_allclose(values, expected, rtol=tolerance)


BATCH = {
    "ContrastiveLoss": ([1.0, 0.0, 1.0], [0.5, 0.25, 2.0]),
    "SigmoidFocalCrossEntropy": (np.eye(3), np.full((3, 3), 0.25)),
    "GIoULoss": ([[0.0, 0, 1, 1]] * 3, [[0.0, 0, 1, x] for x in (0.5, 1.0, 3.0)]),
    "WeightedKappaLoss": (np.eye(3), np.full((3, 3), 1 / 3)),
    "LiftedStructLoss": (np.array([0, 0, 1]), [[0.0], [1.0], [2.0]]),
    "NpairsLoss": (np.array([0, 0, 1]), np.diag([1.0, 2.0, 3.0])),
    "NpairsMultilabelLoss": (np.eye(3), np.diag([1.0, 2.0, 3.0])),
    "PinballLoss": ([[0.0], [1.0], [2.0]], [[1.0], [1.0], [1.0]]),
    "SparsemaxLoss": (np.eye(3), np.diag([0.5, 0.25, 2.0])),
    "TripletSemiHardLoss": (np.array([0, 0, 1]), [[0.0], [1.0], [1.5]]),
    "TripletHardLoss": (np.array([0, 0, 1]), [[0.0], [1.0], [1.5]]),
}
ARGUMENTS = {"WeightedKappaLoss": {"num_classes": 3}}
OF_SAMPLES = (
    *("ContrastiveLoss", "SigmoidFocalCrossEntropy", "GIoULoss"),
    *("PinballLoss", "SparsemaxLoss"),
)


def test_every_class_is_tested():
    names = {name for name in tfa.losses.__all__ if name[0].isupper()}
    assert names == BATCH.keys()


@not_on_jax
@pytest.mark.parametrize("name", BATCH)
def test_a_class_reduces_what_its_function_gives(name):
    cls, arguments = getattr(tfa.losses, name), ARGUMENTS.get(name, {})
    y_true, y_pred = BATCH[name]
    y_pred = np.array(y_pred, "float32")
    loss = cls(**arguments)
    each = tools.array(loss.call(y_true, y_pred))
    assert each.shape == ((3,) if name in OF_SAMPLES else ())
    assert each.any()
    whole = each if loss.reduction == "none" else each.mean()
    np.testing.assert_allclose(tools.array(loss(y_true, y_pred)), whole, rtol=1e-6)


@pytest.mark.parametrize("name", OF_SAMPLES)
def test_reductions_are_those_of_keras_2(name):
    cls = getattr(tfa.losses, name)
    y_true, y_pred = BATCH[name]
    y_pred = np.array(y_pred, "float32")
    each = tools.array(cls(reduction="none")(y_true, y_pred))
    for reduction, number in (
        ("auto", each.mean()),
        ("sum_over_batch_size", each.mean()),
        ("sum", each.sum()),
    ):
        value = tools.array(cls(reduction=reduction)(y_true, y_pred))
        np.testing.assert_allclose(value, number, rtol=1e-6)


@pytest.mark.parametrize(
    "config",
    [config for config in CONFIGS if "losses" in config["module"]],
    ids=lambda config: config["class_name"],
)
def test_configurations_of_tensorflow_addons_load(config):
    loss = keras.saving.deserialize_keras_object(config)
    assert type(loss) is getattr(tfa.losses, config["class_name"])
    assert keras.saving.get_registered_name(type(loss)) == config["registered_name"]
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss)
    )
    assert again.get_config() == loss.get_config()
    theirs = dict(config["config"])
    if theirs["reduction"] == "auto":
        theirs["reduction"] = "sum_over_batch_size"
    if theirs["name"] is None:  # our losses have the name of their function
        del theirs["name"]
    if "Npairs" in config["class_name"]:
        del theirs["reduction"]
    assert theirs.items() <= loss.get_config().items()


@pytest.mark.parametrize(
    "cls", ["TripletSemiHardLoss", "TripletHardLoss", "LiftedStructLoss"]
)
def test_arguments_are_not_swallowed(cls):
    with pytest.raises(TypeError, match="margins"):
        getattr(tfa.losses, cls)(margins=2.0)
    assert getattr(tfa.losses, cls)(reduction="sum").reduction == "sum"


def test_no_alpha_and_no_gamma_switch_factors_off():
    y_true, y_pred = BATCH["SigmoidFocalCrossEntropy"]
    y_pred = y_pred.astype("float32")
    for off in (0.0, None):
        loss = tfa.losses.SigmoidFocalCrossEntropy(alpha=off, gamma=off)
        crossentropy = -np.log(0.25) - 2 * np.log(0.75)
        values = tools.array(loss(y_true, y_pred))
        np.testing.assert_allclose(values, [crossentropy] * 3, rtol=1e-6)


def test_a_metric_is_a_function_of_one_batch():
    @keras.saving.register_keras_serializable(package="test_tfa")
    def doubled(feature):
        return 2 * tfa.losses.metric_learning.pairwise_distance(feature)

    y_true, y_pred = BATCH["TripletSemiHardLoss"]
    y_pred = np.array(y_pred, "float32")
    for name in ("TripletSemiHardLoss", "TripletHardLoss"):
        cls = getattr(tfa.losses, name)
        value = cls(2.0, distance_metric=doubled)(y_true, y_pred)
        expected = 2 * float(cls(1.0)(y_true, y_pred))
        np.testing.assert_allclose(float(value), expected, rtol=1e-6)
        with pytest.raises(ValueError, match="registered"):
            cls(distance_metric=lambda feature: feature)


def test_distances_are_zero_on_the_diagonal_alone():
    points = np.random.default_rng(0).standard_normal((40, 301)).astype("float32") + 9
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    metrics = tfa.losses.metric_learning
    for squared in (False, True):
        d = tools.array(metrics.pairwise_distance(points, squared))
        np.testing.assert_allclose(d, apart ** (1 + squared), rtol=1e-3)
        assert not np.diag(d).any()
    wide = points.astype("float64")
    cosine = wide @ wide.T / np.outer(*[np.linalg.norm(wide, axis=1)] * 2)
    d = tools.array(metrics.angular_distance(points))
    np.testing.assert_allclose(d, np.maximum(1 - cosine, 0), atol=1e-6)


def test_bad_arguments_are_named():
    for make, name in (
        (lambda: tfa.losses.SparsemaxLoss(from_logits=False), "from_logits"),
        (lambda: tfa.losses.ContrastiveLoss(-1.0), "margin"),
        (lambda: tfa.losses.SigmoidFocalCrossEntropy(gamma=-1.0), "gamma"),
        (lambda: tfa.losses.GIoULoss("ciou"), "mode"),
        (lambda: tfa.losses.WeightedKappaLoss(3, "cubic"), "weightage"),
        (lambda: tfa.losses.PinballLoss(1.5), "tau"),
    ):
        with pytest.raises(ValueError, match=name):
            make()


def test_the_pinball_loss_of_one_axis_is_one_number():
    # The example in TensorFlow Addons' documentation.
    y_true, y_pred = [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0]
    loss = tfa.losses.pinball_loss(y_true, y_pred, tau=0.1)
    assert loss.shape == ()
    np.testing.assert_allclose(tools.array(loss), 0.475, rtol=1e-6)
    # For the class, each value is a sample with its own weight.
    loss = tfa.losses.PinballLoss(0.1)
    np.testing.assert_allclose(tools.array(loss(y_true, y_pred)), 0.475, rtol=1e-6)
    weighed = loss(y_true, y_pred, sample_weight=np.array([0.0, 0.0, 0.0, 4.0]))
    np.testing.assert_allclose(tools.array(weighed), 0.1, rtol=1e-6)


def test_each_value_of_a_sample_may_have_a_tau():
    generator = np.random.default_rng(0)
    y_true, y_pred = generator.standard_normal((2, 4, 3, 2))
    tau = generator.uniform(size=(3, 2))
    error = y_true - y_pred
    expected = np.maximum(tau * error, (tau - 1) * error).mean(-1)
    with tools.wide():
        value = tfa.losses.pinball_loss(
            *map(ops.convert_to_tensor, (y_true, y_pred)), ops.convert_to_tensor(tau)
        )
        np.testing.assert_allclose(tools.array(value), expected, rtol=1e-12)
        loss = tfa.losses.PinballLoss(ops.convert_to_tensor(tau), reduction="none")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(loss)
    )
    np.testing.assert_allclose(tools.array(again(y_true, y_pred)), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"tau\.shape"):
        tfa.losses.pinball_loss(y_true, y_pred, tau.T)
    with pytest.raises(ValueError, match="tau"):
        tfa.losses.PinballLoss(tau - 1)


def test_one_box_and_each_box_with_each_have_a_loss():
    boxes = np.array([[4.0, 3.0, 7.0, 5.0], [5.0, 6.0, 10.0, 7.0]])
    others = np.array([[3.0, 4.0, 6.0, 8.0], [14.0, 14.0, 15.0, 15.0], boxes[0]])
    each = [[tfa.losses.giou_loss(box, other) for other in others] for box in boxes]
    assert all(value.shape == () for row in each for value in row)
    each = np.array([[float(value) for value in row] for row in each])
    np.testing.assert_allclose(each[0, 0], 1.075, rtol=1e-6)
    pairs = tfa.losses.giou_loss(boxes[:, None], others[None])
    np.testing.assert_array_equal(tools.array(pairs), each)
    np.testing.assert_array_equal(
        tools.array(tfa.losses.giou_loss(boxes, others[0])), each[:, 0]
    )
    loss = tfa.losses.GIoULoss()
    np.testing.assert_allclose(tools.array(loss(boxes[0], others[0])), 1.075, rtol=1e-6)
    with pytest.raises(ValueError, match=r"y_pred.shape=\(2, 1\)"):
        tfa.losses.giou_loss(boxes, boxes[:, :1])
