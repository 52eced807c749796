"""Every optimizer in `model.fit`, saved, loaded and trained on, on every backend."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import OPTIMIZERS
from tests.cases import each_class
from tests.cases import each_kind
from tests.cases import each_kind_in_turn
from tests.tools import array


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


@each_class(OPTIMIZERS)
def test_a_saved_model_trains_on_exactly(case, tmp_path):
    model = network()
    model.compile(case.make(), loss="mse")
    history = train(model, epochs=4).history["loss"]
    assert history[-1] < history[0]
    assert_trains_on_exactly(model, tmp_path / "model.keras")


DECAY = {"weight_decay": 0.1, "weight_decay_exclude": ["bias"], "clipnorm": 1.0}
OPTIONS = [
    ("bfloat16", DECAY),
    ("float32", {"use_ema": True, "ema_momentum": 0.9, "global_clipnorm": 1.0}),
    ("bfloat16", {"gradient_accumulation_steps": 2, "clipvalue": 0.1}),
    ("bfloat16", {"use_ema": True, "ema_overwrite_frequency": 3}),
    ("bfloat16", {"use_ema": True, "gradient_accumulation_steps": 3}),
]


@each_kind_in_turn(OPTIMIZERS, "way", OPTIONS)
def test_every_option_trains_and_is_saved(case, way, tmp_path):
    dtype, options = way
    model = network(dtype)
    model.compile(case.make(**options), loss="mse")
    train(model, epochs=1)
    assert_trains_on_exactly(model, tmp_path / "model.keras")


@each_kind_in_turn(
    OPTIMIZERS, "policy", ["bfloat16", "mixed_bfloat16", "mixed_float16"]
)
def test_every_precision_trains_and_is_saved(case, policy, tmp_path):
    model = network(policy)
    optimizer = case.make()
    if policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, loss="mse", jit_compile=can_jit())
    history = train(model, epochs=4).history["loss"]
    assert history[-1] < history[0]
    assert_trains_on_exactly(model, tmp_path / "model.keras")


def can_jit():
    """Whether `jit_compile=True` needs nothing but the backend: not a C++ compiler."""
    return keras.backend.backend() != "torch"


@each_kind(OPTIMIZERS)
@pytest.mark.only("tensorflow", "jax")
def test_fit_is_the_same_compiled_or_not(case):
    results = []
    for options in (
        {"run_eagerly": True},
        {"jit_compile": False},
        {"jit_compile": True},
    ):
        keras.utils.set_random_seed(0)
        model = network()
        model.compile(case.make(weight_decay=0.01), loss="mse", **options)
        train(model)
        results.append(model.get_weights())
    for one, two, three in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(one, three, rtol=1e-5, atol=1e-6)


@each_kind(OPTIMIZERS)
def test_loss_scaling_reaches_the_optimizer_unscaled(case):
    weights = []
    for wrap in (lambda o: o, keras.optimizers.LossScaleOptimizer):
        keras.utils.set_random_seed(0)
        model = network()
        model.compile(wrap(case.make()), loss="mse")
        train(model)
        weights.append(model.get_weights())
    for plain, scaled in zip(*weights, strict=True):
        np.testing.assert_allclose(plain, scaled, rtol=1e-4, atol=1e-5)


@each_kind(OPTIMIZERS)
def test_callbacks_set_the_learning_rate(case):
    model = network()
    model.compile(case.make(), loss="mse")
    rates = []
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5**epoch)
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: rates.append(float(model.optimizer.learning_rate))
    )
    model.fit(*data(), epochs=3, verbose=0, callbacks=[schedule, watch])
    assert rates == [1.0, 0.5, 0.25]


@each_kind(OPTIMIZERS)
def test_averaged_weights_can_be_swapped_in(case):
    model = network("bfloat16")
    model.compile(case.make(use_ema=True, ema_momentum=0.5), loss="mse")
    swap = keras.callbacks.SwapEMAWeights()
    history = model.fit(
        *data(), epochs=2, verbose=0, validation_data=data(), callbacks=[swap]
    ).history
    assert np.isfinite(history["val_loss"]).all()


@each_kind(OPTIMIZERS)
def test_weights_alone_can_be_saved_and_loaded(case, tmp_path):
    model = network()
    model.compile(case.make(), loss="mse")
    train(model)
    model.save_weights(tmp_path / "a.weights.h5")
    other = network()
    other.compile(case.make(), loss="mse")
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "a.weights.h5")
    for a, b in zip(state(model), state(other), strict=True):
        np.testing.assert_array_equal(a, b)


@each_kind(OPTIMIZERS)
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
@each_kind(OPTIMIZERS)
def test_pure_bfloat16_trains_like_float32(case):
    """Keras's Adam stays where it is: see `benchmarks/bfloat16.py`."""
    start = network().get_weights()
    fallen = {}
    for dtype in ("float32", "bfloat16"):
        model = network(dtype)
        model.set_weights(start)
        model.compile(case.make(1e-3), loss="mse")
        losses = train(model, epochs=30).history["loss"]
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
