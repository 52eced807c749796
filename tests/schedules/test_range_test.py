"""`find_learning_rate` tries rates and leaves the model as it was."""

import random
import re
import sys

import keras
import numpy as np
import pytest
from keras import ops
from matplotlib.figure import Figure

from tests import tools
from tests.cases import OPTIMIZERS
from tests.cases import WRAPPERS
from tests.cases import each_class
from tfx_extras import optimizers
from tfx_extras import schedules
from tfx_extras.schedules import LearningRates
from tfx_extras.schedules import find_learning_rate

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(24, 3)).astype("float32")
Y = (X @ [[1.0], [-2.0], [0.5]] + 0.1 * RANDOM.normal(size=(24, 1))).astype("float32")
WEIGHTS = RANDOM.uniform(0.5, 2, 24).astype("float32")
# On TensorFlow, XLA takes longer to compile a model than these tests take.
PLAIN = {"jit_compile": tools.BACKEND == "jax"}
FEW = {"low": 1e-4, "high": 1e-1, "steps": 4, "batch_size": 4, "verbose": 0}


def made(optimizer=None, whole=False, **options):
    """A compiled model; with `whole`, one with every kind of state."""
    layers = [keras.Input((3,)), keras.layers.Dense(2, name="first")]
    if whole:
        layers += [keras.layers.BatchNormalization(), keras.layers.Dropout(0.3)]
    model = keras.Sequential([*layers, keras.layers.Dense(1, name="last")])
    optimizer = keras.optimizers.SGD(0.01) if optimizer is None else optimizer
    model.compile(optimizer, "mse", **PLAIN | options)
    return model


def variables(model):
    return [*model.variables, *model.optimizer.variables, *model.metrics_variables]


def state(model):
    """All variables, each with its path."""
    return [(v.path, ops.convert_to_numpy(v.value).copy()) for v in variables(model)]


def assert_same(after, before):
    assert [path for path, _ in after] == [path for path, _ in before]
    for (path, now), (_, then) in zip(after, before, strict=True):
        np.testing.assert_array_equal(now, then, err_msg=path)


def linear(**options):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.5), "mse", **PLAIN, **options)
    return model


def array(x):
    return ops.convert_to_numpy(x)


def batches_of(size, w=None):
    w = np.ones(24, "float32") if w is None else w
    parts = [slice(i, i + size) for i in range(0, 24, size)]
    return [(X[p], Y[p], w[p]) for p in parts]


@pytest.mark.parametrize("weight", [None, "sample", "class"])
def test_rates_and_losses_are_those_of_a_loop_by_hand(weight):
    model = linear(steps_per_execution=1 if tools.BACKEND == "torch" else 3)
    start = [array(w) for w in model.weights]
    y = (Y > 0).astype("float32")
    options, w = {}, np.ones(24, "float32")
    if weight == "sample":
        options, w = {"sample_weight": WEIGHTS}, WEIGHTS
    elif weight == "class":
        options = {"class_weight": {0: 1.0, 1: 3.0}}
        w = np.where(y[:, 0] > 0, 3.0, 1.0).astype("float32")
    found = find_learning_rate(
        *(model, X, y, 1e-3, 1e-1, 6, 4),
        **options,
        shuffle=False,
        verbose=0,
    )
    expected = 1e-3 * (1e-1 / 1e-3) ** (np.arange(6) / 5)
    np.testing.assert_allclose(found.rates, expected, rtol=1e-14)
    assert (found.rates[0], found.rates[-1]) == (1e-3, 1e-1)
    w_0, b_0 = (a.astype("float64") for a in start)
    losses = []
    for i, rate in enumerate(expected):
        part = slice(4 * i, 4 * i + 4)
        error = X[part] @ w_0 + b_0 - y[part]
        losses.append(np.mean(w[part] * error[:, 0] ** 2))
        slope = 2 * w[part, None] * error / 4
        w_0, b_0 = w_0 - rate * X[part].T @ slope, b_0 - rate * slope.sum(0)
    np.testing.assert_allclose(found.losses, losses, rtol=2e-6)


def kinds_of_data():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            return batches_of(4, WEIGHTS)[index]

    def generator():
        yield from batches_of(4, WEIGHTS) * 2

    def dataset():
        import tensorflow as tf

        return tf.data.Dataset.from_tensor_slices((X, Y, WEIGHTS)).batch(4)

    def loader():
        import torch

        data = torch.utils.data.TensorDataset(*map(torch.tensor, (X, Y, WEIGHTS)))
        return torch.utils.data.DataLoader(data, batch_size=4)

    return {
        "list": lambda: iter(batches_of(4, WEIGHTS) * 2),
        "generator": generator,
        "PyDataset": Batches,
        "tf.data": dataset,
        "DataLoader": loader,
    }


KINDS = [*kinds_of_data()]
if tools.BACKEND == "tensorflow":  # which treats tensors of PyTorch as JAX does
    KINDS.remove("DataLoader")  # PyTorch takes seconds to import


@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_every_kind_give_the_same_losses(kind):
    model = linear()
    options = {"low": 1e-3, "high": 1e-1, "steps": 8, "verbose": 0}
    expected = find_learning_rate(
        model, X, Y, batch_size=4, sample_weight=WEIGHTS, shuffle=False, **options
    )
    found = find_learning_rate(model, kinds_of_data()[kind](), **options)
    np.testing.assert_array_equal(found.rates, expected.rates)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-6)
    assert len(found.losses) == 8  # 6 batches, then the first two again


@pytest.mark.parametrize(
    "convert", [ops.convert_to_tensor, np.float64, lambda x: x[::-1][::-1]]
)
def test_arrays_of_every_kind_give_the_same_losses(convert):
    model = linear()
    expected = find_learning_rate(model, X, Y, **FEW)
    found = find_learning_rate(model, convert(X), convert(Y), **FEW)
    np.testing.assert_array_equal(found.losses, expected.losses)


class Frame:
    """What this needs of a data frame of Pandas."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def to_numpy(self):
        return self.array


@pytest.mark.only("torch")
def test_several_inputs_and_data_frames_are_arrays():
    one, other = keras.Input((1,), name="one"), keras.Input((2,), name="other")
    joined = keras.layers.Concatenate()([one, other])
    model = keras.Model([one, other], keras.layers.Dense(1)(joined))
    model.compile(keras.optimizers.SGD(), "mse")
    first = find_learning_rate(model, [X[:, :1], X[:, 1:]], Y, **FEW)
    named = {"one": Frame(X[:, :1]), "other": Frame(X[:, 1:])}
    again = find_learning_rate(model, named, Frame(Y), **FEW)
    np.testing.assert_array_equal(first.losses, again.losses)


SCHEDULE = schedules.WarmupCosine(0.01, 3, 20)
EVERY = {
    "SGD": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "schedule": lambda: keras.optimizers.Adam(SCHEDULE),
    "function": lambda: optimizers.RAdam(lambda: 0.01),
    "own schedule": lambda: optimizers.AdaBelief(SCHEDULE, use_ema=True),
    "wrappers": lambda: optimizers.MovingAverage(optimizers.Ranger(1e-2)),
    "wrapped schedule": lambda: optimizers.Lookahead(keras.optimizers.SGD(SCHEDULE)),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(
        optimizers.Yogi(SCHEDULE)
    ),
    "accumulation": lambda: optimizers.RAdam(1e-2, gradient_accumulation_steps=2),
    "skipping": lambda: optimizers.RAdam(1e-2, skip_nonfinite=True),
    "groups": lambda: optimizers.ParameterGroups(
        optimizers.RAdam(SCHEDULE),
        {"first": {"learning_rate_multiplier": 0.5}, ".*": {}},
    ),
    "several": lambda: optimizers.ParameterGroups(
        keras.optimizers.SGD(0.01),
        {"first": keras.optimizers.Adam(0.002), ".*": {}},
    ),
    "multiple": lambda: keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(
            keras.optimizers.SGD(0.01), {".*first.*": keras.optimizers.Adam(0.1)}
        )
    ),
}


# Other backends compile each of them.
FEW_KINDS = ["wrapped schedule", "loss scale", "several"]


@pytest.mark.parametrize("kind", EVERY if tools.BACKEND == "torch" else FEW_KINDS)
def test_training_goes_on_as_if_no_rate_had_been_tried(kind):
    """Also in the middle of training, and with random numbers of every kind."""
    model = made(EVERY[kind](), whole=True, metrics=["mae"])

    def train():
        model.fit(X, Y, batch_size=8, verbose=0)
        drawn = [("random", np.random.random(2)), ("python", random.random())]
        return [*state(model), *drawn]

    train()
    before = state(model)
    keras.utils.set_random_seed(3)
    without = train()
    for variable, (_, value) in zip(variables(model), before, strict=True):
        variable.assign(value)
    keras.utils.set_random_seed(3)
    optimizer, function = model.optimizer, model.train_function
    found = find_learning_rate(model, X, Y, **FEW)
    assert np.ptp(found.losses) > 0
    assert model.train_function is function
    assert model.optimizer is optimizer
    assert not model.stop_training
    assert_same(state(model), before)
    assert_same(train(), without)
    assert np.abs(without[0][1] - before[0][1]).max() > 1e-4


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("kind", ["schedule", "SGD"])
def test_an_interrupted_search_restores_too(kind, error):
    def interrupted():
        yield from batches_of(4)[:3]
        raise error("stop")

    model = made(EVERY[kind]())
    model.fit(X, Y, batch_size=8, verbose=0)
    before, config = state(model), model.optimizer.get_config()
    function = model.train_function
    with pytest.raises(error, match="stop"):
        find_learning_rate(model, interrupted(), steps=9, verbose=0)
    assert_same(state(model), before)
    assert model.optimizer.get_config() == config
    assert model.train_function is function
    model.fit(X, Y, batch_size=8, verbose=0)


FIND_THEIR_RATES = (optimizers.COCOB, optimizers.Prodigy)
EACH = [case for case in (*OPTIMIZERS, *WRAPPERS) if case.cls not in FIND_THEIR_RATES]


@each_class(EACH)
@pytest.mark.only("torch")
def test_every_optimizer_is_as_before(case):
    model = made(case.make())
    model.fit(X, Y, batch_size=8, verbose=0)
    before = state(model)
    find_learning_rate(model, X, Y, **FEW)
    assert_same(state(model), before)


def test_the_rates_are_those_of_the_steps():
    """SGD moves the weights by the rate times the gradient."""
    for kind in ("wrapped schedule", "several", "multiple"):
        moved = []

        class Watched(keras.Sequential):
            def train_on_batch(self, x, y, *args, moved=moved, **kwargs):
                rates = [float(array(o.learning_rate)) for o in leaves_of(self)]
                moved.append(rates)
                return super().train_on_batch(x, y, *args, **kwargs)

        model = Watched(made().layers)
        model.compile(EVERY[kind](), "mse", **PLAIN)
        found = find_learning_rate(model, X, Y, **FEW)
        first, *others = np.transpose(moved)
        np.testing.assert_allclose(first, found.rates, rtol=1e-6)
        ratios = {"several": [0.2], "multiple": [0.1]}.get(kind, [])
        assert len(others) == len(ratios)
        for other, ratio in zip(others, ratios, strict=True):
            np.testing.assert_allclose(other, found.rates * ratio, rtol=1e-6)


def leaves_of(model):
    optimizer = model.optimizer
    if hasattr(optimizer, "optimizers"):
        return optimizer.optimizers
    inner = optimizer.inner_optimizer
    return [inner, *getattr(optimizer, "rule_optimizers", ())]


def test_multipliers_of_groups_hold_while_rates_are_tried():
    """Twice the multiplier at half the rates trains the same."""
    losses = []
    for multiplier, rates in ((0.5, (2e-3, 2e-1)), (1.0, (1e-3, 1e-1))):
        keras.utils.set_random_seed(1)
        rule = {"learning_rate_multiplier": multiplier}
        model = linear()
        groups = {".*": rule}
        model.compile(
            optimizers.ParameterGroups(keras.optimizers.SGD(SCHEDULE), groups),
            "mse",
            **PLAIN,
        )
        found = find_learning_rate(model, X, Y, *rates, steps=6, verbose=0)
        losses.append(found.losses)
    np.testing.assert_allclose(*losses, rtol=1e-6)
    assert np.ptp(losses[0]) > 0.1 * losses[0][0]


def test_a_model_that_is_not_built_is_built_with_its_first_values():
    model = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    find_learning_rate(model, X, Y, **FEW)
    assert model.built
    assert model.optimizer.built
    assert int(model.optimizer.iterations) == 0
    assert all(not array(v).any() for v in model.metrics_variables)
    for layer in model.layers:
        assert not array(layer.bias).any()


def test_states_of_recurrent_layers_are_as_before():
    recurrent = keras.layers.SimpleRNN(2, stateful=True, unroll=True)
    model = keras.Sequential(
        [
            keras.layers.Reshape((1, 3)),
            keras.layers.Bidirectional(recurrent),
            keras.layers.Dense(1),
        ]
    )
    is_eager = tools.BACKEND == "tensorflow"  # there, this takes less time
    model.compile("sgd", "mse", **PLAIN, run_eagerly=is_eager)
    find_learning_rate(model, X, Y, **FEW | {"steps": 2})
    states = model.layers[1].states
    assert len(states) == 2
    assert not any(array(state.value).any() for state in states)
    model(X[:4])
    before = [array(state.value).copy() for state in states]
    assert all(np.abs(state).max() > 0.01 for state in before)
    find_learning_rate(model, X, Y, **FEW | {"steps": 2})
    for state, value in zip(states, before, strict=True):
        np.testing.assert_array_equal(array(state.value), value)


def test_a_model_in_mixed_precision_is_as_before():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = made(optimizers.RAdam(1e-2))
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    model.train_on_batch(X[:4], Y[:4])
    before = state(model)
    found = find_learning_rate(model, X, Y, **FEW | {"steps": 2})
    assert np.isfinite(found.losses).all()
    assert_same(state(model), before)


def test_16_bit_weights_are_as_before():
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, dtype="bfloat16")]
    )
    model.compile(optimizers.RAdam(1e-2), "mse", **PLAIN)
    model.train_on_batch(X[:4], Y[:4])
    before = [tools.array(v) for v in (*model.variables, *model.optimizer.variables)]
    find_learning_rate(model, X, Y, **FEW | {"steps": 2})
    after = [tools.array(v) for v in (*model.variables, *model.optimizer.variables)]
    for now, then in zip(after, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_it_stops_when_the_loss_rises():
    model = linear()
    found = find_learning_rate(model, X, Y, 1e-3, 1e4, 60, verbose=0)
    assert len(found.rates) == len(found.losses) < 55
    np.testing.assert_allclose(
        found.rates, np.geomspace(1e-3, 1e4, 60)[: len(found.rates)]
    )
    assert 1e-3 < found.suggestion < 0.5
    assert found.reason is None
    later = find_learning_rate(
        model, X, Y, 1e-3, 1e4, 60, stop_factor=1e6, verbose=0, smoothing=0.0
    )
    assert len(later.rates) > len(found.rates)


def test_it_stops_when_the_loss_is_not_finite():
    x = X.copy()
    x[13] = np.nan  # in the fourth batch
    found = find_learning_rate(linear(), x, Y, **FEW | {"steps": 9}, shuffle=False)
    assert len(found.rates) == 4
    assert np.isnan(found.losses[-1])
    assert len(found.smoothed_losses) == 3
    at_once = find_learning_rate(linear(), x * np.nan, Y, **FEW)
    assert len(at_once.rates) == 1
    assert at_once.suggestion is None
    assert at_once.reason == "Only 0 losses were finite."


@pytest.mark.only("torch")
@pytest.mark.parametrize("sign", [1, -1])
def test_a_loss_may_be_negative_or_zero(sign):
    model = linear()
    constant = min(sign, 0.0)
    model.compile(keras.optimizers.SGD(), lambda y, p: ops.mean(p * 0 + constant, -1))
    found = find_learning_rate(model, X, Y, **FEW)
    assert len(found.rates) == 4
    assert found.suggestion is None
    assert "did not fall" in found.reason


def test_the_order_is_random_but_the_same_in_each_call():
    first, again = (find_learning_rate(linear(), X, Y, **FEW) for _ in range(2))
    assert first.losses[0] != again.losses[0]  # the weights differ
    model = linear()
    first, again = (find_learning_rate(model, X, Y, **FEW) for _ in range(2))
    np.testing.assert_array_equal(first.losses, again.losses)
    ordered = find_learning_rate(model, X, Y, **FEW, shuffle=False)
    assert ordered.losses[0] != first.losses[0]


def test_batches_are_full_and_take_all_samples():
    seen = []

    class Watched(keras.Sequential):
        def train_on_batch(self, x, *args, **kwargs):
            seen.append(x[:, 0])
            return super().train_on_batch(x, *args, **kwargs)

    model = Watched([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(), "mse", **PLAIN)
    x = np.arange(11.0)[:, None]
    find_learning_rate(model, x, x, 1e-9, 1e-8, steps=4, batch_size=5, verbose=0)
    assert [len(batch) for batch in seen] == [5] * 4
    assert len({*seen[0], *seen[1]}) == 10
    seen.clear()
    find_learning_rate(model, x, x, 1e-9, 1e-8, steps=2, batch_size=50, verbose=0)
    assert [sorted(batch) for batch in seen] == [list(range(11))] * 2


@pytest.mark.only("torch")
def test_a_progress_bar_is_shown_unless_told_otherwise(capsys):
    find_learning_rate(linear(), X, Y, **FEW | {"verbose": 1})
    out = capsys.readouterr().out
    assert "4/4" in out
    assert "learning_rate: 0.1000" in out
    find_learning_rate(linear(), X, Y, **FEW)
    assert not capsys.readouterr().out


@pytest.mark.only("torch")
def test_the_state_of_pytorch_is_as_before():
    import torch

    module = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout(0.5)
    )
    layer = keras.layers.TorchModuleWrapper(module)
    model = keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(), "mse")
    model(X)
    module.eval()
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    buffers = [b.clone() for b in module.buffers()]
    found = find_learning_rate(model, X, Y, **FEW)
    again = find_learning_rate(model, X, Y, **FEW)
    np.testing.assert_array_equal(found.losses, again.losses)
    assert torch.equal(torch.rand(3), expected)
    assert not any(m.training for m in module.modules())
    assert len(buffers) == 3
    assert all(map(torch.equal, module.buffers(), buffers))
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.only("torch")
@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        ({"low": 0.0}, "`low` must be in (0, inf). Received: low=0.0"),
        ({"high": float("nan")}, "high=nan"),
        ({"low": 0.1, "high": 0.1}, "`high` must be above `low`. Received: low=0.1"),
        ({"steps": 1}, "`steps` must be in [2, inf). Received: steps=1"),
        ({"steps": 2.5}, "steps=2.5"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"smoothing": 1.0}, "smoothing=1.0"),
        ({"stop_factor": 1}, "stop_factor=1"),
        ({"y": Y[:5]}, "the same number of samples, at least 1. Received: [24, 5]"),
        ({"x": X[:0], "y": Y[:0]}, "Received: [0, 0] samples"),
        ({"x": [1.0, 2.0]}, "use `np.array`. Received: float in a list"),
        ({"x": iter([(X, Y)])}, "`y` must be None if `x` is batches"),
        ({"x": iter([(X, Y)]), "y": None, "batch_size": 3}, "`batch_size` must be"),
        (
            {"x": iter([(X, Y)]), "y": None, "batch_size": None, "steps": 3},
            "must have 3 batches, or be able to start again, as a generator cannot. "
            "Give fewer `steps`, or a dataset. Received: 1 batches, steps=3",
        ),
        ({"x": iter([]), "y": None, "batch_size": None}, "Received: 0 batches"),
    ],
)
def test_wrong_arguments_are_refused_by_name_and_value(arguments, received):
    with pytest.raises(ValueError, match=re.escape(received)):
        find_learning_rate(**{"model": linear(), "x": X, "y": Y} | FEW | arguments)


@pytest.mark.only("torch")
def test_models_that_cannot_be_tried_are_refused():
    with pytest.raises(ValueError, match="must be compiled with an optimizer"):
        find_learning_rate(keras.Sequential([keras.layers.Dense(1)]), X, Y)
    with pytest.raises(TypeError, match="`model` of `find_learning_rate`"):
        find_learning_rate("model", X, Y)
    with pytest.raises(TypeError, match="Did you mean `steps`"):
        find_learning_rate(linear(), X, Y, step=3)
    model = made(optimizers.ConditionalGradient(0.1))
    with pytest.raises(ValueError, match=r"`high` must be in \[0, 1\]"):
        find_learning_rate(model, X, Y, high=2.0)
    groups = {"first": keras.optimizers.Adam(SCHEDULE), ".*": {}}
    model = made(optimizers.ParameterGroups(keras.optimizers.SGD(0.5), groups))
    with pytest.raises(
        ValueError, match=r"learning rates \[0.5, None\], where None is"
    ):
        find_learning_rate(model, X, Y)


@pytest.mark.only("torch")
@pytest.mark.parametrize("cls", FIND_THEIR_RATES)
def test_optimizers_that_find_their_own_rate_are_refused(cls):
    groups = {"first": cls(), ".*": {}}
    for optimizer in (
        cls(),
        optimizers.MovingAverage(optimizers.Lookahead(cls())),
        keras.optimizers.LossScaleOptimizer(cls()),
        optimizers.ParameterGroups(keras.optimizers.SGD(0.1), groups),
    ):
        model = made(optimizer)
        before = state(model)
        with pytest.raises(ValueError, match=f"`{cls.__name__}` finds its own step"):
            find_learning_rate(model, X, Y, **FEW)
        assert_same(state(model), before)


@pytest.mark.only("torch")
def test_a_train_step_without_a_loss_is_refused():
    class Silent(keras.Sequential):
        def train_step(self, data):
            super().train_step(data)
            return {"other": 1.0}

    model = Silent(made().layers)
    model.compile(keras.optimizers.SGD(), "mse")
    with pytest.raises(ValueError, match=r"'loss'. Received: names=\['other'\]"):
        find_learning_rate(model, X, Y, **FEW)


# The suggestion


def smoothed(losses, beta):
    """The definition, for losses that never exceed those before their minimum."""
    return [
        sum(beta ** abs(i - j) * losses[j] for j in range(len(losses)))
        / sum(beta ** abs(i - j) for j in range(len(losses)))
        for i in range(len(losses))
    ]


RATES = np.geomspace(1e-5, 10, 61)


def curve(rates, at=1e-2, blow_up=1.0):
    """A loss that falls most steeply at a rate, and diverges at another."""
    fall = 2 - 1.5 / (1 + (at / rates) ** 2)
    return fall + np.where(rates > blow_up, (rates / blow_up) ** 8 - 1, 0)


@pytest.mark.only("torch")
def test_smoothed_losses_equal_their_definition():
    losses = np.linspace(3, 1, 30) + 0.2 * np.sin(np.arange(30))
    for beta in (0.0, 0.5, 0.9):
        found = LearningRates(RATES[:30], losses, beta)
        np.testing.assert_allclose(
            found.smoothed_losses, smoothed(losses, beta), rtol=1e-12
        )


@pytest.mark.only("torch")
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_suggestion_is_where_the_loss_falls_most_steeply(beta, noise):
    for seed in range(5 if noise and beta == 0.9 else 1):
        random = np.random.default_rng(seed)
        losses = curve(RATES)
        if beta == 0.9:  # unsmoothed noise hides the slope
            losses = losses + noise * random.normal(size=61)
        found = LearningRates(RATES, losses, beta)
        assert 0.004 < found.suggestion < 0.025
        assert found.suggestion in RATES


@pytest.mark.only("torch")
def test_divergence_does_not_move_the_suggestion():
    calm = LearningRates(RATES, curve(RATES, blow_up=100.0))
    wild = LearningRates(RATES, curve(RATES, blow_up=1.0))
    assert wild.losses[-1] > 1e7
    assert wild.suggestion == pytest.approx(calm.suggestion, rel=0.5)


@pytest.mark.only("torch")
@pytest.mark.parametrize(
    "losses",
    [
        np.ones(61),
        np.linspace(1, 2, 61),
        1 + 0.1 * np.random.default_rng(0).normal(size=61),
        1 + 0.1 * np.random.default_rng(1).normal(size=61),
        1 + (RATES > 1) * RATES**6,
    ],
    ids=["constant", "rising", "noise", "noise again", "diverging"],
)
def test_there_is_no_suggestion_if_the_loss_never_falls(losses):
    found = LearningRates(RATES, losses)
    assert found.suggestion is None
    assert "did not fall by more than its noise" in found.reason
    assert "Try a higher `high`, larger batches or more steps." in found.reason
    assert repr(found) == "LearningRates(61 rates, no suggestion)"


@pytest.mark.only("torch")
@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        (([1.0, 2.0], [1.0]), "of equal length. Received: shapes (2,) and (1,)"),
        (([2.0, 1.0], [1.0, 1.0]), "in ascending order. Received: rates=[2.0, 1.0]"),
        (([0.0, 1.0], [1.0, 1.0]), "must be positive"),
        (([1.0, np.inf], [1.0, 1.0]), "must be positive, finite and in ascending"),
        (([1.0, 2.0], [1.0, 1.0], -0.5), "smoothing=-0.5"),
    ],
)
def test_wrong_rates_and_losses_are_refused(arguments, received):
    with pytest.raises(ValueError, match=re.escape(received)):
        LearningRates(*arguments)


@pytest.mark.only("torch")
def test_the_plot_shows_losses_and_suggestion():
    found = LearningRates(RATES, curve(RATES))
    axes = Figure().add_subplot()
    assert found.plot(axes, color="red", label="ours") is axes
    line, points, mark = axes.get_lines()
    np.testing.assert_array_equal(line.get_xdata(), RATES)
    np.testing.assert_array_equal(line.get_ydata(), found.smoothed_losses)
    assert max(points.get_ydata()) <= max(found.losses[:40])
    assert {*mark.get_xdata()} == {found.suggestion}
    assert (line.get_color(), line.get_label()) == ("red", "ours")
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "loss")
    assert len(LearningRates(RATES, np.ones(61)).plot(axes).get_lines()) == 5
    LearningRates([0.1], [np.nan]).plot(axes)


@pytest.mark.only("torch")
def test_the_plot_says_how_to_install_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "tfx-extras\[plot\]"'):
        LearningRates(RATES, curve(RATES)).plot()
