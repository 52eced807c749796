"""Heads of face recognition with state: AdaFace and CurricularFace."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from tests.contracts.test_jit_compile import with_a_compiler
from tests.tools import BACKEND
from tests.tools import IN_FLOAT32
from tests.tools import array
from tests.tools import gradient
from tests.tools import wide
from tfx_extras import layers

RANDOM = np.random.default_rng(5)
CLASSES = 6
KERNEL = RANDOM.normal(size=(4, CLASSES))
LENGTHS = np.array([0.01, 0.5, 3.0, 20.0, 60.0, 300.0, 40.0, 1.0])
BATCHES = RANDOM.normal(size=(5, 8, 4)) * LENGTHS[:, None]
LABELS = RANDOM.integers(0, CLASSES, (5, 8))
# Embeddings near the center of their class, and opposite to it.
BATCHES[:, 3:5] = 20 * KERNEL.T[LABELS[:, 3:5]] + 3 * BATCHES[:, :2]
BATCHES[:, 2] = -KERNEL.T[LABELS[:, 2]] + 0.01 * BATCHES[:, 2]
BATCHES[:, 4] *= 3
HEADS = [layers.AdaFace, layers.CurricularFace]
each_head = pytest.mark.parametrize("head", HEADS, ids=lambda head: head.__name__)


def cosines_of(x, kernel=KERNEL):
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return x @ (kernel / np.linalg.norm(kernel, axis=0))


def crossentropy(own, others):
    """From logits, one sample: the class itself is not among the others."""
    logits = np.array([own, *others])
    return np.log(np.exp(logits - logits.max()).sum()) + logits.max() - own


def ada_face(x, y, state, margin, h, scale):
    """By angles, from equations 10 to 13 of the paper."""
    mu, sigma = state
    losses = []
    lengths = np.clip(np.linalg.norm(x, axis=-1), 0.001, 100)
    for n, cosines, c in zip(lengths, cosines_of(x), y, strict=True):
        q = min(1, max(-1, h * (n - mu) / (sigma + 0.001)))
        angle = np.clip(np.arccos(cosines[c]) - margin * q, 0, np.pi)
        own = np.cos(angle) - (margin * q + margin)
        losses.append(crossentropy(scale * own, scale * np.delete(cosines, c)))
    return np.array(losses)


def state_of_ada_face(x, y, state, momentum):
    lengths = np.clip(np.linalg.norm(x, axis=-1), 0.001, 100)
    batch = np.array([lengths.mean(), lengths.std(ddof=1)])
    return momentum * np.array(state) + (1 - momentum) * batch


def curricular_face(x, y, state, margin, scale):
    """By angles, from equations 5 to 7 of the paper."""
    (t,) = state
    losses = []
    for cosines, c in zip(cosines_of(x), y, strict=True):
        angle = np.arccos(cosines[c])
        asked = np.cos(angle + margin)
        others = [s * (t + s) if s > asked else s for s in np.delete(cosines, c)]
        own = asked
        if angle + margin > np.pi:
            own = cosines[c] - margin * np.sin(margin)
        losses.append(crossentropy(scale * own, scale * np.array(others)))
    return np.array(losses)


def state_of_curricular_face(x, y, state, momentum):
    cosines = cosines_of(x)[np.arange(len(y)), y]
    return momentum * np.array(state) + (1 - momentum) * cosines.mean(keepdims=True)


REFERENCES = {
    layers.AdaFace: (ada_face, state_of_ada_face, (20.0, 100.0)),
    layers.CurricularFace: (curricular_face, state_of_curricular_face, (0.0,)),
}
OPTIONS = {
    layers.AdaFace: {"margin": 0.3, "h": 0.6, "scale": 7.0},
    layers.CurricularFace: {"margin": 0.4, "scale": 7.0},
}


def build(head, dtype="float32", **options):
    layer = head(CLASSES, dtype=dtype, **(OPTIONS.get(head, {}) | options))
    layer.build((None, 4))
    layer.kernel.assign(KERNEL)
    return layer


def state(layer):
    names = ["mean", "std"] if isinstance(layer, layers.AdaFace) else ["t"]
    return np.array([array(getattr(layer, name)) for name in names])


@each_head
def test_values_gradients_and_state_are_those_of_the_reference(head):
    """A gradient by central differences; the state is a constant in it."""
    losses, update, expected = REFERENCES[head]
    # On JAX, `ops.cos` returns float32.
    is_narrow = BACKEND == "jax" and head is layers.AdaFace
    digits = 1e-6 if is_narrow else 1e-10
    x, y = BATCHES[0], LABELS[0]
    with wide():
        layer = build(head, "float64", momentum=0.6)
        for x, y in zip(BATCHES, LABELS, strict=True):
            expected = update(x, y, expected, 0.6)
            inputs = ops.convert_to_tensor(x, "float64")
            actual = array(layer(inputs, y, training=True))
            exact = losses(x, y, expected, **OPTIONS[head])
            np.testing.assert_allclose(actual, exact, rtol=digits)
            np.testing.assert_allclose(state(layer), expected, rtol=1e-12)
            # On PyTorch, Keras takes the mean in float32.
            np.testing.assert_allclose(array(layer.losses[0]), exact.mean(), rtol=1e-6)
        actual = gradient(lambda x: layer(x, y), x)
    slope = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = 1e-6 * np.linalg.norm(x[i[0]])
        # A step along an embedding changes its length, through which nothing flows.
        ends = [x + step, x - step]
        lengths = [np.linalg.norm(e, axis=-1, keepdims=True) for e in (x, *ends)]
        ends = [e * lengths[0] / n for e, n in zip(ends, lengths[1:], strict=True)]
        far, near = (losses(e, y, expected, **OPTIONS[head]).sum() for e in ends)
        slope[i] = (far - near) / (2 * step[i])
    np.testing.assert_allclose(actual, slope, rtol=1e-5, atol=1e-7)


@with_a_compiler
@pytest.mark.only("torch")
def test_a_compiled_gradient_on_several_cores_is_that_of_eager_mode():
    """PyTorch compiled a gather beside a comparison into a wrong gradient."""
    import torch

    x = torch.tensor(BATCHES[0], dtype=torch.float32)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    found = []
    for compiles in (False, True):
        layer = build(layers.CurricularFace, momentum=0.5)
        call = torch.compile(layer, fullgraph=True) if compiles else layer
        given = x.clone().requires_grad_(True)
        call(given, torch.tensor(LABELS[0]), training=True).sum().backward()
        found.append(array(given.grad))
    torch.set_num_threads(threads)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)


@each_head
def test_logits_are_scaled_cosines_and_inference_leaves_the_state(head):
    layer = build(head)
    before = state(layer)
    logits = array(layer(BATCHES[0].astype("float32"), training=True))
    np.testing.assert_allclose(logits, 7 * cosines_of(BATCHES[0]), atol=1e-5)
    layer(BATCHES[0].astype("float32"), LABELS[0])
    layer.trainable = False
    layer(BATCHES[0].astype("float32"), LABELS[0], training=True)
    np.testing.assert_array_equal(state(layer), before)
    assert len(layer.non_trainable_variables) == 1 + len(before)  # the kernel too


@each_head
def test_samples_that_do_not_count_leave_state_and_mean(head):
    x, y = BATCHES[0].astype("float32"), LABELS[0]
    exact, layer = build(head, momentum=0.0), build(head, momentum=0.0)
    few = array(exact(x[:5], y[:5], training=True))
    wrong = x.copy()
    wrong[5:] = [[np.nan] * 4, [np.inf] * 4, [7.0] * 4]
    mask = np.arange(8) < 5
    losses = array(layer(wrong, y, mask=ops.convert_to_tensor(mask), training=True))
    np.testing.assert_allclose(losses[:5], few, rtol=1e-5)
    assert (losses[5:] == 0).all()
    np.testing.assert_allclose(array(layer.losses[0]), few.mean(), rtol=1e-5)
    np.testing.assert_allclose(state(layer), state(exact), rtol=1e-6)
    slope = gradient(lambda x: layer(x, y, mask=ops.convert_to_tensor(mask)), wrong)
    assert np.isfinite(slope).all()
    # Of weights of 0, and of numbers that are not finite, without a mask.
    again = build(head, momentum=0.0)
    wrong[7] = 1e3
    weights = np.array([1, 1, 1, 2, 1, 1, 1, 0], "float32")
    losses = array(again(wrong, y, weights, training=True))
    np.testing.assert_allclose(state(again), state(exact), rtol=1e-6)
    assert np.isnan(losses[5:7]).all()
    assert np.isfinite(np.delete(losses, [5, 6])).all()


@each_head
def test_batches_of_one_and_none_and_embeddings_of_zeros(head):
    layer = build(head, momentum=0.5)
    before = state(layer)
    losses = array(layer(np.zeros((0, 4), "float32"), np.zeros(0, "int32"), None))
    assert losses.shape == (0,)
    layer(np.zeros((0, 4), "float32"), np.zeros(0, "int32"), training=True)
    np.testing.assert_array_equal(state(layer), before)
    one = BATCHES[0, :1].astype("float32")
    assert np.isfinite(array(layer(one, LABELS[0, :1], training=True))).all()
    changed = state(layer) != before
    assert changed.tolist() == [True, False][: len(before)]
    zeros = np.zeros((3, 4), "float32")
    assert np.isfinite(array(layer(zeros, np.arange(3), training=True))).all()
    assert np.isfinite(state(layer)).all()
    assert np.isfinite(gradient(lambda x: layer(x, np.arange(3)), zeros)).all()


@each_head
def test_axes_between_batch_and_features_are_kept(head):
    flat, layer = build(head), build(head)
    exact = array(flat(BATCHES[0].astype("float32"), LABELS[0], training=True))
    x = BATCHES[0].reshape(2, 4, 4).astype("float32")
    actual = array(layer(x, LABELS[0].reshape(2, 4, 1), training=True))
    np.testing.assert_allclose(actual, exact.reshape(2, 4), rtol=1e-3)
    np.testing.assert_allclose(state(layer), state(flat), rtol=1e-6)


@each_head
@pytest.mark.parametrize("policy", [IN_FLOAT32, "mixed_float16"])
def test_a_model_trains_is_saved_and_trains_on_bit_for_bit(head, policy, tmp_path):
    keras.utils.set_random_seed(1)
    y = np.arange(30) % 3
    x = (np.eye(3)[y] + 0.1 * RANDOM.normal(size=(30, 3))).astype("float32")
    inputs, labels = keras.Input((3,)), keras.Input((), dtype="int32")
    hidden = keras.layers.Dense(4, dtype=policy)(inputs)
    layer = head(3, scale=8.0, momentum=0.9, dtype=policy, name="head")
    model = keras.Model([inputs, labels], layer(hidden, labels))
    assert model.output.dtype == "float32"
    model.compile(keras.optimizers.Adam(0.05))
    # TensorFlow traces a function twice if it makes variables.
    model.optimizer.build(model.trainable_variables)
    calls = []
    call = layer._with_margin
    layer._with_margin = lambda *args: calls.append(1) or call(*args)
    before = state(layer)
    model.fit([x, y], epochs=12, batch_size=12, shuffle=False, verbose=0)
    # JAX compiles once for each size of a batch; PyTorch does not compile.
    expected = {"tensorflow": 1, "jax": 2, "torch": 36}[BACKEND]
    assert len(calls) <= expected
    del layer._with_margin
    assert {each.dtype for each in layer.weights} == {"float32"}
    assert (state(layer) != before).all()
    classifier = keras.Model(inputs, layer(hidden))
    assert (classifier.predict(x, verbose=0).argmax(-1) == y).all()
    after = state(layer)
    model.evaluate([x, y], verbose=0)
    np.testing.assert_array_equal(state(layer), after)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(state(loaded.get_layer("head")), after)
    for each in (model, loaded):
        each.fit([x, y], batch_size=12, shuffle=False, verbose=0)
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(array(one), array(other))


@each_head
def test_the_configuration_survives_json(head):
    given = OPTIONS[head] | {"momentum": 0.5, "kernel_initializer": "he_normal"}
    layer = head(np.int64(CLASSES), name="mine", **given)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == layer.get_config()
    given.pop("kernel_initializer")
    assert {name: getattr(copy, name) for name in given} == given


@each_head
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"classes": 0}, r"`classes` must be in \[1, inf\). Received: classes=0"),
        ({"margin": -0.1}, r"`margin` must be in \[0, "),
        ({"scale": 0.0}, r"`scale` must be in \(0, inf\)"),
        ({"momentum": 1.0}, r"`momentum` must be in \[0, 1\)"),
        ({"dtype": "nonsense"}, "`dtype` must be a dtype"),
    ],
)
def test_wrong_arguments_are_named(head, arguments, said):
    with pytest.raises(ValueError, match=said):
        head(**{"classes": 3, **arguments})


def test_how_much_lengths_count_is_not_negative():
    with pytest.raises(ValueError, match=r"`h` must be in \[0, inf\)"):
        layers.AdaFace(3, h=-1.0)


@each_head
def test_labels_and_weights_of_other_shapes_are_refused(head):
    layer, x = build(head), BATCHES[0].astype("float32")
    with pytest.raises(ValueError, match="one integer per sample"):
        layer(x, LABELS[0, :3])
    with pytest.raises(ValueError, match="must hold classes"):
        layer(x, LABELS[0] + CLASSES)
    with pytest.raises(ValueError, match=r"`sample_weight` must .*sample_weight.shape"):
        layer(x, LABELS[0], np.ones(3, "float32"))
