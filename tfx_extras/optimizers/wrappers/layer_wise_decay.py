"""Layer-wise learning-rate decay."""

import re
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import keras

from tfx_extras._checks import Number
from tfx_extras._checks import require
from tfx_extras._typed import typechecked

__all__ = ["layer_wise_decay"]


@typechecked
def layer_wise_decay(
    model: keras.Layer,
    decay: Number = 0.75,
    layers: Sequence[Any] | None = None,
) -> dict[str, dict[str, Any]]:
    r"""Layer-wise learning-rate decay (LLRD): smaller rates for layers near the input.

    Use it to fine-tune a pretrained model, so that layers near the input change less
    than layers near the output. It returns rules for `ParameterGroups`. In a deep
    network, group the layers into blocks by `layers`: with 28 layers and a decay of
    0.75, the first layer would learn at $0.75^{27}$ = 0.0004 of the learning rate.
    Keras has no equivalent.

    $$
    \eta_i = \gamma^{L - i} \eta, \qquad i = 1, \ldots, L
    $$

    $\eta$ is the learning rate of the optimizer, $\gamma$ is the decay, and $\eta_i$ is
    the rate of layer $i$ of $L$. Layer $L$, the nearest to the output, learns at
    $\eta$, the one before it at $\gamma \eta$, and so on down to layer 1, the nearest
    to the input.

    Args:
        model: A built model.
        decay: $\gamma$, in (0, 1].
        layers: The layers from the input to the output. Each item is a layer, or a list
            of layers that learn at one rate. `None` means all layers that have
            trainable weights, in the order of `model.layers`, with the layers of nested
            models in their place.

    Returns:
        A dictionary of rules, one for each layer or list of layers, from a regular
        expression of paths to `"learning_rate_multiplier"` and `"variables"`.

    Raises:
        ValueError: If `decay` is outside its interval, or no layer has trainable
            weights yet.
        TypeError: If an argument has the wrong type or an unknown name.

    Example:
        >>> model = keras.Sequential([
        ...     keras.Input((3,)),
        ...     keras.layers.Dense(4, name="body"),
        ...     keras.layers.Dense(2, name="head")])
        >>> groups = tfx_extras.optimizers.layer_wise_decay(model, 0.5)
        >>> print([rule["learning_rate_multiplier"] for rule in groups.values()])
        [0.5, 1.0]
        >>> optimizer = tfx_extras.optimizers.ParameterGroups("adam", groups)

    Reference: Bao et al., 2021 (BEiT). https://arxiv.org/abs/2106.08254
    """
    gamma = require("decay", decay, "(0, 1]")
    groups = []
    for item in _leaves(model) if layers is None else layers:
        group = item if isinstance(item, list | tuple) else [item]
        if not all(isinstance(layer, keras.Layer) for layer in group):
            raise TypeError(
                "Argument `layers` must be a list of layers, or of lists of layers, "
                f"such as `model.get_layer(name)`. Received: layers={layers}"
            )
        variables = [v for layer in group for v in layer.trainable_variables]
        if variables:
            groups.append(variables)
    if not groups:
        raise ValueError(
            f"No layer of `{model.name}` has trainable weights. Build the model first, "
            "or unfreeze layers."
        )
    rules = {}
    for i, variables in enumerate(groups, 1):
        pattern = "^(" + "|".join(re.escape(v.path) for v in variables) + ")$"
        while pattern in rules:  # layers with equal paths have rules of their own
            pattern = f"({pattern})"
        rules[pattern] = {
            "learning_rate_multiplier": gamma ** (len(groups) - i),
            "variables": variables,
        }
    return rules


def _leaves(layer: Any) -> Iterator[Any]:
    """Yields the layers of a model, and of the models within it."""
    inner = getattr(layer, "layers", None)
    if isinstance(inner, list) and inner:
        for each in inner:
            yield from _leaves(each)
    else:
        yield layer
