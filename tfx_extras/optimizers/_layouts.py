"""Kernels as matrices: which of their axes are inputs, and which are outputs.

A layout has a letter for each axis of a kernel: `i` for inputs, over which a unit sums,
`o` for outputs, and `b` for axes along which there are separate matrices. `None` means
that a variable is no matrix.
"""

import math
import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from tfx_extras._typed import typechecked
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


@typechecked
def kernel_layouts(
    model: keras.Model, exclude_outputs: bool = True
) -> dict[str, str | None]:
    """Kernel layouts: which axes of each kernel of a model are inputs and outputs.

    Use it for the option `layouts` of optimizers, such as that of `Muon`, if the model
    contains `EinsumDense` layers, renamed layers, or an output layer. Without it, an
    optimizer knows only the path and the shape of a variable. Keras has no
    equivalent.

    A layout has a letter for each axis of a kernel: `i` for inputs, over which a unit
    sums, `o` for outputs, and `b` for axes along which there are separate matrices.
    `None` means that a variable is not taken for a matrix. That holds for depthwise
    kernels, which have one input for each output.

    Args:
        model: A model that is built.
        exclude_outputs: Whether the kernels of the layers that make the outputs get
            `None`, as is usual for Muon. Layers without weights after them, such as a
            softmax, do not matter. The outputs of a subclassed model are not known: add
            a rule for its last layer.

    Returns:
        A dictionary from regular expressions, each for the path of one kernel, to
        layouts. Put rules of your own before them: the first one that matches counts.

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
    final = set(map(id, _output_layers(model))) if exclude_outputs else set()
    by_kernel: dict[int, str | None] = {}
    for layer in model._flatten_layers():
        for kernel in _own_kernels(layer):
            layout = None if id(layer) in final else _of_layer(layer, kernel)
            by_kernel[id(kernel)] = layout
    found: dict[str, str | None] = {}
    for weight in model.weights:
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
    if isinstance(layer, layers.Dense) or kernel.name != "kernel":
        return "i" * (rank - 1) + "o"
    return of_path(kernel.path, kernel.shape)


def _of_equation(equation: str) -> str:
    """Returns the layout of the kernel in an equation such as `"abc,cd->abd"`."""
    inputs, output = equation.replace("...", "").split("->")
    given, kernel = inputs.split(",")
    return "".join(
        ("b" if axis in given else "o") if axis in output else "i" for axis in kernel
    )


def _output_layers(model: Any) -> Iterator[Any]:
    """Yields the layers with weights that make the outputs of a functional model."""
    waiting = keras.tree.flatten(getattr(model, "outputs", None) or [])
    seen = set()
    while waiting:
        operation = waiting.pop()._keras_history.operation
        if id(operation) in seen:
            continue
        seen.add(id(operation))
        if isinstance(operation, keras.Model):
            yield from _output_layers(operation)
        elif getattr(operation, "weights", None):
            yield operation
        elif not isinstance(operation, layers.InputLayer):
            waiting += keras.tree.flatten(operation.input)


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
    warn_of_unmatched("layouts", layouts, all_paths)
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
