"""Wrappers find Keras's optimizers and those of this package by name."""

import keras
import pytest

from tfx_extras import optimizers
from tfx_extras.optimizers.wrappers._named import named


@pytest.mark.parametrize("name", ["adam", "Adam", "ADAMW", "sgd"])
def test_a_name_that_keras_knows_means_the_optimizer_of_keras(name):
    assert type(named(name)) is type(keras.optimizers.get(name))


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("RAdam", optimizers.RAdam),
        ("radam", optimizers.RAdam),
        ("tfx_extras>RAdam", optimizers.RAdam),
        ("TFX_Extras>radam", optimizers.RAdam),
        ("tfx_extras>AdamW", optimizers.AdamW),
    ],
)
def test_another_name_means_the_optimizer_of_this_package(name, cls):
    assert type(named(name)) is cls


def test_a_preset_is_made_with_its_defaults():
    ranger = named("ranger")
    assert type(ranger) is optimizers.Lookahead
    assert type(ranger.inner_optimizer) is optimizers.RAdam


def test_a_registered_optimizer_of_the_user_is_found_by_its_full_name():
    @keras.saving.register_keras_serializable("test_named")
    class Mine(keras.optimizers.SGD):
        pass

    assert type(named("test_named>Mine")) is Mine


def test_an_optimizer_and_its_configuration_are_taken():
    optimizer = optimizers.Yogi(0.5)
    assert named(optimizer) is optimizer
    again = named(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RAdm", " Did you mean `RAdam`?"),
        ("AdmaW", " Did you mean `AdamW`?"),
        ("RectifiedAdam", " Did you mean `RAdam`?"),
        ("xyzzy", ""),
    ],
)
def test_an_unknown_name_suggests_one_of_both(name, meant):
    with pytest.raises(ValueError, match="`optimizer`") as raised:
        named(name, "optimizer")
    assert str(raised.value) == (
        "Argument `optimizer` must be an optimizer, or the name of one of "
        f"`keras.optimizers` or `tfx_extras.optimizers`.{meant} "
        f"Received: optimizer={name!r}"
    )


def test_what_is_no_form_of_an_optimizer_is_refused_by_keras():
    with pytest.raises(ValueError, match="Could not interpret optimizer"):
        named(3)


def test_wrappers_take_names_of_both():
    adam = type(keras.optimizers.Adam())  # a subclass on PyTorch
    assert type(optimizers.Lookahead("adam").inner_optimizer) is adam
    groups = optimizers.ParameterGroups("radam", {})
    assert type(groups.inner_optimizer) is optimizers.RAdam
