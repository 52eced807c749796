"""`jit_compile`: compiled steps equal plain ones, and are compiled once."""

import copy
import shutil

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import OPTIMIZERS
from tests.cases import WRAPPERS
from tests.cases import each_class
from tests.contracts.test_fast_paths import RATE
from tests.contracts.test_fast_paths import assert_equal_to_rounding
from tests.contracts.test_fast_paths import make_gradients
from tests.contracts.test_fast_paths import make_variables
from tests.contracts.test_fast_paths import set_block
from tests.contracts.test_fast_paths import trained
from tests.tools import array
from tfx_extras import optimizers
from tfx_extras._backend import backend

if keras.backend.backend() == "torch":
    import torch

    from tfx_extras._backend import _updates

on_torch = pytest.mark.only("torch")
DECAY = {"weight_decay": 0.5, "weight_decay_exclude": ["c"]}


def with_a_compiler(test):
    """Marks a test of the compiler itself, whose import has warnings of PyTorch."""
    ignored = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
    needed = pytest.mark.skipif(
        not shutil.which("g++"), reason="PyTorch compiles with g++"
    )
    return needed(ignored(test))


def made_by(monkeypatch, name):
    """The programs that a function makes from now on."""
    made = []

    def program(*arguments):
        made.append(make(*arguments))
        return made[-1]

    make = getattr(_updates, name)
    monkeypatch.setattr(_updates, name, program)
    return made


@pytest.fixture
def programs(monkeypatch):
    """The programs that are made, by a compiler that takes no time."""
    made = made_by(monkeypatch, "_compiled")
    monkeypatch.setattr(_updates, "_COMPILER", "eager")
    set_block(monkeypatch, 8)
    return made


def said(caplog):
    """What our loggers said."""
    return [r.message for r in caplog.records if r.name.startswith("tfx_extras")]


def both(make, **arguments):
    """What is trained with compiled steps, and one variable after the other."""
    return [
        trained(make(jit_compile=is_fast), is_fast, **arguments)
        for is_fast in (True, False)
    ]


@on_torch
@each_class([case for case in OPTIMIZERS if case.cls.is_elementwise])
def test_compiled_steps_equal_plain_ones(case, programs, caplog):
    """Of small variables, and of a 16-bit one. One formula also has large ones."""
    names = "acde" if case.cls is optimizers.RAdam else "ce"
    fast, plain = both(lambda **how: case.make(**DECAY, **how), names=names)
    assert_equal_to_rounding(fast, plain)
    assert programs
    assert all("is being compiled" in line for line in said(caplog))


@on_torch
def test_no_gradient_shares_memory_with_the_weights(programs, monkeypatch):
    """Compiled code may write the weights before it reads the gradient again."""
    shares = []

    def watched(now, gradient, kept, sums):
        shares.append(gradient.data_ptr() == kept[0].data_ptr())

    monkeypatch.setattr(_updates, "_compiled", lambda *_: watched)
    weights = keras.Variable(np.ones(20), dtype="float32")
    optimizer = optimizers.RAdam(RATE, jit_compile=True)
    optimizer.apply([weights.value.detach()], [weights])
    assert shares == [False]


@on_torch
@each_class(WRAPPERS)
def test_wrapped_too(case, programs):
    fast, plain = both(
        lambda **how: case.make(optimizers.RAdam(RATE, **how)), names="ac"
    )
    assert_equal_to_rounding(fast, plain)
    assert programs


@pytest.mark.slow
@on_torch
@with_a_compiler
def test_by_the_compiler_of_pytorch_too(caplog):
    """Also the rounding errors of 16-bit weights, which a compiler may lose."""
    fast, plain = both(lambda **how: optimizers.LAMB(RATE, **DECAY, **how), names="ce")
    assert_equal_to_rounding(fast, plain)
    assert said(caplog) == [
        "`lamb` is being compiled, which takes seconds: see `jit_compile`"
    ]


@pytest.mark.slow
@on_torch
@with_a_compiler
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_rounding_is_not_removed_by_the_compiler(dtype):
    def lost(x):
        return x - backend.round_to(x, dtype).float()

    x = torch.linspace(0.1, 1, 100)
    compiled = torch.compile(lost)(x)
    assert compiled.abs().max() > 0
    np.testing.assert_array_equal(array(compiled), array(lost(x)))


@on_torch
def test_a_program_is_made_once_for_each_kind_of_variable(programs):
    """For a large variable, small ones together, and each with decay and without."""
    optimizer = optimizers.RAdam(RATE, **DECAY, jit_compile=True)
    variables = make_variables()[:4]
    for gradients in make_gradients():
        optimizer.apply(gradients[:4], variables)
        optimizer.learning_rate = optimizer.learning_rate * 0.9
    assert len(programs) == 3
    for some in ([0, 2], [1, 3], [3, 0]):  # layers are frozen and thawed
        optimizer.apply([gradients[i] for i in some], [variables[i] for i in some])
    assert len(programs) == 3
    optimizer.weight_decay = 0.1
    optimizer.apply(gradients[:4], variables)
    assert len(programs) == 6


@on_torch
@pytest.mark.parametrize(("sizes", "count"), [([2, 2, 3], 1), ([9, 12], 2)])
def test_with_norms_small_variables_need_one_program_and_large_ones_two(
    sizes, count, programs
):
    optimizer = optimizers.LAMB(RATE, jit_compile=True)
    variables = [keras.Variable(np.ones(n), dtype="float32") for n in sizes]
    for _ in range(2):
        optimizer.apply([ops.ones(n) for n in sizes], variables)
    assert len(programs) == count


@on_torch
@pytest.mark.parametrize("name", ["beta_1", "weight_decay"])
def test_what_is_changed_counts(name, programs):
    fast, plain = both(
        lambda **how: optimizers.RAdam(RATE, weight_decay=0.5, **how),
        change=lambda optimizer: setattr(optimizer, name, 0.3),
        names="a",
    )
    assert_equal_to_rounding(fast, plain)


@on_torch
@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": keras.optimizers.schedules.CosineDecay(0.1, 8)},
        {"gradient_accumulation_steps": 2, "use_ema": True},
        {"skip_nonfinite": True, "global_clipnorm": 0.1},
    ],
    ids=lambda options: next(iter(options)),
)
def test_with_options_too(options, programs):
    options = {"learning_rate": RATE} | options
    fast, plain = both(lambda **how: optimizers.Yogi(**options, **how), names="ac")
    assert_equal_to_rounding(fast, plain)
    assert programs


@on_torch
def test_a_copy_and_a_loaded_optimizer_make_their_own(programs, tmp_path):
    layers = [keras.Input((4,)), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    model.compile(optimizers.LAMB(RATE, jit_compile=True), "mse")
    x = np.ones((8, 4), "float32")
    model.fit(x, x[:, :3], batch_size=4, verbose=0)
    count = len(programs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.jit_compile is True
    assert not copy.deepcopy(model.optimizer._joint_updates)._programs
    for each in (model, loaded):
        each.fit(x, x[:, :3], batch_size=4, verbose=0)
    assert len(programs) == 2 * count
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@on_torch
@pytest.mark.parametrize(
    ("jit_compile", "worth", "is_compiled"),
    [(None, 31, True), (None, 32, False), (True, 32, True), (False, 0, False)],
)
def test_large_models_are_compiled_unless_told(
    jit_compile, worth, is_compiled, programs, monkeypatch, caplog
):
    monkeypatch.setattr(_updates, "WORTH_COMPILING", worth)
    optimizer = optimizers.RAdam(RATE, jit_compile=jit_compile)
    weights = keras.Variable(np.ones(31), dtype="float32")
    for _ in range(2):
        optimizer.apply([ops.ones(31)], [weights])
    assert len(programs) == len(said(caplog)) == is_compiled


@on_torch
def test_without_a_compiler_it_says_so_once_and_is_right(monkeypatch, caplog):
    import torch._inductor.config as config

    monkeypatch.setattr(config.cpp, "cxx", ("no such compiler",))
    monkeypatch.setattr(config, "fx_graph_cache", False)
    fast, plain = both(lambda **how: optimizers.Yogi(RATE, **how), names="ae")
    assert_equal_to_rounding(fast, plain)
    assert len(said(caplog)) == 2
    assert "is not compiled and therefore slower: " in said(caplog)[1]


@on_torch
def test_settings_that_change_all_the_time_are_compiled_no_more(
    programs, monkeypatch, caplog
):
    optimizer = optimizers.RAdam(RATE, jit_compile=True)
    weights = keras.Variable(np.ones(20), dtype="float32")
    monkeypatch.setattr(_updates, "_MOST", 3)
    for i in range(5):
        optimizer.beta_1 = i / 40
        optimizer.apply([ops.ones(20)], [weights])
    assert len(programs) == 3
    assert len(said(caplog)) == 2
    assert "is compiled no more: it has 3 programs already" in said(caplog)[1]


class Halved(optimizers.Optimizer):
    """Halves gradients as often as `coefficients` says, by a loop of Python."""

    def coefficients(self, step):
        return 3

    def update(self, gradient, variable, coefficients, slots):
        for _ in range(coefficients):
            gradient = gradient / 2
        return gradient, slots


@on_torch
def test_a_formula_that_cannot_be_compiled_gets_its_own_numbers(programs, caplog):
    weights = [keras.Variable(np.ones(n), dtype="float32") for n in (3, 20)]
    Halved(1.0, jit_compile=True).apply([ops.ones(3), ops.ones(20)], weights)
    assert all((array(w) == 1 - 1 / 8).all() for w in weights)
    assert "is not compiled and therefore slower: " in said(caplog)[-1]


@on_torch
def test_a_formula_that_mixes_elements_is_not_compiled_and_it_says_so(caplog):
    optimizer = Halved(1.0, jit_compile=True)
    optimizer.is_elementwise = False
    weights = [keras.Variable(np.ones(n), dtype="float32") for n in (3, 20)]
    for _ in range(2):
        optimizer.apply([ops.ones(3), ops.ones(20)], weights)
    assert said(caplog) == ["`halved` is not compiled, because `is_elementwise=False`"]


@on_torch
def test_a_program_that_fails_after_it_worked_is_an_error(monkeypatch, caplog):
    """A step of which a part may be done must not be done again."""

    def program(*_):
        steps = iter([[], RuntimeError("no memory")])

        def step(now, gradient, kept, sums):
            result = next(steps)
            if isinstance(result, Exception):
                raise result
            return result

        return step

    monkeypatch.setattr(_updates, "_compiled", program)
    optimizer = optimizers.RAdam(RATE, jit_compile=True)
    weights = keras.Variable(np.ones(3), dtype="float32")
    optimizer.apply([ops.ones(3)], [weights])
    with pytest.raises(RuntimeError, match="no memory"):
        optimizer.apply([ops.ones(3)], [weights])


@on_torch
def test_groups_with_optimizers_of_their_own_compile_once(programs):
    optimizer = optimizers.ParameterGroups(
        optimizers.RAdam(RATE, jit_compile=True),
        {"b": {"optimizer": optimizers.Yogi(RATE, jit_compile=True)}, ".*": {}},
    )
    variables = make_variables()[:4]
    counts = []
    for gradients in make_gradients():
        optimizer.apply(gradients[:4], variables)
        counts.append(len(programs))
    assert counts[0] == counts[-1] > 0


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("jit_compile", [None, True, False])
def test_tensorflow_does_without_xla_if_told(jit_compile, monkeypatch):
    monkeypatch.setattr("tfx_extras._backend._graphs._LARGE", 6)
    optimizer = optimizers.RAdam(RATE, jit_compile=jit_compile)
    weights = keras.Variable(np.ones(20), dtype="float32")
    optimizer.apply([ops.ones(20)], [weights])
    assert bool(optimizer._graphs._formulas) == (jit_compile is not False)
