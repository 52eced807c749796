"""Different optimizers for different layers."""

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
    """Multi-optimizer: trains each layer with the optimizer that it is paired with.

    `learning_rate` is the learning rate of the first optimizer. Setting it scales the
    learning rates of all optimizers. The native successor is
    `tfx_extras.optimizers.ParameterGroups`, which finds variables by their paths.

    Differs from TensorFlow Addons: an optimizer trains the variables of its layers, not
    all variables of the same name. A variable with two optimizers is an error instead
    of being updated by both. A variable without an optimizer does not change, and a
    warning names it. The state of all optimizers is saved.

    Args:
        optimizers_and_layers: Pairs of an optimizer and a layer, a list of layers or a
            model. Layers may be built later.
        optimizer_specs: Instead of pairs, dictionaries with the keys `"optimizer"` and
            `"weights"`, as in configurations. Weights are variables, their paths, or
            their indices among all trainable variables.
        name: Name of the optimizer.
        **kwargs: Not accepted. Set `clipnorm` and the like on the optimizers.

    Raises:
        TypeError: If an entry of `optimizers_and_layers` is not such a pair.
        ValueError: If both or none of the first two arguments are given. When it is
            built, if a variable has two optimizers.

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
            raise TypeError(f"Set clipping on the optimizers. Received: {kwargs}")
        given = [optimizers_and_layers, optimizer_specs]
        if sum(x is not None for x in given) != 1:
            raise ValueError(
                "Exactly one of the arguments `optimizers_and_layers` and "
                f"`optimizer_specs` must be given. Received: {given}"
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
        # The variables are known only in `build`, since layers may be built later.
        rules = {
            str(number): {"optimizer": optimizer, "variables": []}
            for number, (optimizer, _) in enumerate(pairs)
        }
        super().__init__(pairs[0][0], rules, name)
        # A function, because layers in an attribute would be saved a second time.
        self._pairs = lambda: [(optimizer, _items(of)) for optimizer, of in pairs]

    @property
    def optimizer_specs(self) -> list[dict[str, Any]]:
        """Dictionaries with an optimizer and the paths of its variables.

        If variables share a path, their indices are given instead.
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
                "MultiOptimizer has no optimizer for these variables, so they will "
                f"not be trained: {[paths[i] for i in sorted(self._idle)]}",
                stacklevel=2,
            )
        groups = {}
        for number, optimizer in enumerate(self._all()):
            of_none = [self.inner_optimizer]  # it gets no gradients of idle variables
            pairs = zip(variables, found, strict=True)
            own = [v for v, of_one in pairs if (of_one or of_none) == [optimizer]]
            if own:
                groups[str(number)] = {"optimizer": optimizer, "variables": own}
        self._rules = Rules(groups)
        super()._build_inner(variables)

    def _optimizers_of(self, place, variable, path) -> list:
        """The optimizers of a variable, without duplicates."""

        def chosen(is_same):
            pairs = [(o, any(map(is_same, items))) for o, items in self._pairs()]
            return list(dict.fromkeys(o for o, is_own in pairs if is_own))

        def is_it(item):
            if isinstance(item, int | str):
                return item == (place if isinstance(item, int) else path)
            return self._var_key(item) == self._var_key(variable)

        def is_part(item):  # a loaded model may add its own name to paths, or not
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
    """Returns `pairs` if each is an optimizer and layers, else raises."""
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
            # Variables are accepted too.
            if not (isinstance(item, keras.layers.Layer) or hasattr(item, "shape")):
                raise TypeError(
                    f"Argument `{PAIRS}` must pair each optimizer with a layer, a list "
                    "of layers or a model. Get a layer by `model.get_layer(name)` or "
                    f"`model.layers[i]`. "
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
    """The variables of layers, or the variables, paths or indices given instead."""
    items = []
    for item in keras.tree.flatten(of):
        if isinstance(item, str):
            items.append(re.sub(r":\d+$", "", item))
        elif isinstance(item, keras.layers.Layer):
            items += item.weights
        else:
            items.append(item)
    return items
