"""Kernels as matrices: which of their axes are inputs, and which are outputs.

A layout has a letter for each axis of a kernel: `i` for inputs, over which a unit sums,
`o` for outputs, and `b` for axes along which there are separate matrices. `None` means
that a variable is no matrix.
"""

import math
import re
import warnings
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from tfx_extras._typed import typechecked
from tfx_extras.optimizers._paths import matched
from tfx_extras.optimizers._paths import path_of
from tfx_extras.optimizers._paths import warn_of_unmatched

__all__ = ["kernel_layouts"]

_KERNELS = ("kernel", "recurrent_kernel", "pointwise_kernel")
_TRANSPOSED = (
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
# Layers whose last axis has the outputs, whatever their names are.
_USUAL = (
    *(layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D),
    *(layers.SimpleRNNCell, layers.GRUCell, layers.LSTMCell),
)


@typechecked
def kernel_layouts(
    model: keras.Model, exclude_outputs: bool = True
) -> dict[str, str | None]:
    """Kernel layouts: which axes of each kernel of a model are inputs and outputs.

    Use it for the option `layouts` of optimizers, such as that of `Muon`, if the model
    contains `EinsumDense` layers, renamed layers, or an output layer. Without it, an
    optimizer knows only the path and the shape of a variable. Keras has no
    equivalent. The result is for this model: call the function again after you rebuild
    the model or unfreeze layers.

    A layout has a letter for each axis of a kernel: `i` for inputs, over which a unit
    sums, `o` for outputs, and `b` for axes along which there are separate matrices.
    `None` means that a variable is not taken for a matrix. That holds for depthwise
    kernels, which have one input for each output.

    Args:
        model: A model that is built.
        exclude_outputs: Whether the kernels of the layers that make the outputs get
            `None`, as is usual for Muon. Layers without weights after them, such as a
            softmax, do not matter. The outputs of a subclassed model are not known, and
            a warning says so: add a rule for its last layer.

    Returns:
        A dictionary from regular expressions, each for the path of one kernel that is
        trained, to layouts. Put rules of your own before them: the first one that
        matches counts.

    Raises:
        ValueError: If the model is not built, or if kernels with the same path have
            different layouts.
        TypeError: If an argument has the wrong type.

    Example:
        >>> model = keras.Sequential([
        ...     keras.Input((8, 8, 3)),
        ...     keras.layers.Conv2D(4, 3, name="conv"),
        ...     keras.layers.Flatten(),
        ...     keras.layers.Dense(10, name="head")])
        >>> layouts = tfx_extras.optimizers.kernel_layouts(model)
        >>> print([*layouts.values()])
        ['iiio', None]
        >>> optimizer = tfx_extras.optimizers.Muon(layouts=layouts)
    """
    if not model.built:
        raise ValueError(
            "The model must be built, so that its kernels exist. Call it once, or give "
            f"it an `Input`. Received: model={model.name!r}"
        )
    final = set()
    if exclude_outputs:
        _warn_of_unknown_outputs(model)
        makers = _makers(keras.tree.flatten(getattr(model, "outputs", None) or []))
        parts = [part for layer in makers for part in layer._flatten_layers()]
        final = set(map(id, parts))
    by_kernel: dict[int, str | None] = {}
    for layer in model._flatten_layers():
        for kernel in _own_kernels(layer):
            layout = None if id(layer) in final else _of_layer(layer, kernel)
            by_kernel[id(kernel)] = layout
    found: dict[str, str | None] = {}
    for weight in model.trainable_weights:
        if id(weight) not in by_kernel:
            continue
        path, layout = f"^{re.escape(weight.path)}$", by_kernel[id(weight)]
        if found.setdefault(path, layout) != layout:
            raise ValueError(
                "Kernels with the same path must have the same layout. Give the layers "
                f"different names. Received: {weight.path!r} with {found[path]!r} and "
                f"{layout!r}"
            )
    return found


def _own_kernels(layer: Any) -> Iterator[Any]:
    """Yields the kernels of a layer that belong to none of its parts."""
    parts = layer._flatten_layers(include_self=False)
    of_parts = {id(weight) for part in parts for weight in part.weights}
    for weight in layer.weights:
        is_kernel = weight.name in _KERNELS and len(weight.shape) >= 2
        if is_kernel and id(weight) not in of_parts:
            yield weight


def _of_layer(layer: Any, kernel: Any) -> str | None:
    """Returns the layout of a kernel of a layer."""
    rank = len(kernel.shape)
    if isinstance(layer, layers.EinsumDense):
        return _of_equation(layer.equation)
    if isinstance(layer, _TRANSPOSED):
        return "i" * (rank - 2) + "oi"
    if isinstance(layer, _DEPTHWISE):
        return None
    if isinstance(layer, _USUAL) or kernel.name != "kernel":
        return "i" * (rank - 1) + "o"
    return of_path(kernel.path, kernel.shape)


def _of_equation(equation: str) -> str | None:
    """Returns the layout of the kernel in an equation such as `"abc,cd->abd"`."""
    inputs, output = equation.replace("...", "").split("->")
    given, kernel = inputs.split(",")
    letters = [
        ("b" if axis in given else "o") if axis in output else "i" for axis in kernel
    ]
    return "".join(letters) if {"i", "o"} <= {*letters} else None


def _warn_of_unknown_outputs(model: keras.Model) -> None:
    if not getattr(model, "outputs", None):
        warnings.warn(
            "`kernel_layouts` does not know the outputs of a subclassed model, so its "
            "output layer is not excluded. Put a rule with None for it before the "
            "others, and pass `exclude_outputs=False`. "
            f"Received: model={model.name!r}",
            stacklevel=4,
        )


def _makers(tensors: Sequence[Any], inputs: list | None = None) -> list:
    """Returns the last layers with weights that symbolic tensors come from.

    Args:
        tensors: Outputs of layers.
        inputs: A list, to which the inputs of the model are added that tensors come
            from without any weights in between.
    """
    found, waiting, seen = [], list(tensors), set()
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        operation, node, place = tensor._keras_history
        given = operation._inbound_nodes[node].input_tensors
        outputs = getattr(operation, "outputs", None)
        if isinstance(operation, keras.Model) and outputs:
            reached: list = []
            inner = keras.tree.flatten(outputs)[place]
            found += _makers([inner], reached)
            own = keras.tree.flatten(operation.inputs)
            ids = set(map(id, reached))
            pairs = zip(own, given, strict=True)
            waiting += [outer for x, outer in pairs if id(x) in ids]
        elif getattr(operation, "weights", None):
            found.append(operation)
        elif given:
            waiting += given
        elif inputs is not None:
            inputs.append(tensor)
    return found


def of_path(path: str, shape: Sequence[int]) -> str | None:
    """Returns the layout of a variable of Keras's layers, by its path and shape."""
    layer, name = ("/" + path).rsplit("/", 1)
    layer, rank = layer.rsplit("/", 1)[-1], len(shape)
    if name not in _KERNELS or rank < 2 or "depthwise" in layer:
        return None
    if layer in ("query", "key", "value") and rank == 3:
        return "ioo"
    if "transpose" in layer and name == "kernel" and rank > 2:
        return "i" * (rank - 2) + "oi"
    return "i" * (rank - 1) + "o"


def require_layouts(layouts: Mapping[str, str | None]) -> dict[str, str | None]:
    """Returns layouts as a dictionary. Raises if one has wrong letters."""
    for pattern, layout in layouts.items():
        if not isinstance(pattern, str):
            raise TypeError(
                "Argument `layouts` must have keys that are strings, the regular "
                f"expressions of paths. Received: {pattern!r}"
            )
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"Argument `layouts` has an invalid regular expression: {error}. "
                f"Received: {pattern!r}"
            ) from None
        if layout is not None and not ({"i", "o"} <= set(layout) <= set("ibo")):
            raise ValueError(
                "Argument `layouts` must have values made of the letters i (inputs), "
                "o (outputs) and b (separate matrices), with an i and an o, or be "
                "None. "
                f"Received: layouts[{pattern!r}]={layout!r}"
            )
    return dict(layouts)


def found_layouts(
    layouts: Mapping[str, str | None],
    variables: Sequence[Any],
    paths: Sequence[str],
    all_paths: Sequence[str],
) -> list[str | None]:
    """Returns the layout of each variable, by the first rule that matches its path.

    Args:
        layouts: The rules.
        variables: The variables.
        paths: Their paths.
        all_paths: All paths of the model, if rules may match others.
    """
    _warn_of_unmatched(layouts, all_paths)
    found = []
    for variable, path in zip(variables, paths, strict=True):
        rules = [pattern for pattern in layouts if re.search(pattern, path)]
        if not rules:
            found.append(of_path(path, variable.shape))
            continue
        layout = layouts[rules[0]]
        if layout is not None and len(layout) != len(variable.shape):
            raise ValueError(
                f"`layouts[{rules[0]!r}]` must have a letter for each axis of "
                f"`{path_of(variable)}`. Received: {layout!r} for the shape "
                f"{tuple(variable.shape)}"
            )
        found.append(layout)
    return found


def _warn_of_unmatched(layouts: Mapping[str, str | None], paths: Sequence[str]) -> None:
    """Warns of rules that match no variable, once of all those of another model."""
    exact = [pattern for pattern in layouts if _is_exact(pattern)]
    others = [pattern for pattern in layouts if pattern not in exact]
    warn_of_unmatched("layouts", others, paths)
    unmatched = [pattern for pattern in exact if not any(matched([pattern], paths))]
    if unmatched:
        warnings.warn(
            f"`layouts`: {len(unmatched)} of {len(exact)} rules for single paths match "
            "no variable. If they are those of another model, or of layers that were "
            "frozen later, call `kernel_layouts` again. "
            f"They are: {unmatched}. The paths are: {list(paths)}",
            stacklevel=5,
        )


def _is_exact(pattern: str) -> bool:
    """Whether a regular expression matches a single path, as in `kernel_layouts`."""
    path = re.sub(r"\\(.)", r"\1", pattern[1:-1])
    return pattern == f"^{re.escape(path)}$"


def axes_of(layout: str, letter: str) -> tuple[int, ...]:
    """Returns the axes with this letter."""
    return tuple(axis for axis, each in enumerate(layout) if each == letter)


def sizes_of(layout: str, shape: Sequence[int]) -> tuple[int, int, int]:
    """Returns the numbers of matrices, of their inputs and of their outputs."""
    sizes = (math.prod(shape[axis] for axis in axes_of(layout, x)) for x in "bio")
    return tuple(sizes)  # pyright: ignore[reportReturnType]


def to_matrices(x: Any, layout: str) -> Any:
    """Returns a kernel as matrices, of shape `(matrices, inputs, outputs)`."""
    return ops.reshape(ops.transpose(x, _order(layout)), sizes_of(layout, x.shape))


def from_matrices(matrices: Any, layout: str, shape: Sequence[int]) -> Any:
    """Returns a kernel of this shape, the inverse of `to_matrices`."""
    order = _order(layout)
    x = ops.reshape(matrices, [shape[axis] for axis in order])
    return ops.transpose(x, sorted(range(len(order)), key=order.__getitem__))


def _order(layout: str) -> list[int]:
    return [axis for letter in "bio" for axis in axes_of(layout, letter)]
