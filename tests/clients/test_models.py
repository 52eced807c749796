"""Users build, copy and save models with every optimizer and wrapper."""

import copy
import pickle
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from tests.clients.cases import GROUPED
from tests.clients.cases import KIND
from tests.clients.cases import NATIVE
from tests.clients.cases import WRAPPED
from tests.clients.cases import each
from tests.clients.cases import each_or_first
from tests.clients.cases import multipliers
from tests.tools import BACKEND
from tests.tools import array
from tfx_extras import optimizers

RATE = 2.0**-4
X = np.array([[1.0, -0.5]] * 2, "float32")


def dense(optimizer=None):
    """A model whose gradient is the same everywhere, and exact in 16 bits."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="only")])
    model.compile(
        optimizer,
        lambda y, outputs: ops.mean(outputs, -1),
        jit_compile=False,
    )
    return model


def apply(optimizer, weights, times=1):
    optimizer.has_fast_paths = False
    for _ in range(times):
        gradients = [ops.convert_to_tensor(X.mean(0)[:, None]), ops.ones(1)]
        optimizer.apply(gradients, weights)


def state(model):
    return [array(v) for v in [*model.variables, *model.optimizer.variables]]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


class Positions(keras.layers.Layer):
    """A position table sliced to the batch's length, and rows of another table."""

    def build(self, input_shape):
        make = keras.initializers.RandomUniform(seed=0)
        self.table = self.add_weight(shape=(8, 2), initializer=make, name="table")
        self.types = self.add_weight(shape=(3, 2), initializer=make, name="types")
        self.scale = self.add_weight(shape=(2,), initializer="ones", name="bias")

    def call(self, x):
        length = ops.shape(x)[1]
        rows = ops.take(self.types, ops.arange(length) % 3, axis=0)
        return x * self.scale + ops.slice(self.table, (0, 0), (length, 2)) + rows


def assert_trained_alike(make, last):
    """A graph with unknown sizes trains like separate updates with known sizes."""
    import tensorflow as tf

    x = np.random.default_rng(0).normal(size=(2, 5, 2)).astype("float32")

    def trained(optimizer, shape):
        keras.utils.set_random_seed(0)
        layers = [Positions(), type(last).from_config(last.get_config())]
        model = keras.Sequential([keras.Input((None, 2)), *layers])
        weights = model.trainable_variables

        def step(x):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(model(x) ** 2)
            raws = [weight.value for weight in weights]
            optimizer.apply(tape.gradient(loss, raws), weights)

        optimizer.build(weights)
        signature = [tf.TensorSpec(shape, "float32")]
        graph = tf.function(step, input_signature=signature) if shape else step
        for _ in range(2):
            graph(tf.constant(x))
        return [array(v) for v in [*weights, *optimizer.variables]]

    expected = make(RATE)
    expected.has_fast_paths = False
    ours, theirs = trained(make(RATE), [None, None, 2]), trained(expected, None)
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


@pytest.mark.only("tensorflow")
@each_or_first(NATIVE, WRAPPED, GROUPED)
def test_gradients_of_unknown_shape_are_those_of_a_known_one(make):
    assert_trained_alike(make, keras.layers.GlobalAveragePooling1D())


@pytest.mark.only("tensorflow")
def test_a_recurrent_layer_of_unknown_length_trains_as_one_of_a_known_one():
    make = keras.initializers.RandomUniform(seed=0)
    layer = keras.layers.SimpleRNN(
        2, kernel_initializer=make, recurrent_initializer=make
    )
    assert_trained_alike(KIND["AdaBelief"], layer)


@pytest.fixture
def policy():
    """Lets a test set a dtype policy, and restores the previous one."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def train_mixed(make, policy, name):
    """Trains a model under a mixed policy like another model in float32."""
    other = dense(make(RATE))
    apply(other.optimizer, other.trainable_variables, 3)
    policy(name)
    model = dense(make(RATE))
    model.run_eagerly = BACKEND == "tensorflow"  # tracing takes long there
    model.optimizer.has_fast_paths = False
    model.fit(X, X, epochs=3, batch_size=2, verbose=0)
    for ours, theirs in zip(
        model.trainable_variables, other.trainable_variables, strict=True
    ):
        assert ours.dtype == "float32"
        np.testing.assert_allclose(array(ours), array(theirs), rtol=1e-5, atol=1e-6)
    return model


@each_or_first(KIND, WRAPPED, GROUPED)
def test_mixed_float16_trains_as_float32(make, policy):
    """The loss is scaled and gradients are exact, so only the scaling could differ."""
    model = train_mixed(make, policy, "mixed_float16")
    scaled = model.optimizer
    assert isinstance(scaled, keras.optimizers.LossScaleOptimizer)
    kept = [*model.trainable_variables, *scaled.inner_optimizer.variables]
    before, scale = [array(v) for v in kept], array(scaled.dynamic_scale)
    model.fit(X * np.inf, X, batch_size=2, verbose=0)  # this step is skipped
    assert_same(before, [array(v) for v in kept])
    assert array(scaled.dynamic_scale) == scale / 2


@each({"AdaBelief": KIND["AdaBelief"], "ParameterGroups": multipliers})
def test_mixed_bfloat16_trains_as_float32(make, policy):
    train_mixed(make, policy, "mixed_bfloat16")


def pickled(x):
    return pickle.loads(pickle.dumps(x))


@each_or_first(NATIVE, WRAPPED, GROUPED)
def test_copies_of_a_compiled_model_train_on_alike(make):
    """The copies: `copy.deepcopy`, `pickle`, and a clone with the same weights."""
    model = dense(make(RATE))
    model.compile(model.optimizer, "mse", jit_compile=False)
    apply(model.optimizer, model.trainable_variables, 4)
    copies = [copy.deepcopy(model), pickled(model)]
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    kind = type(model.optimizer)
    clone.compile(kind.from_config(model.optimizer.get_config()), "mse")
    clone.optimizer.build(clone.trainable_variables)
    clone.optimizer.set_weights([array(v) for v in model.optimizer.variables])
    for each_copy in (model, *copies, clone):
        apply(each_copy.optimizer, each_copy.trainable_variables, 2)
        assert_same(state(model), state(each_copy))


@each_or_first(NATIVE, WRAPPED, GROUPED)
def test_copies_of_an_optimizer_are_optimizers_of_the_same_arguments(make):
    """Like copies of Keras's optimizers, they start without state, and warn of it."""
    optimizer = make(RATE)
    other = pickled(optimizer)
    assert copy.deepcopy(optimizer).get_config() == optimizer.get_config()
    models = [dense(each_optimizer) for each_optimizer in (optimizer, other)]
    for model in models:
        apply(model.optimizer, model.trainable_variables, 2)
    assert_same(*map(state, models))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert not copy.deepcopy(optimizer).built
    if len(optimizer.variables) > 2:
        assert any("variables whereas the sav" in str(w.message) for w in caught)


@each_or_first(NATIVE, WRAPPED, GROUPED)
def test_the_state_tree_of_a_model_holds_all_of_its_optimizer(make):
    model = dense(make(RATE))
    apply(model.optimizer, model.trainable_variables, 4)
    before = state(model)
    tree = model.get_state_tree(value_format="numpy_array")
    assert len(leaves(tree["optimizer_variables"])) == len(model.optimizer.variables)
    tree = keras.tree.map_structure(np.copy, tree)
    apply(model.optimizer, model.trainable_variables, 2)
    model.set_state_tree(tree)
    assert_same(before, state(model))


def test_the_state_tree_of_nested_wrappers_has_no_name_twice():
    inner = optimizers.Lookahead(optimizers.SWA(optimizers.RAdam(RATE), 1, 1))
    model = dense(optimizers.Lookahead(inner))
    apply(model.optimizer, model.trainable_variables, 2)
    tree = model.get_state_tree()
    assert len(leaves(tree["optimizer_variables"])) == len(model.optimizer.variables)
    model.set_state_tree(tree)


def leaves(tree):
    return keras.tree.flatten(tree)


@pytest.mark.only("tensorflow")
@each_or_first(WRAPPED, GROUPED)
def test_an_exported_model_predicts_as_the_model_does(make, tmp_path):
    import tensorflow as tf

    model = dense(make(RATE))
    apply(model.optimizer, model.trainable_variables, 4)
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    np.testing.assert_allclose(array(served.serve(X)), array(model(X)), rtol=1e-6)
