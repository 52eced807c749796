"""Objects are found by name, which Keras does only for its own objects."""

import keras
import pytest

import tfx_extras
from tests.cases import OPTIMIZERS
from tests.cases import each_class
from tests.contracts.test_surface import PRESETS
from tests.contracts.test_surface import TOOLS
from tests.contracts.test_surface import WITHOUT_CLASSES
from tfx_extras import losses
from tfx_extras import optimizers
from tfx_extras import schedules


@pytest.mark.parametrize("package", [losses, optimizers, schedules])
def test_every_name_is_found_in_any_case_and_with_its_package(package):
    names = package.list()
    assert names == sorted(names)
    for name in names:
        obj = getattr(package, name)
        if isinstance(obj, type) or name in PRESETS:
            continue
        assert package.get(name) is obj
    assert set(names) == set(package.__all__) - TOOLS - WITHOUT_CLASSES


@each_class(OPTIMIZERS)
@pytest.mark.parametrize("form", ["{}", "tfx_extras>{}"])
@pytest.mark.parametrize("change", [str, str.lower, str.upper])
def test_a_class_name_gives_an_instance_with_the_arguments(case, form, change):
    name = change(form.format(case.cls.__name__))
    own, value = next(iter(case.changes.items()))
    optimizer = optimizers.get(name, learning_rate=0.5, **{own: value})
    assert type(optimizer) is case.cls
    assert optimizer.get_config()["learning_rate"] == 0.5
    assert getattr(optimizer, own) == value


@pytest.mark.parametrize(
    ("package", "cls", "arguments"),
    [
        (losses, losses.Huber, {"delta": 2.0}),
        (losses, keras.losses.Huber, {"delta": 2.0}),
        (optimizers, optimizers.RAdam, {"learning_rate": 0.5}),
        (schedules, schedules.Warmup, {"schedule": 0.1, "warmup_steps": 3}),
    ],
)
def test_a_class_gives_an_instance_with_the_arguments(package, cls, arguments):
    made = package.get(cls, **arguments)
    assert type(made) is cls
    assert made.get_config() == cls(**arguments).get_config()


@pytest.mark.only("torch")
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_gives_an_optimizer_by_its_name_and_by_itself(name):
    preset = getattr(optimizers, name)
    for form in (name, name.lower(), f"tfx_extras>{name}", preset):
        made = optimizers.get(form, 0.5, clipnorm=2.0)
        assert type(made) is type(preset())
        assert made.get_config() == preset(0.5, clipnorm=2.0).get_config()
    assert optimizers.get(name).get_config() == preset().get_config()


@pytest.mark.only("torch")
@pytest.mark.parametrize(
    ("package", "name", "arguments", "said"),
    [
        (
            optimizers,
            "schedulefree",
            {},
            "`ScheduleFree` needs the argument `inner_optimizer`, as in "
            "`optimizers.get('ScheduleFree', inner_optimizer=...)`.",
        ),
        (
            optimizers,
            "SWA",
            {"inner_optimizer": "sgd", "start": 1},
            "needs the argument `period`, as in `optimizers.get('SWA', ..., period=",
        ),
        (
            schedules,
            "REX",
            {},
            "arguments `initial_learning_rate`, `decay_steps`, as in `schedules.get('R",
        ),
    ],
)
def test_a_name_without_a_required_argument_says_what_to_write(
    package, name, arguments, said
):
    said = said.replace("arguments `i", "argument `i")
    with pytest.raises(TypeError) as raised:
        package.get(name, **arguments)
    assert said in str(raised.value)
    assert f"Received: arguments={[*arguments]}" in str(raised.value)


def test_arguments_need_no_names():
    assert optimizers.get("radam", 0.5).get_config()["learning_rate"] == 0.5
    assert schedules.get("Warmup", 0.1, 3).warmup_steps == 3
    with pytest.raises(ValueError, match="`huber` is a function"):
        losses.get("huber", 2.0)


def test_snake_and_camel_case_are_told_apart():
    assert losses.get("huber") is losses.huber
    assert type(losses.get("Huber")) is losses.Huber
    assert losses.get("tfx_extras>huber") is losses.huber


def test_a_configuration_an_instance_a_function_and_none_are_taken():
    optimizer = optimizers.AdaBelief(0.1)
    config = keras.optimizers.serialize(optimizer)
    assert optimizers.get(config).get_config() == optimizer.get_config()
    assert optimizers.get(optimizer) is optimizer
    assert losses.get(losses.huber) is losses.huber
    assert schedules.get(None) is None


@pytest.mark.parametrize(
    ("package", "name", "near"),
    [
        (optimizers, "AdaBelif", "`AdaBelief`"),
        (losses, "sigmoid_focal_cross_entropy", "`sigmoid_focal_crossentropy`"),
        (schedules, "CosineWarmup", "`WarmupCosine`|`warmup_cosine`"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(package, name, near):
    with pytest.raises(ValueError, match=f"'{name}'. Did you mean .*({near})"):
        package.get(name)
    with pytest.raises(ValueError, match=r"'xyzzy'. `list\(\)` returns all names"):
        package.get("xyzzy")


@pytest.mark.parametrize(
    ("package", "name", "meant"),
    [
        (losses, "focal", ["`SigmoidFocalCrossentropy`", "`sparse_categ"]),
        (losses, "FocalLoss", ["`SigmoidFocalCrossentropy`"]),
        (losses, "SupCon", ["`SupervisedContrastiveLoss`"]),
        (losses, "InfoNCE", ["`NTXentLoss`"]),
        (losses, "triplet", ["`TripletLoss`", "`TripletHardLoss`"]),
        (losses, "label_smoothing", ["`SmoothedCategoricalCrossentropy`"]),
        (optimizers, "RectifiedAdam", ["`RAdam`"]),
        (optimizers, "EMA", ["`MovingAverage`"]),
        (optimizers, "Frank-Wolfe", ["`ConditionalGradient`"]),
        (schedules, "WSD", ["`WarmupStableDecay`"]),
        (schedules, "cosine", ["`WarmupCosine`"]),
        (schedules, "CosineAnnealing", ["`WarmupCosine`"]),
        (optimizers, "AdamWScheduleFree", ["`ScheduleFreeAdamW`?"]),
        (optimizers, "sam", ["`tfx_extras.models.SharpnessAware`?"]),
        (optimizers, "warmup_cosine", ["`tfx_extras.schedules.WarmupCosine`?"]),
        (losses, "Muon", ["`tfx_extras.optimizers.Muon`?"]),
    ],
)
def test_a_part_of_a_name_and_what_others_call_it_are_understood(package, name, meant):
    with pytest.raises(ValueError, match=f"'{name}'. Did you mean") as raised:
        package.get(name)
    assert all(each in str(raised.value) for each in meant)


@pytest.mark.parametrize(
    ("package", "name", "place"),
    [
        (optimizers, "Nadam", "keras.optimizers.Nadam"),
        (optimizers, "adam", "keras.optimizers.Adam"),
        (losses, "mse", "keras.losses.mean_squared_error"),
        (losses, "mean_squared_error", "keras.losses.mean_squared_error"),
        (losses, "MeanSquaredError", "keras.losses.MeanSquaredError"),
        (schedules, "CosineDecay", "keras.optimizers.schedules.CosineDecay"),
    ],
)
def test_what_is_of_keras_is_said_to_be_there(package, name, place):
    with pytest.raises(ValueError, match=f"is part of Keras: `{place}`"):
        package.get(name)


def test_every_alias_names_something_that_there_is():
    from tfx_extras._suggest import ARGUMENTS
    from tfx_extras._suggest import OBJECTS

    known = {*losses.list(), *optimizers.list(), *schedules.list()}
    meant = {
        name for names in [*OBJECTS.values(), *ARGUMENTS.values()] for name in names
    }
    for name in {name for name in meant if "." in name}:
        package, _, own = name.partition(".")
        assert own in getattr(tfx_extras, package).__all__
    assert {
        name for names in OBJECTS.values() for name in names if "." not in name
    } <= known


def test_what_is_no_name_and_no_object_is_refused():
    for wrong in (3, int, losses.Huber, keras.layers.Dense(1).name.encode()):
        with pytest.raises(ValueError, match="Cannot interpret the optimizer"):
            optimizers.get(wrong)
    with pytest.raises(
        ValueError, match="Arguments can be given with a name or a class"
    ):
        optimizers.get(optimizers.RAdam(), beta_1=0.5)
    with pytest.raises(ValueError, match="`huber` is a function"):
        losses.get("huber", delta=2.0)


def test_patterns_select_names_in_any_case():
    focal = losses.list("*focal*")
    assert focal
    assert all("focal" in name.lower() for name in focal)
    assert focal == losses.list("*FOCAL*")
    assert losses.list("nothing*") == []


@pytest.mark.parametrize(
    ("package", "name", "hint"),
    [
        (losses, "SigmoidFocalCrossEntropy", "Did you mean `SigmoidFocalCrossentropy`"),
        (optimizers, "EMA", "Did you mean `MovingAverage`?"),
        (optimizers, "SAM", "Did you mean `tfx_extras.models.SharpnessAware`?"),
        (
            optimizers,
            "SharpnessAware",
            "Did you mean `tfx_extras.models.SharpnessAware`?",
        ),
        (optimizers, "plot", "Did you mean `tfx_extras.schedules.plot`?"),
        (
            schedules,
            "LRFinder",
            "Did you mean `tfx_extras.schedules.find_learning_rate`?",
        ),
        (optimizers, "Nadam", "`Nadam` is part of Keras: `keras.optimizers.Nadam`."),
        (schedules, "CosineWarmup", "Did you mean `WarmupCosine` or `warmup_cosine`?"),
    ],
)
def test_a_missing_attribute_is_an_error_that_suggests_names(package, name, hint):
    with pytest.raises(AttributeError) as raised:
        getattr(package, name)
    text = f"module '{package.__name__}' has no attribute '{name}'. {hint}"
    assert str(raised.value).startswith(text)
    assert not hasattr(package, "__wrapped__")
