"""The chunked loss of a linear layer, and its gradients, equal those of its logits."""

import functools
import json

import keras
import numpy as np
import pytest
from keras import ops

import tfx_extras
from tests.references import losses as reference
from tests.tools import BACKEND
from tests.tools import array
from tests.tools import compiled
from tests.tools import fused
from tests.tools import gradient
from tests.tools import looked_at
from tests.tools import values_and_gradient
from tests.tools import wide
from tfx_extras.losses import chunked_linear_crossentropy

RANDOM = np.random.default_rng(0)
CLASSES = 13
HIDDEN = RANDOM.normal(size=(3, 5, 4)) * 2
HIDDEN[0, 0] *= 100  # one class is certain
KERNEL = RANDOM.normal(size=(4, CLASSES))
BIAS = RANDOM.normal(size=CLASSES)
LABELS = RANDOM.integers(0, CLASSES, (3, 5))
LABELS[0, 0] = np.argmax(HIDDEN[0, 0] @ KERNEL + BIAS)  # the label is that class
LABELS[1, :3] = -1, 12, 0  # ignored, the last and the first class
UPSTREAM = RANDOM.normal(size=LABELS.shape)
IGNORED = {"ignore_class": -1}
OPTIONS = {
    "plain": IGNORED,
    "smoothed": IGNORED | {"label_smoothing": 0.3},
    "weighted": IGNORED | {"class_weight": [k % 4 / 2 for k in range(CLASSES)]},
    "drift": IGNORED | {"z_loss": 0.1},
}
OPTIONS["all"] = {k: v for options in OPTIONS.values() for k, v in options.items()}
each_option = pytest.mark.parametrize("title", OPTIONS)
each_chunk = pytest.mark.parametrize("chunk_size", [None, 1, 4, 12, 13, 100])


def expected(hidden, kernel, bias, **options):
    logits = hidden @ kernel + (0 if bias is None else bias)
    options = {"label_smoothing": 0.0} | options
    return reference.smoothed_sparse_categorical_crossentropy(
        LABELS, logits, from_logits=True, **options
    )


def arguments(dtype, with_bias=True):
    given = [HIDDEN, KERNEL, *([BIAS] if with_bias else [])]
    given = [x.astype(dtype) for x in given]
    return given if with_bias else [*given, None]


def slope_of_reference(place, **options):
    """The central difference in float64 of the losses, weighted by `UPSTREAM`."""
    given = [HIDDEN, KERNEL, BIAS]
    slopes = np.empty_like(given[place])
    for index in np.ndindex(slopes.shape):
        step = np.zeros_like(slopes)
        step[index] = 1e-5
        ends = []
        for moved in (given[place] + step, given[place] - step):
            at = [*given[:place], moved, *given[place + 1 :]]
            ends.append((UPSTREAM * expected(*at, **options)).sum())
        slopes[index] = (ends[0] - ends[1]) / 2e-5
    return slopes


def slope(place, dtype="float32", with_bias=True, **options):
    given = arguments(dtype, with_bias)

    def weighed(x):
        at = [*given[:place], x, *given[place + 1 :]]
        at = [x if x is None else ops.convert_to_tensor(x) for x in at]
        loss = chunked_linear_crossentropy(LABELS, *at, **options)
        return loss * ops.convert_to_tensor(UPSTREAM, loss.dtype)

    return gradient(weighed, given[place])


@each_option
@each_chunk
@pytest.mark.parametrize("with_bias", [True, False])
def test_the_value_is_that_of_the_reference(title, chunk_size, with_bias):
    given = arguments("float32", with_bias)

    @fused
    def compute(hidden):
        return chunked_linear_crossentropy(
            LABELS, hidden, *given[1:], **OPTIONS[title], chunk_size=chunk_size
        )

    loss = compute(ops.convert_to_tensor(given[0]))
    exact = expected(*arguments("float64", with_bias), **OPTIONS[title])
    # Logits of 1000 are exact to 1e-4, and `z_loss` squares them.
    np.testing.assert_allclose(array(loss), exact, rtol=2e-6, atol=2e-6)


@each_option
@pytest.mark.parametrize("chunk_size", [None, 4])
def test_the_value_is_that_of_the_reference_in_float64(title, chunk_size):
    options = OPTIONS[title]
    with wide():
        loss = chunked_linear_crossentropy(
            LABELS, *arguments("float64"), **options, chunk_size=chunk_size
        )
        assert keras.backend.standardize_dtype(loss.dtype) == "float64"
        actual = array(loss)
    exact = expected(*arguments("float64"), **options)
    np.testing.assert_allclose(actual, exact, rtol=1e-13, atol=1e-13)


@each_option
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("chunk_size", [None, 4])
def test_gradients_are_those_of_the_reference(title, place, chunk_size):
    actual = slope(place, chunk_size=chunk_size, **OPTIONS[title])
    exact = slope_of_reference(place, **OPTIONS[title])
    least = 2e-6 * np.abs(exact).max()
    np.testing.assert_allclose(actual, exact, rtol=1e-4, atol=least)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_gradients_are_those_of_the_reference_in_float64(place):
    with wide():
        actual = slope(place, "float64", chunk_size=4, **OPTIONS["all"])
    exact = slope_of_reference(place, **OPTIONS["all"])
    least = 1e-9 * np.abs(exact).max()
    np.testing.assert_allclose(actual, exact, rtol=1e-6, atol=least)


@pytest.mark.parametrize("place", [0, 1])
def test_a_missing_bias_is_one_of_zeros(place, monkeypatch):
    missing = slope(place, with_bias=False, chunk_size=4, **OPTIONS["all"])
    monkeypatch.setattr(
        "tests.losses.classification.test_chunked.BIAS", np.zeros(CLASSES)
    )
    zeros = slope(place, chunk_size=4, **OPTIONS["all"])
    np.testing.assert_allclose(missing, zeros, rtol=1e-6)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("chunk_size", [1, 4, 12])
def test_the_size_of_a_chunk_does_not_matter(place, chunk_size):
    options = OPTIONS["all"]
    whole = slope(place, chunk_size=CLASSES, **options)
    parts = slope(place, chunk_size=chunk_size, **options)
    least = 1e-6 * np.abs(whole).max()
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=least)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_half_precision_is_summed_in_float32_and_rounded_once(dtype, place):
    given = [ops.cast(x, dtype) for x in arguments("float32")]
    widened = [ops.cast(x, "float32") for x in given]

    def at(given):
        def compute(x):
            loss = chunked_linear_crossentropy(
                LABELS, *given[:place], x, *given[place + 1 :], 0.1, -1, chunk_size=4
            )
            assert keras.backend.standardize_dtype(loss.dtype) == "float32"
            return loss

        return values_and_gradient(compute, given[place])

    for half, full in zip(at(given), at(widened), strict=True):
        if half.shape != LABELS.shape:  # a gradient
            full = array(ops.cast(ops.convert_to_tensor(full), dtype))
            least = np.abs(full).max() * 2.0**-10
            np.testing.assert_allclose(half, full, rtol=2.0**-7, atol=least)
        else:
            np.testing.assert_array_equal(half, full)


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_and_none(rows):
    given = [HIDDEN[:rows].astype("float32"), *arguments("float32")[1:]]
    labels = LABELS[:rows]
    loss = chunked_linear_crossentropy(labels, *given, chunk_size=4)
    assert loss.shape == (rows, 5)
    assert np.isfinite(array(loss)).all()

    def of_kernel(kernel):
        return chunked_linear_crossentropy(
            labels, given[0], kernel, given[2], chunk_size=4
        )

    slopes = gradient(of_kernel, given[1])
    assert np.isfinite(slopes).all()
    assert (np.abs(slopes).max() > 0) == (rows > 0)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_batch_of_ignored_labels_costs_nothing(place, monkeypatch):
    monkeypatch.setattr(
        "tests.losses.classification.test_chunked.LABELS", np.full((3, 5), -1)
    )
    assert (
        array(chunked_linear_crossentropy(LABELS, *arguments("float32"), 0, -1)).sum()
        == 0
    )
    np.testing.assert_array_equal(slope(place, **OPTIONS["all"]), 0)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_one_trace_serves_all_batches(jit_compile):
    traces = []

    def compute(labels, hidden, kernel, bias):
        traces.append(1)
        return chunked_linear_crossentropy(
            labels, hidden, kernel, bias, chunk_size=4, **OPTIONS["all"]
        )

    function = compiled(compute, jit_compile)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        signature = [
            tf.TensorSpec([None, None], "int32"),
            tf.TensorSpec([None, None, 4]),
            *(tf.TensorSpec(x.shape) for x in (KERNEL, BIAS)),
        ]
        function = tf.function(
            compute,
            autograph=False,
            input_signature=signature,
            jit_compile=jit_compile,
        )
    hidden, kernel, bias = arguments("float32")
    for size in (3, 2, 0):
        given = LABELS[:size].astype("int32"), hidden[:size], kernel, bias
        given = [ops.convert_to_tensor(x) for x in given]
        exact = array(compute(*given))
        np.testing.assert_allclose(array(function(*given)), exact, rtol=1e-5, atol=1e-5)
    if BACKEND == "tensorflow":
        assert len(traces) == 4  # three further runs are eager


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_a_gradient_within_tensorflow_functions(jit_compile):
    import tensorflow as tf

    def slopes(labels, hidden, kernel, bias):
        with tf.GradientTape() as tape:
            tape.watch([hidden, kernel, bias])
            loss = chunked_linear_crossentropy(
                labels, hidden, kernel, bias, chunk_size=4, **OPTIONS["all"]
            )
            total = tf.reduce_sum(loss * tf.constant(UPSTREAM, "float32"))
        return tape.gradient(total, [hidden, kernel, bias])

    given = [LABELS.astype("int32"), *arguments("float32")]
    given = [tf.constant(x) for x in given]
    if jit_compile is not None:
        slopes = compiled(slopes, jit_compile)
    for place, actual in enumerate(slopes(*given)):
        exact = slope_of_reference(place, **OPTIONS["all"])
        least = 2e-6 * np.abs(exact).max()
        np.testing.assert_allclose(array(actual), exact, rtol=1e-4, atol=least)


@pytest.mark.parametrize("name", ["smoothed", "chunked"])
def test_many_small_numbers_are_not_lost_beside_one(name):
    classes = 50_000
    logits = np.zeros((1, classes), "float32")
    logits[0, 7] = 12
    if name == "smoothed":
        loss = tfx_extras.losses.smoothed_sparse_categorical_crossentropy(
            [7], logits, label_smoothing=0.0, from_logits=True
        )
    else:
        hidden = np.ones((1, 1), "float32")
        loss = chunked_linear_crossentropy([7], hidden, logits)
    exact = np.log1p((classes - 1) * np.exp(-12.0))
    np.testing.assert_allclose(array(loss), [exact], atol=5e-7)


@pytest.mark.only("torch")
def test_the_gradient_of_the_kernel_is_not_copied(monkeypatch):
    import torch

    from tfx_extras.losses.classification import chunked

    places, way = [], chunked._slopes

    def slopes(*args, **kwargs):
        results = way(*args, **kwargs)
        places.append(results[1].data_ptr())
        return results

    monkeypatch.setattr(chunked, "_slopes", slopes)
    hidden, kernel, bias = map(torch.tensor, arguments("float32"))
    kernel.requires_grad_()
    labels = np.maximum(LABELS, 0)
    chunked_linear_crossentropy(
        labels, hidden, kernel, bias, chunk_size=4
    ).sum().backward()
    assert [kernel.grad.data_ptr()] == places


@pytest.mark.only("tensorflow", "torch")
def test_a_second_derivative_is_refused():
    hidden, kernel, _ = (ops.convert_to_tensor(x) for x in arguments("float32"))
    if BACKEND == "torch":
        import torch

        kernel.requires_grad_()
        loss = chunked_linear_crossentropy(LABELS, hidden, kernel, ignore_class=-1)
        (slope,) = torch.autograd.grad(loss.sum(), kernel, create_graph=True)
        with pytest.raises(NotImplementedError, match="no second derivative"):
            torch.autograd.grad(slope.sum(), kernel)
        return
    import tensorflow as tf

    with tf.GradientTape() as outer:
        outer.watch(kernel)
        with tf.GradientTape() as inner:
            inner.watch(kernel)
            loss = chunked_linear_crossentropy(LABELS, hidden, kernel, ignore_class=-1)
        with pytest.raises((LookupError, tf.errors.InvalidArgumentError)):
            outer.gradient(inner.gradient(loss, kernel), kernel)


@pytest.mark.only("jax")
@each_option
def test_a_second_derivative_is_that_of_logits(title):
    import jax

    hidden, kernel, bias = (jax.numpy.asarray(x) for x in arguments("float32"))
    hidden = hidden / 10  # so that no class is certain
    options = {"label_smoothing": 0.0} | OPTIONS[title]

    def chunked(kernel):
        return chunked_linear_crossentropy(
            LABELS, hidden, kernel, bias, chunk_size=4, **options
        ).sum()

    def whole(kernel):
        return tfx_extras.losses.smoothed_sparse_categorical_crossentropy(
            LABELS, hidden @ kernel + bias, from_logits=True, **options
        ).sum()

    def along(loss):
        first = jax.grad(loss)
        return jax.jit(jax.grad(lambda k: (first(k) * KERNEL).sum()))(kernel)

    exact = array(along(whole))
    least = 1e-5 * np.abs(exact).max()
    np.testing.assert_allclose(array(along(chunked)), exact, rtol=1e-4, atol=least)


@pytest.mark.parametrize(
    ("labels", "hidden", "kernel", "bias", "message"),
    [
        ((3,), (3, 5, 4), (4, 9), None, "`y_true` must have the shape of `hidden`"),
        ((2,), (3, 4), (4, 9), None, "`y_true` must have the shape of `hidden`"),
        ((3,), (3, 4), (5, 9), None, "`hidden` must have the shape"),
        ((3,), (3, 4), (4, 9), (8,), "`hidden` must have the shape"),
        ((3,), (3, 4), (4, 9), (1, 9), "`hidden` must have the shape"),
        ((3,), (3, 4), (4,), None, "`hidden` must have the shape"),
        ((), (4,), (4, 9), None, "`hidden` must have the shape"),
    ],
)
def test_wrong_shapes_are_named(labels, hidden, kernel, bias, message):
    bias = None if bias is None else np.zeros(bias, "float32")
    hidden, kernel = np.zeros(hidden, "float32"), np.zeros(kernel, "float32")
    with pytest.raises(ValueError, match=f"{message}.* Received: "):
        chunked_linear_crossentropy(np.zeros(labels, int), hidden, kernel, bias)


def test_wrong_values_are_named():
    given = arguments("float32")
    with (
        looked_at(),
        pytest.raises(ValueError, match=r"`y_true` must hold classes in \[0, 13\)"),
    ):
        chunked_linear_crossentropy(np.full((3, 5), 13), *given)
    with pytest.raises(ValueError, match=r"`chunk_size` must .* chunk_size=0"):
        chunked_linear_crossentropy(LABELS, *given, ignore_class=-1, chunk_size=0)
    with pytest.raises(ValueError, match=r"`class_weight` must .* Received: "):
        chunked_linear_crossentropy(LABELS, *given, 0, -1, class_weight=[1.0])
    for name, value in {"label_smoothing": 1.5, "z_loss": -1.0}.items():
        with pytest.raises(ValueError, match=rf"`{name}` must .* {name}={value}"):
            tfx_extras.layers.ChunkedLinearCrossentropy(3, **{name: value})
    for name in ("classes", "chunk_size"):
        with pytest.raises(ValueError, match=rf"`{name}` must .* {name}=0"):
            tfx_extras.layers.ChunkedLinearCrossentropy(**{"classes": 3, name: 0})


@pytest.mark.only("tensorflow", "jax")  # PyTorch always checks labels on a CPU
def test_an_unknown_label_is_nan_where_it_is_not_looked_at():
    def compute(hidden):
        labels = np.where(LABELS < 0, 99, LABELS)
        return chunked_linear_crossentropy(labels, hidden, KERNEL.astype("float32"))

    function = compiled(compute, jit_compile=True)
    loss = array(function(ops.convert_to_tensor(HIDDEN.astype("float32"))))
    np.testing.assert_array_equal(np.isnan(loss), LABELS < 0)


def build(**options):
    tokens = keras.Input((5,), dtype="int32")
    labels = keras.Input((5,), dtype="int32")
    hidden = keras.layers.Embedding(20, 6, name="hidden")(tokens)
    head = tfx_extras.layers.ChunkedLinearCrossentropy(20, name="head", **options)
    model = keras.Model([tokens, labels], head(hidden, labels))
    return model, keras.Model(tokens, head(hidden))


TOKENS = RANDOM.integers(1, 20, (32, 5)).astype("int32")
FOLLOWING = (TOKENS * 4 % 20).astype("int32")


def test_a_model_trains_is_saved_and_predicts(tmp_path):
    model, writer = build(ignore_class=0, chunk_size=7)
    model.compile(keras.optimizers.Adam(0.03))
    history = model.fit([TOKENS, FOLLOWING], epochs=8, batch_size=12, verbose=0)
    loss = history.history["loss"]
    assert loss[-1] < 0.5 * loss[0]

    logits = array(writer(TOKENS))
    losses = reference.smoothed_sparse_categorical_crossentropy(
        FOLLOWING, logits, 0.0, from_logits=True, ignore_class=0
    )
    counted = FOLLOWING != 0
    assert 0 < counted.mean() < 1
    mean = losses.sum() / counted.sum()
    actual = model.evaluate([TOKENS, FOLLOWING], batch_size=32, verbose=0)
    np.testing.assert_allclose(actual, mean, rtol=1e-5)
    np.testing.assert_allclose(
        model.predict([TOKENS, FOLLOWING], verbose=0), losses, rtol=1e-4, atol=1e-5
    )

    path = tmp_path / "model.keras"
    model.save(path)
    copy = keras.saving.load_model(path)
    actual = copy.evaluate([TOKENS, FOLLOWING], batch_size=32, verbose=0)
    np.testing.assert_allclose(actual, mean, rtol=1e-6)
    head = copy.get_layer("head")
    hidden = copy.get_layer("hidden").output
    again = keras.Model(copy.inputs[0], head(hidden))
    np.testing.assert_array_equal(array(again(TOKENS)), logits)
    before = copy.fit([TOKENS, FOLLOWING], epochs=1, verbose=0).history["loss"]
    assert before[0] < loss[0]


def test_a_mask_and_weights_leave_samples_out():
    hidden = keras.layers.Masking()(
        ops.convert_to_tensor(HIDDEN * (LABELS >= 0)[..., None], "float32")
    )
    head = tfx_extras.layers.ChunkedLinearCrossentropy(CLASSES)
    labels = np.where(LABELS < 0, 0, LABELS)
    weights = np.abs(UPSTREAM).astype("float32")
    losses = array(head(hidden, labels, weights))
    counted = LABELS >= 0
    exact = (losses * weights)[counted].sum() / counted.sum()
    np.testing.assert_allclose(array(head.losses[0]), exact, rtol=1e-5)


# Square, so that axes are easily confused.
SQUARE = RANDOM.normal(size=(3, 3, 4)).astype("float32")
COUNTS = RANDOM.uniform(0.5, 2, (3, 3)).astype("float32")


def mean_of_layer(**given):
    """The mean that the layer adds, and the losses that it averages."""
    head = tfx_extras.layers.ChunkedLinearCrossentropy(CLASSES)
    losses = head(SQUARE, LABELS[:, 2:] % CLASSES, **given)
    return array(head.losses[0]), array(losses)


@pytest.mark.parametrize("shape", [(), (3,), (3, 1), (3, 1, 1), (3, 3), (3, 3, 1)])
def test_weights_of_the_first_axes_are_those_of_all_that_follows(shape):
    given = np.resize(COUNTS.reshape(-1), shape).astype("float32")
    mean, losses = mean_of_layer(sample_weight=ops.convert_to_tensor(given))
    weights = given.reshape(*given.shape[:2], *[1] * (2 - given.ndim))
    np.testing.assert_allclose(mean, (losses * weights).mean(), rtol=1e-6)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 3)])
@pytest.mark.parametrize("is_attached", [False, True])
def test_a_mask_of_the_first_axes_is_that_of_all_that_follows(shape, is_attached):
    mask = np.resize([True, False, True, True], shape)
    given = {"sample_weight": COUNTS[:, 0]}
    hidden = ops.convert_to_tensor(SQUARE)
    if is_attached:
        hidden = attached(hidden, mask)
    else:
        given["mask"] = mask
    head = tfx_extras.layers.ChunkedLinearCrossentropy(CLASSES, ignore_class=1)
    labels = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 1]])
    losses = array(head(hidden, labels, **given))
    counted = np.broadcast_to(mask.reshape(3, -1), (3, 3)) & (labels != 1)
    exact = (losses * COUNTS[:, :1])[counted].sum() / counted.sum()
    np.testing.assert_allclose(array(head.losses[0]), exact, rtol=1e-6)


def attached(x, mask):
    """Attaches a mask to `x` with a layer."""

    class Attaching(keras.layers.Layer):
        def compute_mask(self, inputs, previous_mask):
            return ops.convert_to_tensor(mask)

        def call(self, inputs):
            return ops.copy(inputs)

    return Attaching()(x)


@pytest.mark.parametrize("name", ["sample_weight", "mask"])
@pytest.mark.parametrize("shape", [(1,), (2,), (1, 3), (3, 2), (3, 3, 3), (1, 3, 1)])
def test_weights_of_other_axes_are_refused(name, shape):
    with pytest.raises(ValueError, match=rf"`{name}` must .*{name}.shape="):
        mean_of_layer(**{name: np.ones(shape, "float32")})


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_a_batch_of_nothing_has_the_mean_0(shape):
    head = tfx_extras.layers.ChunkedLinearCrossentropy(CLASSES)
    losses = head(np.zeros((*shape, 4), "float32"), np.zeros(shape, "int32"))
    assert tuple(losses.shape) == shape
    assert array(head.losses[0]) == 0
    assert head.losses[0].shape == ()


MIXED = ["mixed_bfloat16", "mixed_float16", "bfloat16"]


@pytest.mark.parametrize("policy", MIXED)
def test_labels_and_weights_are_not_rounded_to_the_type_of_a_layer(policy):
    hidden = RANDOM.normal(size=(4, 2)).astype("float32")
    labels = np.array([257.0, 1023.0, 3.0, 255.0], "float32")
    weights = np.array([1e5, 1e-9, 257.0, 0.1], "float32")
    head = tfx_extras.layers.ChunkedLinearCrossentropy(1025, dtype=policy)
    losses = head(hidden, labels, weights)
    half = array(ops.cast(hidden, head.compute_dtype)).astype("float32")
    kernel, bias = head.kernel.numpy(), head.bias.numpy()
    exact = chunked_linear_crossentropy(labels.astype("int32"), half, kernel, bias)
    np.testing.assert_array_equal(array(losses), array(exact))
    mean = (array(exact) * weights).mean()
    np.testing.assert_allclose(array(head.losses[0]), mean, rtol=1e-6)


@pytest.mark.parametrize("policy", MIXED[:2])
def test_a_model_of_mixed_precision_trains_with_labels_of_floats(policy):
    x = RANDOM.normal(size=(8, 2)).astype("float32")
    y = np.full(8, 257.0, "float32")
    inputs, labels = keras.Input((2,)), keras.Input((), dtype="float32")
    hidden = keras.layers.Dense(2, dtype=policy)(inputs)
    head = tfx_extras.layers.ChunkedLinearCrossentropy(300, dtype=policy)
    model = keras.Model([inputs, labels], head(hidden, labels))
    assert model.output.dtype == "float32"
    model.compile(keras.optimizers.SGD(1.0))
    model.fit([x, y], epochs=3, verbose=0)
    assert head.bias.numpy().argmax() == 257
    logits = keras.Model(inputs, head(hidden))(x)
    assert keras.backend.standardize_dtype(logits.dtype) == head.compute_dtype


def gradients_of(monkeypatch, head, hidden, labels, *asked):
    """Gradients of the mean with respect to `asked`, and which ones were computed."""
    from tfx_extras.losses.classification import chunked

    computed, way = [], chunked._slopes

    def slopes(*args, **kwargs):
        results = way(*args, **kwargs)
        names = ("hidden", "kernel", "bias")
        pairs = zip(names, results, strict=True)
        computed.append({name for name, result in pairs if result is not None})
        return results

    monkeypatch.setattr(chunked, "_slopes", slopes)
    if BACKEND == "torch":
        (head(hidden, labels).sum()).backward()
        return [array(x.grad) for x in asked], computed
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch([x for x in asked if not isinstance(x, tf.Variable)])
        total = tf.reduce_sum(head(hidden, labels))
    return list(map(array, tape.gradient(total, asked))), computed


@pytest.mark.only("tensorflow", "torch")
def test_a_frozen_kernel_has_no_gradient(monkeypatch):
    head = tfx_extras.layers.ChunkedLinearCrossentropy(CLASSES, chunk_size=4)
    labels = np.maximum(LABELS, 0)
    hidden = ops.convert_to_tensor(HIDDEN, "float32")
    if BACKEND == "torch":
        hidden.requires_grad_()
    head.build(hidden.shape)
    (trained,), computed = gradients_of(monkeypatch, head, hidden, labels, hidden)
    assert computed == [{"hidden", "kernel", "bias"}]
    head.kernel.trainable = False
    if BACKEND == "torch":
        hidden.grad = None
    asked = hidden, head.bias.value
    (frozen, _), computed = gradients_of(monkeypatch, head, hidden, labels, *asked)
    assert computed == [{"hidden", "bias"}]
    np.testing.assert_array_equal(frozen, trained)
    head.trainable = False
    if BACKEND == "torch":
        hidden.grad = None
    (frozen,), computed = gradients_of(monkeypatch, head, hidden, labels, hidden)
    # PyTorch knows that no other gradient is needed, and computes it with the loss.
    assert computed == ([{"hidden"}] if BACKEND == "tensorflow" else [])
    least = 1e-6 * np.abs(trained).max()
    np.testing.assert_allclose(frozen, trained, rtol=1e-5, atol=least)
    if BACKEND == "torch":
        hidden.grad = None
    training = functools.partial(head, training=True)  # as on TensorFlow
    (frozen,), computed = gradients_of(monkeypatch, training, hidden, labels, hidden)
    assert computed == []
    np.testing.assert_allclose(frozen, trained, rtol=1e-5, atol=least)


@pytest.mark.only("torch")
@each_option
@pytest.mark.parametrize("is_trained", [False, True])
def test_a_kernel_that_is_trained_leaves_the_gradient_of_hidden_states(
    title, is_trained
):
    import torch

    hidden, kernel, bias = map(torch.tensor, arguments("float64"))
    hidden.requires_grad_()
    kernel.requires_grad_(is_trained)
    loss = chunked_linear_crossentropy(
        LABELS, hidden, kernel, bias, chunk_size=4, **OPTIONS[title]
    )
    (loss * torch.tensor(UPSTREAM, device=loss.device)).sum().backward()
    exact = slope_of_reference(0, **OPTIONS[title])
    least = 1e-9 * np.abs(exact).max()
    np.testing.assert_allclose(array(hidden.grad), exact, rtol=1e-6, atol=least)


@pytest.mark.only("tensorflow", "torch")
def test_hidden_states_that_are_given_have_no_gradient(monkeypatch):
    labels, hidden, kernel, _ = np.maximum(LABELS, 0), *arguments("float32")
    kernel = keras.Variable(kernel)

    def head(hidden, labels):
        return chunked_linear_crossentropy(labels, hidden, kernel, chunk_size=4)

    (_,), computed = gradients_of(monkeypatch, head, hidden, labels, kernel.value)
    assert computed == [{"kernel"}]


@pytest.mark.only("jax")
def test_a_compiled_frozen_kernel_has_no_gradient_in_memory():
    import jax

    hidden, kernel = np.ones((4, 64), "float32"), np.ones((64, 8192), "float32")

    def total(hidden, kernel):
        return chunked_linear_crossentropy(
            np.zeros(4, int), hidden, kernel, chunk_size=512
        ).sum()

    def memory(*places):
        lowered = jax.jit(jax.grad(total, places)).lower(hidden, kernel)
        found = lowered.compile().memory_analysis()
        return found.temp_size_in_bytes + found.output_size_in_bytes

    assert memory(0, 1) > kernel.nbytes
    assert memory(0) < 0.5 * kernel.nbytes


def test_the_configuration_of_the_layer_survives_json():
    given = OPTIONS["all"] | {
        "use_bias": False,
        "chunk_size": 4,
        "kernel_initializer": "he_normal",
        "name": "mine",
    }
    layer = tfx_extras.layers.ChunkedLinearCrossentropy(np.int64(CLASSES), **given)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.get_config() == layer.get_config()
    for name, value in given.items():
        if name != "kernel_initializer":
            assert getattr(copy, name) == value
    copy.build((None, 4))
    assert copy.bias is None


@each_option
def test_options_reach_the_loss_of_the_layer(title):
    layer = tfx_extras.layers.ChunkedLinearCrossentropy(CLASSES, **OPTIONS[title])
    hidden, kernel, bias = arguments("float32")
    layer.build(hidden.shape)
    layer.set_weights([kernel, bias])
    exact = chunked_linear_crossentropy(LABELS, hidden, kernel, bias, **OPTIONS[title])
    np.testing.assert_array_equal(array(layer(hidden, LABELS)), array(exact))


@pytest.mark.parametrize("dtype", [1, "nonsense", keras.losses.Dice()])
def test_a_configuration_names_a_type(dtype):
    config = tfx_extras.layers.ChunkedLinearCrossentropy(3).get_config()
    dtype = keras.saving.serialize_keras_object(dtype)
    with pytest.raises(ValueError, match="`dtype` must be a dtype"):
        tfx_extras.layers.ChunkedLinearCrossentropy.from_config(
            config | {"dtype": dtype}
        )


def test_logits_of_a_float64_layer_are_float64():
    """On PyTorch, `ops.matmul` returns float32."""
    random = np.random.default_rng(0)
    hidden, kernel = random.normal(size=(3, 4)), random.normal(size=(4, 5))
    with wide():
        layer = tfx_extras.layers.ChunkedLinearCrossentropy(
            5, use_bias=False, dtype="float64"
        )
        layer.build((None, 4))
        layer.kernel.assign(kernel)
        logits = array(layer(ops.convert_to_tensor(hidden, "float64")))
    np.testing.assert_allclose(logits, hidden @ kernel, rtol=1e-12)
