"""Other optimizers for other layers."""

import re
import warnings
from typing import Any

import keras

from tfx_extras import optimizers
from tfx_extras._typed import typechecked
from tfx_extras.optimizers._base import path_of
from tfx_extras.optimizers.wrappers.parameter_groups import _Rules
from tfx_extras.tfa._register import register
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
        self.optimizers = list(dict.fromkeys(optimizer for optimizer, _ in pairs))
        self._rules.optimizers = self.optimizers[1:]
        # A function: layers that were an attribute would be saved once more.
        self._named = lambda: [(optimizer, _names(of)) for optimizer, of in pairs]

    def build_inner(self, variables):
        paths = [path_of(variable) for variable in variables]
        of_each = {path: self._optimizers_of(path) for path in paths}
        for path, found in of_each.items():
            if len(found) > 1:
                raise ValueError(
                    f"MultiOptimizer has more than one optimizer for `{path}`: "
                    f"{[optimizer.name for optimizer in found]}"
                )
        idle = [path for path, found in of_each.items() if not found]
        if idle:
            warnings.warn(
                f"MultiOptimizer has no optimizer for these variables, which stay as "
                f"they are: {idle}",
                stacklevel=2,
            )
            self.optimizers.append(keras.optimizers.SGD(0.0, name="none"))
        groups = {}
        for number, optimizer in enumerate(self.optimizers):
            own = [p for p, found in of_each.items() if optimizer in found]
            own = own or (idle if optimizer.name == "none" else [])
            if own:
                rule = {"optimizer": optimizer} if number else {}
                groups[f"^({'|'.join(map(re.escape, own))})$"] = rule
        self._rules = _Rules(groups)
        super().build_inner(variables)

    def _optimizers_of(self, path) -> list:
        pairs = self._named()
        exact = [optimizer for optimizer, names in pairs if path in names]
        # A model that is loaded may add its own name to its paths, or not.
        return exact or [
            optimizer
            for optimizer, names in pairs
            if any(
                path.endswith(f"/{name}") or name.endswith(f"/{path}") for name in names
            )
        ]

    def get_config(self):
        return {
            "name": self.name,
            "optimizer_specs": [
                {
                    "optimizer": keras.saving.serialize_keras_object(optimizer),
                    "weights": names,
                }
                for optimizer, names in self._named()
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


def _names(of: Any) -> list[str]:
    """The paths of the variables of layers, or what is given in place of them."""
    names = []
    for item in keras.tree.flatten(of):
        if isinstance(item, str):
            names.append(re.sub(r":\d+$", "", item))
        elif isinstance(item, keras.layers.Layer):
            names += [path_of(variable) for variable in item.weights]
        else:
            names.append(path_of(item))
    return names
