"""Every fast path, which updates all variables at once, equals separate updates."""

import copy
import functools
import logging
from typing import ClassVar

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import OPTIMIZERS
from tests.cases import WRAPPERS
from tests.cases import each
from tests.cases import each_class
from tests.cases import each_kind
from tests.contracts.test_optimizers import RATE
from tests.tools import array
from tests.tools import compiled
from tfx_extras import optimizers
from tfx_extras._backend import backend
from tfx_extras.optimizers._base import Optimizer

BACKEND = keras.backend.backend()
if BACKEND == "torch":
    import torch

    from tfx_extras._backend import _updates

# Two variables have the same shape and dtype, one has another shape, one is a scalar,
# and two are 16-bit.
SHAPES = {"a": (3, 4), "b": (3, 4), "c": (7,), "d": (), "e": (3, 4), "f": (5, 2)}
HALF = {"e": "bfloat16", "f": "float16"}


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch):
    """Makes small tensors take each path: whole, joined and in parts."""
    if BACKEND == "tensorflow":
        monkeypatch.setattr("tfx_extras._backend._graphs._LARGE", 6)
        monkeypatch.setattr("tfx_extras._backend._graphs._TOGETHER", 2)
    elif BACKEND == "torch":
        set_block(monkeypatch, 8)


def set_block(monkeypatch, size):
    """Sets how many elements PyTorch updates at a time, on each device."""
    monkeypatch.setattr("tfx_extras._backend._updates._LARGE", {})
    monkeypatch.setattr("tfx_extras._backend._updates._LARGE_ELSEWHERE", size)
    monkeypatch.setitem(_updates._TOGETHER, "recorded", 0)
    part = max(size // torch.get_num_threads(), 1)
    monkeypatch.setattr("tfx_extras._backend._recorded._PART", part)
    monkeypatch.setattr("tfx_extras._backend._recorded._PART_ELSEWHERE", size)


def make_variables():
    return [
        keras.Variable(
            np.linspace(0.01, 0.02, int(np.prod(shape))).reshape(shape),
            dtype=HALF.get(name, "float32"),
            name=name,
        )
        for name, shape in SHAPES.items()
    ]


def make_gradients(count=8):
    rng = np.random.default_rng(0)
    return [
        [
            ops.cast(0.1 * rng.normal(size=shape), HALF.get(name, "float32"))
            for name, shape in SHAPES.items()
        ]
        for _ in range(count)
    ]


def trained(optimizer, is_fast, change=None, in_graph=False, names=SHAPES):
    """The variables after some updates; `change` is called before the fifth."""
    places = [i for i, name in enumerate(SHAPES) if name in names]
    parts = [optimizer]
    while hasattr(parts[-1], "inner_optimizer"):
        parts.append(parts[-1].inner_optimizer)
    for part in parts:
        part.has_fast_paths = is_fast
    variables = [make_variables()[i] for i in places]
    optimizer.build(variables)

    def step(gradients):
        optimizer.apply([gradients[i] for i in places], variables)

    step = compiled(step, jit_compile=False) if in_graph else step
    for i, gradients in enumerate(make_gradients()):
        if change and i == 4:
            change(optimizer)
        step(gradients)
    return [
        # The dtype float32 marks 16-bit variables; all others become float64.
        array(v).astype("float32" if "float16" in v.dtype else "float64")
        for v in variables + optimizer.variables
    ]


def assert_equal_to_rounding(fast, plain):
    for a, b in zip(fast, plain, strict=True):
        # A 16-bit weight may round the other way, and then its residual differs too.
        is_half = a.dtype == np.float32
        rtol, atol = (2.0**-8, 2.0**-8 / 4) if is_half else (1e-5, 1e-6)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


DECAY = {"weight_decay": 0.5, "weight_decay_exclude": ["b", "c"]}
OPTIONS = {
    "decay by schedule": {
        "weight_decay": keras.optimizers.schedules.PolynomialDecay(0.5, 8),
        "independent_decay": True,
    },
    "accumulated, averaged": {"gradient_accumulation_steps": 2, "use_ema": True},
    "clipped": {"global_clipnorm": 0.1, "loss_scale_factor": 2.0},
}


# On PyTorch, each formula decides whether it can be joined into a vector or a stack.
# TensorFlow and JAX compile all formulas alike.
@(each if BACKEND == "torch" else each_kind)(OPTIMIZERS)
def test_all_at_once_equals_one_by_one(case):
    fast, plain = (trained(case.make(**DECAY), fast) for fast in (True, False))
    assert_equal_to_rounding(fast, plain)


@each(OPTIMIZERS)
@pytest.mark.only("torch")
def test_all_in_one_vector_or_stack_too(case, monkeypatch):
    set_block(monkeypatch, 100)
    fast, plain = (trained(case.make(**DECAY), fast) for fast in (True, False))
    assert_equal_to_rounding(fast, plain)


@each_kind(OPTIMIZERS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_with_each_option_too(case, options):
    fast, plain = (trained(case.make(**options), fast) for fast in (True, False))
    assert_equal_to_rounding(fast, plain)


@each_kind(OPTIMIZERS)
@pytest.mark.only("tensorflow")
def test_in_a_graph_too(case):
    fast = trained(case.make(**DECAY), True, in_graph=True)
    assert_equal_to_rounding(fast, trained(case.make(**DECAY), False))


@each_class(WRAPPERS)
def test_wrapped_too(case):
    fast, plain = (trained(case.make(), is_fast) for is_fast in (True, False))
    assert_equal_to_rounding(fast, plain)


def test_layers_excluded_by_path_are_not_those_that_are_alike():
    """Two variables have the same shape, but one is updated differently."""
    make = {"layer_adaptation_exclude": ["b"], "max_trust_ratio": 2.0**-8}
    fast, plain = (
        trained(optimizers.LAMB(RATE, **make), is_fast) for is_fast in (True, False)
    )
    assert_equal_to_rounding(fast, plain)


def test_a_wrapped_rate_that_is_a_function_counts_at_each_update():
    def make():
        rates = iter([RATE / 2**i for i in range(8)])
        return optimizers.Lookahead(optimizers.RAdam(lambda: next(rates)), 3)

    fast, plain = (trained(make(), is_fast, names=FEW) for is_fast in (True, False))
    assert_equal_to_rounding(fast, plain)


def set_rate(optimizer):
    optimizer.learning_rate = RATE / 4


def set_schedule(optimizer):
    optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(RATE, 2, 0.5)


def set_function(optimizer):
    rates = iter([RATE, RATE / 2, RATE / 4, RATE / 8, 0, 0, 0, 0])
    optimizer.learning_rate = lambda: next(rates)


def set_hyperparameter(optimizer):
    optimizer.beta_1 = 0.5


def set_option(optimizer):
    optimizer.clipvalue = 0.01


CHANGES = (set_rate, set_schedule, set_function, set_hyperparameter, set_option)


FEW = "abe"  # two that are updated together, and a 16-bit one


@functools.cache
def unchanged():
    return trained(optimizers.AdaBelief(RATE), is_fast=False, names=FEW)


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_between_updates_counts(change):
    fast, plain = (
        trained(optimizers.AdaBelief(RATE), is_fast, change, names=FEW)
        for is_fast in (True, False)
    )
    assert_equal_to_rounding(fast, plain)
    assert np.abs(fast[0] - unchanged()[0]).max() > 1e-4


def test_a_schedule_that_is_changed_counts():
    def make():
        schedule = keras.optimizers.schedules.ExponentialDecay(RATE, 2, 0.5)
        return optimizers.RAdam(schedule)

    def change(optimizer):
        optimizer._learning_rate.initial_learning_rate = 0.0

    fast, plain = (
        trained(make(), is_fast, change, names=FEW) for is_fast in (True, False)
    )
    assert_equal_to_rounding(fast, plain)


@pytest.mark.parametrize("is_fast", [True, False])
def test_variables_that_are_frozen_and_thawed(is_fast):
    variables, gradients = make_variables()[:3], make_gradients()
    optimizer = optimizers.RAdam(RATE)
    optimizer.has_fast_paths = is_fast
    optimizer.build(variables)
    for some in ([0, 1, 2], [1], [0], [0, 1, 2]):
        for g in gradients[:3]:
            before = [array(v) for v in variables]
            optimizer.apply([g[i] for i in some], [variables[i] for i in some])
            moved = [(array(variables[i]) != before[i]).any() for i in range(3)]
            assert moved == [i in some for i in range(3)]
    assert int(array(optimizer.iterations)) == 12


def test_it_trains_on_after_it_is_saved_and_loaded(tmp_path):
    def model():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model.compile(optimizers.AdaBelief(RATE), "mse")
        return model

    def train_on(model):
        for g in make_gradients():
            model.optimizer.apply([ops.ones((4, 3)) * g[2][0], g[0][0, :3]])
        return [array(w) for w in model.trainable_variables]

    first = model()
    first.optimizer.build(first.trainable_variables)
    train_on(first)
    first.save(tmp_path / "model.keras")
    second = keras.saving.load_model(tmp_path / "model.keras")
    for a, b in zip(train_on(first), train_on(second), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_copy_is_on_its_own():
    optimizer, variables = optimizers.RAdam(RATE), make_variables()
    optimizer.apply(make_gradients()[0], variables)
    other = copy.deepcopy(optimizer.get_config())
    other = optimizers.RAdam.from_config(other)
    moved = [array(v) for v in variables]
    own = make_variables()
    other.apply(make_gradients()[0], own)
    assert_equal_to_rounding([array(v) for v in own], moved)
    assert int(array(other.iterations)) == 1


def test_keras_gives_all_variables_at_once(monkeypatch):
    """The hook is private to Keras; without it, all would be updated one by one."""
    given = []
    monkeypatch.setattr(
        backend, "update_all", lambda optimizer, updates: given.append(len(updates))
    )
    optimizers.RAdam(RATE).apply(make_gradients()[0], make_variables())
    assert given == [len(SHAPES)]


def test_updates_can_be_overridden():
    """Updates then run one by one, so that a subclass's `update_step` is respected."""
    seen = []

    class Watched(optimizers.RAdam):
        def update_step(self, gradient, variable, learning_rate):
            seen.append(tuple(variable.shape))
            super().update_step(gradient, variable, learning_rate)

    Watched(RATE).apply(make_gradients()[0], make_variables())
    assert seen == list(SHAPES.values())


def test_scalars_are_computed_once_for_all_variables(monkeypatch):
    calls = []

    class Counted(optimizers.RAdam):
        def coefficients(self, step):
            calls.append(step)
            return super().coefficients(step)

    optimizer, variables = Counted(RATE), make_variables()
    optimizer.apply(make_gradients()[0], variables)
    assert len(calls) == 1


@pytest.mark.only("torch")
@pytest.mark.parametrize("make", [optimizers.RAdam, lambda: optimizers.Ranger(RATE)])
def test_stateless_updates_change_no_tensor_that_is_given(make):
    optimizer, variables = make(), make_variables()
    optimizer.build(variables)
    given = [v.value.detach().clone() for v in [*optimizer.variables, *variables]]
    before = [array(t) for t in given]
    count = len(optimizer.variables)
    weights, _ = optimizer.stateless_apply(
        given[:count], make_gradients()[0], given[count:]
    )
    for tensor, value in zip(given, before, strict=True):
        np.testing.assert_array_equal(array(tensor), value)
    assert (array(weights[0]) != before[count]).all()


@pytest.mark.only("torch")
def test_what_is_known_of_variables_does_not_hold_in_a_stateless_scope():
    optimizer, variables = optimizers.RAdam(RATE), make_variables()
    first, second, *_ = make_gradients()
    optimizer.apply(first, variables)
    everything = [*optimizer.variables, *variables]
    given, count = [v.value.detach().clone() for v in everything], len(everything)
    count -= len(variables)
    weights, state = optimizer.stateless_apply(given[:count], second, given[count:])
    for variable, tensor in zip(everything, given, strict=True):
        np.testing.assert_array_equal(array(variable), array(tensor))
    optimizer.apply(second, variables)
    for variable, tensor in zip(everything, [*state, *weights], strict=True):
        np.testing.assert_array_equal(array(variable), array(tensor))


@pytest.mark.only("torch")
def test_so_many_to_a_vector_as_a_cache_holds(monkeypatch):
    sizes = []

    class Watched(optimizers.RAdam):
        def move(self, gradient, *others):
            sizes.append(gradient.numel())
            return super().move(gradient, *others)

    monkeypatch.setattr(_updates.Updates, "_way", lambda *_: "plain")
    variables = [keras.Variable(np.ones(n), dtype="float32") for n in (3, 3, 3, 7, 20)]
    Watched(RATE).apply([ops.ones(v.shape) for v in variables], variables)
    assert sorted(sizes) == [3, 4, 6, 7, 8, 8]  # 20 in parts of 8; 3 + 3, 3 and 7


@pytest.mark.only("torch")
def test_slots_stay_in_a_row_until_something_moves_them(monkeypatch):
    set_block(monkeypatch, 100)
    seen = {}
    for is_fast in (True, False):
        optimizer, variables = optimizers.RAdam(RATE), make_variables()[:4]
        optimizer.has_fast_paths = is_fast
        optimizer.build(variables)
        momenta = [slots[0] for slots in optimizer._slots]

        def places(momenta=momenta):
            return [momentum.value.data_ptr() for momentum in momenta]

        def train(some, optimizer=optimizer, variables=variables):
            for g in make_gradients()[:3]:
                optimizer.apply([g[i] for i in some], [variables[i] for i in some])

        train([0, 1, 2, 3])
        before = places()
        train([0, 1, 2, 3])
        assert places() == before
        if is_fast:
            sizes = [4 * int(np.prod(m.shape)) for m in momenta]
            assert np.diff(before).tolist() == sizes[:3]
        train([2, 0])
        train([0, 1, 2, 3])
        momenta[1].value.data = momenta[1].value.data.clone()
        train([0, 1, 2, 3])
        momenta[3].assign(momenta[3] * 2)
        train([0, 1, 2, 3])
        seen[is_fast] = [array(v) for v in variables + optimizer.variables]
    assert_equal_to_rounding(seen[True], seen[False])


@pytest.mark.slow
@pytest.mark.only("torch")
def test_compiled_by_pytorch_too(monkeypatch):
    def train(compile):
        optimizer, variables = optimizers.AdaBelief(RATE), make_variables()
        optimizer.build(variables)
        step = compile(lambda gradients: optimizer.apply(gradients, variables))
        for gradients in make_gradients()[:3]:
            step(gradients)
        return [array(v) for v in variables]

    plain = train(lambda step: step)
    # A graph must not join variables: moving their state gains nothing there.
    monkeypatch.delattr("tfx_extras._backend._updates._joined")
    # `aot_eager` needs no C++ compiler, which not everyone has.
    fast = train(lambda step: torch.compile(step, backend="aot_eager"))
    assert_equal_to_rounding(fast, plain)


def assert_one_graph(optimizer):
    """`torch.compile` captures an update without a graph break, as for Keras's Adam."""
    variables = make_variables()[:2]
    optimizer.build(variables)
    step = one_graph(lambda gradients: optimizer.apply(gradients))
    for gradients in make_gradients()[:2]:
        step(gradients[:2])


# That each formula of elements is one graph, `test_jit_compile.py` shows.
OTHERS = ("ConditionalGradient", "Muon", "Prodigy", "RAdam", "SOAP")


@pytest.mark.slow
@each_class([case for case in OPTIMIZERS if case.cls.__name__ in OTHERS])
@pytest.mark.only("torch")
def test_a_compiled_update_is_one_graph(case):
    """A warning, such as one about a cache, would be an error."""
    assert_one_graph(case.make())


@pytest.mark.slow
@pytest.mark.only("torch")
@pytest.mark.parametrize(
    "options",
    [
        {"gradient_accumulation_steps": 2},
        {"use_ema": True, "ema_overwrite_frequency": 2},
        {"use_ema": True, "gradient_accumulation_steps": 2},
    ],
    ids=str,
)
def test_a_compiled_update_with_options_is_one_graph_and_equal(options):
    results = []
    for compile in (lambda step: step, one_graph):
        variables = make_variables()[:2]
        optimizer = optimizers.RAdam(RATE, **options)
        optimizer.build(variables)
        step = compile(lambda gradients, o=optimizer: o.apply(gradients))
        for gradients in make_gradients():
            step(gradients[:2])
        results.append([array(v) for v in [*variables, *optimizer.variables]])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def one_graph(function):
    """Compiles `function`; a graph break is an error."""
    torch._dynamo.reset()
    return torch.compile(function, backend="eager", fullgraph=True)


@pytest.mark.slow
@each_class(WRAPPERS)
@pytest.mark.only("torch")
def test_a_compiled_update_is_one_graph_if_wrapped_too(case):
    assert_one_graph(case.make(optimizers.RAdam(RATE)))


@pytest.mark.only("torch")
def test_variables_that_are_not_contiguous_are_updated():
    variables = [keras.Variable(np.ones((4, 6)), dtype="float32") for _ in range(2)]
    variables[0].value.data = variables[0].value.data.t().contiguous().t()
    optimizer = optimizers.RAdam(RATE)
    optimizer.apply([ops.reshape(ops.arange(24.0), (4, 6))] * 2, variables)
    np.testing.assert_array_equal(*map(array, variables))


@pytest.mark.only("torch")
def test_a_large_variable_may_move_in_memory_between_steps():
    """As `module.to(memory_format=torch.channels_last)` does."""
    variables = [keras.Variable(np.ones((4, 6)), dtype="float32") for _ in range(2)]
    optimizer = optimizers.RAdam(RATE)
    for _ in range(2):
        optimizer.apply([ops.reshape(ops.arange(24.0), (4, 6))] * 2, variables)
        variables[0].value.data = variables[0].value.data.t().contiguous().t()
    np.testing.assert_array_equal(*map(array, variables))


class HeavyBall(Optimizer):
    """Keeps the weights before the last step, and those before them."""

    slots = ("previous", "before")
    initial_values: ClassVar = {"previous": 1.0, "before": 1.0}

    def move(self, gradient, variable, now, slots, index):
        moved = variable - now.learning_rate * gradient
        before = ops.reshape(slots[0], ops.shape(slots[0]))  # a view on PyTorch
        return moved + 0.5 * (slots[0] - slots[1]), (variable, before)


@pytest.mark.parametrize("is_fast", [True, False])
@pytest.mark.parametrize("jit_compile", [True, False])
def test_old_values_can_be_new_state(is_fast, jit_compile, monkeypatch, caplog):
    """On TensorFlow and PyTorch, a formula sees what is assigned afterwards."""
    if keras.backend.backend() == "torch":
        monkeypatch.setattr("tfx_extras._backend._updates._COMPILER", "aot_eager")
    optimizer = HeavyBall(0.5, jit_compile=jit_compile)
    optimizer.has_fast_paths = is_fast
    variables = [keras.Variable(np.ones(n), dtype="float32") for n in (3, 9, 2)]
    expected = [1.0, 1.0, 1.0]
    for _ in range(4):
        optimizer.apply([ops.ones(n) for n in (3, 9, 2)], variables)
        w = expected[-1] - 0.5 + 0.5 * (expected[-2] - expected[-3])
        expected.append(w)
    assert "not compiled" not in caplog.text
    for variable in variables:
        np.testing.assert_allclose(array(variable), expected[-1], rtol=1e-6)


# TensorFlow: one graph, with XLA inside


class Formula(Optimizer):
    """Gradient descent with a formula that each test provides."""

    def __init__(self, formula):
        super().__init__(1.0)
        self.formula = formula

    def update(self, gradient, variable, coefficients, slots):
        return self.formula(gradient), slots


def run(optimizer, steps=3):
    variables = make_variables()[:3]
    for _ in range(steps):
        optimizer.apply([ops.ones(v.shape) for v in variables], variables)
    return [array(v) for v in variables]


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize(
    "make",
    [
        lambda cls: cls(RATE),
        lambda cls: cls(lambda: RATE),
        lambda cls: optimizers.Lookahead(cls(RATE)),
    ],
    ids=["number", "function", "wrapped"],
)
def test_updates_are_traced_once(make):
    calls = []

    class Counted(optimizers.RAdam):
        def coefficients(self, step):
            calls.append(step)
            return super().coefficients(step)

    optimizer, variables = make(Counted), make_variables()
    for gradients in make_gradients():
        optimizer.apply(gradients, variables)
    assert len(calls) == 1


@pytest.mark.only("tensorflow")
def test_a_formula_is_traced_once_for_each_shape():
    traced = []

    def formula(gradient):
        traced.append(tuple(gradient.shape))
        return gradient

    run(Formula(formula), 10)
    # The first trace finds out if XLA can compile the formula, the others compile it.
    # Two variables have shape (3, 4), and one program updates both.
    assert traced == [(3, 4)] * 3 + [(7,)] * 2


@pytest.mark.only("tensorflow")
def test_one_program_updates_several_variables_unless_they_are_huge(monkeypatch):
    monkeypatch.setattr("tfx_extras._backend._graphs._HUGE", 12)
    traced = []

    def formula(gradient):
        traced.append(tuple(gradient.shape))
        return gradient

    shapes = [(3, 4)] * 5 + [(13,)] * 2
    variables = [keras.Variable(np.full(s, 9.0), dtype="float32") for s in shapes]
    gradients = [i * ops.ones(shape) for i, shape in enumerate(shapes)]
    Formula(formula).apply(gradients, variables)
    # After the test of XLA, one program for a single variable, and one for two.
    assert traced == [(3, 4)] * (1 + 1 + 2) + [(13,)] * (1 + 1)
    for i, variable in enumerate(variables):
        np.testing.assert_array_equal(array(variable), 9.0 - i)


@pytest.mark.only("tensorflow")
def test_variables_of_one_kind_may_be_on_different_devices():
    import tensorflow as tf

    variables = []
    for i in (0, 1, 0, 1):
        with tf.device(f"CPU:{i}"):
            variables.append(tf.Variable(tf.ones((3, 4))))
    optimizer = optimizers.RAdam(RATE)
    for _ in range(3):
        optimizer.apply([tf.ones((3, 4))] * 4, variables)
    for variable in variables:
        np.testing.assert_array_equal(variable, variables[0])
    assert (variables[0].numpy() < 1).all()


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("in_graph", [False, True])
def test_what_xla_cannot_compile_is_said_once_and_is_right(caplog, in_graph):
    import tensorflow as tf

    def formula(gradient):
        return tf.reshape(
            tf.numpy_function(lambda g: 2 * g, [gradient], gradient.dtype),
            gradient.shape,
        )

    optimizer = Formula(formula)
    with caplog.at_level(logging.WARNING, "tfx_extras"):
        if in_graph:
            variables = make_variables()[:1]
            optimizer.build(variables)
            step = tf.function(lambda g: optimizer.apply([g]))
            for _ in range(3):
                step(tf.ones((3, 4)))
            ends = [array(v) for v in variables]
        else:
            ends = run(optimizer)
    expected = [array(v) - 6 for v in make_variables()]
    for a, b in zip(ends, expected, strict=False):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    kinds = 1 if in_graph else 2
    messages = [r.message for r in caplog.records if "not compiled" in r.message]
    assert len(messages) == kinds
    assert "PyFunc" in messages[0]
    assert "\n" not in messages[0]


@pytest.mark.only("tensorflow")
def test_what_cannot_be_traced_is_said_once_and_is_right(caplog):
    def formula(gradient):
        return gradient * (2.0 if float(gradient[0, 0] if gradient.ndim else 0) else 1)

    optimizer, variables = Formula(formula), make_variables()[:2]
    with caplog.at_level(logging.WARNING, "tfx_extras"):
        for _ in range(3):
            optimizer.apply([ops.ones((3, 4))] * 2, variables)
    np.testing.assert_allclose(
        array(variables[0]), array(make_variables()[0]) - 6, rtol=1e-6
    )
    assert len(caplog.records) == 1
    assert "formula" in caplog.text


@pytest.mark.only("tensorflow")
def test_settings_that_change_all_the_time_are_not_traced_again_and_again(caplog):
    optimizer, variables = Formula(lambda g: optimizer.scale * g), make_variables()[:1]
    with caplog.at_level(logging.WARNING, "tfx_extras"):
        for scale in range(40):
            optimizer.scale = float(scale)
            optimizer.apply([ops.ones((3, 4))], variables)
    expected = array(make_variables()[0]) - sum(range(40))
    np.testing.assert_allclose(array(variables[0]), expected, rtol=1e-6)
    assert [r.message for r in caplog.records] == [
        "`formula` is not compiled and therefore slower: what it depends on changes "
        "too often"
    ]
    assert len(optimizer._graphs._updates) < 40


@pytest.mark.only("tensorflow")
def test_errors_are_those_of_an_update_one_by_one():
    optimizer, variables = optimizers.RAdam(RATE), make_variables()[:1]
    optimizer.build(variables)
    with pytest.raises(ValueError, match=r"shape=\(3,\), variable.shape=\(3, 4\)"):
        optimizer.apply([ops.ones(3)], variables)
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply([ops.ones((3, 4))], [keras.Variable(np.ones((3, 4)))])
    optimizer.apply([ops.ones((3, 4))], variables)


@pytest.mark.only("tensorflow")
def test_gradients_need_not_be_tensors_nor_the_tape_off():
    import tensorflow as tf

    ends = []
    for gradient in (np.ones(3, "float32"), [1.0, 1.0, 1.0], tf.ones(3)):
        variable = keras.Variable(np.zeros(3), dtype="float32")
        with tf.GradientTape():
            optimizers.RAdam(RATE).apply([gradient], [variable])
        ends.append(array(variable))
    np.testing.assert_array_equal(ends, [ends[2]] * 3)
    assert (ends[2] < 0).all()


@pytest.mark.only("tensorflow")
def test_sparse_gradients_of_any_length_are_one_graph():
    import tensorflow as tf

    optimizer = optimizers.LazyAdam(RATE)
    table = keras.Variable(np.ones((6, 2)), dtype="float32")
    for ids in ([0, 1, 1], [2], [0, 5, 5, 5]):
        slices = tf.IndexedSlices(
            tf.ones((len(ids), 2)), tf.constant(ids), tf.constant([6, 2])
        )
        if ids == [2]:  # as some operations leave it
            slices = tf.IndexedSlices(slices.values, slices.indices)
        before = array(table)
        optimizer.apply([slices], [table])
        moved = (array(table) != before).any(axis=1)
        assert set(np.flatnonzero(moved)) == set(ids)
    assert len(optimizer._graphs._updates) == 2  # one without the table's shape
