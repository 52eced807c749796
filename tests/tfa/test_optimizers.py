"""Behavior specific to the optimizers with TensorFlow Addons names."""

import importlib
import inspect
import json
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tfx_extras import optimizers
from tfx_extras import tfa

DATA = Path(__file__).parent / "data"
CONFIGS = json.loads((DATA / "configs.json").read_text())
SIGNATURES = json.loads((DATA / "signatures.json").read_text())
MODULES = {name: own for name, own in SIGNATURES.items() if "." in name}
# These names are Keras 2's own, or belong to graph mode.
NOT_OURS = {
    *("average_op", "create_optimizer_spec", "maybe_initialize_optimizer_spec"),
}


def plain(default):
    if default is inspect.Parameter.empty:
        return "required"
    return default


@pytest.mark.parametrize("module", SIGNATURES)
def test_everything_is_there_and_called_as_it_was(module):
    ours = importlib.import_module(f"tfx_extras.tfa.{module}")
    for name, theirs in SIGNATURES[module].items():
        found = getattr(ours, name)
        if theirs is None:
            continue
        if theirs["registered"].startswith("Addons>"):
            assert keras.saving.get_registered_name(found) == theirs["registered"]
        assert called(found) == tuples(theirs["signature"]), name
        for method, signature in theirs.get("methods", {}).items():
            if method in NOT_OURS:
                continue
            assert hasattr(found, method), (name, method)
            if signature and method not in ("apply_gradients", "call"):
                assert called(getattr(found, method)) == tuples(signature), method


def called(function):
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind.name, plain(p.default)) for p in parameters]


def tuples(signature):
    return [tuple(parameter) for parameter in signature]


def test_packages_hold_what_those_of_tensorflow_addons_held():
    for package in (tfa.losses, tfa.optimizers):
        name = package.__name__.removeprefix("tfx_extras.tfa.")
        assert set(package.__all__) == SIGNATURES[name].keys()


def test_docstrings_say_what_each_argument_means():
    for package in (tfa.losses, tfa.optimizers):
        for name in set(package.__all__) - {"KerasLegacyOptimizer"}:
            doc = inspect.getdoc(getattr(package, name))
            assert len(doc.splitlines()[0]) <= 88, name
            for argument in inspect.signature(getattr(package, name)).parameters:
                assert f"{argument}:" in doc, (name, argument)


@pytest.mark.only("torch")
@pytest.mark.parametrize(
    "config",
    [config for config in CONFIGS if "optimizers" in config["module"]],
    ids=lambda config: config["class_name"],
)
def test_configurations_of_tensorflow_addons_load(config):
    optimizer = keras.saving.deserialize_keras_object(config)
    assert type(optimizer) is getattr(tfa.optimizers, config["class_name"])
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(optimizer)
    )
    assert again.get_config() == optimizer.get_config()
    ours = optimizer.get_config()
    for key, value in config["config"].items():
        if key.startswith("exclude"):
            value = value or []
        if not isinstance(value, dict):  # a schedule or an optimizer
            assert ours[key] == value, key


def moved(optimizer, steps=3, start=(1.0, -2.0)):
    w = keras.Variable(np.array(start, "float32"))
    for _ in range(steps):
        optimizer.apply([ops.convert_to_tensor(w) * 2], [w])
    return tools.array(w)


RATED = [
    *(tfa.optimizers.RectifiedAdam, tfa.optimizers.AdaBelief, tfa.optimizers.LAMB),
    *(tfa.optimizers.LazyAdam, tfa.optimizers.NovoGrad, tfa.optimizers.Yogi),
    *(tfa.optimizers.ProximalAdagrad, tfa.optimizers.ConditionalGradient),
]


@pytest.mark.parametrize("cls", RATED)
def test_a_rate_may_be_an_integer_and_called_lr(cls):
    assert float(cls(1).learning_rate) == 1
    optimizer = cls(learning_rate=1, lr=0.5)
    assert float(optimizer.lr) == 0.5
    optimizer.lr = 0.25
    assert float(optimizer.learning_rate) == 0.25
    with pytest.raises(TypeError, match="learning_rat"):
        cls(1.0, learning_rat=2.0)


def test_time_decay_is_of_the_rate():
    decayed = moved(tfa.optimizers.SGDW(0.0, 0.125, decay=0.5))
    w = np.array([1.0, -2.0])
    for step in range(3):
        w = w - 0.125 / (1 + 0.5 * step) * 2 * w
    np.testing.assert_allclose(decayed, w, rtol=1e-6)


def test_the_decay_does_not_know_the_learning_rate():
    for decay in (0.25, lambda: 0.25):
        w = moved(tfa.optimizers.SGDW(decay, 0.0))
        np.testing.assert_allclose(w, [0.75**3, -2 * 0.75**3], rtol=1e-6)
    falling = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.25])
    w = moved(tfa.optimizers.AdamW(falling, 0.0))
    np.testing.assert_allclose(w, [0.5 * 0.75**2, -(0.75**2)], rtol=1e-6)


def test_chosen_variables_decay():
    for chosen, left in (([], (1, 1)), (None, (0.5, 0.5)), ([0], (0.5, 1))):
        v = [keras.Variable([1.0], name=name) for name in "ab"]
        optimizer = tfa.optimizers.SGDW(0.5, 0.0)
        zeros = [ops.zeros(1)] * 2
        chosen = chosen if chosen is None else [v[i] for i in chosen]
        optimizer.apply_gradients(zip(zeros, v, strict=True), decay_var_list=chosen)
        assert tuple(float(tools.array(x)[0]) for x in v) == left
        # The list applies only to that call.
        optimizer.apply_gradients(zip(zeros, v, strict=True))
        assert tuple(float(tools.array(x)[0]) for x in v) == tuple(x / 2 for x in left)


def test_excluded_variables_do_not_decay():
    v = [keras.Variable([1.0], name=name) for name in ("kernel", "bias")]
    optimizer = tfa.optimizers.SGDW(0.5, 0.0, exclude_from_weight_decay=["bias"])
    optimizer.apply([ops.zeros(1)] * 2, v)
    assert [float(tools.array(x)[0]) for x in v] == [0.5, 1]


def pair(*names):
    """Two variables, with different names or the same."""
    return [keras.Variable([1.0], name=name) for name in names]


def values(variables):
    return [float(tools.array(v)[0]) for v in variables]


DECAYING = {
    "SGDW": tfa.optimizers.SGDW,
    "AdamW": tfa.optimizers.AdamW,
    "extended": tfa.optimizers.extend_with_decoupled_weight_decay(tfa.optimizers.LAMB),
}


@pytest.mark.parametrize("cls", DECAYING.values(), ids=DECAYING)
@pytest.mark.parametrize("way", ["attribute", "names", "variables", "late"])
def test_exclusions_can_be_set_and_called(cls, way):
    v = pair("kernel", "bias")
    optimizer = cls(0.5, learning_rate=0.0)
    assert optimizer.exclude_from_weight_decay == []
    zeros = [ops.zeros(1)] * 2
    if way == "late":  # like a loaded model, whose optimizer is built
        optimizer.build(v)
    if way in ("attribute", "late"):
        optimizer.exclude_from_weight_decay = ["bias"]
    elif way == "names":
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    else:
        optimizer.exclude_from_weight_decay(var_list=v[1:])
    optimizer.apply(zeros, v)
    assert values(v) == [0.5, 1]
    config = optimizer.get_config()["exclude_from_weight_decay"]
    assert config == (["^bias$"] if way == "variables" else ["bias"])
    with pytest.raises(TypeError, match="exclude_from_weight_decay"):
        optimizer.exclude_from_weight_decay = "bias"


def test_exclusions_of_lamb_can_be_set_before_it_is_built():
    v = pair("kernel", "bias")
    optimizer = tfa.optimizers.LAMB(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay = ["bias"]
    optimizer.exclude_from_layer_adaptation = ["kernel", "bias"]
    optimizer.apply([ops.zeros(1)] * 2, v)
    assert values(v) == [0.75, 1]
    assert optimizer.get_config()["exclude_from_weight_decay"] == ["bias"]
    for name in ("weight_decay", "layer_adaptation"):
        with pytest.raises(ValueError, match=f"exclude_from_{name}` must be set befo"):
            setattr(optimizer, f"exclude_from_{name}", ["kernel"])


def test_variables_that_share_a_path_are_told_apart():
    v = pair("same", "same")
    zeros = [ops.zeros(1)] * 2
    optimizer = tfa.optimizers.SGDW(0.5, 0.0)
    optimizer.apply_gradients(zip(zeros, v, strict=True), decay_var_list=v[:1])
    assert values(v) == [0.5, 1]
    optimizer.exclude_from_weight_decay(var_list=v[:1])
    optimizer.apply_gradients(zip(zeros, v, strict=True))
    assert values(v) == [0.5, 0.5]
    v = [keras.Variable([x], name="same") for x in (1.0, 2.0)]
    average = tfa.optimizers.MovingAverage(keras.optimizers.SGD(1.0), 0.5)
    average.apply([ops.ones(1)] * 2, v)
    average.assign_average_vars(v[1:])
    assert values(v) == [0, 1.5]


@pytest.mark.parametrize("name", ["AdamW", "LAMB"])
def test_patterns_of_tensorflow_addons_are_found(name):
    for pattern in ("bias:0", "bias:0$", "bias$", r"bias:\d+"):
        v = pair("kernel", "bias")
        optimizer = getattr(tfa.optimizers, name)(
            learning_rate=1.0, weight_decay=0.5, exclude_from_weight_decay=[pattern]
        )
        optimizer.apply([ops.zeros(1)] * 2, v)
        assert values(v)[1] == 1


@pytest.mark.parametrize("name", ["AdamW", "LAMB"])
def test_patterns_that_match_nothing_are_named_once_as_they_were_written(name):
    lost = ["LayerNorm", "layer_norm"]
    optimizer = getattr(tfa.optimizers, name)(
        weight_decay=0.5, exclude_from_weight_decay=[*lost, "bias"]
    )
    variables = [keras.Variable([1.0], name=f"{i}_bias") for i in range(99)]
    with pytest.warns(UserWarning, match="exclude_from_weight_decay") as caught:
        optimizer.build(variables)
    (message,) = {str(warning.message) for warning in caught}
    assert len(caught) == 1
    assert all(repr(pattern) in message for pattern in lost)
    assert "99, such as" in message
    assert len(message) < 250
    own = tfa.optimizers.LAMB(exclude_from_layer_adaptation=["x"])
    with pytest.warns(UserWarning, match="exclude_from_layer_adaptation"):
        own.build(variables)


@pytest.mark.parametrize("name", ["SWA", "MovingAverage", "Lookahead"])
def test_what_is_no_optimizer_is_named_as_the_argument(name):
    cls = getattr(tfa.optimizers, name)
    for wrong in (None, 0.1, keras.optimizers.SGD):
        with pytest.raises(TypeError, match=f"`optimizer` of `{name}`"):
            cls(wrong)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    with pytest.raises(ValueError, match=f"`optimizer`.*LossScaleOptimizer.{name}"):
        cls(scaled)


@pytest.mark.parametrize("name", ["SWA", "MovingAverage", "Lookahead"])
def test_a_name_is_that_of_keras_or_of_this_package(name):
    cls = getattr(tfa.optimizers, name)
    assert type(cls("radam").inner_optimizer) is optimizers.RAdam
    assert isinstance(cls("adam").inner_optimizer, keras.optimizers.Adam)
    with pytest.raises(ValueError, match=r"Argument `optimizer` .* mean `RAdam`"):
        cls("RectifiedAdam")


def test_an_average_of_your_own_says_what_to_write():
    class Own(tfa.optimizers.AveragedOptimizerWrapper):
        def average_op(self, var, average_var, local_apply_state):
            return average_var.assign(var)

    with pytest.raises(TypeError, match=r"`Own` has a method `average_op`.*`after`"):
        Own("sgd")


def test_positional_arguments_go_to_the_extended_optimizer():
    cls = tfa.optimizers.extend_with_decoupled_weight_decay(keras.optimizers.SGD)
    optimizer = cls(0.25, 0.5, 0.125)
    assert float(optimizer.learning_rate) == 0.5
    assert optimizer.momentum == 0.125
    with pytest.raises(ValueError, match="base_optimizer"):
        tfa.optimizers.extend_with_decoupled_weight_decay(optimizer)


def test_an_extended_optimizer_decays_once():
    # TensorFlow Addons' optimizer decayed a second time, inside LAMB's formula.
    cls = tfa.optimizers.extend_with_decoupled_weight_decay(tfa.optimizers.LAMB)
    w = moved(cls(0.5, learning_rate=0.0), steps=1)
    np.testing.assert_allclose(w, [0.5, -1.0])
    assert cls(0.5).weight_decay == 0.5


@pytest.mark.parametrize(
    "make",
    [
        lambda: tfa.optimizers.AdamW(0.1, 0.1),
        lambda: tfa.optimizers.SGDW(0.1, 0.1),
        lambda: tfa.optimizers.extend_with_decoupled_weight_decay(optimizers.RAdam)(
            0.1
        ),
    ],
)
def test_the_decay_of_a_rule_takes_the_place_of_the_decoupled_one(make):
    rule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.3, 0.5])
    for own, left in [(0.0, 1.0), (None, 1.0), (0.3, 0.49), (rule, 0.35)]:
        w, other = (keras.Variable([1.0], name=n) for n in ("bias", "kernel"))
        rules = {"bias": {"weight_decay": own}, ".*": {}}
        groups = optimizers.ParameterGroups(make(), rules)
        for _ in range(2):
            groups.apply([ops.zeros(1), ops.zeros(1)], [w, other])
        np.testing.assert_allclose(w.numpy(), left, rtol=1e-6)
        np.testing.assert_allclose(other.numpy(), 0.81, rtol=1e-6)


def test_no_exclusion_is_not_that_of_the_decay():
    arguments = {"exclude_from_weight_decay": ["bias"], "weight_decay": 0.5}
    of = lambda **more: tfa.optimizers.LAMB(**arguments, **more).get_config()  # noqa: E731
    key = "exclude_from_layer_adaptation"
    assert of()[key] == ["bias"]
    assert of(exclude_from_layer_adaptation=[])[key] == []
    old = tfa.optimizers.LAMB(weight_decay_rate=0.25)
    assert old.weight_decay == 0.25


def test_a_wrapper_leaves_clipping_to_its_optimizer():
    inner = tfa.optimizers.SGDW(0.0, 1.0, clipvalue=0.5)
    w = moved(tfa.optimizers.Lookahead(inner, sync_period=9), 1)
    np.testing.assert_allclose(w, [0.5, -1.5])
    inner = tfa.optimizers.SGDW(0.0, 1.0)
    w = moved(tfa.optimizers.MovingAverage(inner, clipvalue=0.5), 1)
    np.testing.assert_allclose(w, [0.5, -1.5])
    with pytest.raises(ValueError, match="clipnorm"):
        tfa.optimizers.SWA(keras.optimizers.SGD(clipvalue=0.5), clipnorm=1.0)


def test_averages_come_into_the_weights():
    w = keras.Variable([1.0, -2.0])
    frozen = keras.Variable([5.0], trainable=False, name="frozen")
    optimizer = tfa.optimizers.SWA("sgd", average_period=1)
    optimizer.learning_rate = 0.125
    optimizer.build([w])
    with pytest.raises(ValueError, match="average"):  # rather than assigning zeros
        optimizer.assign_average_vars([w])
    for _ in range(2):
        optimizer.apply([2 * ops.convert_to_tensor(w)], [w])
    optimizer.assign_average_vars([w, frozen])
    np.testing.assert_allclose(tools.array(w), [0.65625, -1.3125], rtol=1e-6)
    assert float(frozen[0]) == 5


def test_swapping_loses_nothing():
    w = keras.Variable([1e8, 1.0])
    optimizer = tfa.optimizers.MovingAverage(tfa.optimizers.SGDW(0.0, 1.0), 0.5)
    assert not optimizer.has_shadow_copy
    optimizer.shadow_copy([w])
    assert optimizer.has_shadow_copy
    optimizer.apply([ops.array([1e8 - 1.25, 0.0])], [w])
    before = tools.array(w)
    optimizer.swap_weights()
    assert tools.array(w)[0] > 1e7
    optimizer.swap_weights()
    np.testing.assert_array_equal(tools.array(w), before)


class TestMultiOptimizer:
    def model(self):
        model = keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(1)]
        )
        x = np.array([[1.0, 2.0], [3.0, -1.0]], "float32")
        return model, x, np.array([[1.0], [2.0]], "float32")

    def test_each_layer_is_trained_by_its_own_and_saved(self, tmp_path):
        model, x, y = self.model()
        first, last = model.layers
        optimizer = tfa.optimizers.MultiOptimizer(
            [(keras.optimizers.SGD(0.0), first), (keras.optimizers.Adam(0.1), [last])]
        )
        model.compile(optimizer, "mse")
        before = [tools.array(w) for w in model.weights]
        model.fit(x, y, verbose=0)
        change = [np.abs(tools.array(w) - b).max() for w, b in
                  zip(model.weights, before, strict=True)]  # fmt: skip
        assert change[:2] == [0, 0]
        np.testing.assert_allclose(change[2:], 0.1, rtol=1e-3)
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras")
        for m in (model, again):
            m.fit(x, y, verbose=0)
        for w, v in zip(model.weights, again.weights, strict=True):
            np.testing.assert_allclose(tools.array(w), tools.array(v), rtol=1e-6)

    def test_a_variable_has_one_optimizer(self):
        model, _, _ = self.model()
        optimizer = tfa.optimizers.MultiOptimizer(
            [
                (keras.optimizers.SGD(), model),
                (keras.optimizers.Adam(), model.layers[1]),
            ]
        )
        with pytest.raises(ValueError, match="more than one optimizer"):
            optimizer.build(model.trainable_variables)

    def test_what_stays_as_it_is_is_named(self):
        model, x, y = self.model()
        optimizer = tfa.optimizers.MultiOptimizer(
            [(keras.optimizers.SGD(0.5), model.layers[1])]
        )
        before = tools.array(model.layers[0].kernel)
        model.compile(optimizer, "mse")
        with pytest.warns(UserWarning, match=model.layers[0].kernel.path):
            model.fit(x, y, verbose=0)
        np.testing.assert_array_equal(tools.array(model.layers[0].kernel), before)

    def test_names_of_tensorflow_addons_are_found(self):
        model, _, _ = self.model()
        sgd = keras.optimizers.SGD(0.5)
        names = [f"{v.path.split('/', 1)[1]}:0" for v in model.trainable_variables]
        spec = {"optimizer": sgd, "weights": names}
        optimizer = tfa.optimizers.MultiOptimizer(optimizer_specs=[spec])
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            optimizer.build(model.trainable_variables)
        assert float(optimizer.learning_rate) == 0.5

    def test_layers_whose_paths_are_equal_are_told_apart(self):
        towers = []
        for _ in range(2):
            layer = keras.layers.Dense(1, name="same", use_bias=False)
            layer.build((None, 1))
            towers.append(layer)
        first, last = (layer.kernel for layer in towers)
        assert first.path == last.path
        sgd = [keras.optimizers.SGD(rate, name=f"sgd_{rate}") for rate in (0.5, 0.25)]
        optimizer = tfa.optimizers.MultiOptimizer(list(zip(sgd, towers, strict=True)))
        optimizer.build([first, last])
        again = type(optimizer).from_config(optimizer.get_config())
        for each in (optimizer, again):
            for v in (first, last):
                v.assign([[1.0]])
            each.apply([ops.ones((1, 1))] * 2, [first, last])
            assert [float(tools.array(v)[0, 0]) for v in (first, last)] == [0.5, 0.75]

    @pytest.mark.parametrize(
        ("entry", "said"),
        [
            (keras.optimizers.SGD(), r"list of pairs .* Received: .*\[0\]=<"),
            ((keras.optimizers.SGD,), r"such as \[\(optimizer, model"),
            ((keras.optimizers.SGD, []), r"list of pairs"),
            ((keras.optimizers.SGD(), "head"), r"get_layer\(name\).*\[1\]='head'"),
            ((keras.optimizers.SGD(), 3), r"a layer, a list .*\[0\]\[1\]=3"),
            ((keras.optimizers.SGD(), [None]), r"\[0\]\[1\]=\[None\]"),
        ],
    )
    def test_what_is_no_pair_of_an_optimizer_and_layers_is_refused(self, entry, said):
        with pytest.raises(TypeError, match=f"`optimizers_and_layers` must.*{said}"):
            tfa.optimizers.MultiOptimizer([entry])

    @pytest.mark.parametrize("spec", [("sgd", []), {"optimizer": "sgd"}, 3])
    def test_what_is_no_specification_is_refused(self, spec):
        with pytest.raises(TypeError, match=r"`optimizer_specs` must.*specs\[0\]="):
            tfa.optimizers.MultiOptimizer(optimizer_specs=[spec])

    def test_names_of_optimizers_are_understood(self):
        layer = keras.layers.Dense(1)
        optimizer = tfa.optimizers.MultiOptimizer([("radam", layer)])
        assert type(optimizer.inner_optimizer) is optimizers.RAdam
        with pytest.raises(ValueError, match=r"`optimizers_and_layers`.*'RAdm'"):
            tfa.optimizers.MultiOptimizer([("RAdm", layer)])
        with pytest.raises(ValueError, match="must not be empty"):
            tfa.optimizers.MultiOptimizer([])

    def test_one_kind_of_pairs_is_given(self):
        for arguments in ({}, {"optimizers_and_layers": [], "optimizer_specs": []}):
            with pytest.raises(ValueError, match="optimizer_specs"):
                tfa.optimizers.MultiOptimizer(**arguments)
        with pytest.raises(TypeError, match="clipnorm"):
            tfa.optimizers.MultiOptimizer([], clipnorm=1.0)


def test_rates_of_a_conditional_gradient_may_follow_a_schedule():
    falling = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 1.0])
    optimizer = tfa.optimizers.ConditionalGradient(falling, 1.0)
    w = moved(optimizer, start=(3.0, 4.0))
    np.testing.assert_allclose(w, [1.5 - 0.3, 2 - 0.4], rtol=1e-6)


def test_batch_normalization_is_fitted():
    model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization()])
    x = np.array([[1.0], [2.0], [6.0]])
    tfa.optimizers.utils.fit_bn(model, x, x, batch_size=3, verbose=0)
    np.testing.assert_allclose(tools.array(model.layers[0].moving_mean), [3.0])
    with pytest.raises(ValueError, match="`x`"):
        tfa.optimizers.utils.fit_bn(model)


def test_variables_are_matched_by_path():
    layer = keras.layers.Dense(1, name="head")
    layer.build((None, 1))
    utils = tfa.optimizers.utils
    assert utils.is_variable_matched_by_regexes(layer.kernel, ["^head/"])
    assert not utils.is_variable_matched_by_regexes(layer.kernel, ["bias"])
    assert not utils.is_variable_matched_by_regexes(layer.kernel, None)
    assert utils.get_variable_name(layer.kernel) == "kernel"


def test_rates_of_decay_and_proportions_are_checked():
    for make, name in (
        (lambda: tfa.optimizers.AdamW(-1.0), "weight_decay"),
        (lambda: tfa.optimizers.RectifiedAdam(decay=-1.0), "decay"),
        (lambda: tfa.optimizers.RectifiedAdam(warmup_proportion=2.0), "warmup_prop"),
        (lambda: tfa.optimizers.AdaBelief(total_steps=0.5), "total_steps"),
        (lambda: tfa.optimizers.SWA("sgd", -1), "start_averaging"),
        (lambda: tfa.optimizers.MovingAverage("sgd", 1.0), "average_decay"),
        (lambda: tfa.optimizers.ConditionalGradient(0.5, ord="two"), "ord"),
    ):
        with pytest.raises(ValueError, match=name):
            make()
    with pytest.raises(TypeError, match="`exclude_from_weight_decay` of `AdamW` must"):
        tfa.optimizers.AdamW(0.1, exclude_from_weight_decay="x")


@pytest.mark.only("jax", "torch")
def test_minimize_is_for_tensorflow():
    with pytest.raises(NotImplementedError, match="TensorFlow"):
        tfa.optimizers.SGDW(0.1).minimize(lambda: 0.0, [keras.Variable([1.0])])


EXTENDED_ADAM = tfa.optimizers.extend_with_decoupled_weight_decay(keras.optimizers.Adam)


@pytest.mark.parametrize("cls", [tfa.optimizers.AdamW, EXTENDED_ADAM])
def test_adam_with_decay_rounds_its_numbers_as_tensorflow_addons(cls):
    # All are rounded to float32. Keras 3's formula rounds only the powers of betas.
    lr, b_1, b_2, wd = (float(np.float32(x)) for x in (0.001, 0.9, 0.999, 1e-4))
    gradients = np.random.default_rng(0).standard_normal((20, 3))
    expected = np.ones(3)
    m = v = np.zeros(3)
    for t, g in enumerate(gradients, 1):
        m, v = b_1 * m + (1 - b_1) * g, b_2 * v + (1 - b_2) * g**2
        alpha = lr * np.sqrt(1 - b_2**t) / (1 - b_1**t)
        expected = expected * (1 - wd) - alpha * m / (np.sqrt(v) + 1e-7)
    with tools.wide():
        w = keras.Variable(np.ones(3), dtype="float64")
        optimizer = cls(1e-4)
        for g in gradients:
            optimizer.apply([ops.convert_to_tensor(g, "float64")], [w])
        error = np.abs(tools.array(w) - expected).max()
    assert error < 1e-7 * np.abs(expected - 1).max()
