"""`SharpnessAware` trains with the gradients of a second pass, and changes no more."""

import functools
from contextlib import contextmanager
from contextlib import nullcontext

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from tests import tools
from tests.references import sharpness_aware as reference
from tests.tools import BACKEND
from tfx_extras import optimizers
from tfx_extras.models import SharpnessAware

RATE = 0.125
STEPS, BATCH = 30, 6
RANDOM = np.random.default_rng(2010)
X = RANDOM.normal(size=(STEPS * BATCH, 4)).astype("float32")
CLASSES = RANDOM.integers(0, 3, STEPS * BATCH)
SUMS = X @ [[1.0], [-2], [0.5], [1]] + RANDOM.normal(size=(STEPS * BATCH, 1))
START = [RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(3,))]
SETTINGS = [
    {"rho": 0.5},
    {"rho": 0.05, "momentum": 0.5},
    {"rho": 0.5, "adaptive": True, "momentum": 0.5},
    {"rho": 0.5, "adaptive": True, "eta": 0.25},
]
CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
# On TensorFlow, compiling a model takes longer than a few steps. Tests of the papers
# use XLA, and tests of the ways to run use all ways.
PLAIN = {"jit_compile": BACKEND == "jax"}
QUICK = {"run_eagerly": BACKEND == "tensorflow"}


@contextmanager
def in_float64():
    before = keras.config.floatx(), keras.config.dtype_policy()
    with tools.wide():
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        try:
            yield
        finally:
            keras.config.set_floatx(before[0])
            keras.config.set_dtype_policy(before[1])


class InFloat64(SharpnessAware):
    """Keras computes the mean of a loss in `float32`."""

    def compute_loss(self, x, y, y_pred, sample_weight=None):
        is_class = ops.equal(ops.expand_dims(y, 1), ops.arange(3, dtype=y.dtype))
        picked = ops.sum(ops.where(is_class, y_pred, 0 * y_pred), -1)
        return ops.sum(ops.logsumexp(y_pred, -1) - picked) / ops.cast(
            ops.shape(y_pred)[0], y_pred.dtype
        )


class DenseInFloat64(layers.Layer):
    """`ops.matmul`, which `Dense` calls, narrows `float64`."""

    def __init__(self, units):
        super().__init__()
        self.w = self.add_weight(shape=(4, units))
        self.b = self.add_weight(shape=(units,))

    def call(self, inputs):
        return inputs @ self.w.value + self.b.value


def linear(start=START, dense=layers.Dense):
    model = keras.Sequential([keras.Input((4,)), dense(len(start[1]))])
    model.set_weights(start)
    return model


def batches(y, steps=STEPS, size=BATCH):
    x, y = X.astype("float64"), y[: steps * size]
    parts = [slice(i * size, (i + 1) * size) for i in range(steps)]
    return [(x[part], y[part]) for part in parts]


def fit(model, x, y, steps=STEPS, **options):
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0} | options
    return model.fit(x[: steps * BATCH], y[: steps * BATCH], **options).history


def weights(model):
    return [tools.array(variable) for variable in model.variables]


def assert_moved_alike(ours, theirs, tolerance, start=START):
    moved = max(np.abs(a - b).max() for a, b in zip(theirs, start, strict=True))
    assert moved > 0.1
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance * moved, rtol=0)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_classifier_is_trained_as_in_the_papers(setting, dtype):
    momentum = {"momentum": setting.get("momentum", 0.0)}
    own = {key: value for key, value in setting.items() if key != "momentum"}
    expected = reference.sharpness_aware(
        START, reference.of_softmax, batches(CLASSES), RATE, **setting
    )
    with in_float64() if dtype == "float64" else nullcontext():
        is_wide = dtype == "float64"
        model = linear(dense=DenseInFloat64 if is_wide else layers.Dense)
        trained = (InFloat64 if is_wide else SharpnessAware)(model, **own)
        trained.compile(keras.optimizers.SGD(RATE, **momentum), CROSSENTROPY)
        fit(trained, X.astype(dtype), CLASSES)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert_moved_alike(weights(model), expected[-1], tolerance)


def many_layers():
    """A model with all that a second pass must not change."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, "relu", kernel_regularizer="l2", activity_regularizer="l1"),
            layers.BatchNormalization(),
            layers.Dropout(0.5, seed=3),
            layers.Dense(3, name="last"),
        ]
    )


def pair(make, rho, optimizer, loss, fit, **options):
    """Trains a model, and the model that trains another one like it."""
    alone, model = make(), make()
    trained = SharpnessAware(model, rho)
    logs = []
    for each in (alone, trained):
        each.compile(optimizer(), loss, **QUICK | options)
        logs.append(fit(each))
    return alone, model, logs


OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(RATE, 0.5),
    "accumulation": lambda: optimizers.AdaBelief(gradient_accumulation_steps=2),
    "clipping": lambda: optimizers.NovoGrad(global_clipnorm=0.5, use_ema=True),
    "skips": lambda: optimizers.LAMB(skip_nonfinite=True, jit_compile=False),
    "Lookahead": lambda: optimizers.Lookahead(optimizers.RAdam(RATE), 2),
    "average": lambda: optimizers.MovingAverage(optimizers.AdamW(RATE), 0.5),
    "SWA": lambda: optimizers.SWA(optimizers.Lookahead("adam", 2), 2, 1),
    "groups": lambda: optimizers.ParameterGroups(
        optimizers.Yogi(RATE),
        {"bias": {"learning_rate_multiplier": 0.5}, ".*": {}},
    ),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(RATE)
    ),
}


# The other backends compile each.
FEW = OPTIMIZERS if BACKEND == "torch" else ["accumulation", "average"]


@pytest.mark.parametrize("name", FEW)
def test_at_distance_0_training_is_exactly_as_without(name):
    def train(model):
        of_class = {0: 1.0, 1: 2.0, 2: 0.5}
        # JAX compiles again for the last batch, which is smaller.
        count = 18 if BACKEND == "jax" else 22
        return fit(model, X[:count], CLASSES[:count], class_weight=of_class)

    alone, model, logs = pair(
        many_layers, 0.0, OPTIMIZERS[name], CROSSENTROPY, train, metrics=["accuracy"]
    )
    assert logs[0].keys() == {"loss", "accuracy"}
    # On JAX, each model is one program, and XLA joins operations in other ways.
    tolerance = 1e-5 if BACKEND == "jax" else 0
    for key, values in logs[0].items():
        np.testing.assert_allclose(values, logs[1][key], rtol=tolerance)
    for a, b in zip(weights(alone), weights(model), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)
    assert np.abs(weights(model)[0] - weights(many_layers())[0]).max() > 1e-4


WAYS = {
    "eager": {"run_eagerly": True},
    "several steps": {"steps_per_execution": 2} | PLAIN,
}
if BACKEND == "tensorflow":
    WAYS["compiled"] = {"jit_compile": True}


@functools.cache
def trained_in(way=None):
    """The loss and the weights. Without dropout, whose numbers depend on the way."""
    normal = layers.BatchNormalization()
    model = keras.Sequential([keras.Input((4,)), normal, layers.Dense(3)])
    model.layers[1].set_weights(START)
    trained = SharpnessAware(model, 0.5)
    trained.compile("sgd", CROSSENTROPY, **WAYS.get(way, PLAIN))
    return fit(trained, X, CLASSES, 4)["loss"], weights(model)


@pytest.mark.only("tensorflow", "jax")
@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_run_trains_alike(way):
    found, expected = trained_in(way), trained_in()
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4)
    for a, b in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_second_pass_changes_nothing_but_the_gradients():
    def train(model):
        found = model.train_on_batch(X[:9], CLASSES[:9], return_dict=True)
        return {key: float(value) for key, value in found.items()}

    alone, model, logs = pair(
        many_layers, 0.5, keras.optimizers.SGD, CROSSENTROPY, train,
        metrics=["accuracy"], run_eagerly=False, **PLAIN
    )  # fmt: skip
    assert logs[0] == logs[1]
    mine, theirs = model.non_trainable_variables, alone.non_trainable_variables
    assert len(mine) == 3  # two of batch normalization, and the seed
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(tools.array(a), tools.array(b))
    assert np.abs(weights(model)[0] - weights(alone)[0]).max() > 1e-4


def recurrent():
    keras.utils.set_random_seed(8)
    cells = [layers.SimpleRNNCell(2), layers.GRUCell(1, reset_after=False)]
    steps = [layers.Reshape((2, 2)), layers.RNN(cells, stateful=True)]
    return keras.Sequential([keras.Input(batch_shape=(6, 4)), *steps])


@pytest.mark.only("tensorflow", "torch")  # on JAX, Keras discards such states
def test_both_passes_start_with_the_states_of_recurrent_layers():
    alone, model = recurrent(), recurrent()
    trained = SharpnessAware(model, 0.0)
    for each in (alone, trained):
        each.compile(keras.optimizers.SGD(RATE), "mse", run_eagerly=True)

    def losses():
        return [
            float(each.train_on_batch(X[:6], SUMS[:6])) for each in (alone, trained)
        ]

    first, second = losses(), losses()
    assert first[0] == first[1] > second[0] == second[1]
    for a, b in zip(weights(alone), weights(model), strict=True):
        np.testing.assert_array_equal(a, b)
    trained.rho = 0.5
    losses()
    assert np.abs(weights(model)[0] - weights(alone)[0]).max() > 1e-4
    states = [keras.tree.flatten(each.layers[-1].states) for each in (alone, model)]
    assert len(states[0]) == 2
    for a, b in zip(*states, strict=True):
        assert np.abs(tools.array(a)).max() > 0.01
        np.testing.assert_array_equal(tools.array(a), tools.array(b))


def test_both_passes_have_the_regularization_losses():
    class Quadratic(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(2,), regularizer=keras.regularizers.L2(0.5))

        def call(self, inputs):
            self.add_loss(ops.sum(self.w * ops.convert_to_tensor([1.0, 2.0])))
            return inputs

    model = keras.Sequential([keras.Input((4,)), Quadratic()])
    model.set_weights([np.array([0.5, -1.0])])
    trained = SharpnessAware(model, 0.5)
    trained.compile(keras.optimizers.SGD(RATE), **QUICK)
    trained.train_on_batch(X[:2])
    (expected,) = reference.sharpness_aware(
        [np.array([0.5, -1.0])], lambda w, _: [w[0] + [1, 2]], [None], RATE, rho=0.5
    )[-1]
    np.testing.assert_allclose(weights(model)[0], expected, rtol=1e-6)


@pytest.mark.parametrize("adaptive", [False, True])
def test_zero_gradients_move_nothing(adaptive):
    model = linear([np.zeros((4, 1)), np.zeros(1)])
    trained = SharpnessAware(model, 0.5, adaptive)
    trained.compile("sgd", "mse", **QUICK)
    trained.train_on_batch(X[:2], np.zeros((2, 1)))
    assert not any(each.any() for each in weights(model))


def test_in_adaptive_training_weights_of_zero_do_not_move_for_the_second_pass():
    start = [np.array([[1.0], [0], [0], [0]]), np.zeros(1)]
    model = linear(start)
    trained = SharpnessAware(model, 0.5, adaptive=True)
    trained.compile(keras.optimizers.SGD(RATE), "mse", **QUICK)
    trained.train_on_batch(X[:6], SUMS[:6])
    expected = reference.sharpness_aware(
        start, reference.of_squares, batches(SUMS, 1), RATE, rho=0.5, adaptive=True
    )
    for a, b in zip(weights(model), expected[-1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.parametrize("scale", [2.0**-60, 2.0**10, 2.0**100])
def test_the_scale_of_the_loss_does_not_matter(scale):
    for a, b in zip(trained_at(scale), trained_at(1.0), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@functools.cache
def trained_at(scale):
    """The weights."""
    model = linear()
    trained = SharpnessAware(model, 0.5, adaptive=True, eta=0.1)
    optimizer = keras.optimizers.SGD(RATE)
    optimizer = keras.optimizers.LossScaleOptimizer(optimizer, scale)
    trained.compile(optimizer, CROSSENTROPY, **QUICK)
    fit(trained, X, CLASSES, 3)
    return weights(model)


class Hiding(layers.Layer):
    """Has an infinite gradient at 0 and hides weights that are NaN."""

    def build(self, input_shape):
        self.w = self.add_weight(shape=(2,), initializer="zeros")
        self.other = self.add_weight(shape=(), initializer="ones")

    def call(self, inputs):
        w, other = (
            ops.where(ops.isnan(w), 1.0, w)
            for w in map(ops.convert_to_tensor, (self.w, self.other))
        )
        return inputs * other + ops.sum(ops.sqrt(w))


def test_a_first_gradient_that_is_not_finite_skips_the_step():
    model = keras.Sequential([keras.Input((1,)), Hiding()])
    trained = SharpnessAware(model)
    optimizer = optimizers.AdaBelief(skip_nonfinite=True)
    trained.compile(optimizer, "mse", **QUICK)
    trained.train_on_batch(X[:2, :1], np.zeros((2, 1)))
    assert int(optimizer.skipped) == 1
    w, other = weights(model)[:2]
    np.testing.assert_array_equal(w, 0)
    np.testing.assert_array_equal(other, 1)


def test_a_nan_in_the_data_skips_a_step_and_training_goes_on():
    model = many_layers()
    trained = SharpnessAware(model, 0.5)
    optimizer = optimizers.AdaBelief(RATE, skip_nonfinite=True)
    trained.compile(optimizer, CROSSENTROPY, **QUICK)
    bad = X[:6].copy()
    bad[0, 0] = np.nan
    before = [tools.array(v) for v in model.trainable_variables]
    trained.train_on_batch(bad, CLASSES[:6])
    for a, b in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(tools.array(a), b)
    trained.train_on_batch(X[:6], CLASSES[:6])
    assert int(optimizer.skipped) == 1
    after = [tools.array(v) for v in model.trainable_variables]
    assert all(np.isfinite(each).all() for each in after)
    assert np.abs(after[0] - before[0]).max() > 1e-4


@pytest.mark.parametrize("policy", ["float32", "bfloat16", "float16", "mixed_bfloat16"])
def test_weights_come_back_bit_for_bit(policy):
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, "relu", dtype=policy), layers.Dense(3)]
    )
    before = weights(model)
    trained = SharpnessAware(model, 0.5)
    trained.compile(keras.optimizers.SGD(0.0), CROSSENTROPY, **QUICK)
    losses = fit(trained, X, CLASSES, 2, epochs=2)["loss"]
    assert np.isfinite(losses).all()
    for a, b in zip(weights(model), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(name="half")
def _half():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("half")
def test_in_mixed_float16_the_loss_is_scaled_and_overflows_are_skipped():
    model = linear()
    trained = SharpnessAware(model, 0.5)
    trained.compile(keras.optimizers.SGD(RATE), CROSSENTROPY, **QUICK)
    assert type(trained.optimizer) is keras.optimizers.LossScaleOptimizer
    optimizer = trained.optimizer
    optimizer.build(model.trainable_variables)
    optimizer.dynamic_scale.assign(2.0**20)
    trained.train_on_batch(X[:6], CLASSES[:6])
    assert float(optimizer.dynamic_scale) == 2.0**19
    for a, b in zip(weights(model), START, strict=True):
        np.testing.assert_array_equal(a, b.astype("float32"))
    optimizer.dynamic_scale.assign(2.0**8)
    fit(trained, X, CLASSES)
    expected = reference.sharpness_aware(
        START, reference.of_softmax, batches(CLASSES), RATE, rho=0.5
    )
    assert_moved_alike(weights(model), expected[-1], 1e-2)


def test_the_policy_is_that_of_the_model_and_inputs_are_not_rounded():
    inputs = keras.Input((1,))
    model = keras.Model(inputs, layers.Identity(dtype="float32")(inputs))
    model.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    trained = SharpnessAware(model)
    assert trained.dtype_policy.name == "mixed_bfloat16"
    assert tools.array(trained(np.array([[257.0]], "float32"))) == 257


def test_with_accumulation_weights_move_for_each_batch():
    start = [START[0][:, :1], START[1][:1]]
    model = linear(start)
    trained = SharpnessAware(model, 0.5)
    optimizer = keras.optimizers.SGD(RATE, gradient_accumulation_steps=2)
    trained.compile(optimizer, "mse", **PLAIN)
    fit(trained, X, SUMS, 2)
    steps = [
        reference.sharpness_aware(
            start, reference.of_squares, [batch], RATE, rho=0.5
        )[-1]
        for batch in batches(SUMS, 2)
    ]  # fmt: skip
    for a, *each in zip(weights(model), *steps, strict=True):
        np.testing.assert_allclose(a, np.mean(each, axis=0), rtol=1e-5)


def test_frozen_weights_stay_and_are_not_in_the_norm():
    start = [START[0][:, :1], START[1][:1]]

    class Shift(layers.Layer):
        def build(self, input_shape):
            self.b = self.add_weight(shape=(1,), name="b")

        def call(self, inputs):
            return inputs + self.b

    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(1, use_bias=False), Shift()]
    )
    model.set_weights(start)
    model.layers[1].trainable = False
    trained = SharpnessAware(model, 0.5)
    trained.compile(keras.optimizers.SGD(RATE), "mse", **QUICK)
    fit(trained, X, SUMS, 2)

    def gradients(w, batch):
        return reference.of_squares([*w, start[1]], batch)[:1]

    expected = reference.sharpness_aware(
        start[:1], gradients, batches(SUMS, 2), RATE, rho=0.5
    )[-1]
    np.testing.assert_allclose(weights(model)[0], expected[0], rtol=1e-5)
    np.testing.assert_array_equal(weights(model)[1], start[1].astype("float32"))


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_a_variable_that_is_not_used_stays():
    class WithMore(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(4, 1), initializer="ones")
            self.more = self.add_weight(shape=(2,), initializer="ones")

        def call(self, inputs):
            return ops.matmul(inputs, self.w)

    model = keras.Sequential([keras.Input((4,)), WithMore()])
    trained = SharpnessAware(model, 0.5)
    trained.compile(keras.optimizers.SGD(RATE), "mse", **QUICK)
    fit(trained, X, SUMS, 2)

    def gradients(w, batch):
        return reference.of_squares([*w, np.zeros(1)], batch)[:1]

    expected = reference.sharpness_aware(
        [np.ones((4, 1))], gradients, batches(SUMS, 2), RATE, rho=0.5
    )[-1]
    np.testing.assert_allclose(weights(model)[0], expected[0], rtol=1e-5)
    np.testing.assert_array_equal(weights(model)[1], 1)


@pytest.mark.filterwarnings("ignore:The model does not have any trainable")
@pytest.mark.only("tensorflow", "torch")  # Keras fails on JAX
def test_a_frozen_model_is_evaluated_as_by_keras():
    def train(model):
        model.trainable = False
        return fit(model, X, CLASSES, 2)

    *_, logs = pair(many_layers, 0.5, lambda: "sgd", CROSSENTROPY, train)
    assert logs[0] == logs[1]


def test_repeated_rows_of_an_embedding_equal_the_dense_kernel():
    ids = RANDOM.integers(0, 4, (12, 3))
    table = RANDOM.normal(size=(4, 2)).astype("float32")
    found = []
    for is_sparse in (True, False):
        first = layers.Embedding(4, 2) if is_sparse else layers.Dense(2, use_bias=False)
        model = keras.Sequential(
            [first, layers.Flatten(), layers.Dense(1, kernel_initializer="ones")]
        )
        x = ids if is_sparse else np.eye(4, dtype="float32")[ids]
        model.build(x.shape)
        first.set_weights([table])
        trained = SharpnessAware(model, 0.5)
        trained.compile(optimizers.LAMB(RATE), "mse", **QUICK)
        fit(trained, x, SUMS[:12], 2)
        found.append(weights(model))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4)
    assert np.abs(found[0][0] - table).max() > 0.01


def many_inputs():
    keras.utils.set_random_seed(4)
    first, second = keras.Input((2,), name="first"), keras.Input((2,), name="second")
    joined = layers.Concatenate()([layers.Dense(3)(first), second])
    outputs = {
        "sums": layers.Dense(1, name="sums")(joined),
        "classes": layers.Dense(3, name="classes")(joined),
    }
    return keras.Model({"first": first, "second": second}, outputs)


def listed_outputs():
    model = many_inputs()
    return keras.Model(model.inputs, [model.output["sums"], model.output["classes"]])


@pytest.mark.parametrize("make", [many_inputs, listed_outputs])
@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_several_inputs_outputs_and_losses(make, rho):
    x = {"first": X[:12, :2], "second": X[:12, 2:]}
    y = {"sums": SUMS[:12], "classes": CLASSES[:12]}
    if make is listed_outputs:
        x, y = list(x.values()), list(y.values())

    def train(model):
        steps = {"batch_size": 12, "shuffle": False, "verbose": 0}
        sizes = np.linspace(0, 2, 12)
        sizes = (
            {"sums": sizes, "classes": sizes} if make is many_inputs else [sizes] * 2
        )
        return model.fit(x, y, sample_weight=sizes, **steps).history

    loss = {"sums": "mse", "classes": CROSSENTROPY}
    alone, model, logs = pair(
        make, rho, lambda: "sgd", loss, train,
        loss_weights={"sums": 0.5, "classes": 2.0},
        weighted_metrics={"sums": ["mae"]},
    )  # fmt: skip
    assert logs[0] == logs[1]  # the metrics are those of the first pass
    assert len(logs[0]) == 4
    for a, b in zip(weights(alone), weights(model), strict=True):
        assert np.array_equal(a, b) == (rho == 0)


@keras.saving.register_keras_serializable()
class Tagger(keras.Model):
    """Has a mask, and behaves differently in training."""

    def __init__(self, **options):
        super().__init__(**options)
        self.embedding = layers.Embedding(5, 4, mask_zero=True)
        self.dense = layers.Dense(3)
        self.dropout = layers.Dropout(0.5, seed=1)
        self.given = set()

    def call(self, inputs, training=None, mask=None):
        self.given.add(training)
        outputs = self.dense(self.embedding(inputs))
        return self.dropout(outputs, training=training)


def test_a_model_of_its_own_class_gets_training_and_its_mask_counts():
    ids = RANDOM.integers(0, 5, (12, 6))
    labels = RANDOM.integers(0, 3, (12, 6))

    def make():
        keras.utils.set_random_seed(5)
        return Tagger()

    def train(model):
        return fit(model, ids, labels, 2, validation_data=(ids, labels))

    alone, model, logs = pair(make, 0.0, lambda: "sgd", CROSSENTROPY, train)
    assert logs[0] == logs[1]
    assert True in model.given
    assert False in model.given
    for a, b in zip(weights(alone), weights(model), strict=True):
        np.testing.assert_array_equal(a, b)
    predictions = SharpnessAware(model)(ids)
    without = ops.convert_to_tensor(tools.array(predictions).astype("float32"))
    expected = float(tools.array(CROSSENTROPY(labels, predictions)))
    assert abs(expected - float(CROSSENTROPY(labels, without))) > 1e-4
    assert expected == float(tools.array(CROSSENTROPY(labels, model(ids))))


def test_it_evaluates_and_predicts_as_its_model():
    model = many_layers()
    trained = SharpnessAware(model)
    for each in (model, trained):
        each.compile("sgd", CROSSENTROPY, metrics=["accuracy"], **QUICK)
    model.set_weights([np.abs(w) + 0.5 for w in model.get_weights()])
    found = [each.evaluate(X[:9], CLASSES[:9], verbose=0) for each in (model, trained)]
    assert found[0] == found[1]
    predictions = [each.predict(X[:9], verbose=0) for each in (model, trained)]
    np.testing.assert_array_equal(*predictions)


def test_a_model_without_weights_is_built_by_its_first_batch():
    model = keras.Sequential([layers.Dense(2), layers.Dense(1)])
    trained = SharpnessAware(model)
    assert not trained.built
    trained.compile("adam", "mse", **QUICK)
    fit(trained, X, SUMS, 2)
    assert model.built
    assert len(trained.trainable_variables) == 4


@pytest.mark.parametrize("is_built", [True, False] if BACKEND == "torch" else [False])
def test_a_saved_model_continues_exactly(is_built, tmp_path):
    def start():
        keras.utils.set_random_seed(6)
        kept = [layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dense(3)]
        model = keras.Sequential([keras.Input((4,))] * is_built + kept)
        trained = SharpnessAware(model, 0.25, adaptive=True, eta=0.5, name="sharp")
        optimizer = optimizers.AdaBelief(RATE)
        trained.compile(optimizer, CROSSENTROPY, metrics=["accuracy"], **QUICK)
        fit(trained, X, CLASSES, 2)
        return trained

    trained = start()
    trained.save(tmp_path / "model.keras")
    trained.model.save(tmp_path / "inner.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is SharpnessAware
    assert (again.rho, again.adaptive, again.eta) == (0.25, True, 0.5)
    assert again.name == "sharp"
    inner = keras.saving.load_model(tmp_path / "inner.keras")
    assert type(inner) is keras.Sequential
    np.testing.assert_array_equal(
        *(tools.array(each(X[:3])) for each in (inner, trained))
    )
    logs = [fit(each, X, CLASSES, 2) for each in (trained, again)]
    assert logs[0] == logs[1]
    for a, b in zip(weights(trained), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(
        trained.optimizer.variables, again.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(tools.array(a), tools.array(b))


def test_weights_are_saved_and_loaded(tmp_path):
    model, other = many_layers(), many_layers()
    SharpnessAware(model).save_weights(tmp_path / "model.weights.h5")
    other.set_weights([w + 1 for w in other.get_weights()])
    SharpnessAware(other).load_weights(tmp_path / "model.weights.h5")
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.only("torch")
def test_its_export_is_that_of_its_model(monkeypatch):
    given = []
    monkeypatch.setattr(
        keras.Sequential, "export", lambda *a, **k: given.append((a, k))
    )
    model = linear()
    SharpnessAware(model).export("path", verbose=False)
    assert given == [((model, "path"), {"verbose": False})]


def test_a_copy_has_the_same_configuration():
    trained = SharpnessAware(linear(), 0.25, adaptive=True, eta=0.5)
    again = keras.models.clone_model(trained)
    assert type(again) is SharpnessAware
    assert again.model is not trained.model
    assert again.get_config() == trained.get_config()


def test_average_statistics_are_updated_as_those_of_the_model():
    model = many_layers()
    trained = SharpnessAware(model)
    trained.compile("sgd", CROSSENTROPY, **QUICK)
    optimizers.update_batch_norm(trained, X[:12], batch_size=6)
    np.testing.assert_array_equal(
        model.predict(X[:3], verbose=0), trained.predict(X[:3], verbose=0)
    )
    other = many_layers()
    optimizers.update_batch_norm(other, X[:12], batch_size=6)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def overriding(name):
    method = {name: lambda self, *args, **kwargs: None}
    return type("Custom", (keras.Sequential,), method)([keras.Input((4,))])


def test_wrong_arguments_are_rejected():
    model = linear()
    for arguments, said in (
        ({"rho": -0.1}, r"`rho` must be in \[0, inf\).*rho=-0.1"),
        ({"rho": float("nan")}, r"`rho` must be in \[0, inf\)"),
        ({"eta": -0.1, "adaptive": True}, r"`eta` must be in \[0, inf\).*eta=-0.1"),
        ({"eta": 0.1}, r"`eta`.*`adaptive=True`.*eta=0.1, adaptive=False"),
    ):
        with pytest.raises(ValueError, match=said):
            SharpnessAware(model, **arguments)
    for arguments, said in (
        ({"rho": "0.1"}, "`rho` of `SharpnessAware` must be a number"),
        ({"adaptive": 1}, "`adaptive` of `SharpnessAware` must be True or False"),
        ({"model": layers.Dense(1)}, "`model` of `SharpnessAware` must be a `Model`"),
    ):
        with pytest.raises(TypeError, match=said):
            SharpnessAware(**{"model": model} | arguments)


@pytest.mark.parametrize(
    "name",
    ["train_step", "test_step", "predict_step", "compute_loss", "compute_metrics"],
)
def test_a_model_whose_methods_would_not_be_called_is_rejected(name):
    with pytest.raises(ValueError, match=f"must not override `{name}`"):
        SharpnessAware(overriding(name))
    with pytest.raises(ValueError, match="must not override `train_step`"):
        SharpnessAware(SharpnessAware(linear()))


def test_a_derived_class_may_compute_another_loss_and_metrics():
    class Other(SharpnessAware):
        def compute_loss(self, x, y, y_pred, sample_weight):
            return ops.mean(ops.square(y_pred - y)) * 2

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            return {"twice": self.metrics[0].result()}

    start = [START[0][:, :1], START[1][:1]]
    model = linear(start)
    trained = Other(model, 0.5)
    trained.compile(keras.optimizers.SGD(RATE / 2), **QUICK)
    logs = fit(trained, X, SUMS, 1)
    assert logs.keys() == {"twice"}
    expected = reference.sharpness_aware(
        start, reference.of_squares, batches(SUMS, 1), RATE, rho=0.5
    )[-1]
    for a, b in zip(weights(model), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


@pytest.mark.only("torch")
def test_after_an_error_in_the_second_pass_the_weights_are_back():
    class Failing(layers.Layer):
        calls = 0

        def call(self, inputs):
            self.calls += 1
            if self.calls == 2:
                raise RuntimeError("the second pass")
            return inputs

    model = linear()
    failing = Failing()
    inner = keras.Sequential([model, failing])
    inner.build((None, 4))
    trained = SharpnessAware(inner, 0.5)
    failing.calls = 0
    trained.compile("sgd", CROSSENTROPY, **QUICK)
    with pytest.raises(RuntimeError, match="the second pass"):
        trained.train_step((X[:6], CLASSES[:6]))
    for a, b in zip(weights(model), START, strict=True):
        np.testing.assert_array_equal(a, b.astype("float32"))


@pytest.mark.only("torch")
def test_a_module_of_pytorch_moves_too():
    import torch

    start = [START[0][:, :1], START[1][:1]]
    linear = torch.nn.Linear(4, 1)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(start[0].T))
        linear.bias.copy_(torch.tensor(start[1]))
    wrapped = layers.TorchModuleWrapper(linear, output_shape=(None, 1))
    model = keras.Sequential([keras.Input((4,)), wrapped])
    trained = SharpnessAware(model, 0.5)
    trained.compile(keras.optimizers.SGD(RATE), "mse", **QUICK)
    fit(trained, X, SUMS, 5)
    kernel, bias = reference.sharpness_aware(
        start, reference.of_squares, batches(SUMS, 5), RATE, rho=0.5
    )[-1]
    np.testing.assert_allclose(tools.array(linear.weight), kernel.T, rtol=1e-5)
    np.testing.assert_allclose(tools.array(linear.bias), bias, rtol=1e-5)


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_each_replica_moves_its_own_weights(run_eagerly):
    import tensorflow as tf

    start = [START[0][:, :1], START[1][:1]]
    # Strategies of one process would disturb each other's collective operations.
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        model = keras.Sequential(
            [keras.Input((4,)), layers.BatchNormalization(trainable=False)]
        )
        model.add(layers.Dense(1))
        model.layers[1].set_weights(start)
        trained = SharpnessAware(model, 0.5)
        optimizer = keras.optimizers.SGD(RATE)
        trained.compile(optimizer, "mse", run_eagerly=run_eagerly)
    logs = fit(trained, X, SUMS, 1)

    x = X[:6].astype("float64") / np.sqrt(1.001)
    errors = x @ start[0] + start[1] - SUMS[:6]
    np.testing.assert_allclose(logs["loss"], [np.mean(errors**2)], rtol=1e-5)
    halves = [(x[half], SUMS[half]) for half in (slice(3), slice(3, 6))]
    steps = [
        reference.sharpness_aware(start, reference.of_squares, [half], RATE, rho=0.5)
        for half in halves
    ]
    for a, *each in zip(
        model.layers[1].get_weights(), *(step[-1] for step in steps), strict=True
    ):
        np.testing.assert_allclose(a, np.mean(each, axis=0), rtol=1e-5)


@pytest.mark.only("torch")
def test_a_wrapper_around_a_compiled_model_says_that_it_is_not_compiled():
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    trained = SharpnessAware(model)
    with pytest.raises(ValueError, match=r"call `compile\(\)`"):  # Keras's message
        trained.fit(x, y, verbose=0)
    model.compile("sgd", "mse")
    for method in (trained.fit, trained.train_on_batch, trained.test_on_batch):
        with pytest.raises(ValueError, match="`SharpnessAware` must be compiled itsel"):
            method(x, y)
    trained.compile("sgd", "mse")
    trained.fit(x, y, verbose=0)
