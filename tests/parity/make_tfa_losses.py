"""Writes `goldens/tfa_losses.npz`: what the other losses of TensorFlow Addons compute.

In the environment of `make_tfa.py`:

    .venv-tfa/bin/python -m tests.parity.make_tfa_losses

Each loss is computed in float64, or in float32 where that fails. A loss that couples
the samples of a batch is a single number. In cases with a `fault`, TensorFlow Addons is
wrong in the way that `fault` says. They are kept to be compared with our results.
"""

import tensorflow as tf
import tensorflow_addons as tfa

from tests.parity import inputs
from tests.parity.make_tfa import value_and_gradient

NARROW = ("large_ids", "huge_classes")  # labels that go wrong only in float32
METRICS = ("L2", "squared-L2", "angular")
BATCHES = (
    ("few", "points", 1.0),
    ("column", "points", 0.25),
    ("many", "spread", 2.0),
    ("many", "coincident", 1.0),
    ("many", "near", 0.0625),
    ("few", "clusters", 1.0),
)
LONELY = (("lonely", "points", 1.0), ("lonely", "spread", 4.0))
FAULTS = (
    ("triplet_semihard_loss", "distinct", "points", {}, "NaN without a positive"),
    ("triplet_semihard_loss", "one", "points", {}, "a loss without a negative"),
    ("triplet_hard_loss", "lonely", "points", {}, "a loss without a positive"),
    ("triplet_hard_loss", "one", "points", {}, "a loss without a negative"),
    ("triplet_hard_loss", "few", "far", {"soft": True}, "inf where exp overflows"),
    ("lifted_struct_loss", "distinct", "points", {}, "NaN without a positive"),
    ("lifted_struct_loss", "one", "points", {}, "NaN without a negative"),
    ("npairs_loss", "large_ids", "similarities", {}, "labels that fall together"),
    ("npairs_loss", "column", "similarities", {}, "NaN for labels in a column"),
    ("npairs_multilabel_loss", "unlabeled", "similarities", {}, "NaN without a label"),
    ("sparsemax_loss", "huge_classes", "huge_scores", {}, "NaN at huge scores"),
    ("giou_loss", "upright", "inverted", {"mode": "giou"}, "no gradient"),
)


def weighted_kappa_loss(y_true, y_pred, **arguments):
    return tfa.losses.WeightedKappaLoss(**arguments).call(y_true, y_pred)


def sparsemax_loss(y_true, y_pred):
    return tfa.losses.sparsemax_loss(y_pred, tfa.activations.sparsemax(y_pred), y_true)


OWN = {"weighted_kappa_loss": weighted_kappa_loss, "sparsemax_loss": sparsemax_loss}


def cases():
    """Yields symbol, labels, predictions and arguments of the cases without a fault."""
    for y_true, y_pred, margin in BATCHES:
        for metric in METRICS if y_pred not in ("near", "clusters") else ("L2",):
            arguments = {"margin": margin, "distance_metric": metric}
            yield "triplet_semihard_loss", y_true, y_pred, arguments
            yield "triplet_hard_loss", y_true, y_pred, arguments | {"soft": False}
        arguments = {"margin": margin}
        yield "lifted_struct_loss", y_true, y_pred, arguments
    for y_true, y_pred, margin in LONELY:
        arguments = {"margin": margin}
        yield "triplet_semihard_loss", y_true, y_pred, arguments
        yield "lifted_struct_loss", y_true, y_pred, arguments
    for metric in METRICS:
        arguments = {"soft": True, "distance_metric": metric}
        yield "triplet_hard_loss", "many", "points", arguments
    for y_true in ("few", "many", "lonely"):
        yield "npairs_loss", y_true, "similarities", {}
    yield "npairs_multilabel_loss", "memberships", "similarities", {}
    for tau in (0.5, 0.125, 1.0, [0.125, 0.25, 0.5, 0.75, 1.0]):
        yield "pinball_loss", "values", "predictions", {"tau": tau}
    for y_true in ("classes", "targets"):
        yield "sparsemax_loss", y_true, "scores", {}
    for weightage in ("linear", "quadratic"):
        for y_pred, epsilon in (("shares", 1e-6), ("sure", 1e-6), ("sure", 0.25)):
            arguments = {"weightage": weightage, "epsilon": epsilon, "num_classes": 5}
            yield "weighted_kappa_loss", "classes", y_pred, arguments
    for mode in ("iou", "giou"):
        yield "giou_loss", "boxes", "predicted_boxes", {"mode": mode}
        yield "giou_loss", "touched", "touching", {"mode": mode}


def main():
    # WeightedKappaLoss gives its weights this dtype.
    tf.keras.backend.set_floatx("float64")
    described, outputs = {}, {}
    given = inputs.of("tfa_losses")
    for symbol, y_true, y_pred, arguments, *fault in [*cases(), *FAULTS]:
        narrow = symbol.startswith(("triplet", "lifted")) or y_true in NARROW
        dtype = "float32" if narrow else "float64"
        case = {"y_true": y_true, "y_pred": y_pred, "arguments": arguments}
        name = f"{symbol}:{arguments}, {y_pred}, {y_true}"
        case["dtype"] = dtype
        if fault:
            (case["fault"],) = fault
        described[name] = case
        labels = given[y_true]
        labels = tf.constant(labels.astype(dtype) if labels.dtype == float else labels)
        function = OWN.get(symbol) or getattr(tfa.losses, symbol)
        outputs[name] = value_and_gradient(
            lambda x, f=function, y=labels, a=arguments: f(y, x, **a),
            given[y_pred].astype(dtype),
        )
    versions = {"tensorflow": tf.__version__, "tensorflow-addons": tfa.__version__}
    inputs.save("tfa_losses", versions, described, outputs)


if __name__ == "__main__":
    main()
