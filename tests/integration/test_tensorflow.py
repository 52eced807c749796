"""What only TensorFlow has: sparse gradients, its own variables and checkpoints."""

import itertools

import keras
import numpy as np
import pytest

from tests.cases import OPTIMIZERS
from tests.cases import each
from tests.cases import each_kind
from tests.cases import each_kind_in_turn
from tests.integration.resumed import KINDS
from tests.integration.resumed import network
from tfx_extras import optimizers

pytestmark = pytest.mark.only("tensorflow")


def slices(dtype="float32"):
    import tensorflow as tf

    values = tf.constant([[1.0, -2.0], [0.5, 3.0], [257.0, 1e-3]], dtype)
    return tf.IndexedSlices(values, tf.constant([0, 2, 0]), tf.constant([4, 2]))


# Each kind of optimizer runs in each way, and each option in one of the ways.
WAYS = [({}, None), ({"clipnorm": 1.0}, False), ({"loss_scale_factor": 8.0}, True)] * 2


@each_kind_in_turn(OPTIMIZERS, "way", WAYS[:3] + WAYS[1:4] + WAYS[2:5])
def test_repeated_sparse_rows_equal_the_dense_gradient(case, way):
    import tensorflow as tf

    options, jit = way
    dense = np.zeros((4, 2), "float32")
    np.add.at(dense, slices().indices.numpy(), slices().values.numpy())
    results = []
    for sparse in (True, False):
        variable = keras.Variable(np.ones((4, 2)), dtype="float32", name="w")
        optimizer = case.make(**options)
        optimizer.build([variable])

        def step(optimizer=optimizer, sparse=sparse):
            optimizer.apply([slices() if sparse else tf.constant(dense)])

        step = step if jit is None else tf.function(step, jit_compile=jit)
        for _ in range(7):
            step()
        results.append(variable.numpy())
    np.testing.assert_allclose(*results, rtol=1e-6)
    assert (results[0][[0, 2]] != 1).all()


@each_kind(OPTIMIZERS)
def test_half_precision_rows_are_summed_in_float32(case):
    import tensorflow as tf

    ones = tf.IndexedSlices(
        tf.ones((300, 1), tf.bfloat16), tf.zeros(300, tf.int32), tf.constant([2, 1])
    )
    results = []
    for gradient in (ones, tf.constant([[300.0], [0.0]])):
        variable = keras.Variable(np.ones((2, 1)), dtype="bfloat16", name="w")
        case.make().apply([gradient], [variable])
        results.append(variable.numpy().astype("float32"))
    np.testing.assert_array_equal(*results)


@each(OPTIMIZERS[:1])
def test_an_embedding_with_repeated_ids_trains_as_its_dense_gradient(case):
    """The dense model multiplies one-hot rows with the same table."""
    ids = np.array([[1, 1, 3], [3, 3, 3], [0, 1, 0], [2, 2, 1]])
    y = np.arange(4.0)[:, None]

    class OneHot(keras.layers.Layer):
        def build(self, shape):
            self.embeddings = self.add_weight(shape=(5, 4), name="embeddings")

        def call(self, ids):
            return keras.ops.one_hot(ids, 5) @ self.embeddings

    tables = []
    for layer in (keras.layers.Embedding(5, 4), OneHot()):
        keras.utils.set_random_seed(0)
        pool = keras.layers.GlobalAveragePooling1D()
        head = keras.layers.Dense(1, kernel_initializer="ones")
        model = keras.Sequential([keras.Input((3,), dtype="int32"), layer, pool, head])
        table = np.linspace(-1, 1, 20).reshape(5, 4)
        layer.embeddings.assign(table)
        model.compile(case.make(), loss="mse", jit_compile=False)
        model.fit(ids, y, epochs=5, batch_size=2, verbose=0, shuffle=False)
        tables.append(layer.embeddings.numpy())
    np.testing.assert_allclose(*tables, rtol=1e-5, atol=1e-6)
    assert np.abs(tables[0] - table).max() > 0.05


def positions_of(cls, **options):
    """Makes optimizers to be compared with and without known shapes."""
    return lambda: cls(0.01, epsilon=0.1, **options)


SHAPELESS = {
    "plain": positions_of(optimizers.RAdam),
    "clipnorm": positions_of(optimizers.RAdam, clipnorm=1e-3),
    "global_clipnorm": positions_of(optimizers.NovoGrad, global_clipnorm=1e-3),
    "accumulated": positions_of(optimizers.RAdam, gradient_accumulation_steps=2),
    "averaged": positions_of(optimizers.AdaBelief, use_ema=True),
    "skipping": positions_of(optimizers.RAdam, skip_nonfinite=True),
    "lazy": positions_of(optimizers.LazyAdam),
    "lazy, accumulated": positions_of(
        optimizers.LazyAdam, gradient_accumulation_steps=2
    ),
    "Lookahead": lambda: optimizers.Lookahead(positions_of(optimizers.RAdam)(), 2),
    "ParameterGroups": lambda: optimizers.ParameterGroups(
        positions_of(optimizers.RAdam, global_clipnorm=1e-3)(),
        {"b": {"learning_rate_multiplier": 0.5}, ".*": {}},
    ),
}


@pytest.mark.parametrize(
    ("name", "jit"), [*itertools.product(SHAPELESS, [False]), ("plain", True)]
)
def test_gradients_whose_shape_is_unknown_have_that_of_their_variables(name, jit):
    """For example, a position table is sliced to a length unknown to the graph."""
    import tensorflow as tf

    results = []
    for is_known in (True, False):
        shapes = {"a": (6, 4), "b": (4,), "table": (5, 2)}
        variables = [keras.Variable(np.ones(s), name=n) for n, s in shapes.items()]
        optimizer = SHAPELESS[name]()
        optimizer.build(variables)

        def step(a, b, values, optimizer=optimizer):
            optimizer.apply([a, b, tf.IndexedSlices(values, tf.constant([0, 3, 0]))])

        if is_known:  # separate updates
            optimizer.has_fast_paths = False
        else:  # shapes of known rank, of unknown rank, and rows of unknown width
            specs = [tf.TensorSpec(shape) for shape in ([None, 4], None, None)]
            step = tf.function(step, jit_compile=jit, input_signature=specs)
        random = np.random.default_rng(0)
        for _ in range(4):
            sizes = (6, 4), (4,), (3, 2)
            step(*(tf.constant(random.normal(size=s), tf.float32) for s in sizes))
        results.append([v.numpy() for v in [*variables, *optimizer.variables]])
    for known, unknown in zip(*results, strict=True):
        np.testing.assert_allclose(unknown, known, rtol=1e-6)
    assert (results[0][0] != 1).all()


def test_a_gradient_that_turns_out_to_be_of_another_shape_is_an_error():
    import tensorflow as tf

    variable = keras.Variable(np.ones((2, 3)), name="w")
    optimizer = optimizers.RAdam()
    optimizer.build([variable])
    step = tf.function(
        lambda g: optimizer.apply([g]), input_signature=[tf.TensorSpec([None, None])]
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[2,3\]"):
        step(tf.ones((1, 3)))
    step = tf.function(
        lambda g: optimizer.apply([g]), input_signature=[tf.TensorSpec([None, 4])]
    )
    with pytest.raises(ValueError, match=r"`w` must have the shape.*\(None, 4\)"):
        step(tf.ones((2, 4)))


@each_kind(OPTIMIZERS)
def test_plain_variables_train_in_a_loop_of_ones_own(case):
    import tensorflow as tf

    results = []
    for make in (
        lambda x, name: tf.Variable(x, name=name),
        lambda x, name: keras.Variable(x, dtype="float32", name=name),
    ):
        w, b = make(tf.ones((3, 1)), "w"), make(tf.zeros(1), "b")
        raw = [
            getattr(v, "value", v) if isinstance(v, keras.Variable) else v
            for v in (w, b)
        ]
        optimizer = case.make(weight_decay=0.1, weight_decay_exclude=["^b"])
        x = tf.constant(np.random.default_rng(0).normal(size=(8, 3)), tf.float32)
        for _ in range(8):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((x @ raw[0] + raw[1] - 1.0) ** 2)
            gradients = tape.gradient(loss, raw)
            optimizer.apply_gradients(zip(gradients, [w, b], strict=True))
        results.append(np.concatenate([w.numpy().ravel(), b.numpy()]))
    np.testing.assert_array_equal(*results)
    assert (results[0] != [1, 1, 1, 0]).all()


@each_kind(OPTIMIZERS)
def test_a_checkpoint_restores_the_optimizer(case, tmp_path):
    import tensorflow as tf

    def make():
        variable = tf.Variable(tf.ones(3), name="w")
        optimizer = case.make(use_ema=True)
        optimizer.build([variable])
        return variable, optimizer, tf.train.Checkpoint(w=variable, optimizer=optimizer)

    variable, optimizer, checkpoint = make()
    for i in range(7):
        optimizer.apply([tf.constant([1.0, -2.0, 3.0]) * (i + 1)])
    path = checkpoint.save(str(tmp_path / "checkpoint"))
    other, copy, restored = make()
    restored.restore(path).assert_consumed()
    assert int(copy.iterations) == 7
    for v, o in [(variable, optimizer), (other, copy)]:
        o.apply([tf.constant([1.0, 1.0, 1.0])])
        assert (v.numpy() != 1).all()
    np.testing.assert_array_equal(variable.numpy(), other.numpy())


@each_kind_in_turn(OPTIMIZERS, "jit", [False, True, False])
def test_one_trace_serves_all_steps(case, jit):
    import tensorflow as tf

    variable = keras.Variable(np.ones(3), dtype="float32", name="w")
    optimizer = case.make()
    optimizer.build([variable])
    traces = []

    @tf.function(jit_compile=jit)
    def step(gradient):
        traces.append(1)
        optimizer.apply([gradient])

    for i in range(8):
        step(tf.constant([1.0, 2.0, 3.0]) * i)
        optimizer.learning_rate = 0.1 / (i + 1)
    assert len(traces) == 1


@each(OPTIMIZERS[:1])
def test_tf_keras_is_served_alike(case):
    import tensorflow as tf

    model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(1)])
    model.compile(optimizer=case.make(), loss="mse")
    x = np.ones((4, 3), "float32")
    loss = model.fit(x, x[:, :1], epochs=3, verbose=0).history["loss"]
    assert loss[-1] < loss[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_restores_optimizers_around_others(kind, tmp_path):
    import tensorflow as tf

    def make():
        model = network(kind)
        # Otherwise it has graphs, which are not state.
        model.optimizer.has_fast_paths = False
        model.optimizer.build(model.trainable_variables)
        return model, tf.train.Checkpoint(model=model, optimizer=model.optimizer)

    def step(model):
        variables = model.trainable_variables
        model.optimizer.apply([tf.ones_like(v) for v in variables], variables)

    model, checkpoint = make()
    for _ in range(3):
        step(model)
    path = checkpoint.save(str(tmp_path / "checkpoint"))
    other, restored = make()
    restored.restore(path)
    step(model)
    step(other)
    for one, two in zip(model.variables, other.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
    assert int(other.optimizer.iterations) == 4
