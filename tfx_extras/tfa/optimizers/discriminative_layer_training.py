"""Other optimizers for other layers."""

import re
import warnings
from typing import Any

import keras

from tfx_extras import optimizers
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import path_of
from tfx_extras.optimizers.wrappers._base import chain
from tfx_extras.optimizers.wrappers._rules import Rules
from tfx_extras.optimizers.wrappers._several import name_apart
from tfx_extras.optimizers.wrappers._several import require_usable
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._base import Callers
from tfx_extras.tfa.optimizers._wrapper import loaded_optimizer


@register
class MultiOptimizer(Callers, optimizers.ParameterGroups):
    """Trains each layer by the optimizer that it is paired with.

    `learning_rate` is that of the first optimizer; setting it scales those of all.

    Differs from TensorFlow Addons: variables are those of the layers, and not all of
    the same name; one of two optimizers is an error, where both would move it; and one
    without an optimizer, which stays as it is, is named in a warning. The state of all
    optimizers is saved. `tfx_extras.optimizers.ParameterGroups` finds variables by
    their paths.

    Args:
        optimizers_and_layers: Pairs of an optimizer and a layer, a list of layers or a
            model. Layers may be built later.
        optimizer_specs: In place of them, dictionaries with the key `"optimizer"` and
            `"weights"`, variables or their paths, as configurations have them.
        name: Name of the optimizer.
        **kwargs: None: clipping belongs to the optimizers.

    Raises:
        ValueError: If both or none are given; or, when built, a variable has two
            optimizers.

    Example:
        >>> model = keras.Sequential([
        ...     keras.Input((1,)), keras.layers.Dense(1), keras.layers.Dense(1)])
        >>> optimizer = tfx_extras.tfa.optimizers.MultiOptimizer([
        ...     (keras.optimizers.SGD(0.1), model.layers[0]),
        ...     (keras.optimizers.Adam(0.01), model.layers[1:])])
        >>> model.compile(optimizer, "mse")

    Reference: Howard and Ruder, 2018. https://arxiv.org/abs/1801.06146
    """

    @typechecked
    def __init__(
        self,
        optimizers_and_layers: list | None = None,
        optimizer_specs: list | None = None,
        name: str | None = "MultiOptimizer",
        **kwargs: Any,
    ):
        if kwargs:
            raise TypeError(f"Clipping belongs to the optimizers. Received: {kwargs}")
        given = [optimizers_and_layers, optimizer_specs]
        if sum(x is not None for x in given) != 1:
            raise ValueError(
                "One of the arguments `optimizers_and_layers` and `optimizer_specs` "
                f"must be given. Received: {given}"
            )
        if optimizer_specs is None:
            pairs = [(o, [layers]) for o, layers in optimizers_and_layers or []]
        else:
            pairs = [(spec["optimizer"], spec["weights"]) for spec in optimizer_specs]
        pairs = [(keras.optimizers.get(o), of) for o, of in pairs]
        super().__init__(pairs[0][0], {}, name)
        first, *others = dict.fromkeys(optimizer for optimizer, _ in pairs)
        self.rule_optimizers = others
        require_usable([first, *others])
        name_apart(others, {each.name for each in chain(self)})
        # A function: layers that were an attribute would be saved once more.
        self._pairs = lambda: pairs

    def build_inner(self, variables):
        paths = [path_of(variable) for variable in variables]
        trained = {optimizer: [] for optimizer in self._all()}
        idle = []
        for variable, path in zip(variables, paths, strict=True):
            found = self._optimizers_of(variable, path)
            if len(found) > 1:
                raise ValueError(
                    f"MultiOptimizer has more than one optimizer for `{path}`: "
                    f"{[optimizer.name for optimizer in found]}"
                )
            (trained[found[0]] if found else idle).append(variable)
        if idle:
            warnings.warn(
                f"MultiOptimizer has no optimizer for these variables, which stay as "
                f"they are: {[path_of(variable) for variable in idle]}",
                stacklevel=2,
            )
            still = keras.optimizers.SGD(0.0, name="none")
            self.rule_optimizers.append(still)
            trained[still] = idle
        self._rules = Rules(
            {
                f"{number} {optimizer.name}": {
                    "optimizer": optimizer,
                    "variables": some,
                }
                for number, (optimizer, some) in enumerate(trained.items())
                if some
            }
        )
        super().build_inner(variables)

    def _optimizers_of(self, variable, path) -> list:
        pairs = [(optimizer, _items(of)) for optimizer, of in self._pairs()]
        same = [o for o, items in pairs if any(item is variable for item in items)]
        pairs = [(optimizer, list(map(_name, items))) for optimizer, items in pairs]
        exact = [optimizer for optimizer, names in pairs if path in names]
        # A model that is loaded may add its own name to its paths, or not.
        return (
            same
            or exact
            or [
                optimizer
                for optimizer, names in pairs
                if any(
                    path.endswith(f"/{name}") or name.endswith(f"/{path}")
                    for name in names
                )
            ]
        )

    def get_config(self):
        return {
            "name": self.name,
            "optimizer_specs": [
                {
                    "optimizer": keras.saving.serialize_keras_object(optimizer),
                    "weights": list(map(_name, _items(of))),
                }
                for optimizer, of in self._pairs()
            ],
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        with keras.saving.custom_object_scope(custom_objects or {}):
            specs = [
                spec | {"optimizer": loaded_optimizer(spec["optimizer"])}
                for spec in config["optimizer_specs"]
            ]
        return cls(**config | {"optimizer_specs": specs})


def _items(of: Any) -> list:
    """The variables of layers, or what is given in their place: names or variables."""
    items = []
    for item in keras.tree.flatten(of):
        items += item.weights if isinstance(item, keras.layers.Layer) else [item]
    return items


def _name(item: Any) -> str:
    is_name = isinstance(item, str)
    return re.sub(r":\d+$", "", item) if is_name else path_of(item)
