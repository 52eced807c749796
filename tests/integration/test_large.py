"""Models train the same whether updates take their fast paths or not."""

import functools

import keras
import numpy as np
import pytest

from tests.tools import array
from tfx_extras import optimizers

WAYS = {
    "as it is": {},
    "several steps at once": {"steps_per_execution": 2},
    "compiled": {"jit_compile": True},
    "eager": {"run_eagerly": True},
}


@pytest.fixture
def half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def trained(way, is_fast=True, wrap=lambda x: x, **options):
    """The weights of a model with a matrix that is compiled, joined or cut."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 24, 400)).astype("float32")
    model = keras.Sequential(
        [keras.Input((400,)), keras.layers.Dense(400, "tanh"), keras.layers.Dense(400)]
    )
    optimizer = optimizers.AdaBelief(2.0**-8, weight_decay=0.1, **options)
    optimizer.has_fast_paths = is_fast
    model.compile(wrap(optimizer), "mse", **way)
    model.fit(x, y, batch_size=8, epochs=3, verbose=0, shuffle=False)
    assert int(array(optimizer.iterations)) == 9 // (
        options.get("gradient_accumulation_steps") or 1
    )
    if keras.backend.backend() == "tensorflow":
        assert bool(getattr(optimizer, "_graphs", None)) == is_fast
    return [array(w) for w in model.trainable_variables]


@functools.cache
def expected():
    """The weights of the same model when variables are updated one by one."""
    return trained(WAYS["eager"], is_fast=False)


def assert_same(fast, plain):
    for a, b in zip(fast, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_large_layer_trains_the_same(way):
    assert_same(trained(way), expected())


@pytest.mark.only("tensorflow", "torch")
def test_with_accumulated_and_averaged_gradients_too():
    options = {"gradient_accumulation_steps": 3, "use_ema": True}
    plain = trained(WAYS["eager"], is_fast=False, **options)
    assert_same(trained({}, **options), plain)


@pytest.mark.only("tensorflow", "torch")
def test_in_mixed_precision_too(half_precision):
    wrap = keras.optimizers.LossScaleOptimizer
    fast, plain = trained({}, True, wrap), trained(WAYS["eager"], False, wrap)
    # 16-bit activations may differ by a rounding, which AdaBelief scales up.
    for a, b in zip(fast, plain, strict=True):
        assert np.abs(a - b).mean() < 1e-4
