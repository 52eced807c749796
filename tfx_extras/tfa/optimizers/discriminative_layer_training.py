"""Other optimizers for other layers."""

import re
import warnings
from typing import Any

import keras

from tfx_extras import optimizers
from tfx_extras.optimizers._paths import path_of
from tfx_extras.optimizers.wrappers._named import named
from tfx_extras.optimizers.wrappers._rules import Rules
from tfx_extras.tfa._register import register
from tfx_extras.tfa._typed import typechecked
from tfx_extras.tfa.optimizers._base import Callers
from tfx_extras.tfa.optimizers._wrapper import loaded_optimizer

OfOptimizer = keras.optimizers.Optimizer | str | dict
PAIRS, SPECS = "optimizers_and_layers", "optimizer_specs"


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
            `"weights"`, variables, their paths or their places among all, as
            configurations have them.
        name: Name of the optimizer.
        **kwargs: None: clipping belongs to the optimizers.

    Raises:
        TypeError: If `optimizers_and_layers` has something else than such pairs.
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
            pairs = [
                (o, [layers]) for o, layers in _required_pairs(optimizers_and_layers)
            ]
        else:
            _require_specs(optimizer_specs)
            pairs = [(spec["optimizer"], spec["weights"]) for spec in optimizer_specs]
        argument = PAIRS if optimizer_specs is None else SPECS
        pairs = [(named(o, argument), of) for o, of in pairs]
        # Of what, is known when it is built: layers may be built later.
        rules = {
            str(number): {"optimizer": optimizer, "variables": []}
            for number, (optimizer, _) in enumerate(pairs)
        }
        super().__init__(pairs[0][0], rules, name)
        # A function: layers that were an attribute would be saved once more.
        self._pairs = lambda: [(optimizer, _items(of)) for optimizer, of in pairs]

    @property
    def optimizer_specs(self) -> list[dict[str, Any]]:
        """Dictionaries of an optimizer and the paths of its variables.

        Where variables share a path, they are known by their places among all.
        """
        known = self._trainable_variables
        is_ambiguous = len({path_of(v) for v in known}) < len(known)
        places = {self._var_key(v): place for place, v in enumerate(known)}

        def name(item):
            if isinstance(item, int | str):
                return item
            place = places.get(self._var_key(item))
            return path_of(item) if place is None or not is_ambiguous else place

        return [
            {"optimizer": optimizer, "weights": [name(item) for item in items]}
            for optimizer, items in self._pairs()
        ]

    def _build_inner(self, variables):
        paths = [path_of(variable) for variable in variables]
        found = [
            self._optimizers_of(place, variable, path)
            for place, (variable, path) in enumerate(zip(variables, paths, strict=True))
        ]
        for path, optimizers_of_one in zip(paths, found, strict=True):
            if len(optimizers_of_one) > 1:
                raise ValueError(
                    f"MultiOptimizer has more than one optimizer for `{path}`: "
                    f"{[optimizer.name for optimizer in optimizers_of_one]}"
                )
        self._idle = frozenset(i for i, of_one in enumerate(found) if not of_one)
        if self._idle:
            warnings.warn(
                "MultiOptimizer has no optimizer for these variables, which stay as "
                f"they are: {[paths[i] for i in sorted(self._idle)]}",
                stacklevel=2,
            )
        groups = {}
        for number, optimizer in enumerate(self._all()):
            of_none = [self.inner_optimizer]  # which is given no gradient of theirs
            pairs = zip(variables, found, strict=True)
            own = [v for v, of_one in pairs if (of_one or of_none) == [optimizer]]
            if own:
                groups[str(number)] = {"optimizer": optimizer, "variables": own}
        self._rules = Rules(groups)
        super()._build_inner(variables)

    def _optimizers_of(self, place, variable, path) -> list:
        """The optimizers of a variable, each once."""

        def chosen(is_same):
            pairs = [(o, any(map(is_same, items))) for o, items in self._pairs()]
            return list(dict.fromkeys(o for o, is_own in pairs if is_own))

        def is_it(item):
            if isinstance(item, int | str):
                return item == (place if isinstance(item, int) else path)
            return self._var_key(item) == self._var_key(variable)

        def is_part(item):  # a model that is loaded may add its own name, or not
            return isinstance(item, str) and (
                path.endswith(f"/{item}") or item.endswith(f"/{path}")
            )

        return chosen(is_it) or chosen(is_part)

    def _apply_inner(self, grads, variables):
        pairs = [
            (g, v)
            for g, v in zip(grads, variables, strict=True)
            if self._get_variable_index(v) not in self._idle
        ]
        if pairs:
            super()._apply_inner(*map(list, zip(*pairs, strict=True)))

    def get_config(self):
        specs = [
            spec | {"optimizer": keras.saving.serialize_keras_object(spec["optimizer"])}
            for spec in self.optimizer_specs
        ]
        return {"name": self.name, "optimizer_specs": specs}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        with keras.saving.custom_object_scope(custom_objects or {}):
            specs = [
                spec | {"optimizer": loaded_optimizer(spec["optimizer"])}
                for spec in config["optimizer_specs"]
            ]
        return cls(**config | {"optimizer_specs": specs})


def _required_pairs(pairs: Any) -> list:
    """Returns pairs of an optimizer and layers, or raises if they are none."""
    if not pairs:
        raise ValueError(f"Argument `{PAIRS}` must not be empty. Received: {PAIRS}=[]")
    for i, pair in enumerate(pairs):
        is_pair = isinstance(pair, list | tuple) and len(pair) == 2
        if not (is_pair and isinstance(pair[0], OfOptimizer)):
            raise TypeError(
                f"Argument `{PAIRS}` must be a list of pairs of an optimizer and a "
                "layer, such as [(optimizer, model.layers[-1])]. "
                f"Received: {PAIRS}[{i}]={pair!r}"
            )
        for item in keras.tree.flatten([pair[1]]):
            # A variable is taken too.
            if not (isinstance(item, keras.layers.Layer) or hasattr(item, "shape")):
                raise TypeError(
                    f"Argument `{PAIRS}` must pair each optimizer with a layer, a list "
                    "of layers or a model: `model.get_layer(name)` finds one by its "
                    f"name, and `model.layers[i]` by its place. "
                    f"Received: {PAIRS}[{i}][1]={pair[1]!r}"
                )
    return pairs


def _require_specs(specs: list) -> None:
    for i, spec in enumerate(specs):
        if not (isinstance(spec, dict) and {"optimizer", "weights"} <= spec.keys()):
            raise TypeError(
                f"Argument `{SPECS}` must be a list of dictionaries with the keys "
                f'"optimizer" and "weights". Received: {SPECS}[{i}]={spec!r}'
            )


def _items(of: Any) -> list:
    """The variables of layers, or the variables, paths or places given for them."""
    items = []
    for item in keras.tree.flatten(of):
        if isinstance(item, str):
            items.append(re.sub(r":\d+$", "", item))
        elif isinstance(item, keras.layers.Layer):
            items += item.weights
        else:
            items.append(item)
    return items
