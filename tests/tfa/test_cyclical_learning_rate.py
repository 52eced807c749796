"""The cyclical learning rates keep TensorFlow Addons' rates and files, not faults."""

import inspect
import json

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tfx_extras.tfa.optimizers.cyclical_learning_rate import CyclicalLearningRate
from tfx_extras.tfa.optimizers.cyclical_learning_rate import (
    ExponentialCyclicalLearningRate,
)
from tfx_extras.tfa.optimizers.cyclical_learning_rate import (
    Triangular2CyclicalLearningRate,
)
from tfx_extras.tfa.optimizers.cyclical_learning_rate import (
    TriangularCyclicalLearningRate,
)

TFA = inputs.Golden("tfa_schedules")
REQUIRED = inspect.Parameter.empty
RATES = [
    ("initial_learning_rate", REQUIRED),
    ("maximal_learning_rate", REQUIRED),
    ("step_size", REQUIRED),
]
SIGNATURES = {
    CyclicalLearningRate: [
        *RATES,
        ("scale_fn", REQUIRED),
        ("scale_mode", "cycle"),
        ("name", "CyclicalLearningRate"),
    ],
    TriangularCyclicalLearningRate: [
        *RATES,
        ("scale_mode", "cycle"),
        ("name", "TriangularCyclicalLearningRate"),
    ],
    Triangular2CyclicalLearningRate: [
        *RATES,
        ("scale_mode", "cycle"),
        ("name", "Triangular2CyclicalLearningRate"),
    ],
    ExponentialCyclicalLearningRate: [
        *RATES,
        ("scale_mode", "iterations"),
        ("gamma", 1.0),
        ("name", "ExponentialCyclicalLearningRate"),
    ],
}
CLASSES = {cls.__name__: cls for cls in SIGNATURES}
FIRST = [TFA.named(symbol)[-1] for symbol in CLASSES]
ULP = 2.0**-23


@keras.saving.register_keras_serializable("tests")
def registered(a):
    return inputs.waning(a)


def make(symbol, *arguments, **options):
    """A schedule of any of the classes."""
    if symbol == "CyclicalLearningRate":
        options = {"scale_fn": registered} | options
    return CLASSES[symbol](*arguments, **options)


def assert_is_as_recorded(schedule, name):
    expected = TFA.arrays[f"{name}/rates"][:50]
    rates = tools.array(schedule(np.arange(50)))
    tolerance = 16 * ULP * expected.max()
    np.testing.assert_allclose(rates, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("cls", SIGNATURES)
def test_arguments_have_the_order_and_defaults_of_tensorflow_addons(cls):
    parameters = inspect.signature(cls).parameters.values()
    assert [(p.name, p.default) for p in parameters] == SIGNATURES[cls]
    assert issubclass(cls, CyclicalLearningRate)
    assert keras.saving.get_registered_name(cls) == f"Addons>{cls.__name__}"


@pytest.mark.parametrize("name", TFA.cases)
def test_rates_are_those_of_tensorflow_addons(name):
    arguments = dict(TFA.cases[name]["arguments"])
    if "scale_fn" in arguments:
        arguments["scale_fn"] = registered
    assert_is_as_recorded(make(name.split(":")[0], **arguments), name)


@pytest.mark.parametrize("name", FIRST)
def test_a_configuration_of_tensorflow_addons_is_loaded(name):
    config = TFA.cases[name]["config"]
    assert config["module"].startswith("tensorflow_addons")
    schedule = keras.saving.deserialize_keras_object(
        config, custom_objects={"waning": inputs.waning}
    )
    assert type(schedule) is CLASSES[name.split(":")[0]]
    assert_is_as_recorded(schedule, name)


@pytest.mark.parametrize("name", FIRST)
def test_a_configuration_in_an_h5_file_of_tensorflow_addons_is_loaded(name):
    config = TFA.cases[name]["config"]
    arguments = dict(config["config"])
    if "scale_fn" in arguments:
        arguments["scale_fn"] = "tests>registered"
    config = {"class_name": config["registered_name"], "config": arguments}
    schedule = keras.optimizers.schedules.deserialize(config)
    assert_is_as_recorded(schedule, name)


def test_a_function_that_is_not_found_is_named():
    config = {"scale_fn": "tests>unknown", "step_size": 2}
    rates = {"initial_learning_rate": 0.1, "maximal_learning_rate": 0.7}
    with pytest.raises(ValueError, match=r"function.*scale_fn='tests>unknown'"):
        CyclicalLearningRate.from_config(config | rates)


@pytest.mark.parametrize("symbol", CLASSES)
@pytest.mark.parametrize("scale_mode", ["cycle", "iterations"])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_whole_rates_and_steps_are_as_good_as_floats(symbol, scale_mode, dtype):
    # In TensorFlow Addons, integer rates made all arithmetic integer, and integer steps
    # could not be raised to a power.
    whole = make(symbol, 0, 2, 5, scale_mode=scale_mode)
    floats = make(symbol, 0.0, 2.0, 5.0, scale_mode=scale_mode)
    with tools.wide():
        steps = ops.convert_to_tensor(np.arange(12), dtype)
        np.testing.assert_array_equal(
            tools.array(whole(steps)), tools.array(floats(np.arange(12.0)))
        )
    assert tools.array(whole(1)) > 0


@pytest.mark.parametrize("symbol", CLASSES)
def test_an_unknown_mode_is_refused(symbol):
    with pytest.raises(ValueError, match=r"one of cycle, iterations. .*=iteration"):
        make(symbol, 0.1, 0.7, 5, scale_mode="iteration")


@pytest.mark.parametrize("symbol", CLASSES)
def test_the_name_and_all_else_is_saved(symbol):
    schedule = make(symbol, 0.1, 0.7, 5, name="mine")
    config = json.loads(json.dumps(schedule.get_config()))
    assert list(config) == [name for name, _ in SIGNATURES[CLASSES[symbol]]]
    again = CLASSES[symbol].from_config(config)
    assert again.name == "mine"
    assert again.get_config() == schedule.get_config()


def test_a_lambda_is_run_and_loads_only_if_that_is_said_to_be_safe():
    schedule = CyclicalLearningRate(0.0, 1.0, 2, lambda cycle: 1 / cycle)
    assert tools.array(schedule(6)) == 0.5
    with pytest.warns(UserWarning, match="lambda"):
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(schedule)))
    with pytest.raises(ValueError, match="safe_mode"):
        keras.saving.deserialize_keras_object(config)
    again = keras.saving.deserialize_keras_object(config, safe_mode=False)
    assert tools.array(again(6)) == 0.5


def test_rates_may_be_tensors_and_not_functions():
    tensor = ops.convert_to_tensor(0.25)
    schedule = TriangularCyclicalLearningRate(tensor, np.float64(0.75), np.int64(4))
    np.testing.assert_array_equal(
        tools.array(schedule(np.arange(5))), [0.25, 0.375, 0.5, 0.625, 0.75]
    )
    assert json.loads(json.dumps(schedule.get_config())) == schedule.get_config()
    with pytest.raises(ValueError, match="`maximal_learning_rate` must be a number"):
        TriangularCyclicalLearningRate(0.1, lambda: 0.7, 4)


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ((-0.1, 0.7, 5), "initial_learning_rate=-0.1"),
        ((0.1, float("nan"), 5), "maximal_learning_rate=nan"),
        ((0.1, 0.7, 0), "step_size=0.0"),
        ((0.1, 0.7, "5"), "step_size='5'"),
        ((0.1, 0.7, 5, "cycle", 0), "gamma=0.0"),
        ((0.1, 0.7, 5, "cycle", 1.5), "gamma=1.5"),
    ],
)
def test_wrong_arguments_are_refused_by_name_and_value(arguments, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        ExponentialCyclicalLearningRate(*arguments)


@pytest.mark.parametrize("symbol", CLASSES)
def test_a_model_trains_with_it_and_keeps_it(symbol, tmp_path):
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    schedule = make(symbol, 0.01, 0.07, 3, scale_mode="iterations")
    model.compile(keras.optimizers.SGD(schedule), "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), batch_size=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    rate = tools.array(loaded.optimizer.learning_rate)
    assert rate == pytest.approx(float(tools.array(schedule(4))))
    assert rate != pytest.approx(0.01)
