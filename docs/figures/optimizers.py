"""Training curves of each optimizer, as `train.py` has computed them."""

import json
from functools import partial

from figures import train
from figures._style import COLORS
from figures._style import figure

CURVES = json.loads(train.RESULTS.read_text())
BASELINES = {"Adam": ("Adam", "--"), "SGD": ("SGD, momentum 0.9", ":")}
# What else a reader must know of a curve.
NOTES = {
    "ConditionalGradient": ["With `radius=10`; the weights do not fit into radius 1."],
    "LazyAdam": [
        "The gradients of this network are dense, so that it behaves as Adam."
    ],
    "Lookahead": ["It wraps Adam."],
    "MovingAverage": ["It wraps Adam. The curve is that of the averaged weights."],
    "ScheduleFree": [
        "It wraps AdamW without momentum. The curve is that of the averaged weights."
    ],
    "ScheduleFreeAdamW": ["The curve is that of the averaged weights."],
    "ScheduleFreeRAdam": ["The curve is that of the averaged weights."],
    "ScheduleFreeSGD": ["The curve is that of the averaged weights."],
    "SWA": [
        f"It wraps Adam, with `start={train.STEPS // 2}` and `period=10`.",
        "From then on, the curve is that of the averaged weights.",
    ],
}


def curves(name, path):
    """Draws the validation loss of an optimizer beside SGD and Adam."""
    steps = range(0, train.STEPS + 1, train.EVERY)
    found = CURVES[name]
    with figure(path) as axes:
        for other, (label, dashes) in BASELINES.items():
            axes.plot(steps, CURVES[other]["median"], dashes, color="0.5", label=label)
        axes.fill_between(
            steps, found["low"], found["high"], color=COLORS[0], alpha=0.2, linewidth=0
        )
        axes.plot(steps, found["median"], "-", color=COLORS[0], label=name)
        axes.set(xlabel="step", ylabel="validation loss", ylim=(0.8, 1.8))
        axes.set(title=f"{name}, learning rate {found['rate']:g}")
        axes.legend()
    last = {key: CURVES[key]["median"][-1] for key in (name, *BASELINES)}
    return (
        f"Validation loss against steps. {name} falls from {found['median'][0]:.2f} to "
        f"{last[name]:.2f}; Adam ends at {last['Adam']:.2f}, SGD with momentum at "
        f"{last['SGD']:.2f}."
    )


RULE = f"""\
A network of {train.FEATURES}, {train.HIDDEN} and {train.CLASSES} units learns
{train.SAMPLES:,} synthetic samples, {train.NOISE:.0%} of them with a random label, in
minibatches of {train.BATCH}, for {train.STEPS} steps at a constant learning rate. The
rule is the same for all: of {len(train.RATES)} learning rates from {min(train.RATES):g}
to {max(train.RATES):g}, the one with the lowest final validation loss; other arguments
have their defaults. The line is the median of {len(train.SEEDS)} seeds, the band their
range. Adam and SGD with momentum are grey. Such a picture does not tell which optimizer
is best for your network."""


def caption(name):
    return " ".join([f"Validation loss of `{name}`.", *NOTES.get(name, []), RULE])


FIGURES = {f"optimizers/{name}": partial(curves, name) for name in train.OPTIMIZERS}
