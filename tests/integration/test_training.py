"""Every optimizer trains in `fit`, is saved, loaded and trained further."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import OPTIMIZERS
from tests.cases import each
from tests.cases import each_kind
from tests.cases import each_kind_in_turn
from tests.cases import each_of_base
from tests.tools import BACKEND
from tests.tools import array

# With compilation, each `fit` takes a second, and only formulas differ between cases.
IS_COMPILED = BACKEND != "torch"
each_kind_or_one = each(OPTIMIZERS[:1]) if IS_COMPILED else each_kind(OPTIMIZERS)


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 3)).astype("float32")
    return x, x @ rng.normal(size=(3, 2)).astype("float32")


def network(dtype=None):
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(8, activation="relu", dtype=dtype, name="body"),
            keras.layers.Dense(2, dtype=dtype, name="head"),
        ]
    )


def compile_with(optimizer, dtype=None, **options):
    """A network compiled with `optimizer`."""
    model = network(dtype)
    model.compile(optimizer, loss="mse", **options)
    return model


def train(model, epochs=2):
    return model.fit(*data(), epochs=epochs, batch_size=8, verbose=0, shuffle=False)


def state(model):
    return [array(v) for v in [*model.variables, *model.optimizer.variables]]


def assert_trains_on_exactly(model, path):
    """Saved and loaded, the model trains as if it had not been."""
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for before, after in zip(state(model), state(loaded), strict=True):
        np.testing.assert_array_equal(before, after)
    at_save = state(model)
    train(model)
    train(loaded)
    for before, after in zip(state(model), state(loaded), strict=True):
        np.testing.assert_array_equal(before, after)
    weights = len(model.variables)
    changed = [
        (a != b).any()
        for a, b in zip(at_save[:weights], state(loaded)[:weights], strict=True)
    ]
    assert all(changed)


@each_of_base(OPTIMIZERS)
def test_a_saved_model_trains_on_exactly(case, tmp_path):
    model = compile_with(case.make())
    history = train(model, epochs=2).history["loss"]
    assert history[-1] < history[0]
    assert_trains_on_exactly(model, tmp_path / "model.keras")


DECAY = {"weight_decay": 0.1, "weight_decay_exclude": ["bias"], "clipnorm": 1.0}
OPTIONS = [
    ("bfloat16", DECAY),
    ("float32", {"use_ema": True, "ema_momentum": 0.9, "global_clipnorm": 1.0}),
    ("bfloat16", {"use_ema": True, "gradient_accumulation_steps": 3}),
    ("bfloat16", {"gradient_accumulation_steps": 2, "clipvalue": 0.1}),
    ("bfloat16", {"use_ema": True, "ema_overwrite_frequency": 3}),
]


@each_kind_in_turn(OPTIMIZERS, "way", OPTIONS[:3] if IS_COMPILED else OPTIONS)
def test_every_option_trains_and_is_saved(case, way, tmp_path):
    dtype, options = way
    # On TensorFlow, only the optimizer's part of a step needs a graph.
    is_eager = BACKEND == "tensorflow"
    model = compile_with(case.make(**options), dtype, run_eagerly=is_eager)
    train(model, epochs=1)
    assert_trains_on_exactly(model, tmp_path / "model.keras")


@each_kind_in_turn(
    OPTIMIZERS, "policy", ["bfloat16", "mixed_bfloat16", "mixed_float16"]
)
def test_every_precision_trains_and_is_saved(case, policy, tmp_path):
    optimizer = case.make()
    if policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    # XLA takes long, and may compute in float32 what should be rounded to bfloat16.
    in_xla = {"jit_compile": IS_COMPILED} if policy == "bfloat16" else {}
    model = compile_with(optimizer, policy, **in_xla)
    history = train(model, epochs=2).history["loss"]
    assert history[-1] < history[0]
    assert_trains_on_exactly(model, tmp_path / "model.keras")


@each_kind_or_one
@pytest.mark.only("tensorflow", "jax")
def test_fit_is_the_same_compiled_or_not(case):
    results = []
    for options in (
        {"run_eagerly": True},
        {"jit_compile": False},
        {"jit_compile": True},
    ):
        keras.utils.set_random_seed(0)
        model = compile_with(case.make(weight_decay=0.01), **options)
        train(model)
        results.append(model.get_weights())
    for one, two, three in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(one, three, rtol=1e-5, atol=1e-6)


@each_kind_or_one
def test_loss_scaling_reaches_the_optimizer_unscaled(case):
    weights = []
    for wrap in (lambda o: o, keras.optimizers.LossScaleOptimizer):
        keras.utils.set_random_seed(0)
        model = compile_with(wrap(case.make()))
        train(model)
        weights.append(model.get_weights())
    for plain, scaled in zip(*weights, strict=True):
        np.testing.assert_allclose(plain, scaled, rtol=1e-4, atol=1e-5)


@each_kind(OPTIMIZERS)
@pytest.mark.only("torch")  # on other backends: see `clients/test_callbacks.py`
def test_averaged_weights_can_be_swapped_in(case):
    model = compile_with(case.make(use_ema=True, ema_momentum=0.5), "bfloat16")
    swap = keras.callbacks.SwapEMAWeights()
    history = model.fit(
        *data(), epochs=2, verbose=0, validation_data=data(), callbacks=[swap]
    ).history
    assert np.isfinite(history["val_loss"]).all()


@each_kind_or_one
def test_weights_alone_can_be_saved_and_loaded(case, tmp_path):
    model, other = compile_with(case.make()), compile_with(case.make())
    variables = model.trainable_variables
    model.optimizer.apply([ops.ones(v.shape) for v in variables], variables)
    model.save_weights(tmp_path / "a.weights.h5")
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "a.weights.h5")
    for a, b in zip(state(model), state(other), strict=True):
        np.testing.assert_array_equal(a, b)


@each_kind_or_one
def test_a_frozen_layer_stays_and_the_others_train(case):
    model = network()
    model.layers[0].trainable = False
    before = model.get_weights()
    model.compile(case.make(weight_decay=0.1), loss="mse")
    train(model)
    after = model.get_weights()
    assert [np.array_equal(a, b) for a, b in zip(before, after, strict=True)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.slow
@each_kind_or_one
def test_pure_bfloat16_trains_like_float32(case):
    """Keras's Adam gets stuck: see `benchmarks/bfloat16.py`."""
    start = network().get_weights()
    fallen = {}
    for dtype in ("float32", "bfloat16"):
        model = network(dtype)
        model.set_weights(start)
        model.compile(case.make(1e-3), loss="mse")
        history = model.fit(*data(), epochs=30, batch_size=8, verbose=0, shuffle=False)
        losses = history.history["loss"]
        fallen[dtype] = losses[0] - losses[-1]
    assert fallen["float32"] > 0.1
    assert abs(fallen["bfloat16"] / fallen["float32"] - 1) < 0.3


@each_kind(OPTIMIZERS)
@pytest.mark.only("torch")
def test_updates_are_not_recorded_for_gradients(case):
    import torch

    variable = keras.Variable(np.ones(3), dtype="float32", name="w")
    optimizer = case.make()
    move, recorded = optimizer.move, []

    def watched(*arguments):
        recorded.append(torch.is_grad_enabled())
        return move(*arguments)

    optimizer.move = watched
    optimizer.apply([ops.ones(3)], [variable])
    assert recorded == [False]
