"""Objects are found by name, which Keras does only for its own."""

import keras
import pytest

from tests.cases import OPTIMIZERS
from tests.cases import each_class
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
        if isinstance(obj, type):
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


def test_what_is_no_name_and_no_object_is_refused():
    for wrong in (3, optimizers.AdaBelief, keras.layers.Dense(1).name.encode()):
        with pytest.raises(ValueError, match="Not a known form of optimizer"):
            optimizers.get(wrong)
    with pytest.raises(ValueError, match="Arguments go with a name only"):
        optimizers.get(optimizers.RAdam(), beta_1=0.5)
    with pytest.raises(ValueError, match="`huber` is a function"):
        losses.get("huber", delta=2.0)


def test_patterns_select_names_in_any_case():
    focal = losses.list("*focal*")
    assert focal
    assert all("focal" in name.lower() for name in focal)
    assert focal == losses.list("*FOCAL*")
    assert losses.list("nothing*") == []
