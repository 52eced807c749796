"""What holds for `skip_nonfinite`, with every optimizer and wrapper."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.cases import OPTIMIZERS
from tests.cases import WRAPPERS
from tests.cases import each_class
from tests.cases import each_kind
from tests.contracts.test_optimizers import stepper
from tests.tools import array
from tests.tools import compiled
from tfx_extras import optimizers

BACKEND = keras.backend.backend()
BAD = [np.nan, np.inf, -np.inf]


def gradients(bad):
    """Gradients of two variables; in some, the second has one `bad` element."""
    rng = np.random.default_rng(0)
    good = [[rng.normal(size=(3, 4)), rng.normal(size=2)] for _ in range(6)]
    spoiled = [[g.copy() for g in good[0]] for _ in bad]
    for (_, last), value in zip(spoiled, bad, strict=True):
        last[1] = value
    # Bad gradients come first, between two good ones, and twice in a row.
    return [*spoiled[:1], good[0], *spoiled[1:], *good[1:]]


def trained(make, bad, jit=None):
    """The weights, the state and the number of skipped steps after some updates."""
    variables = [
        keras.Variable(np.full(shape, 0.01), dtype=dtype, name=name)
        for name, shape, dtype in [("a", (3, 4), "float32"), ("b", (2,), "bfloat16")]
    ]
    optimizer = make()
    optimizer.build(variables)
    step = optimizer.apply if jit is None else stepper(optimizer, variables, jit)
    for grads in gradients(bad):
        step([ops.convert_to_tensor(g, "float32") for g in grads])
    kept = [array(v) for v in variables + optimizer.variables if "skip" not in v.path]
    assert len(kept) == len(variables + optimizer.variables) - 2, (
        "only one optimizer counts the skips"
    )
    return kept, optimizer.skipped.numpy(), optimizer.skipped_in_a_row.numpy()


def assert_as_if_they_had_not_come(make, jit=None):
    clean, *none = trained(make, [], jit)
    skipped, *three = trained(make, BAD, jit)
    assert none == [0, 0]
    assert three == [3, 0]
    for a, b in zip(skipped, clean, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.isfinite(clean[0]).all()
    assert (clean[0] != 0.01).all()


OPTIONS = {
    "decay, clipped": {"weight_decay": 0.1, "global_clipnorm": 0.1},
    "accumulated": {"gradient_accumulation_steps": 2, "use_ema": True},
    "averaged": {"use_ema": True, "ema_overwrite_frequency": 2},
    "scaled": {"loss_scale_factor": 4.0, "clipvalue": 0.1},
}


@each_class(OPTIMIZERS)
def test_gradients_that_are_not_finite_are_as_if_they_had_not_come(case):
    jit = True if BACKEND == "jax" else None
    assert_as_if_they_had_not_come(lambda: case.make(skip_nonfinite=True), jit)


@each_kind(OPTIMIZERS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_with_each_option_too(case, options):
    # Compiled, because JAX would otherwise compile each accumulated condition anew.
    jit = True if BACKEND == "jax" else None
    assert_as_if_they_had_not_come(
        lambda: case.make(skip_nonfinite=True, **options), jit
    )


@each_kind(OPTIMIZERS)
@pytest.mark.parametrize("jit", [None, False, True])
def test_compiled_or_not_too(case, jit):
    assert_as_if_they_had_not_come(lambda: case.make(skip_nonfinite=True), jit)


@each_kind(OPTIMIZERS)
def test_without_fast_paths_too(case):
    def make():
        optimizer = case.make(skip_nonfinite=True)
        optimizer.has_fast_paths = False
        return optimizer

    assert_as_if_they_had_not_come(make)


@each_class(WRAPPERS)
def test_wrappers_see_nothing_of_them(case):
    jit = True if BACKEND == "jax" else None
    inner = optimizers.RAdam
    assert_as_if_they_had_not_come(
        lambda: case.make(inner(2.0**-6, skip_nonfinite=True)), jit
    )


@pytest.mark.parametrize("inner", ["one", "wrapped"])
def test_all_groups_skip_together(inner):
    def make():
        optimizer = optimizers.RAdam(0.1, skip_nonfinite=True, global_clipnorm=1.0)
        if inner == "wrapped":
            optimizer = optimizers.Lookahead(optimizer, 2)
        rules = {
            "a": {"learning_rate_multiplier": 0.5},
            "b": {"optimizer": keras.optimizers.SGD(0.1)},
        }
        return optimizers.ParameterGroups(optimizer, rules)

    assert_as_if_they_had_not_come(make, True if BACKEND == "jax" else None)


def test_they_are_applied_unless_it_is_asked_for():
    variable = keras.Variable([1.0])
    optimizer = optimizers.RAdam(0.1)
    optimizer.apply([ops.convert_to_tensor([np.nan])], [variable])
    assert np.isnan(array(variable)).all()
    assert optimizer.skipped is None
    assert "skip" not in " ".join(v.path for v in optimizer.variables)


# Giving up


def small(most, **kwargs):
    optimizer = optimizers.RAdam(
        0.1, skip_nonfinite=True, max_consecutive_skips=most, **kwargs
    )
    return optimizer, keras.Variable([1.0])


GIVES_UP = r"More than max_consecutive_skips=2 gradients in a row .* `radam`"


@pytest.mark.parametrize("is_fast", [True, False])
def test_one_more_in_a_row_than_allowed_is_an_error(is_fast):
    optimizer, variable = small(2)
    optimizer.has_fast_paths = is_fast
    bad, good = (ops.convert_to_tensor([x]) for x in (np.inf, 1.0))
    for g in (bad, bad, good, bad, bad):
        optimizer.apply([g], [variable])
    assert optimizer.skipped_in_a_row.numpy() == 2
    before = array(variable)
    with pytest.raises(Exception, match=GIVES_UP) as error:
        optimizer.apply([bad])
    if BACKEND != "tensorflow":
        assert type(error.value) is FloatingPointError
    np.testing.assert_array_equal(array(variable), before)
    assert optimizer.skipped.numpy() == 4
    assert optimizer.skipped_in_a_row.numpy() == 2, "the error must change nothing"
    optimizer.apply([good])
    assert optimizer.skipped_in_a_row.numpy() == 0


@pytest.mark.parametrize("most", [0, 2.5, -1])
def test_the_limit_is_a_number_of_updates(most):
    with pytest.raises(ValueError, match=rf"`max_consecutive_skips` .*={most}"):
        optimizers.RAdam(max_consecutive_skips=most)


def data(spoiled):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(24, 3)).astype("float32")
    x[spoiled, 1] = np.nan
    return x, np.ones((24, 1), "float32")


def network(optimizer, **kwargs):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse", **kwargs)
    return model


def fit(model, spoiled):
    model.fit(*data(spoiled), batch_size=4, shuffle=False, verbose=0)


def test_fit_gives_up_with_an_error():
    model = network(small(2)[0])
    fit(model, [0, 4, 12])
    assert model.optimizer.skipped.numpy() == 3
    with pytest.raises(Exception, match=GIVES_UP):
        fit(model, [4, 8, 12])


@pytest.mark.only("tensorflow")
def test_where_xla_drops_the_error_weights_say_it():
    model = network(small(2)[0], jit_compile=True)
    fit(model, [4, 8])
    assert np.isfinite(model.get_weights()[0]).all()
    fit(model, [4, 8, 12])
    assert np.isnan(model.get_weights()[0]).all()
    # The third batch is skipped, and so are all later ones: the weights are not finite.
    assert model.optimizer.skipped.numpy() == 4
    assert model.optimizer.skipped_in_a_row.numpy() == 5


@pytest.mark.only("jax")
@pytest.mark.parametrize("jit", [False, True])
def test_of_models_that_are_mapped_each_skips_by_itself_and_any_gives_up(jit):
    """As in an ensemble whose members train in one `jax.vmap`."""
    import jax

    optimizer, variable = small(2)
    optimizer.build([variable])
    step = jax.vmap(
        lambda state, gradient, weights: optimizer.stateless_apply(
            state, [gradient], [weights]
        )
    )
    step = jax.jit(step) if jit else step
    state = [np.stack([v.value] * 3) for v in optimizer.variables]
    weights = np.ones((3, 1), "float32")
    good, bad = np.ones((3, 1), "float32"), np.float32([[1], [np.nan], [1]])
    for gradients in (good, bad, bad):
        before = weights
        (weights,), state = step(state, gradients, weights)
        moved = (np.asarray(weights) != before)[:, 0].tolist()
        assert moved == [True, np.isfinite(gradients[1, 0]), True]
    place = [v is optimizer.skipped for v in optimizer.variables].index(True)
    assert np.asarray(state[place]).tolist() == [0, 2, 0]

    def give_up():
        jax.block_until_ready(step(state, bad, weights))
        jax.effects_barrier()  # on a GPU, uncompiled operations are not waited for

    with pytest.raises(Exception, match=GIVES_UP):
        give_up()


@pytest.mark.only("tensorflow", "torch")
def test_loss_scaling_skips_them_first():
    optimizer = small(2)[0]
    model = network(keras.optimizers.LossScaleOptimizer(optimizer))
    fit(model, [0, 4, 8, 12])
    assert optimizer.skipped.numpy() == 0
    assert np.isfinite(model.get_weights()[0]).all()


def test_callbacks_see_the_count_and_it_is_saved(tmp_path):
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(int(self.model.optimizer.skipped.numpy()))

    model = network(optimizers.Lookahead(small(3)[0]))
    x, y = data([4, 20])
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0, callbacks=[Look()])
    assert seen == [0, 1, 1, 1, 1, 2]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    inner = loaded.optimizer.inner_optimizer
    assert (inner.skip_nonfinite, inner.max_consecutive_skips) == (True, 3)
    assert loaded.optimizer.skipped.numpy() == 2
    assert loaded.optimizer.skipped_in_a_row.numpy() == 1
    for m in (model, loaded):
        fit(m, [0])
    assert loaded.optimizer.skipped.numpy() == 3
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.only("tensorflow")
@pytest.mark.parametrize("cls", [optimizers.LazyAdam, optimizers.RAdam])
def test_rows_of_an_embedding_too(cls):
    import tensorflow as tf

    table = keras.Variable(np.ones((4, 2)), dtype="float32")
    optimizer = cls(0.1, skip_nonfinite=True)
    optimizer.build([table])
    ids, shape = tf.constant([1, 1]), tf.constant([4, 2])

    def step(values):
        optimizer.apply([tf.IndexedSlices(values, ids, shape)], [table])

    for run in (step, compiled(step, jit_compile=False)):
        before = array(table)
        run(tf.constant([[1.0, np.inf], [1.0, -np.inf]]))
        np.testing.assert_array_equal(array(table), before)
        run(tf.constant([[1.0, 1.0], [1.0, 1.0]]))
        assert (array(table)[1] < before[1]).all()
        np.testing.assert_array_equal(array(table)[0], 1)
    assert optimizer.skipped.numpy() == 2
