"""What `quality.py` compares: optimizers by the same loss, and losses by Adam."""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import keras
import numpy as np

from tfx_extras import layers
from tfx_extras import losses
from tfx_extras import models
from tfx_extras import optimizers


class Given(NamedTuple):
    """What an optimizer is made from."""

    rate: float
    decay: float | None  # the weight decay
    network: keras.Model
    steps: int  # of the whole training


def unchanged(network):
    """Returns the model that trains, and the model that is measured."""
    return network, network


def adam(given: Given):
    return keras.optimizers.Adam(given.rate, weight_decay=given.decay)


class Contestant(NamedTuple):
    """How a network is trained."""

    optimizer: Callable[[Given], Any] = adam
    rate: float = 1e-3  # the middle of the grid
    has_decay: bool = True
    schedule: str = "cosine"  # others where its authors advise it: see SCHEDULES
    model: Callable[..., Any] = unchanged
    loss: Callable[..., Any] | None = None  # takes the labels of training
    class_weight: Callable[..., Any] | None = None


def of(cls, rate=1e-3, **arguments):
    """An optimizer with its other arguments."""
    return Contestant(
        lambda given: cls(given.rate, weight_decay=given.decay, **arguments), rate
    )


def around(wrap):
    """A wrapper of AdamW. Takes the optimizer and the number of steps."""
    return Contestant(lambda given: wrap(adamw(given), given.steps))


def adamw(given: Given):
    return optimizers.AdamW(given.rate, weight_decay=given.decay or 0.0)


def muon(**arguments):
    return Contestant(
        lambda given: optimizers.Muon(
            given.rate,
            weight_decay=given.decay,
            layouts=optimizers.kernel_layouts(given.network),
            **arguments,
        )
    )


def schedule_free(cls, rate):
    return Contestant(
        lambda given: cls(given.rate, weight_decay=given.decay or 0.0),
        rate,
        schedule="warm-up",
    )


def sharpness_aware(network):
    return models.SharpnessAware(network), network


OPTIMIZERS = {
    "keras SGD": of(keras.optimizers.SGD, 0.01, momentum=0.9),
    "keras Adam": of(keras.optimizers.Adam),
    "keras AdamW": Contestant(
        lambda given: keras.optimizers.AdamW(
            given.rate, weight_decay=given.decay or 0.0
        )
    ),
    "keras Lion": of(keras.optimizers.Lion, 3e-4),
    "keras Muon": of(keras.optimizers.Muon),
    "AdaBelief": of(optimizers.AdaBelief),
    "AdamW": of(optimizers.AdamW),
    "AdamW nesterov": of(optimizers.AdamW, nesterov=True),
    "AdamW cautious": of(optimizers.AdamW, cautious=True),
    "Adan": of(optimizers.Adan),
    "AdEMAMix": Contestant(
        lambda given: optimizers.AdEMAMix(
            given.rate,
            beta_3=0.999,
            warmup_steps=given.steps,
            weight_decay=given.decay,
        )
    ),
    "ADOPT": of(optimizers.ADOPT),
    "COCOB": Contestant(
        lambda given: optimizers.COCOB(given.rate),
        rate=1.0,
        has_decay=False,
        schedule="constant",
    ),
    "ConditionalGradient": Contestant(
        lambda given: optimizers.ConditionalGradient(given.rate, radius=10),
        rate=0.01,
        has_decay=False,  # the radius bounds the weights
    ),
    "LAMB": of(optimizers.LAMB),
    "LARS": of(optimizers.LARS, 1.0),
    "LazyAdam": of(optimizers.LazyAdam),
    "Muon": muon(),
    "Muon variance_beta": muon(variance_beta=0.95),
    "NovoGrad": of(optimizers.NovoGrad),
    "Prodigy": of(optimizers.Prodigy, 1.0)._replace(schedule="constant"),
    "ProximalAdagrad": of(optimizers.ProximalAdagrad, 0.01),
    "RAdam": of(optimizers.RAdam),
    "Ranger": of(optimizers.Ranger),
    "SOAP": of(optimizers.SOAP, 3e-3),
    "Yogi": of(optimizers.Yogi, 0.01),
    "Lookahead": around(lambda inner, steps: optimizers.Lookahead(inner)),
    "MovingAverage": around(
        lambda inner, steps: optimizers.MovingAverage(inner, decay=0.95)
    ),
    "SWA": around(
        lambda inner, steps: optimizers.SWA(inner, start=steps // 2, period=5)
    ),
    "ScheduleFreeAdamW": schedule_free(optimizers.ScheduleFreeAdamW, 2.5e-3),
    "ScheduleFreeRAdam": schedule_free(optimizers.ScheduleFreeRAdam, 2.5e-3),
    "ScheduleFreeSGD": schedule_free(optimizers.ScheduleFreeSGD, 1.0),
    "SharpnessAware": of(optimizers.AdamW)._replace(model=sharpness_aware),
}


# Losses


def counts(y):
    return np.bincount(y)


def by(loss, **options):
    """A loss that does not depend on the data."""
    return Contestant(loss=lambda _: loss, **options)


SCALE = 16.0  # of cosines


def with_cosines(network):
    """Replaces the last layer by cosines to centers of the classes."""
    *_, last = network.layers
    cosines = layers.CosineDense(last.units)(last.input)
    model = keras.Model(network.inputs, cosines)
    return model, keras.Model(network.inputs, SCALE * cosines)


def with_centers(**options):
    """Adds cosines to centers of the classes, which learn ten times as fast."""

    def model(network):
        outputs = layers.CosineDense(60, **options)(network.outputs[0])
        return keras.Model(network.inputs, outputs), network

    def optimizer(given):
        rules = {"cosine_dense": {"learning_rate_multiplier": 10.0}, ".*": {}}
        return optimizers.ParameterGroups(adam(given), rules)

    return {"model": model, "optimizer": optimizer}


CLASSES = {
    "cross-entropy": Contestant(),
    "cross-entropy, class weights": Contestant(
        class_weight=lambda y: dict(
            enumerate(losses.effective_number_weights(counts(y)))
        )
    ),
    "smoothed, 0.1": by(
        losses.SmoothedSparseCategoricalCrossentropy(0.1, from_logits=True)
    ),
    "focal": by(losses.SparseCategoricalFocalCrossentropy(from_logits=True)),
    "poly": by(losses.PolySparseCategoricalCrossentropy(from_logits=True)),
    "logit adjusted": Contestant(
        loss=lambda y: losses.LogitAdjustedCrossentropy(counts(y))
    ),
    "LDAM": Contestant(
        loss=lambda y: losses.LDAMLoss(counts(y), scale=SCALE), model=with_cosines
    ),
    "generalized (GCE)": by(
        losses.GeneralizedSparseCategoricalCrossentropy(from_logits=True)
    ),
    "symmetric (SCE)": by(
        losses.SymmetricSparseCategoricalCrossentropy(from_logits=True)
    ),
    "bi-tempered": by(losses.SparseBiTemperedLoss(0.8, 1.4)),
}
BINARY = keras.losses.BinaryCrossentropy(from_logits=True)
DICE = losses.DiceLoss(activation="sigmoid")
TVERSKY = losses.TverskyLoss(0.3, 0.7, activation="sigmoid")
LOVASZ = losses.LovaszHingeLoss()
MASKS = {
    "cross-entropy": by(BINARY),
    "focal": by(losses.SigmoidFocalCrossentropy(from_logits=True)),
    "focal, alpha=None": by(
        losses.SigmoidFocalCrossentropy(alpha=None, from_logits=True)
    ),
    "Dice": by(DICE),
    "Jaccard": by(losses.JaccardLoss(activation="sigmoid")),
    "Tversky, beta=0.7": by(TVERSKY),
    "focal Tversky": by(losses.FocalTverskyLoss(activation="sigmoid")),
    "Lovasz": by(LOVASZ),
    "Dice + cross-entropy": by(DICE + BINARY),
    "Tversky, beta=0.7 + cross-entropy": by(TVERSKY + BINARY),
    "Lovasz + cross-entropy": by(LOVASZ + BINARY),
}
EMBEDDINGS = {
    "TripletSemiHardLoss": by(losses.TripletSemiHardLoss(0.3)),
    "TripletHardLoss": by(losses.TripletHardLoss(0.3)),
    "MultiSimilarityLoss": by(losses.MultiSimilarityLoss()),
    "SupervisedContrastiveLoss": by(losses.SupervisedContrastiveLoss()),
    "LiftedStructuredLoss": by(losses.LiftedStructuredLoss()),
    # Without a margin, it is a cross-entropy of cosines.
    "ArcFaceLoss, margin=0": by(losses.ArcFaceLoss(0.0, SCALE), **with_centers()),
    "ArcFaceLoss, margin=0.25": by(losses.ArcFaceLoss(0.25, SCALE), **with_centers()),
    "ArcFaceLoss": by(losses.ArcFaceLoss(scale=SCALE), **with_centers()),
    "CosFaceLoss": by(losses.CosFaceLoss(scale=SCALE), **with_centers()),
    "ProxyAnchorLoss": by(losses.ProxyAnchorLoss(), **with_centers()),
    "ProxyNCALoss": by(losses.ProxyNCALoss(), **with_centers()),
    "SoftTripleLoss": by(
        losses.SoftTripleLoss(), **with_centers(centers=5, pooling="soft")
    ),
}
LOSSES = {
    "digits_clean": CLASSES,
    "digits_imbalanced": CLASSES,
    "digits_noisy": CLASSES,
    "digits_noisy_few": CLASSES,
    "masks_losses": MASKS,
    "numbers_losses": EMBEDDINGS,
}
