"""Suggests the names that a user may have meant."""

import difflib
from collections.abc import Iterable
from collections.abc import Mapping

Aliases = Mapping[str, tuple[str, ...]]

# Names of losses, optimizers and schedules in papers and other packages.
OBJECTS: Aliases = {
    "arcface": ("ArcFaceLoss",),
    "averagedmodel": ("SWA", "MovingAverage"),
    "batchhard": ("TripletHardLoss",),
    "batchhardtripletloss": ("TripletHardLoss",),
    "ciou": ("GIoULoss",),
    "clr": ("Cyclical",),
    "cohenkappa": ("WeightedKappaLoss",),
    "cosface": ("CosFaceLoss",),
    "cosineannealinglr": ("WarmupCosine",),
    "cosineannealingwarmrestarts": ("WarmupCosine",),
    "cosinewarmup": ("WarmupCosine",),
    "cycliclr": ("Cyclical",),
    "diou": ("GIoULoss",),
    "ema": ("MovingAverage",),
    "exponentialmovingaverage": ("MovingAverage",),
    "fixmatch": ("SemiSupervisedCrossentropy",),
    "focalloss": (
        "SigmoidFocalCrossentropy",
        "CategoricalFocalCrossentropy",
        "SparseCategoricalFocalCrossentropy",
    ),
    "frankwolfe": ("ConditionalGradient",),
    "infonce": ("NTXentLoss", "SupervisedContrastiveLoss"),
    "iou": ("GIoULoss",),
    "labelsmoothing": (
        "SmoothedCategoricalCrossentropy",
        "SmoothedSparseCategoricalCrossentropy",
    ),
    "meanteacher": ("SemiSupervisedCrossentropy",),
    "multioptimizer": ("ParameterGroups",),
    "noam": ("InverseSquareRoot",),
    "ordinal": ("WeightedKappaLoss",),
    "polyak": ("MovingAverage", "SWA"),
    "pseudolabel": ("SemiSupervisedCrossentropy",),
    "quantile": ("PinballLoss",),
    "qwk": ("WeightedKappaLoss",),
    "rectifiedadam": ("RAdam",),
    "schedulefreeadam": ("ScheduleFreeAdamW",),
    "sgdr": ("WarmupCosine",),
    "simclr": ("NTXentLoss",),
    "stochasticweightaveraging": ("SWA",),
    "supcon": ("SupervisedContrastiveLoss",),
    "trapezoidal": ("WarmupStableDecay",),
    "uda": ("SemiSupervisedCrossentropy",),
    "wsd": ("WarmupStableDecay",),
}
# Names of arguments in PyTorch, Optax, papers and other versions of Keras.
ARGUMENTS: Aliases = {
    "accumulationsteps": ("gradient_accumulation_steps",),
    "b1": ("beta_1",),
    "b2": ("beta_2",),
    "baselr": ("initial_learning_rate", "peak_learning_rate"),
    "beta1": ("beta_1",),
    "beta2": ("beta_2",),
    "betas": ("beta_1", "beta_2"),
    "classweight": ("class_weight", "alpha"),
    "clip": ("clipnorm", "clipvalue", "global_clipnorm"),
    "decay": ("weight_decay",),
    "ema": ("use_ema",),
    "emadecay": ("ema_momentum",),
    "eps": ("epsilon",),
    "etamin": ("end_learning_rate",),
    "excludefromweightdecay": ("weight_decay_exclude",),
    "ignoreindex": ("ignore_class",),
    "initlr": ("initial_learning_rate",),
    "initvalue": ("initial_learning_rate", "start_factor"),
    "k": ("sync_period",),
    "la": ("slow_step_size",),
    "logits": ("from_logits",),
    "lr": ("learning_rate", "peak_learning_rate", "initial_learning_rate"),
    "lrs": ("learning_rates",),
    "maxgradnorm": ("global_clipnorm", "clipnorm"),
    "maxlr": ("peak_learning_rate", "maximal_learning_rate"),
    "maxnorm": ("clipnorm",),
    "milestones": ("boundaries",),
    "minlr": ("end_learning_rate",),
    "momentum": ("beta_1",),
    "optimizer": ("inner_optimizer",),
    "peakvalue": ("peak_learning_rate",),
    "posweight": ("alpha",),
    "q": ("tau",),
    "quantile": ("tau",),
    "smoothing": ("label_smoothing",),
    "stepsize": ("step_size", "learning_rate"),
    "t": ("temperature",),
    "tau": ("temperature",),
    "tmax": ("decay_steps",),
    "totalsteps": ("total_steps", "decay_steps", "learning_rate"),
    "values": ("learning_rates",),
    "wd": ("weight_decay",),
    "weight": ("class_weight", "alpha"),
    "weights": ("class_weight", "alpha"),
}
# Values of arguments in other packages.
VALUES: Aliases = {
    "cosine": ("angular",),
    "euclidean": ("L2",),
    "exp": ("exponential",),
    "sqeuclidean": ("squared-L2",),
}
# What a suggested name differs in from the given one.
_NOTES = {
    ("totalsteps", "decaysteps"): ", which does not include the warm-up",
    ("totalsteps", "learningrate"): ", with a schedule such as WarmupCosine",
}
# Similar names that mean something else.
_OTHERS = {"momentum": ["emamomentum"]}


def did_you_mean(name: str, known: Iterable[str], aliases: Aliases) -> str:
    """Returns a sentence that suggests names for an unknown one, or an empty string.

    Args:
        name: The unknown name.
        known: The names that exist.
        aliases: For the `key` of a foreign name, the names that it may stand for.
    """
    short = key(name)
    by_key: dict[str, list[str]] = {}
    for candidate in known:
        if key(candidate) not in _OTHERS.get(short, ()):
            by_key.setdefault(key(candidate), []).append(candidate)
    meant = [key(one) for one in aliases.get(short, ())] + [short]
    found = list(dict.fromkeys(one for one in meant if one in by_key))
    if not found and len(short) > 3:
        found = [one for one in by_key if short in one or (one in short and one[2:])]
    if not found:
        found = _nearest(short, by_key)
    if not found:
        return ""
    *others, last = [
        f"`{candidate}`{_NOTES.get((short, one), '')}"
        for one in found
        for candidate in by_key[one]
    ]
    return " Did you mean " + ", ".join(others) + " or " * bool(others) + last + "?"


def key(name: str) -> str:
    """Returns a name in lower case, without underscores and hyphens."""
    return name.lower().replace("_", "").replace("-", "")


def _nearest(name: str, names: Iterable[str]) -> list[str]:
    """Returns up to three of the most similar names."""
    ratios = {n: difflib.SequenceMatcher(None, n, name).ratio() for n in names}
    least = max(0.65, max(ratios.values(), default=0.0) - 0.05)
    return [n for n, ratio in ratios.items() if ratio >= least][:3]
