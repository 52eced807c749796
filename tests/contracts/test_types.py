"""Arguments of a wrong type or name raise a `TypeError` that names the cause."""

import inspect
import pickle
import re
from typing import is_typeddict

import keras
import numpy as np
import pytest

from tfx_extras import callbacks
from tfx_extras import layers
from tfx_extras import losses
from tfx_extras import models
from tfx_extras import optimizers
from tfx_extras import schedules
from tfx_extras import tfa

PUBLIC = [
    getattr(package, name)
    for package in (
        *(losses, optimizers, schedules, layers, models, callbacks),
        *(tfa.losses, tfa.optimizers),
    )
    for name in package.__all__
]
CLASSES = [
    cls
    for cls in PUBLIC
    if isinstance(cls, type)
    and cls.__module__.startswith("tfx_extras.")
    and not is_typeddict(cls)
]


class Rate(float):
    pass


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: losses.SigmoidFocalCrossentropy(gamma="2"),
            "Argument `gamma` of `SigmoidFocalCrossentropy` must be a number. "
            "Did you mean 2? Received: gamma='2' (of type str)",
        ),
        (
            lambda: losses.SigmoidFocalCrossentropy(from_logits=1),
            "must be True or False. Received: from_logits=1 (of type int)",
        ),
        (
            lambda: losses.SigmoidFocalCrossentropy(True),
            "`alpha` of `SigmoidFocalCrossentropy` must be a number or None. "
            "Received: alpha=True",
        ),
        (
            lambda: losses.Huber(delta=np.array(2.0)),
            "Did you mean float(delta)? Received: delta=array(2.) (of type ndarray)",
        ),
        (
            lambda: losses.TripletSemiHardLoss(distance_metric=lambda x: x),
            "must be a string or a function of 2 arguments",
        ),
        (
            lambda: losses.Huber(reduction=3),
            "`reduction` of `Huber` must be a string or None. Received: reduction=3",
        ),
        (
            lambda: optimizers.RAdam(use_ema="no"),
            "`use_ema` of `RAdam` must be True or False. Received: use_ema='no'",
        ),
        (
            lambda: optimizers.RAdam(weight_decay_exclude=["bias", 3]),
            "must be a list of strings. Received: weight_decay_exclude=['bias', 3]",
        ),
        (
            lambda: optimizers.Lookahead(3),
            "`inner_optimizer` of `Lookahead` must be an `Optimizer` or a string.",
        ),
        (
            lambda: optimizers.ParameterGroups("adam", {"bias": 3}),
            "must be a dictionary of dictionaries or `Optimizer`s. "
            "Received: groups={'bias': 3}",
        ),
        (
            lambda: optimizers.layer_wise_decay(3, 0.5),
            "`model` of `layer_wise_decay` must be a `Layer`. Received: model=3",
        ),
        (
            lambda: schedules.Sequential([1.0, "x"], [3]),
            "must be a list of `LearningRateSchedule`s or numbers.",
        ),
        (
            lambda: schedules.PiecewiseLinear([0, 1], "12"),
            "must be a list of numbers. Received: learning_rates='12'",
        ),
    ],
)
def test_a_wrong_type_is_named_with_its_argument_and_value(make, said):
    with pytest.raises(TypeError) as raised:
        make()
    assert said in str(raised.value)


def test_a_long_value_is_not_quoted_in_full():
    with pytest.raises(TypeError) as raised:
        losses.Huber(delta="x" * 100_000)
    assert len(str(raised.value)) < 300


def test_subclasses_integers_and_numbers_of_numpy_are_numbers():
    for number in (2, 2.0, np.float32(2), np.int64(2), np.float64(2), Rate(2)):
        assert losses.Huber(delta=number).delta == 2


def test_keras_finds_the_arguments_of_a_layer():
    layer = layers.ChunkedLinearCrossentropy(3, label_smoothing=0.1)
    assert layer.get_config()["label_smoothing"] == 0.1
    spec = inspect.getfullargspec(layers.ChunkedLinearCrossentropy.__init__)
    assert spec.args[:2] == ["self", "classes"]


def test_a_subclass_of_a_user_is_named_by_its_own_name():
    class Mine(optimizers.RAdam):
        pass

    with pytest.raises(TypeError, match="Argument `beta_1` of `Mine`"):
        Mine(beta_1="x")


def test_checked_constructors_keep_signature_and_objects_can_be_copied():
    names = list(inspect.signature(losses.Huber).parameters)
    assert names == ["delta", "kwargs"]
    for cls in (losses.Huber, optimizers.RAdam, layers.ChunkedLinearCrossentropy):
        assert cls.__init__.__name__ == "__init__"
        assert cls.__init__.__qualname__ == f"{cls.__name__}.__init__"
    schedule = schedules.WarmupCosine(0.5, 3, 10)
    assert pickle.loads(pickle.dumps(schedule))(3) == schedule(3)
    assert pickle.loads(pickle.dumps(losses.Huber.__init__)) is losses.Huber.__init__


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_an_object_may_be_made_in_a_graph(jit_compile):
    import tensorflow as tf

    @tf.function(jit_compile=jit_compile)
    def loss(x):
        return losses.Huber(delta=2.0)(x, x + 1)

    assert float(loss(tf.ones((2, 3)))) == 0.5


@pytest.mark.only("torch")
def test_an_object_may_be_made_in_what_torch_compiles():
    import torch

    compiled = torch.compile(
        lambda x: x * losses.Huber(delta=2.0).delta, backend="eager"
    )
    assert float(compiled(torch.ones(()))) == 2


@pytest.mark.parametrize(
    "cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}"
)
def test_an_unknown_argument_is_said_to_be_of_the_class(cls):
    with pytest.raises(TypeError, match=f"`{cls.__name__}` has no argument `xyzzy`"):
        cls(xyzzy=1)


@pytest.mark.parametrize(
    ("cls", "given", "meant"),
    [
        (losses.SigmoidFocalCrossentropy, "gama", "`gamma`"),
        (losses.SigmoidFocalCrossentropy, "smoothing", "`label_smoothing`"),
        (losses.CategoricalFocalCrossentropy, "ignore_index", "`ignore_class`"),
        (losses.Huber, "reductoin", "`reduction`"),
        (optimizers.RAdam, "lr", "`learning_rate`"),
        (optimizers.RAdam, "weight_decya", "`weight_decay`"),
        (optimizers.RAdam, "betas", "`beta_1` or `beta_2`"),
        (optimizers.RAdam, "beta1", "`beta_1`"),
        (optimizers.RAdam, "Beta_2", "`beta_2`"),
        (schedules.Cyclical, "stepsize", "`step_size`"),
        (optimizers.RAdam, "exclude_from_weight_decay", "`weight_decay_exclude`"),
        (optimizers.LAMB, "exclude_from_weight_decay", "`weight_decay_exclude`"),
        (optimizers.Yogi, "momentum", "`beta_1`"),
        (optimizers.RAdam, "eps", "`epsilon`"),
        (optimizers.RAdam, "global_clip_norm", "`global_clipnorm`"),
        (optimizers.Ranger, "lr", "`learning_rate`"),
        (optimizers.Lookahead, "k", "`sync_period`"),
        (schedules.WarmupCosine, "warmup", "`warmup_steps`"),
        (schedules.OneCycle, "max_lr", "`peak_learning_rate`"),
        (schedules.PiecewiseLinear, "milestones", "`boundaries`"),
        (layers.ChunkedLinearCrossentropy, "num_classes", "`classes`"),
        # Letters of papers, and names of other packages for losses
        (losses.IPOLoss, "tau", "`beta`"),
        (losses.ORPOLoss, "lambda", "`beta`"),
        (losses.SimPOLoss, "gamma", "`margin`"),
        (losses.AsymmetricLoss, "gamma_pos", "`gamma_positive`"),
        (losses.BarlowTwinsLoss, "lambd", "`off_diagonal`"),
        (losses.TweedieLoss, "p", "`power`"),
        (losses.EarthMoverLoss, "p", "`r`"),
        (losses.LovaszSoftmaxLoss, "activation", "`from_logits`"),
        (losses.EvidentialLoss, "coeff", "`coefficient`"),
        (layers.CosineDense, "tau", "`merge_weight`"),
        (layers.CosineDense, "reg_weight", "`merge_weight`"),
        (layers.Coral, "num_classes", "`classes`"),
        (layers.Coral, "preinit_bias", "`bias_initializer`"),
        (callbacks.SwapAverage, "swap_on_epochs", "`swap_on_epoch`"),
        # Names of timm, Optax, PyTorch, pytorch_optimizer, Keras and the authors
        (optimizers.AdamW, "no_weight_decay_list", "`weight_decay_exclude`"),
        (optimizers.AdamW, "cautious_wd", "`cautious_decay`"),
        (optimizers.AdamW, "use_gc", "`centralize_gradient`"),
        (optimizers.AdamW, "agc", "`adaptive_clip`"),
        (optimizers.AdamW, "lookahead", "`tfx_extras.optimizers.Lookahead`"),
        (optimizers.AdamW, "warmup_steps", "`tfx_extras.schedules.Warmup`"),
        (optimizers.LARS, "eta", "`trust_coefficient`"),
        (optimizers.LARS, "trust_ratio_mask", "`layer_adaptation_exclude`"),
        (optimizers.LAMB, "trust_clip", "`max_trust_ratio`"),
        (optimizers.SOAP, "max_precond_dim", "`max_size`"),
        (optimizers.SOAP, "precondition_frequency", "`frequency`"),
        (optimizers.SOAP, "shampoo_beta", "`basis_beta`"),
        (optimizers.ADOPT, "clip_lambda", "`clip_power`"),
        (
            optimizers.ADOPT,
            "decouple",
            "`weight_decay`, which is decoupled except where the formula contains it",
        ),
        (optimizers.AdEMAMix, "t_alpha_beta3", "`warmup_steps`"),
        (optimizers.Adan, "no_prox", "`proximal`, which means the opposite"),
        (optimizers.Muon, "adjust_lr_fn", "`scale`"),
        (optimizers.Muon, "exclude_layers", "`adam_exclude`"),
        (optimizers.Muon, "beta", "`momentum`"),
        (optimizers.Muon, "beta2", "`variance_beta` or `adam_beta_2`"),
        (
            optimizers.Muon,
            "adamw_lr",
            "`adam_learning_rate_factor`, a factor of `learning_rate`",
        ),
        (optimizers.Prodigy, "estim_lr_coef", "`d_coef`"),
        (optimizers.ScheduleFree, "momentum", "`beta`"),
        (optimizers.Lookahead, "alpha", "`slow_step_size`"),
        (optimizers.Ranger, "k", "`sync_period`"),
        (optimizers.SWA, "swa_freq", "`period`"),
        (optimizers.MovingAverage, "inv_gamma", "`warmup_gamma`"),
        (optimizers.MovingAverage, "beta", "`decay`"),
        (models.SharpnessAware, "radius", "`rho`"),
        (schedules.WarmupCosine, "t_initial", "`decay_steps`"),
        (schedules.WarmupCosine, "warmup_lr_init", "`initial_learning_rate`"),
        (schedules.WarmupCosine, "warmup_target", "`peak_learning_rate`"),
        (
            schedules.WarmupCosine,
            "alpha",
            "`end_learning_rate`, which is not a ratio",
        ),
        (schedules.Polynomial, "final_learning_rate", "`end_learning_rate`"),
        (schedules.OneCycle, "pct_start", "`warmup_fraction`"),
        (tfa.losses.SigmoidFocalCrossEntropy, "gama", "`gamma`"),
        (tfa.optimizers.LAMB, "weight_decya", "`weight_decay`"),
        (tfa.optimizers.AdamW, "learning_rat", "`learning_rate`"),
        (tfa.optimizers.SWA, "averageperiod", "`average_period`"),
    ],
)
def test_an_unknown_argument_suggests_the_nearest(cls, given, meant):
    with pytest.raises(TypeError) as raised:
        cls(**{given: 1})
    assert f"has no argument `{given}`. Did you mean {meant}?" in str(raised.value)
    assert f"Received: {given}=1" in str(raised.value)


def test_a_near_name_that_means_something_else_is_not_suggested():
    with pytest.raises(
        TypeError, match=r"`momentum`\. Its arguments are: learning_rate, "
    ):
        # COCOB has no `momentum`; `ema_momentum` is another argument.
        optimizers.COCOB(momentum=0.9)
    with pytest.raises(TypeError, match=r"`maximize`\. Its arguments are: "):
        optimizers.SOAP(maximize=True)  # not `max_size`


@pytest.mark.only("torch")
def test_a_preset_passes_on_the_options_of_the_optimizer_that_it_makes():
    options = {"beta_1": 0.5, "amsgrad": True, "ema_momentum": 0.5, "clipnorm": 1.0}
    inner = optimizers.Ranger(**options).inner_optimizer
    assert inner.get_config().items() >= options.items()
    with pytest.raises(TypeError, match="`RAdam` has no argument `xyzzy`"):
        optimizers.Ranger(xyzzy=1)


def test_an_argument_without_a_near_one_shows_those_that_there_are():
    with pytest.raises(
        TypeError, match="Its arguments are: delta, name, reduction, dtype"
    ):
        losses.Huber(xyzzy=1)


def test_an_argument_of_the_wrapped_optimizer_is_sent_there():
    with pytest.raises(TypeError, match="Pass arguments of the wrapped optimizer to"):
        optimizers.Lookahead("adam", learning_rate=0.1)


def test_arguments_that_a_subclass_adds_are_known():
    class Mine(optimizers.Optimizer):
        def __init__(self, decays=1.0, **kwargs):
            super().__init__(0.1, **kwargs)

        def update(self, gradient, variable, coefficients, slots):
            return gradient, slots

    assert Mine(decays=2.0, clipnorm=1.0).clipnorm == 1
    with pytest.raises(
        TypeError, match=r"`Mine` has no argument `decys`\. Did you mean `decays`"
    ):
        Mine(decys=2.0)


def test_learning_rate_and_lr_are_one_in_tensorflow_addons():
    assert float(tfa.optimizers.RectifiedAdam(lr=0.5).learning_rate) == 0.5


@pytest.mark.parametrize(
    ("make", "cure"),
    [
        (lambda: optimizers.RAdam("1e-3"), "Did you mean 1e-3? Received"),
        (
            lambda: optimizers.RAdam(weight_decay_exclude="bias"),
            "must be a list of strings. Did you mean ['bias']? Received",
        ),
        (
            lambda: optimizers.Muon(ns_coefficients=(3.4, -4.7, 2.0)),
            "must be a string or a list of lists of numbers. "
            "Did you mean [(3.4, -4.7, 2.0)]? Received",
        ),
        (
            lambda: schedules.Sequential(0.1, [3]),
            "or numbers. Did you mean [0.1]? Received: schedules=0.1",
        ),
        (
            lambda: optimizers.Muon(layouts="io"),
            "must be a dictionary of strings or None, or None. Received",
        ),
        (lambda: optimizers.Muon(scale="original"), "Did you mean `spectral`?"),
        (
            lambda: optimizers.Lookahead(keras.optimizers.Adam),
            "Did you mean an instance, `Adam(...)`? Received",
        ),
        (
            lambda: losses.SmoothedCategoricalCrossentropy(label_smoothing=10),
            "label_smoothing=10. It is a fraction: for 10 %, give 0.1",
        ),
        (lambda: losses.PinballLoss(tau=95), "It is a fraction: for 95 %, give 0.95"),
        (
            lambda: optimizers.RAdam(schedules.WarmupCosine),
            "Did you mean an instance, `WarmupCosine(...)`? Received",
        ),
        (
            lambda: losses.SmoothedSparseCategoricalCrossentropy(
                class_weight={0: 1.0, 1: 20.0}
            ),
            "Did you mean [1.0, 20.0], in the order of the classes? Received",
        ),
        (lambda: optimizers.RAdam(Rate), "Did you mean an instance, `Rate(...)`? Rec"),
        (
            lambda: losses.TripletHardLoss(distance_metric="cosine"),
            "squared-L2, angular, or a function. Did you mean `angular`? Received",
        ),
        (
            lambda: schedules.Cyclical(0.1, 1, 2, scale="exp"),
            "Did you mean `exponential`? Received: scale=exp",
        ),
        (
            lambda: schedules.WarmupCosine(1.0, total_steps=100),
            "Did you mean `decay_steps`, which does not include the warm-up?",
        ),
        (
            lambda: losses.SigmoidFocalCrossentropy(pos_weight=3),
            "Did you mean `alpha`? Received: pos_weight=3",
        ),
        (
            lambda: losses.SparseCategoricalFocalCrossentropy()([0.5], [[0.1, 0.9]]),
            "Labels must be whole numbers. Received: y_true=[..., 0.5, ...]",
        ),
        (
            lambda: optimizers.layer_wise_decay(
                keras.Sequential([keras.layers.Dense(1)]), layers=["dense"]
            ),
            "Argument `layers` must be a list of layers",
        ),
        (
            lambda: losses.Huber()(None, np.ones(3)),
            "`y_true` must hold numbers. Received: y_true=None",
        ),
        (
            lambda: schedules.WarmupCosine(1e-3, 0.1, 90),
            "warmup_steps=0.1. For a fraction of the training, multiply it by",
        ),
    ],
)
def test_a_message_names_the_likely_cure(make, cure):
    with pytest.raises((TypeError, ValueError), match=re.escape(cure)):
        make()


def test_a_cure_is_suggested_only_where_it_fits():
    for weights in ({1: 5.0, 0: 1.0}, {0: 1.0, 2: 5.0}, {"a": 1.0}):
        with pytest.raises(TypeError) as raised:
            losses.SmoothedSparseCategoricalCrossentropy(class_weight=weights)
        assert ("Did you mean [1.0, 5.0]" in str(raised.value)) == (1 in weights)
    with pytest.raises(TypeError, match=r"a number\. Received: gamma=<class 'float'>"):
        losses.SigmoidFocalCrossentropy(gamma=float)
    with pytest.raises(TypeError, match=r"a number\. Received: gamma='nan'"):
        losses.SigmoidFocalCrossentropy(gamma="nan")
    with pytest.raises(TypeError, match=r"\. Received: layers='dense'"):
        optimizers.layer_wise_decay(keras.Sequential(), layers="dense")
    for wrong in (1.5, -1, 101):
        with pytest.raises(ValueError, match=f"label_smoothing={wrong}$"):
            losses.SmoothedCategoricalCrossentropy(label_smoothing=wrong)
    with pytest.raises(
        TypeError, match=r"or a function\. Received: learning_rate='no'"
    ):
        optimizers.RAdam("no")
    with pytest.raises(ValueError, match=r"warmup_steps=1\.5$"):
        schedules.WarmupCosine(1e-3, 1.5, 90)
