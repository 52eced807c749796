"""The repr of an object is the call that makes it, and can be evaluated."""

import inspect
import re

import keras
import pytest

import tfx_extras
from tests.cases import LOSSES
from tests.cases import OPTIMIZERS
from tests.cases import SCHEDULES
from tests.cases import WRAPPERS
from tests.cases import each
from tests.cases import each_class
from tfx_extras import losses
from tfx_extras import optimizers
from tfx_extras import schedules
from tfx_extras import tfa

NAMES = {
    "keras": keras,
    **vars(keras.losses),
    **vars(keras.optimizers),
    **vars(keras.optimizers.schedules),
    **vars(losses),
    **vars(optimizers),
    **vars(schedules),
}


def configuration(obj):
    """The configuration as text, without the numbers that Keras adds to names."""
    return re.sub(r"'name': '(\w+?)_\d+'", r"'name': '\1'", repr(obj.get_config()))


def require_read_back(obj, **names):
    text = repr(obj)
    again = eval(text, NAMES | names)
    assert type(again) is type(obj)
    assert configuration(again) == configuration(obj)
    assert repr(again) == text


@each([*LOSSES, *OPTIMIZERS, *SCHEDULES, *WRAPPERS])
def test_what_is_shown_can_be_read_back(case):
    functions = {
        value.__name__: value
        for value in case.kwargs.values()
        if inspect.isfunction(value)
    }
    require_read_back(case.make(), **functions)


@each_class(OPTIMIZERS)
def test_changed_options_are_shown_and_read_back(case):
    for name, value in case.changes.items():
        optimizer = case.cls(0.5, **{name: value})
        assert f"{name}={value!r}" in repr(optimizer)
        require_read_back(optimizer)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: losses.Huber(), "Huber()"),
        (lambda: losses.Huber(2, name="mine"), "Huber(delta=2, name='mine')"),
        (lambda: losses.Huber(reduction=None), "Huber(reduction=None)"),
        (lambda: losses.Huber(dtype="float64"), "Huber(dtype='float64')"),
        (
            lambda: losses.Huber() + 0.5 * losses.SmoothL1(2.0),
            "CombinedLoss(losses=[Huber(), SmoothL1(beta=2.0)], weights=[1.0, 0.5])",
        ),
        (lambda: optimizers.RAdam(), "RAdam()"),
        (lambda: optimizers.RAdam(0.1), "RAdam(learning_rate=0.1)"),
        (lambda: optimizers.COCOB(), "COCOB()"),
        (
            lambda: optimizers.RAdam(
                schedules.Warmup(keras.optimizers.schedules.CosineDecay(0.1, 9), 3),
                weight_decay_exclude=["bias"],
                clipnorm=1,
            ),
            "RAdam(learning_rate=Warmup(schedule=CosineDecay("
            "initial_learning_rate=0.1, decay_steps=9), warmup_steps=3), "
            "weight_decay_exclude=['bias'], clipnorm=1.0)",
        ),
        (
            lambda: optimizers.Lookahead(keras.optimizers.Adam(1e-4), 5),
            "Lookahead(inner_optimizer=Adam(learning_rate=0.0001), sync_period=5)",
        ),
        (
            lambda: optimizers.ParameterGroups(
                "adamw",
                {"bias": {"weight_decay": 0.0}, "emb": optimizers.LazyAdam()},
            ),
            "ParameterGroups(inner_optimizer=keras.optimizers.AdamW(), "
            "groups={'bias': {'weight_decay': 0.0}, "
            "'emb': {'optimizer': LazyAdam()}})",
        ),
        (
            lambda: schedules.Sequential([schedules.Warmup(0.1, 3), 0.1], [5]),
            "Sequential(schedules=[Warmup(schedule=0.1, warmup_steps=3), 0.1], "
            "boundaries=[5])",
        ),
    ],
)
def test_arguments_are_shown_that_differ_from_their_defaults(make, text):
    assert repr(make()) == text
    require_read_back(make())


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: tfa.optimizers.Lookahead(keras.optimizers.SGD(0.1), 5),
            "Lookahead(optimizer=SGD(learning_rate=0.1), sync_period=5)",
        ),
        (
            lambda: tfa.optimizers.MovingAverage(optimizers.RAdam()),
            "MovingAverage(optimizer=RAdam())",
        ),
        (
            lambda: tfa.optimizers.SWA(tfa.optimizers.Lookahead("sgd"), 3),
            "SWA(optimizer=Lookahead(optimizer=SGD()), start_averaging=3)",
        ),
    ],
)
def test_wrappers_of_tensorflow_addons_show_the_optimizer_within(make, text):
    assert repr(make()) == text
    require_read_back(make(), **vars(tfa.optimizers))


def test_an_object_of_a_user_shows_arguments_of_its_own():
    class Mine(losses.Huber):
        def __init__(self, power=1.0, **kwargs):
            super().__init__(**kwargs)
            self.power = power

        def get_config(self):
            return super().get_config() | {"power": self.power}

    assert repr(Mine(power=3.0, delta=2.0)) == "Mine(power=3.0, delta=2.0)"


def test_a_function_is_shown_by_its_name_and_an_infinite_number_as_one():
    @keras.saving.register_keras_serializable("tests")
    def rate():
        return 0.1

    assert repr(optimizers.RAdam(rate)) == "RAdam(learning_rate=rate)"
    assert repr(optimizers.RAdam(lambda: 0.1)) == "RAdam(learning_rate=<lambda>)"
    text = tfx_extras._repr._text([float("inf"), -float("inf")])
    assert eval(text) == [float("inf"), -float("inf")]


def test_names_that_keras_counts_are_not_shown_and_those_of_users_are():
    inner = [keras.optimizers.Adam() for _ in range(2)][1]
    text = "Lookahead(inner_optimizer=Adam())"
    assert repr(optimizers.Lookahead(inner)) == text
    assert "name='adam_mine'" in repr(
        optimizers.Lookahead(keras.optimizers.Adam(name="adam_mine"))
    )


def test_what_is_not_yet_made_is_shown_without_arguments():
    unmade = optimizers.RAdam.__new__(optimizers.RAdam)
    assert "RAdam object at" in repr(unmade)


def test_a_rate_that_was_set_is_shown():
    optimizer = optimizers.RAdam(0.1)
    optimizer.learning_rate = 0.3
    assert repr(optimizer) == "RAdam(learning_rate=0.3)"
