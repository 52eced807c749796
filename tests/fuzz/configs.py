"""Configurations in which one thing was changed, removed or added.

Each belongs to one public object, and is loaded in one of the possible ways:
`from_config`, Keras's functions, our lookup, or a `.keras` file. Either it is rejected,
with an error that names the argument or the value, or the loaded object has the given
configuration and works. Nothing that a configuration names is imported or run.
"""

import copy
import json
import sys
import zipfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np

from tests.cases import LOSSES
from tests.cases import OPTIMIZERS
from tests.cases import SCHEDULES
from tests.cases import WRAPPERS
from tests.fuzz import canary
from tests.tools import array
from tfx_extras import layers
from tfx_extras import losses
from tfx_extras import optimizers
from tfx_extras import schedules

CANARY = "tests.fuzz.canary_not_imported"
OUTER = ("module", "class_name", "registered_name", "config")
REFUSALS = (ValueError, TypeError)


def named(module, name, config, **others):
    return {"module": module, "class_name": name, "config": config, **others}


def deep(levels):
    value = 1.0
    for _ in range(levels):
        value = [value]
    return value


HOSTILE = [
    *(None, True, False, 0, -1, 1, 2, 3, 0.5, 1.5, -0.25, 1e-45, 1e-300, 1e308),
    *(float("nan"), float("inf"), float("-inf"), 2**31, 2**63, 10**400, -(10**400)),
    *("", "x", "mean", "float16", "nonsense", "x" * 100_000, "os.system", "\0", "1e-3"),
    *([], {}, [1], [[]], [None], {"a": 1}, {"class_name": "x"}, deep(80), (1, 2)),
    *(["("], [3], {"config": {}, "class_name": None}, [float("nan")] * 3),
    *(b"bytes", 1j, np.float32(0.5), np.array([1.0, 2.0]), np.float64("nan")),
    named("os", "system", {"command": "true"}),
    named("os", "function", "system", registered_name="function"),
    named("builtins", "function", "eval"),
    named("builtins", "eval", {}),
    named("subprocess", "Popen", {"args": ["true"]}),
    named(CANARY, "Canary", {}),
    named(CANARY, "function", "run", registered_name="run"),
    named("tests.fuzz.canary", "Canary", {}),
    named("tests.fuzz.canary", "function", "run", registered_name="run"),
    named("tests.fuzz.canary", "Canary", {}, registered_name="tfx_extras>Huber"),
    named("keras.utils", "get_file", {"origin": "file:///etc/hostname"}),
    named("keras", "function", "get_file", registered_name="get_file"),
    named("builtins", "__lambda__", {"value": "4wAAAAA="}),
    named("keras.layers", "Lambda", {"function": named("builtins", "__lambda__", {})}),
    named("keras.layers", "Dense", {"units": 3}),
    named("keras.losses", "Dice", {}),
    named("keras.optimizers", "Adam", {}),
    named("keras.optimizers", "Adam", {"learning_rate": float("nan")}),
    named("keras.optimizers.schedules", "CosineDecay", {}),
    named(
        "keras.optimizers.schedules",
        "CosineDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 10},
    ),
    named(None, "__numpy__", {"value": [1.0], "dtype": "float32"}),
    named(None, "__tensor__", {"value": 0.5, "dtype": "float32"}),
    named(None, "__bytes__", {"value": "x"}),
    named("tfx_extras", "Huber", {}, registered_name="tfx_extras>Huber"),
    named("tfx_extras", "AdaBelief", {}, registered_name="tfx_extras>AdaBelief"),
    named("tfx_extras", "Warmup", {}, registered_name="tfx_extras>Warmup"),
]


@cache
def bases():
    """One object of each case and each object without a case, with its ways to load."""
    found = [(case.make(), losses, keras.losses) for case in LOSSES]
    combined = losses.Huber() + 0.5 * losses.CLIPLoss()
    found.append((combined, losses, keras.losses))
    falling = schedules.WarmupCosine(0.1, 3, 10)
    found += [(case.make(), optimizers, keras.optimizers) for case in OPTIMIZERS]
    found += [(case.make(), optimizers, keras.optimizers) for case in WRAPPERS]
    found += [
        (optimizer, optimizers, keras.optimizers)
        for optimizer in (
            optimizers.AdaBelief(falling, weight_decay=falling, clipnorm=1.0),
            optimizers.Ranger(falling, weight_decay_exclude=["bias"], use_ema=True),
            optimizers.ParameterGroups(
                optimizers.RAdam(0.1),
                {
                    "bias": {"weight_decay": 0.1, "learning_rate_multiplier": 0.5},
                    ".*": {"optimizer": keras.optimizers.SGD(0.1)},
                },
            ),
        )
    ]
    found += [
        (case.make(), schedules, keras.optimizers.schedules) for case in SCHEDULES
    ]
    found.append((layers.ChunkedLinearCrossentropy(5), None, keras.layers))
    found.append((layers.Coral(5), None, keras.layers))
    found.append((layers.CosineDense(5, centers=2), None, keras.layers))
    found.append((layers.AdaFace(5), None, keras.layers))
    found.append((layers.CurricularFace(5), None, keras.layers))
    memory = layers.CrossBatchMemory(losses.MultiSimilarityLoss())
    found.append((memory, None, keras.layers))
    found.append((layers.DINOCenter(), None, keras.layers))
    warmup = schedules.PiecewiseLinear([0, 100], [0.04, 0.07])
    found.append((layers.DINOCenter(0.5, warmup), None, keras.layers))
    weighting = layers.UncertaintyWeighting(["mse", losses.Huber()])
    found.append((weighting, None, keras.layers))
    return [
        (keras.saving.serialize_keras_object(x), type(x), *ways) for x, *ways in found
    ]


def places(config, path=()):
    """The paths of all entries of a configuration, at any depth."""
    found = []
    items = config.items() if isinstance(config, dict) else enumerate(config)
    for key, value in items:
        found.append((*path, key))
        if isinstance(value, dict | list):
            found += places(value, (*path, key))
    return found


def changed(random, config):
    """A changed copy of a configuration, and the path of the change."""
    config = copy.deepcopy(config)
    every = places(config)
    # The contents are changed more often than the names around them.
    if random.random() < 0.8:
        every = [path for path in every if path[0] == "config" and path[1:]]
    path = every[random.integers(len(every))]
    parent = config
    for key in path[:-1]:
        parent = parent[key]
    kind = random.integers(10)
    value = HOSTILE[random.integers(len(HOSTILE))]
    if kind == 0 and isinstance(parent, dict):
        path, parent["unknown"] = (*path[:-1], "unknown"), value
    elif kind == 1:
        del parent[path[-1]]
        value = None
    elif kind == 2:
        value = bases()[random.integers(len(bases()))][0]
        parent[path[-1]] = copy.deepcopy(value)
    else:
        parent[path[-1]] = copy.deepcopy(value)
    return config, path, value, kind


def attempt(random, i):
    base, cls, ours, theirs = bases()[i % len(bases())]
    config, path, value, kind = changed(random, base)
    ways = ["from_config", "keras", "saving", "ours", "file"]
    way = ways[random.choice(5, p=[0.4, 0.2, 0.2, 0.15, 0.05])]
    if ours is None and way == "ours":
        way = "keras"
    text = f"{path}={value!r}"
    name = f"{cls.__name__}({way}, {text[:150]})"
    before = set(sys.modules)
    try:
        made = load(way, config, cls, ours, theirs)
        reason = fault(made, config, cls, path, kind)
    except REFUSALS as error:
        reason = unclear(error, path, value, kind)
    except (AttributeError, KeyError) as error:
        # Keras raises these errors for the names that it looks up.
        reason = None if path[-1] in OUTER else f"{type(error).__name__}: {error}"
    except TimeoutError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    if reason and of_keras(base, path):
        reason = None  # the fault is in Keras's own objects within ours
    if canary.RUN:
        canary.RUN.clear()
        reason = "code that the configuration names was run"
    new = [name for name in set(sys.modules) - before if "canary" in name]
    if new:
        reason = f"it imported {new}"
    return name, reason


def of_keras(config, path):
    """Whether the changed entry is an argument of one of Keras's own classes."""
    modules = [config["module"]]
    for key in path[:-1]:
        config = config[key]
        if isinstance(config, dict) and "module" in config:
            modules.append(config["module"])
    return (modules[-1] or "").startswith("keras")


def load(way, config, cls, ours, theirs):
    if way == "from_config":
        return cls.from_config(config.get("config", config))
    if way == "keras":
        return theirs.deserialize(config)
    if way == "ours":
        return ours.get(config)
    if way == "saving":
        return keras.saving.deserialize_keras_object(config)
    return from_file(config, theirs)


@cache
def saved():
    """The members of a model's file."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    # With a schedule, because saved weights would hold a rate, which would replace that
    # of the configuration.
    model.compile(keras.optimizers.SGD(schedules.Warmup(0.1, 3)), losses.Huber())
    with TemporaryDirectory() as folder:
        model.save(path := Path(folder) / "model.keras")
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def from_file(config, theirs):
    """Loads a configuration as part of a model's file."""
    members = dict(saved())
    whole = json.loads(members["config.json"])
    compiled = whole["compile_config"]
    if theirs is keras.losses:
        compiled["loss"] = config
    elif theirs is keras.optimizers:
        compiled["optimizer"] = config
    elif theirs is keras.layers:
        whole["config"]["layers"][1] = config
    else:
        compiled["optimizer"]["config"]["learning_rate"] = config
    try:
        text = json.dumps(whole)
    except TypeError:  # it cannot be in a file
        return theirs.deserialize(config)
    members["config.json"] = text.encode()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        model = keras.saving.load_model(path)
    if theirs is keras.losses:
        return model.loss
    return model.optimizer if theirs is keras.optimizers else model


def fault(made, config, cls, path, kind):
    """What is wrong with the loaded object, or `None`."""
    if not isinstance(made, cls):
        return None  # Keras makes this of another class name, or of none
    inner = config.get("config", config)
    now = made.get_config()
    if path[0] == "config" and len(path) == 2 and kind != 1:
        name = path[1]
        unnamed = name in ("name", "dtype") and not inner[name]
        is_object = isinstance(inner[name], dict) and "class_name" in inner[name]
        if is_object:  # it may have been saved with less, or as an array
            return None
        if name in now and not unnamed and not alike(now[name], inner[name]):
            return f"loaded as {now[name]!r}"[:200]
        if name not in now and name != "trainable":
            return f"`{name}` was left out"
    json.dumps(now, default=str)
    # Keras changes the configuration that it is given.
    again = cls.from_config(copy.deepcopy(now))
    if not alike(again.get_config(), now):
        return f"after a round trip: {again.get_config()} instead of {now}"
    if isinstance(made, schedules.WarmupCosine.__mro__[1]):
        rates = array(made(np.arange(5)))
        return None if np.isfinite(rates).all() else f"rates {rates}"
    if isinstance(made, keras.optimizers.Optimizer):
        weight = keras.Variable(np.full((2, 3), 0.5, "float32"), name="w")
        gradient = keras.ops.convert_to_tensor(np.full((2, 3), 0.25, "float32"))
        for _ in range(2):
            again.apply([gradient], [weight])
        now = array(weight)
        return None if np.isfinite(now).all() else f"weights {now}"
    return None


def alike(a, b):
    """Whether two values of a configuration are the same when written out."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple | np.ndarray):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, str) or isinstance(b, str) or a is None or b is None:
        return a == b
    try:
        return a == b or bool(np.isclose(float(a), float(b), rtol=1e-6))
    except (TypeError, ValueError, OverflowError):
        return str(a) == str(b)


def unclear(error, path, value, kind):
    """What is missing in an error: the changed argument's name, or its value."""
    if kind == 1 or path[-1] in OUTER:  # something was removed, or Keras looks for it
        return None
    text = str(error)
    names = [key for key in path if isinstance(key, str)][-2:] + words(value)
    clear = any(name and name in text for name in names) or str(value)[:40] in text
    return None if clear else f"unclear: {type(error).__name__}: {text}"


def words(value):
    """All strings in a value."""
    if isinstance(value, dict):
        return [word for each in value.values() for word in words(each)]
    return [value] if isinstance(value, str) else []
