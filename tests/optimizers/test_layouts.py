"""Which axes of the kernels of Keras's layers are inputs and outputs."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from tests.tools import array
from tfx_extras import models
from tfx_extras import optimizers
from tfx_extras.optimizers import _layouts
from tfx_extras.optimizers import kernel_layouts

GUIDE = Path(__file__).parents[2] / "docs/guides/optimizers.md"
IMAGE, SEQUENCE, VECTOR, VIDEO = (8, 8, 4), (8, 4), (4,), (8, 8, 8, 4)
# Each layer of Keras with kernels, its input, and the layouts of its kernels by name.
LAYERS = [
    (layers.Dense(3), VECTOR, {"kernel": "io"}),
    (layers.Conv1D(3, 3), SEQUENCE, {"kernel": "iio"}),
    (layers.Conv2D(6, 3, groups=2), IMAGE, {"kernel": "iiio"}),
    (layers.Conv3D(3, 3), VIDEO, {"kernel": "iiiio"}),
    (layers.Conv1DTranspose(3, 3), SEQUENCE, {"kernel": "ioi"}),
    (layers.Conv2DTranspose(3, 3), IMAGE, {"kernel": "iioi"}),
    (layers.Conv3DTranspose(3, 3), VIDEO, {"kernel": "iiioi"}),
    (layers.DepthwiseConv1D(3), SEQUENCE, {"kernel": None}),
    (layers.DepthwiseConv2D(3), IMAGE, {"kernel": None}),
    (layers.SeparableConv1D(3, 3), SEQUENCE, {"pointwise_kernel": "iio"}),
    (layers.SeparableConv2D(3, 3), IMAGE, {"pointwise_kernel": "iiio"}),
    (layers.SimpleRNN(3), SEQUENCE, {"kernel": "io", "recurrent_kernel": "io"}),
    (layers.GRU(3), SEQUENCE, {"kernel": "io", "recurrent_kernel": "io"}),
    (layers.LSTM(3), SEQUENCE, {"kernel": "io", "recurrent_kernel": "io"}),
    (layers.ConvLSTM1D(3, 3), (2, *SEQUENCE), {"kernel": "iio"}),
    (layers.ConvLSTM2D(3, 3), (2, *IMAGE), {"kernel": "iiio"}),
    (
        layers.EinsumDense("abc,cd->abd", output_shape=(8, 3)),
        SEQUENCE,
        {"kernel": "io"},
    ),
    (
        layers.EinsumDense("abc,cde->abde", output_shape=(8, 3, 2)),
        SEQUENCE,
        {"kernel": "ioo"},
    ),
    (
        layers.EinsumDense("...bc,bcd->...bd", output_shape=(8, 3)),
        SEQUENCE,
        {"kernel": "bio"},
    ),
    (
        layers.EinsumDense("abc,bc->abc", output_shape=(8, 4)),
        SEQUENCE,
        {"kernel": None},
    ),
]
each_layer = pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    LAYERS,
    ids=[f"{type(layer).__name__}{i}" for i, (layer, _, _) in enumerate(LAYERS)],
)


def by_name(found):
    return {re.sub(r"^\^|\$$", "", path).split("/")[-1]: x for path, x in found.items()}


@each_layer
def test_layers_of_keras_have_these_layouts(layer, shape, expected):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, type(layer).from_config(layer.get_config())(inputs))
    found = by_name(kernel_layouts(model, exclude_outputs=False))
    for name, layout in expected.items():
        assert found[name] == layout
    if not isinstance(layer, layers.EinsumDense):  # the path does not tell
        for weight in model.weights:
            layout = _layouts.of_path(weight.path, weight.shape)
            assert layout == found.get(weight.name), weight.path


@each_layer
def test_the_guide_has_a_row_for_each_layer(layer, shape, expected):
    title = f"`{type(layer).__name__}`"
    if isinstance(layer, layers.EinsumDense):
        title += f', `"{layer.equation}"`'
    for name, layout in expected.items():
        row = f"| {title} | `{name}` | {f'`{layout}`' if layout else 'none'} |"
        assert row in GUIDE.read_text().splitlines(), f"{GUIDE} needs this row: {row}"


def test_attention_has_matrices_of_all_heads():
    inputs = keras.Input(SEQUENCE)
    outputs = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    outputs = layers.GroupQueryAttention(3, 4, 2)(outputs, outputs)
    model = keras.Model(inputs, outputs)
    found = kernel_layouts(model, exclude_outputs=False)
    assert len(found) == 8
    for weight in model.weights:
        if weight.name == "kernel":
            is_output = "attention_output" in weight.path
            expected = "iio" if is_output else "ioo"
            assert found[f"^{re.escape(weight.path)}$"] == expected
            assert _layouts.of_path(weight.path, weight.shape) == expected


@pytest.mark.parametrize("ends", [(), (layers.Softmax, layers.Dropout)])
def test_layers_that_make_the_outputs_are_no_matrices(ends):
    inner = keras.Sequential([keras.Input(VECTOR), layers.Dense(5, name="deep")])
    inputs = keras.Input(VECTOR)
    shared = inner(inputs)
    outputs = []
    for name in ("one", "two"):
        x = layers.Dense(3, name=name)(shared)
        for end in ends:
            x = end(0.5)(x) if end is layers.Dropout else end()(x)
        outputs.append(x)
    found = kernel_layouts(keras.Model(inputs, outputs))
    named = {path.split("/")[-2].lstrip("^"): x for path, x in found.items()}
    assert named == {"deep": "io", "one": None, "two": None}
    nested = keras.Sequential([keras.Input(VECTOR), layers.Dense(4), inner])
    assert [*kernel_layouts(nested).values()] == ["io", None]


def names(model):
    found = kernel_layouts(model)
    return {path.rsplit("/", 2)[-2].lstrip("^"): x for path, x in found.items()}


def test_layers_without_weights_may_be_shared():
    inputs, shared = keras.Input(VECTOR), layers.ReLU()
    hidden = shared(layers.Dense(8, name="trunk")(inputs))
    model = keras.Model(inputs, shared(layers.Dense(8, name="head")(hidden)))
    assert names(model) == {"trunk": "io", "head": None}
    heads = [shared(layers.Dense(3, name=name)(hidden)) for name in "ab"]
    assert names(keras.Model(inputs, heads)) == {"trunk": "io", "a": None, "b": None}


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.TimeDistributed(layers.Dense(3)),
        lambda: layers.Bidirectional(layers.GRU(3)),
        lambda: layers.SpectralNormalization(layers.Dense(3)),
    ],
)
def test_layers_inside_of_the_last_one_are_no_matrices(make):
    model = keras.Sequential([keras.Input(SEQUENCE), layers.Dense(6), make()])
    first, *others = kernel_layouts(model).values()
    assert first == "io"
    assert others
    assert not any(others)


def test_outputs_may_pass_through_a_model_without_weights():
    inner_inputs = [keras.Input(VECTOR), keras.Input(VECTOR)]
    through = layers.Softmax()(inner_inputs[1])
    outputs = [through, layers.Dense(2, name="inner")(inner_inputs[0])]
    inner = keras.Model(inner_inputs, outputs)
    inputs = keras.Input(VECTOR)
    hidden = [layers.Dense(4, name=name)(inputs) for name in "ab"]
    outputs = inner(hidden)
    found = names(keras.Model(inputs, outputs[0]))
    assert found == {"a": "io", "b": None, "inner": "io"}
    found = names(keras.Model(inputs, outputs[1]))
    assert found == {"a": "io", "b": "io", "inner": None}


def test_names_do_not_mislead_about_layers_of_keras():
    model = keras.Sequential(
        [
            keras.Input(SEQUENCE),
            layers.Conv1D(4, 3, name="transpose_like"),
            layers.Conv1D(4, 3, name="depthwise_like"),
            layers.Conv1D(4, 3, name="key"),
        ]
    )
    found = kernel_layouts(model, exclude_outputs=False)
    assert [*found.values()] == ["iio"] * 3


def test_a_sharpness_aware_model_has_the_outputs_of_its_model():
    model = keras.Sequential([keras.Input(VECTOR), layers.Dense(4), layers.Dense(2)])
    found = kernel_layouts(models.SharpnessAware(model))
    assert found == kernel_layouts(model)
    assert [*found.values()] == ["io", None]


def test_rules_of_frozen_kernels_are_left_out_and_those_of_others_warn_once():
    model = keras.Sequential([keras.Input(VECTOR), *map(layers.Dense, (3, 4, 5, 2))])
    old = kernel_layouts(model)
    for layer in model.layers[:2]:
        layer.trainable = False
    found = kernel_layouts(model)
    assert [*found.values()] == ["io", None]
    optimizers.Muon(layouts=found).build(model.trainable_variables)
    with pytest.warns(
        UserWarning, match=r"2 of 4 rules .* `kernel_layouts` again"
    ) as w:
        optimizers.Muon(layouts=old).build(model.trainable_variables)
    assert len(w) == 1


def test_keys_must_be_strings():
    with pytest.raises(TypeError, match=r"`layouts` must have keys .* Received: 1"):
        optimizers.Muon(layouts={1: "io"})


def test_kernels_of_subclassed_models_are_found():
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.turned = layers.Conv2DTranspose(4, 3, name="renamed")
            self.parts = [layers.DepthwiseConv2D(3, name="also"), layers.Conv2D(4, 3)]

        def build(self, shape):
            for layer in [self.turned, *self.parts]:
                layer.build(shape)

        def call(self, x):
            for layer in [self.turned, *self.parts]:
                x = layer(x)
            return x

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.block = Block()
            self.table = layers.Embedding(5, 4)

        def call(self, x):
            return self.block(x) + ops.sum(self.table(ops.zeros((1,), "int32")))

    model = Subclassed()
    with pytest.raises(ValueError, match="must be built"):
        kernel_layouts(model)
    model(np.zeros((1, *IMAGE), "float32"))
    with pytest.warns(UserWarning, match="does not know the outputs of a subclassed"):
        found = kernel_layouts(model)
    assert found == kernel_layouts(model, exclude_outputs=False)
    assert [*found.values()] == ["iioi", None, "iiio"]
    # By its path, the renamed layer would be taken for another.
    by_path = [_layouts.of_path(w.path, w.shape) for w in model.weights]
    assert by_path[0] == "iiio"


def test_matrices_are_those_of_the_layout():
    random = np.random.default_rng(0)
    for layout, shape in [("iioi", (2, 3, 4, 5)), ("ooi", (2, 3, 4)), ("oi", (2, 3))]:
        x = random.normal(size=shape).astype("float32")
        matrices = _layouts.to_matrices(ops.convert_to_tensor(x), layout)
        again = _layouts.from_matrices(matrices, layout, shape)
        np.testing.assert_array_equal(array(again), x)
    x = np.arange(24.0).reshape(2, 3, 4)
    found = array(_layouts.to_matrices(ops.convert_to_tensor(x, "float32"), "ioi"))
    np.testing.assert_array_equal(found[0], x.transpose(0, 2, 1).reshape(8, 3))


def test_the_first_rule_counts_and_a_rule_without_a_variable_warns():
    w = keras.Variable(np.ones((2, 3)), dtype="float32", name="kernel")
    rules = {"kernel": None, "kern": "oi", "elsewhere": "io"}
    optimizer = optimizers.Muon(layouts=rules)
    with pytest.warns(UserWarning, match="'elsewhere' matches no variable"):
        optimizer.build([w])
    assert optimizer._layouts == [None]


def test_layouts_are_saved_with_the_model(tmp_path):
    model = keras.Sequential(
        [keras.Input(IMAGE), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(2)]
    )
    optimizer = optimizers.Muon(layouts=kernel_layouts(model))
    model.compile(optimizer, "mse")
    x, y = np.ones((4, *IMAGE), "float32"), np.ones((4, 2), "float32")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.optimizer._layouts == optimizer._layouts == ["iiio", None, None, None]
    assert again.optimizer._are_matrices == [True, False, False, False]
    for each in (model, again):
        each.fit(x, y, verbose=0)
    for mine, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(array(mine), array(other))
