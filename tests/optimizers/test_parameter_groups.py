"""Rules for some of the weights."""

import json
import re

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import array
from tfx_extras.optimizers import AdaBelief
from tfx_extras.optimizers import Lookahead
from tfx_extras.optimizers import ParameterGroups
from tfx_extras.optimizers import RAdam
from tfx_extras.optimizers import layer_wise_decay

NAMES = ["encoder_kernel", "encoder_bias", "head_kernel", "head_bias"]
REST = {".*": {}}


def variables(dtype="float32"):
    start = np.linspace(0.5, 1, 6).reshape(2, 3)
    return [keras.Variable(start, dtype=dtype, name=name) for name in NAMES]


@pytest.fixture
def gradients():
    rng = np.random.default_rng(0)
    return rng.normal(size=(7, len(NAMES), 2, 3)).astype("float32")


def run(optimizer, gradients, dtype="float32"):
    weights = variables(dtype)
    for each in gradients:
        optimizer.apply([ops.convert_to_tensor(g) for g in each], weights)
    return dict(zip(NAMES, map(array, weights), strict=True))


def alone(optimizer, gradients, name, dtype="float32"):
    """What an optimizer makes of one of the variables, when it has no other."""
    index = NAMES.index(name)
    weights = variables(dtype)[index]
    for each in gradients:
        optimizer.apply([ops.convert_to_tensor(each[index])], [weights])
    return array(weights)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_each_variable_moves_as_its_rules_say(gradients, dtype):
    groups = {
        "encoder": {"learning_rate_multiplier": 0.5},
        "bias": {"weight_decay": 0.0},
        "head_kernel": keras.optimizers.SGD(0.25),
        "head": {"learning_rate_multiplier": 2, "weight_decay": 0.25},
    }
    optimizer = ParameterGroups(AdaBelief(0.01, weight_decay=0.5), groups)
    actual = run(optimizer, gradients, dtype)
    for name, expected in {
        "encoder_kernel": AdaBelief(0.005, weight_decay=0.5),
        "encoder_bias": AdaBelief(0.005),
        "head_kernel": keras.optimizers.SGD(0.5, weight_decay=0.25),
        "head_bias": AdaBelief(0.02),
    }.items():
        wanted = alone(expected, gradients, name, dtype)
        np.testing.assert_allclose(actual[name], wanted, rtol=1e-6)


@pytest.mark.parametrize(
    "inner",
    [
        lambda rate: keras.optimizers.Adam(rate),
        lambda rate: keras.optimizers.RMSprop(rate, momentum=0.9),
        lambda rate: Lookahead(RAdam(rate), sync_period=2),
    ],
    ids=["Adam", "RMSprop", "Lookahead"],
)
def test_multipliers_follow_numbers_schedules_and_callables(inner, gradients):
    decay = keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.02, 0.01])
    for rate, half in [
        (0.02, 0.01),
        (decay, keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.01, 0.005])),
        (lambda: 0.02, lambda: 0.01),
    ]:
        # Also where every variable has a rule: the schedule goes on.
        for rest in (REST, {"head": {"learning_rate_multiplier": 2.0}}):
            groups = {"encoder": {"learning_rate_multiplier": 0.5}, **rest}
            actual = run(ParameterGroups(inner(rate), groups), gradients)
            wanted = alone(inner(half), gradients, "encoder_bias")
            np.testing.assert_allclose(actual["encoder_bias"], wanted, rtol=1e-5)


def test_a_set_learning_rate_reaches_all(gradients):
    groups = {
        "head_bias": keras.optimizers.SGD(0.5),
        "head": {"learning_rate_multiplier": 0.1},
        **REST,
    }
    optimizer = ParameterGroups(keras.optimizers.SGD(1.0), groups)
    run(optimizer, gradients[:1])
    optimizer.learning_rate = 0.5
    assert array(optimizer.learning_rate) == 0.5
    (other,) = optimizer.rule_optimizers
    assert array(other.learning_rate) == 0.25
    optimizer.learning_rate = 0.0
    assert array(other.learning_rate) == 0.0
    optimizer.learning_rate = 1.0  # the ratio is remembered
    assert array(other.learning_rate) == 0.5
    still = ParameterGroups(
        keras.optimizers.SGD(0.0), {"head": keras.optimizers.SGD(0.5), **REST}
    )
    still.build(variables())
    with pytest.raises(ValueError, match="not 0 before"):
        still.learning_rate = 0.5
    assert [array(o.learning_rate) for o in still._all()] == [0.0, 0.5]


def test_a_rate_that_cannot_be_set_changes_none():
    decay = keras.optimizers.schedules.CosineDecay(0.1, 10)
    groups = {"head": keras.optimizers.SGD(decay), **REST}
    optimizer = ParameterGroups(keras.optimizers.SGD(1.0), groups)
    optimizer.build(variables())
    with pytest.raises(ValueError, match="all must be numbers"):
        optimizer.learning_rate = 0.5
    assert array(optimizer.learning_rate) == 1.0


def test_what_no_rule_covers_and_what_covers_nothing_is_reported(gradients):
    optimizer = ParameterGroups("sgd", {"head": {}})
    with pytest.warns(UserWarning, match=r"No rule .*encoder_kernel.*encoder_bias"):
        moved = run(optimizer, gradients)
    assert all((w != array(variables()[0])).all() for w in moved.values())
    optimizer = ParameterGroups("sgd", {"decoder": {}, **REST})
    with pytest.warns(UserWarning, match="'decoder' .*found in no path"):
        optimizer.build(variables())
    # Nor is an exclusion that is found elsewhere reported by each group.
    inner = RAdam(weight_decay=0.1, weight_decay_exclude=["encoder_bias"])
    groups = {"head": {"learning_rate_multiplier": 0.5}, **REST}
    ParameterGroups(inner, groups).build(variables())
    inner = RAdam(weight_decay=0.1, weight_decay_exclude=["gamma"])
    with pytest.warns(UserWarning, match="'gamma' is found in no path"):
        ParameterGroups(inner, groups).build(variables())


@pytest.mark.parametrize("scale", [None, 4.0])
def test_the_norm_of_all_gradients_is_clipped(gradients, scale):
    groups = {"head": {"learning_rate_multiplier": 0.5}, **REST}
    expected = run(keras.optimizers.SGD(0.1, global_clipnorm=0.5), gradients)
    inner = keras.optimizers.SGD(0.1, global_clipnorm=0.5, loss_scale_factor=scale)
    actual = run(ParameterGroups(inner, groups), gradients * (scale or 1))
    start = array(variables()[0])
    for name in NAMES:
        factor = 0.5 if "head" in name else 1
        wanted = start + factor * (expected[name] - start)
        np.testing.assert_allclose(actual[name], wanted, rtol=1e-5)
    inner = keras.optimizers.SGD(global_clipnorm=1.0, gradient_accumulation_steps=2)
    with pytest.raises(ValueError, match="accumulate them"):
        ParameterGroups(inner, {"head": keras.optimizers.SGD(), **REST})


def test_config_round_trip():
    decay = keras.optimizers.schedules.CosineDecay(0.1, 10)
    groups = {
        "head": {"learning_rate_multiplier": 0.5, "weight_decay": decay},
        "bias": {"weight_decay": None},
        "encoder": Lookahead(keras.optimizers.SGD(0.5)),
        **REST,
    }
    optimizer = ParameterGroups(RAdam(1e-3), groups)
    config = json.loads(json.dumps(keras.optimizers.serialize(optimizer)))
    assert config["registered_name"] == "tfx_extras>ParameterGroups"
    copy = keras.optimizers.deserialize(config)
    assert copy.get_config() == optimizer.get_config() == config["config"]
    assert list(copy.groups) == list(groups)
    assert copy.groups["head"]["weight_decay"].get_config() == decay.get_config()
    assert type(copy.groups["encoder"]["optimizer"]) is Lookahead


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"a": {"learning_rate": 1.0}}, r"groups\['a'\] .* learning_rate=1.0"),
        ({"a": {"learning_rate_multiplier": -1.0}}, r"multiplier'\]=-1.0"),
        ({"a": {"weight_decay": -1.0}}, r"weight_decay'\]=-1.0"),
        ({"a": {"learning_rate_multiplier": None}}, r"multiplier'\] must be a number"),
        ({"a": {"weight_decay": keras.losses.Dice()}}, r"decay'\] must be .* <.*dice"),
        ({"a": {"optimizer": "adam"}}, r"optimizer'\] must be .* Received: 'adam'"),
        ({"(": {}}, "no regular expression"),
    ],
)
def test_wrong_rules_are_named(groups, message):
    with pytest.raises(ValueError, match=message):
        ParameterGroups("sgd", groups)


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="put all rules in one"):
        ParameterGroups(Lookahead(ParameterGroups("sgd", REST)), REST)
    several = keras.optimizers.MultiOptimizer("sgd")
    with pytest.raises(ValueError, match="MultiOptimizer in rules"):
        ParameterGroups(several, REST)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    with pytest.raises(ValueError, match="LossScaleOptimizer"):
        ParameterGroups("sgd", {".*": scaled})


@pytest.mark.only("torch")
def test_gradients_that_are_missing_are_reported_once():
    weights = variables()
    optimizer = ParameterGroups("sgd", {"head": keras.optimizers.Adam(), **REST})
    optimizer.build(weights)
    gradient = ops.ones((2, 3))
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([gradient, gradient, None, None], weights)
    with pytest.raises(ValueError, match="No gradients provided"):
        optimizer.apply([None] * 4, weights)


# Layer-wise decay


def model():
    inner = keras.Sequential(
        [keras.layers.Dense(4, name="one"), keras.layers.Dense(4, name="two")],
        name="inner",
    )
    return keras.Sequential(
        [
            keras.Input((3,)),
            inner,
            keras.layers.ReLU(),
            keras.layers.LayerNormalization(name="norm"),
            keras.layers.Dense(2, name="head"),
        ]
    )


def multipliers(net, groups):
    """The multiplier of each variable, by the last two parts of its path."""
    found = {}
    for v in net.trainable_variables:
        (rule,) = (r for p, r in groups.items() if re.search(p, v.path))
        found["/".join(v.path.split("/")[-2:])] = rule["learning_rate_multiplier"]
    return found


def test_layers_learn_the_slower_the_deeper_they_are():
    net = model()
    found = multipliers(net, layer_wise_decay(net, 0.5))
    assert found == {
        "one/kernel": 0.125,
        "one/bias": 0.125,
        "two/kernel": 0.25,
        "two/bias": 0.25,
        "norm/gamma": 0.5,
        "norm/beta": 0.5,
        "head/kernel": 1.0,
        "head/bias": 1.0,
    }
    inner, _, norm, head = net.layers
    given = layer_wise_decay(net, 0.5, layers=[inner, [norm, head]])
    found = multipliers(net, given)
    assert {name: found[name] for name in ("one/bias", "two/bias", "norm/beta")} == {
        "one/bias": 0.5,
        "two/bias": 0.5,
        "norm/beta": 1.0,
    }
    rules = layer_wise_decay(net, 0.5) | {"bias": {"weight_decay": 0.0}}
    ParameterGroups("adam", rules).build(net.trainable_variables)


def test_layer_wise_decay_of_nothing_is_refused():
    with pytest.raises(ValueError, match="No layer of `empty`"):
        layer_wise_decay(keras.Sequential([keras.layers.Dense(2)], name="empty"))
    with pytest.raises(ValueError, match=r"decay=1\.5"):
        layer_wise_decay(model(), 1.5)


@pytest.mark.parametrize(
    "groups",
    [
        *(None, "", 1.5, {"x": {}}, [["x"]], [["x", 3]], [[{}, {}]], [["(", {}]]),
        *([["x", {"optimizer": 3}]], [["x", {"optimizer": None}]]),
    ],
)
def test_rules_of_a_configuration_that_are_none_are_refused(groups):
    config = ParameterGroups("sgd", {}).get_config()
    with pytest.raises(ValueError, match="groups"):
        ParameterGroups.from_config(config | {"groups": groups})
