"""Parameter groups: rules for some of the weights."""

import json
import re

import keras
import numpy as np
import pytest
from keras import ops

from tests.tools import BACKEND
from tests.tools import array
from tfx_extras.optimizers import LAMB
from tfx_extras.optimizers import AdaBelief
from tfx_extras.optimizers import ConditionalGradient
from tfx_extras.optimizers import LazyAdam
from tfx_extras.optimizers import Lookahead
from tfx_extras.optimizers import Optimizer
from tfx_extras.optimizers import ParameterGroups
from tfx_extras.optimizers import RAdam
from tfx_extras.optimizers import layer_wise_decay

NAMES = ["encoder_kernel", "encoder_bias", "head_kernel", "head_bias"]
REST = {".*": {}}
# Subsets for backend-independent tests where compiling takes long.
SOME = slice(None if BACKEND == "torch" else 1)


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
    """What an optimizer makes of one of the variables, if it has no other."""
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
    ][SOME],
    ids=["Adam", "RMSprop", "Lookahead"][SOME],
)
def test_multipliers_follow_numbers_schedules_and_callables(inner, gradients):
    decay = keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.02, 0.01])
    for rate, half in [
        (0.02, 0.01),
        (decay, keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.01, 0.005])),
        (lambda: 0.02, lambda: 0.01),
    ]:
        # The schedule also continues where every variable has a rule.
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
    saved = keras.optimizers.serialize(optimizer)
    loaded = keras.optimizers.deserialize(json.loads(json.dumps(saved)))
    for each in (optimizer, loaded):
        each.learning_rate = 1.0  # the ratio is remembered
        (other,) = each.rule_optimizers
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
    with pytest.warns(UserWarning, match="'decoder' .*matches no variable"):
        optimizer.build(variables())
    # An exclusion that matches in one group is not reported by the others.
    inner = RAdam(weight_decay=0.1, weight_decay_exclude=["encoder_bias"])
    groups = {"head": {"learning_rate_multiplier": 0.5}, **REST}
    ParameterGroups(inner, groups).build(variables())
    inner = RAdam(weight_decay=0.1, weight_decay_exclude=["head_bias"])
    ParameterGroups(inner, {"head": keras.optimizers.SGD(), **REST}).build(variables())
    inner = RAdam(weight_decay=0.1, weight_decay_exclude=["gamma"])
    with pytest.warns(UserWarning, match="'gamma' matches no variable"):
        ParameterGroups(inner, groups).build(variables())


@pytest.mark.parametrize("scale", [None, 4.0])
@pytest.mark.parametrize("several", [False, True])
def test_the_norm_of_all_gradients_is_clipped(gradients, several, scale):
    slow = {"learning_rate_multiplier": 0.5}
    groups = {"head": keras.optimizers.SGD(0.05) if several else slow, **REST}
    expected = run(keras.optimizers.SGD(0.1, global_clipnorm=0.5), gradients)
    inner = keras.optimizers.SGD(0.1, global_clipnorm=0.5, loss_scale_factor=scale)
    actual = run(ParameterGroups(inner, groups), gradients * (scale or 1))
    start = array(variables()[0])
    for name in NAMES:
        factor = 0.5 if "head" in name else 1
        wanted = start + factor * (expected[name] - start)
        np.testing.assert_allclose(actual[name], wanted, rtol=1e-5)
    inner = keras.optimizers.SGD(global_clipnorm=1.0, gradient_accumulation_steps=2)
    with pytest.raises(ValueError, match="while some of several"):
        ParameterGroups(inner, {"head": keras.optimizers.SGD(), **REST})


class Descent(Optimizer):
    """Subtracts the gradient that it is given."""

    def update(self, gradient, variable, coefficients, slots):
        return gradient, ()


@pytest.mark.only("tensorflow", "torch")
@pytest.mark.parametrize("seed", range(8))
def test_the_norm_of_all_gradients_is_clipped_once(seed):
    # A norm that was clipped in float32 may be rounded above the limit again.
    rng = np.random.default_rng(seed)
    dtypes = {"encoder": "float32", "head": "float64", "other": "float32"}
    weights = [keras.Variable([0.0] * 3, dtype=d, name=n) for n, d in dtypes.items()]
    grads = [rng.normal(size=3).astype(d) for d in dtypes.values()]
    grads[-1] *= 0
    inner = Descent(1.0, global_clipnorm=0.25)
    optimizer = ParameterGroups(inner, {"other": keras.optimizers.SGD(), **REST})
    optimizer.apply([ops.convert_to_tensor(g) for g in grads], weights)
    norm = np.sqrt(sum(np.sum(g.astype("float64") ** 2) for g in grads))
    np.testing.assert_allclose(array(weights[1]), -grads[1] * 0.25 / norm, rtol=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_optimizers_of_keras_are_clipped_once_too(seed):
    gradient = ops.convert_to_tensor(
        np.random.default_rng(seed).normal(size=64), "float32"
    )
    moved = []
    for kind in keras.optimizers.SGD, Descent:
        weights = [
            keras.Variable([0.0] * 64, name="w"),
            keras.Variable([0.0], name="other"),
        ]
        rules = {"other": keras.optimizers.SGD(), **REST}
        optimizer = ParameterGroups(kind(1.0, global_clipnorm=0.25), rules)
        optimizer.apply([gradient, ops.zeros(1)], weights)
        moved.append(array(weights[0]))
    np.testing.assert_array_equal(*moved)


@pytest.mark.parametrize("kind", [keras.optimizers.SGD, Descent])
def test_used_alone_the_inner_optimizer_clips_by_its_norm_again(kind):
    weight, other = (
        keras.Variable([0.0] * 4, name="w"),
        keras.Variable([0.0], name="other"),
    )
    inner = kind(1.0, global_clipnorm=0.5)
    rules = {"other": keras.optimizers.SGD(), **REST}
    ParameterGroups(inner, rules).apply([ops.ones(4), ops.ones(1)], [weight, other])
    before = array(weight)
    inner.apply([ops.ones(4)], [weight])
    np.testing.assert_allclose(array(weight) - before, -0.25, rtol=1e-6)


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
        (
            {"a": {"learning_rate": 10}},
            "mean `learning_rate_multiplier`. That multiplies the learning rate",
        ),
        ({"a": {"lr_multiplier": 10}}, r"mean `learning_rate_multiplier`\?"),
        ({"a": {"lr": 10}}, r"mean `learning_rate_multiplier`\?"),
        ({"a": {"decay": 10}}, r"Did you mean `weight_decay`\? Received"),
        ({"a": {"learning_rate_multiplier": -1.0}}, r"multiplier'\]=-1.0"),
        ({"a": {"weight_decay": -1.0}}, r"weight_decay'\]=-1.0"),
        ({"(": {}}, "not a regular expression"),
    ],
)
def test_wrong_rules_are_named(groups, message):
    with pytest.raises(ValueError, match=message):
        ParameterGroups("sgd", groups)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"learning_rate_multiplier": None}, r"multiplier'\] must be a number"),
        ({"learning_rate_multiplier": "10"}, r"must be a number. Received: '10'"),
        ({"learning_rate_multiplier": True}, r"must be a number. Received: True"),
        ({"weight_decay": "0.1"}, r"decay'\] must be a number, a .* Received: '0.1'"),
        ({"weight_decay": keras.losses.Dice()}, r"decay'\] must be .* <.*dice"),
        ({"optimizer": "adam"}, r"optimizer'\] must be .* Received: 'adam'"),
        ({"variables": keras.layers.Dense(1)}, "such as `layer.trainable_variables`"),
        ({"variables": [1.5]}, r"'variables'\] must be a list of variables"),
        ({"variables": ["head"]}, r"selects by path. .*\['variables'\]\[0\]='head'"),
        ({"variables": [0]}, r"\['variables'\]\[0\]=0"),
    ],
)
def test_rules_of_a_wrong_type_are_named(rule, message):
    with pytest.raises(TypeError, match=rf"groups\['a'\].*{message}"):
        ParameterGroups("sgd", {"a": rule})


@pytest.mark.parametrize("key", [0, keras.layers.Dense(1, name="head")])
def test_keys_that_are_no_regular_expressions_are_named(key):
    said = "`groups` must be strings: regular expressions .* Received: (0|<Dense)"
    with pytest.raises(TypeError, match=said):
        ParameterGroups("sgd", {key: {"learning_rate_multiplier": 0.1}})


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="put all rules in one"):
        ParameterGroups(Lookahead(ParameterGroups("sgd", REST)), REST)
    several = keras.optimizers.MultiOptimizer("sgd")
    with pytest.raises(ValueError, match="MultiOptimizer in rules instead"):
        ParameterGroups(several, REST)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    with pytest.raises(ValueError, match="LossScaleOptimizer"):
        ParameterGroups("sgd", {".*": scaled})
    two = {"gradient_accumulation_steps": 2}
    clipped = {"global_clipnorm": 1.0}
    for inner, other in [(clipped | two, {}), (clipped, two)]:
        inner, other = (keras.optimizers.SGD(**options) for options in (inner, other))
        with pytest.raises(ValueError, match="while some of several"):
            ParameterGroups(inner, {"head": other, **REST})
    for inner, other in [(two, {}), ({}, two)]:
        inner, other = (keras.optimizers.SGD(**options) for options in (inner, other))
        groups = ParameterGroups(inner, {"head": other, **REST})
        with pytest.raises(ValueError, match=r"agree on .*steps=\[.*2.*\]"):
            Lookahead(groups)


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
    """The multiplier of each variable, by the last two components of its path."""
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
    with pytest.raises((TypeError, ValueError), match="groups"):
        ParameterGroups.from_config(config | {"groups": groups})


# Several optimizers that look like one


def test_multipliers_and_decays_have_the_state_of_the_inner_optimizer_alone():
    inner, alone = RAdam(0.1), RAdam(0.1)
    groups = {"head": {"learning_rate_multiplier": 0.5}, "bias": {"weight_decay": 0.1}}
    optimizer = ParameterGroups(inner, groups | REST)
    weights = variables()
    optimizer.build(weights)
    alone.build(weights)
    sizes = [[v.shape for v in o.variables] for o in (inner, alone)]
    assert sizes[0] == sizes[1]
    # The iterations and the learning rate.
    assert len(optimizer.variables) == len(inner.variables) + 2
    # Callbacks would take it for another optimizer.
    assert not hasattr(optimizer, "optimizers")


OTHERS = [
    lambda: keras.optimizers.Nadam(0.01),
    lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    lambda: keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    lambda: keras.optimizers.Ftrl(0.01),
    lambda: Lookahead(RAdam(0.01), 2),
]


@pytest.mark.parametrize("make", OTHERS[SOME])
def test_any_optimizer_takes_rates_and_decays_of_single_variables(make, gradients):
    groups = {
        "encoder": {"learning_rate_multiplier": 0.5},
        "bias": {"weight_decay": 0.5},
        **REST,
    }
    actual = run(ParameterGroups(make(), groups), gradients)
    for name in NAMES:
        expected = make()
        last = getattr(expected, "inner_optimizer", expected)
        last.weight_decay = 0.5 if "bias" in name else None
        if "encoder" in name:
            expected.learning_rate = 0.005
        wanted = alone(expected, gradients, name)
        np.testing.assert_allclose(actual[name], wanted, rtol=2e-6, err_msg=name)


def test_decays_of_a_rule_may_be_a_schedule_for_any_optimizer(gradients):
    decay = keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.5, 0.0])
    groups = {"bias": {"weight_decay": decay}, **REST}
    make = (keras.optimizers.SGD, RAdam)
    for cls in make:
        optimizer = ParameterGroups(cls(0.1), groups)
        still = run(optimizer, 0 * gradients)
        factor = (1 - 0.1 * 0.5) ** 3
        start = array(variables()[0])
        np.testing.assert_allclose(still["head_bias"], factor * start, rtol=1e-6)
        np.testing.assert_array_equal(still["head_kernel"], start)


@pytest.mark.parametrize("cls", [keras.optimizers.AdamW, RAdam])
@pytest.mark.parametrize("within", [False, True])
def test_variables_excluded_from_decay_stay_excluded(cls, within):
    inner = cls(0.1, weight_decay=0.5)
    groups = {"head": {"learning_rate_multiplier": 0.5, "weight_decay": 0.25}, **REST}
    optimizer = ParameterGroups(inner, groups)
    target = inner if within else optimizer
    target.exclude_from_weight_decay(var_names=["bias"])
    still = run(optimizer, np.zeros((2, 4, 2, 3), "float32"))
    start = array(variables()[0])
    np.testing.assert_array_equal(still["head_bias"], start)
    np.testing.assert_array_equal(still["encoder_bias"], start)
    decayed = start * (1 - 0.1 * 0.5 * 0.25) ** 2
    np.testing.assert_allclose(still["head_kernel"], decayed, rtol=1e-6)


def test_no_clipping_is_a_norm_of_zero(gradients):
    inner = keras.optimizers.SGD(0.1, global_clipnorm=0.0)
    groups = {"head": keras.optimizers.SGD(0.1), **REST}
    actual = run(ParameterGroups(inner, groups), gradients)
    expected = run(keras.optimizers.SGD(0.1), gradients)
    for name in NAMES:
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-6)


def test_the_scale_of_the_loss_is_that_of_all(gradients):
    expected = run(keras.optimizers.SGD(0.1), gradients)
    inner = keras.optimizers.SGD(0.1, loss_scale_factor=8.0)
    groups = {"head": keras.optimizers.SGD(0.1), "bias": RAdam(0.1), **REST}
    optimizer = ParameterGroups(inner, groups)
    actual = run(optimizer, 8 * gradients)
    for name in ("encoder_kernel", "head_kernel"):
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-6)
    inner = keras.optimizers.SGD(0.1)
    optimizer = ParameterGroups(inner, {"head": keras.optimizers.SGD(0.1), **REST})
    inner.loss_scale_factor = 2.0  # set in whatever way
    again = run(optimizer, 2 * gradients)
    np.testing.assert_allclose(again["head_kernel"], expected["head_kernel"], rtol=1e-6)
    other = {"head": keras.optimizers.SGD(0.1, loss_scale_factor=4.0)}
    with pytest.raises(ValueError, match=r"loss_scale_factor=4\.0 of the rule"):
        ParameterGroups(keras.optimizers.SGD(0.1), other)


def test_unknown_variables_are_named_before_anything_changes():
    optimizer = ParameterGroups(RAdam(0.1), {"head": keras.optimizers.SGD(0.1), **REST})
    weights = variables()
    optimizer.build(weights)
    unknown = keras.Variable(np.ones((2, 3)), name="unknown")
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply([ops.ones((2, 3))] * 2, [weights[0], unknown])
    np.testing.assert_array_equal(array(weights[0]), array(variables()[0]))


def test_a_rate_times_its_factor_stays_in_the_interval_of_its_optimizer():
    inner = ConditionalGradient(0.5)
    with pytest.raises(ValueError, match=r"learning_rate=2\.0"):
        inner.learning_rate = 2.0
    optimizer = ParameterGroups(inner, {"head": {"learning_rate_multiplier": 1.5}})
    with pytest.warns(UserWarning, match="No rule"):
        optimizer.build(variables())
    with pytest.raises(ValueError, match=r"must be in \[0, 1\].*=1\.2"):
        optimizer.learning_rate = 0.8
    assert array(optimizer.learning_rate) == 0.5
    faster = {".*": {"learning_rate_multiplier": 3.0}}
    with pytest.raises(ValueError, match=r"=1\.5"):
        ParameterGroups(ConditionalGradient(0.5), faster).build(variables())


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("option", [{"global_clipnorm": 1e3}, {"skip_nonfinite": True}])
@pytest.mark.parametrize("others", [{}, {"bias": keras.optimizers.SGD}])
def test_lazy_adam_within_stays_lazy(option, others):
    import tensorflow as tf

    table = keras.Variable(np.ones((4, 2)), dtype="float32", name="table")
    bias = keras.Variable(np.ones(2), dtype="float32", name="bias")
    groups = {name: cls(0.1) for name, cls in others.items()}
    groups["table"] = {"learning_rate_multiplier": 2.0}
    optimizer = ParameterGroups(LazyAdam(0.1, **option), groups | REST)
    for rows in ([0, 1, 1], [1]):
        ones, shape = tf.ones((len(rows), 2)), tf.constant([4, 2])
        slices = tf.IndexedSlices(ones, tf.constant(rows), shape)
        optimizer.apply([slices, tf.ones(2)], [table, bias])
    moved = array(table)
    np.testing.assert_allclose(moved[0], 0.8, rtol=1e-5)  # momentum did not move it
    assert (moved[1] < 0.7).all()
    np.testing.assert_array_equal(moved[2:], 1)


# A variable's path, state and sharing during a model's life


def sequential(optimizer):
    keras.utils.set_random_seed(0)
    net = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(2)]
    )
    net.compile(optimizer(net), loss="mse")
    return net


def fit(net, epochs=2):
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    net.fit(x, x[:, :2], epochs=epochs, batch_size=4, shuffle=False, verbose=0)
    return [array(v) for v in [*net.variables, *net.optimizer.variables]]


LIVES = {
    "grouped": lambda net: ParameterGroups(
        RAdam(weight_decay=0.5, weight_decay_exclude=["sequential.*/dense.*/bias"]),
        {"sequential.*/.*kernel": {"learning_rate_multiplier": 0.5}, **REST},
    ),
    "layer_wise": lambda net: ParameterGroups("adamw", layer_wise_decay(net, 0.5)),
    "excluded": lambda net: RAdam(
        weight_decay=0.5, weight_decay_exclude=["sequential.*/dense.*/bias"]
    ),
    "adapted": lambda net: LAMB(layer_adaptation_exclude=["^sequential.*/.*bias"]),
}


@pytest.mark.parametrize("make", list(LIVES.values())[SOME], ids=list(LIVES)[SOME])
def test_a_reloaded_sequential_trains_on_bit_for_bit(make, tmp_path):
    """Its variables have shorter paths than the rules were written for."""
    net = sequential(make)
    fit(net)
    net.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.variables[0].path != net.variables[0].path
    again.save(tmp_path / "again.keras")
    twice = keras.saving.load_model(tmp_path / "again.keras")
    expected = fit(net)
    for other in (again, twice):
        for ours, theirs in zip(fit(other), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def towers():
    """A model of two models whose variables have equal paths."""
    outer = x = keras.Input((3,))
    for name in ("lower", "upper"):
        inner = y = keras.Input((3,))
        for layer in ("one", "two"):
            y = keras.layers.Dense(3, use_bias=False, name=layer)(y)
        x = keras.Model(inner, y, name=name)(x)
    return keras.Model(outer, keras.layers.Dense(2, use_bias=False, name="head")(x))


def test_layers_with_equal_paths_have_their_own_rates(tmp_path):
    net = towers()
    paths = [v.path for v in net.trainable_variables]
    assert len(set(paths)) < len(paths)
    make = ParameterGroups(keras.optimizers.SGD(1.0), layer_wise_decay(net, 0.5))
    unbuilt = ParameterGroups.from_config(make.get_config())
    with pytest.raises(ValueError, match="several variables"):
        unbuilt.build(net.trainable_variables)
    net.compile(make, loss="mse")
    make.build(net.trainable_variables)
    net.save(tmp_path / "model.keras")
    for each in (net, keras.saving.load_model(tmp_path / "model.keras")):
        weights = each.trainable_variables
        before = [array(v) for v in weights]
        each.optimizer.apply([ops.ones(v.shape) for v in weights], weights)
        moved = [(b - array(v)).mean() for b, v in zip(before, weights, strict=True)]
        np.testing.assert_allclose(moved, [0.0625, 0.125, 0.25, 0.5, 1], rtol=1e-5)


def test_a_rule_may_name_its_variables(gradients):
    weights = variables()
    groups = {"those": {"learning_rate_multiplier": 0, "variables": weights[1:3]}}
    optimizer = ParameterGroups(keras.optimizers.SGD(0.1), groups | REST)
    for each in gradients:
        optimizer.apply([ops.convert_to_tensor(g) for g in each], weights)
    start = array(variables()[0])
    are_still = [bool((array(v) == start).all()) for v in weights]
    assert are_still == [False, True, True, False]
    config = json.loads(json.dumps(keras.optimizers.serialize(optimizer)))
    again, others = keras.optimizers.deserialize(config), variables()
    again.apply([ops.ones((2, 3))] * 4, others)
    are_still = [bool((array(v) == start).all()) for v in others]
    assert are_still == [False, True, True, False]


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("is_built", [False, True])
def test_checkpoints_of_tensorflow_hold_all_of_the_state(is_built, gradients, tmp_path):
    import tensorflow as tf

    def made():
        groups = {
            "head": {"learning_rate_multiplier": 0.5},
            "encoder_bias": keras.optimizers.Adam(0.01),
            **REST,
        }
        weights = variables()
        optimizer = ParameterGroups(keras.optimizers.Adam(0.01), groups)
        saved = {f"w{i}": v.value for i, v in enumerate(weights)}
        return optimizer, weights, tf.train.Checkpoint(optimizer=optimizer, **saved)

    def train(optimizer, weights, some):
        for each in some:
            optimizer.apply([ops.convert_to_tensor(g) for g in each], weights)
        return [array(v) for v in weights]

    optimizer, weights, checkpoint = made()
    train(optimizer, weights, gradients[:3])
    path = checkpoint.write(str(tmp_path / "checkpoint"))
    expected = train(optimizer, weights, gradients[3:])
    optimizer, weights, checkpoint = made()
    if is_built:
        optimizer.build(weights)
    checkpoint.restore(path)
    actual = train(optimizer, weights, gradients[3:])
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_variables_of_grouped_and_nested_optimizers_have_paths_of_their_own():
    one, two = (keras.optimizers.Adam(name="same") for _ in range(2))
    groups = {"head": one, "bias": Lookahead(two), **REST}
    for optimizer in (
        ParameterGroups(Lookahead(Lookahead("adam")), groups),
        Lookahead(Lookahead(RAdam(name="lookahead"))),
    ):
        for _ in range(2):
            optimizer.build(variables())
            paths = [v.path for v in optimizer.variables]
            assert len(paths) == len(set(paths))
            config = keras.optimizers.serialize(optimizer)
            optimizer = keras.optimizers.deserialize(config)
