"""Draws a life: an optimizer, the variables that it trains, and a sequence of events.

A life is plain data, so that it can be printed, and made smaller while it fails.
"""

import copy
import json

import keras
import numpy as np

from tests.lives.model import OF_KERAS

BACKEND = keras.backend.backend()
VARIABLES = {
    "encoder/kernel": (4, 2),
    "norm/bias": (3,),
    "table/embeddings": (5, 2),
    "head/kernel": (2, 2),
}
# Those of which SOAP would take an arbitrary basis for a long axis.
LONG = ("encoder/kernel", "table/embeddings")
PATTERNS = ("kernel", "bias", "^encoder/", "table", "head|norm")
LAYOUTS = ({"table": "io"}, {"table": "oi"}, {"^encoder": None, "kernel": "oi"})
HALF = ("bfloat16", "float16")
WRAPPERS = (
    *("Lookahead", "MovingAverage", "SWA", "ScheduleFree"),
    *("ParameterGroups", "ParameterGroups"),
)
EMA = "use_ema", "ema_momentum", "ema_overwrite_frequency"
# The presets of wrappers, and the optimizers inside them.
PRESETS = {
    "Lookahead": [("Ranger", "RAdam")],
    "ScheduleFree": [
        ("ScheduleFreeAdamW", "AdamW"),
        ("ScheduleFreeSGD", "GradientDescent"),
        ("ScheduleFreeRAdam", "RAdam"),
    ],
}
MOMENTS = {"beta_1": (0.0, 0.5, 0.875), "beta_2": (0.5, 0.9375, 0.984375)}
# Values of epsilon. With a tiny one, differences that cancel in float32 would matter.
LARGE = (2.0**-10, 2.0**-3)
SHRINKING = {
    "l1_regularization_strength": (0.0, 0.125),
    "l2_regularization_strength": (0.0, 0.5),
}
# The values of each hyperparameter to draw from; float32 holds them exactly.
KINDS = {
    "RAdam": MOMENTS | {"epsilon": LARGE, "amsgrad": (False, True)},
    "AdaBelief": MOMENTS | {"epsilon": LARGE, "rectify": (False, True)},
    "LAMB": MOMENTS | {"epsilon": LARGE, "max_trust_ratio": (None, 0.5)},
    "Yogi": MOMENTS | {"epsilon": LARGE} | SHRINKING,
    "NovoGrad": MOMENTS | {"epsilon": LARGE, "grad_averaging": (False, True)},
    "ProximalAdagrad": {"initial_accumulator_value": (0.125, 1.0)} | SHRINKING,
    "COCOB": {"alpha": (2.0, 100.0)},
    "LARS": {"momentum": (0.0, 0.5), "epsilon": LARGE, "nesterov": (False, True)},
    "AdamW": MOMENTS
    | {"epsilon": LARGE, "amsgrad": (False, True), "nesterov": (False, True)},
    "ADOPT": MOMENTS | {"epsilon": LARGE, "clip_power": (None, 0.25)},
    "AdEMAMix": MOMENTS
    | {"epsilon": LARGE, "beta_3": (0.9375, 0.984375), "warmup_steps": (None, 4)},
    "Adan": MOMENTS
    | {"epsilon": LARGE, "beta_3": (0.5, 0.9375), "proximal": (False, True)},
    "Muon": {
        "momentum": (0.0, 0.5),
        "nesterov": (False, True),
        "ns_coefficients": ("jordan", "quintic"),
        "adam_exclude": ((), ("head",), ("encoder",)),
        "scale": ("rms", "spectral", "rms_to_rms", "none"),
        "variance_beta": (None, 0.5),
        "adam_learning_rate_factor": (0.5, 2.0),
    },
    "SOAP": MOMENTS
    | {
        "epsilon": LARGE,
        "basis_beta": (None, 0.5),
        "frequency": (1, 2, 10),
        "max_size": (1, 2, 2, 10000),
    },
    "Prodigy": MOMENTS
    | {
        "epsilon": LARGE,
        "beta_3": (None, 0.0, 0.5),
        "d0": (2.0**-6, 2.0**-3),
        "d_coef": (2.0, 8.0),
        "growth_rate": (None, 1.0, 1.5),
        "safeguard_warmup": (False, True),
        "bias_correction": (False, True),
    },
    "ConditionalGradient": {"radius": (0.5, 4.0)},
    "LazyAdam": MOMENTS | {"epsilon": LARGE, "amsgrad": (False, True)},
    "SGD": {"momentum": (0.0, 0.5), "nesterov": (False, True)},
    "Adam": MOMENTS | {"epsilon": LARGE, "amsgrad": (False, True)},
}


def draw(seed):
    """The life with this seed."""
    return _Draw(np.random.default_rng(seed)).life()


class _Draw:
    def __init__(self, random):
        self.random = random
        self.data = None  # of the last training

    def chance(self, p):
        return bool(self.random.random() < p)

    def one(self, items):
        return items[self.random.integers(len(items))]

    def some(self, items):
        return [item for item in items if self.chance(0.5)]

    def number(self):
        return int(self.random.integers(2**31))

    def life(self):
        half = self.chance(0.35)
        names = self.some(VARIABLES) or ["encoder/kernel"]
        variables = {}
        for name in names:
            dtype = self.one(["float32", "float32", "float64"])
            if half and self.chance(0.7):
                dtype = self.one(HALF)
            variables[name] = {"dtype": dtype, "scale": self.one([0.25, 1.0, 4.0, 512])}
        life = {
            "variables": variables,
            "optimizer": self.node(is_half=half),
            # Variables excluded from weight decay by a call, by name and as objects.
            "called": self.some(["bias", *names]) if self.chance(0.25) else [],
            "sequential": self.chance(0.2),
            "fast": self.fast(),
            "build_first": self.chance(0.5),
        }
        life["events"] = self.events(names)
        self.add_layer_wise_decay(life)
        self.add_divergence(life)
        self.add_reload(life)
        return life

    def fast(self):
        """Whether steps take fast paths, or even `"compiled"` ones."""
        number = self.random.random()
        if BACKEND == "torch" and number < 0.015:
            return "compiled"
        return bool(number < (0.04 if BACKEND == "tensorflow" else 0.5))

    def add_layer_wise_decay(self, life):
        """Makes the rates of groups fall from layer to layer."""
        for node in nodes_of(life["optimizer"]):
            if node["kind"] == "ParameterGroups" and self.chance(0.15):
                layers = {"layer_wise_decay": self.one([0.5, 1.0])}
                node["rules"] = [["layers", layers], *node["rules"]]

    def add_reload(self, life):
        """Gives groups a rule for the name of a Sequential that is reloaded."""
        for node in nodes_of(life["optimizer"]):
            is_named = node["kind"] == "ParameterGroups" and life["sequential"]
            if is_named and self.chance(0.5):
                node["rules"].append(["^model/", {"learning_rate_multiplier": 0.5}])
                place = self.random.integers(len(life["events"]) + 1)
                life["events"].insert(int(place), {"do": "save"})

    def add_divergence(self, life):
        """Adds more nonfinite gradients in a row than may be skipped."""
        options = leaf_of(life["optimizer"])["options"]
        if options.get("skip_nonfinite") and self.chance(0.5):
            options["max_consecutive_skips"] = self.one([1, 2])
            for _ in range(self.random.integers(1, 3)):
                event = {"do": "diverge", "data": self.number()}
                event["times"] = self.one([1, 2, 3, 4])
                place = self.random.integers(len(life["events"]) + 1)
                life["events"].insert(int(place), event)

    def node(self, is_half, depth=0, within=()):
        if depth < 2 and self.chance(0.5):
            # Inside of ScheduleFree, no other wrapper may follow the weights.
            allowed = ("ParameterGroups",) if "ScheduleFree" in within else WRAPPERS
            kinds = [k for k in allowed if k != "ParameterGroups" or k not in within]
            if not kinds:
                return self.leaf(is_half, within)
            kind = self.one(kinds)
            inner = self.node(is_half, depth + 1, (*within, kind))
            node = {"kind": kind, "hyper": self.wrapping(kind), "inner": inner}
            if self.chance(0.25):
                self.make_preset(node)
            if kind == "ParameterGroups":
                node["rules"] = self.rules(is_half, leaf_of(inner), within)
                if leaf_of(inner)["kind"] == "Prodigy":
                    self.leave_out(node)
                if BACKEND == "tensorflow":
                    self.name_rows(node)
            return node
        return self.leaf(is_half, within)

    def make_preset(self, node):
        """Makes a wrapper the preset of a name, with the optimizer inside it."""
        preset, kind = self.one(PRESETS.get(node["kind"], [(None, None)]))
        if preset is None:
            return
        hyper = {key: self.one(values) for key, values in KINDS.get(kind, {}).items()}
        leaf = {"kind": kind, "hyper": hyper, "rate": self.rate(kind)}
        leaf["options"] = self.options(kind)
        node |= {"preset": preset, "inner": leaf}
        if node["kind"] == "ScheduleFree":  # has arguments of these names itself
            own = {"beta_1": 0.0}
            if kind == "RAdam":
                own["sma_threshold"] = 4.0
            kept = {k: v for k, v in hyper.items() if k in ("beta_2", "epsilon")}
            leaf["hyper"] = kept | own if kind in KINDS else {}
            for name in ("weight_decay", "weight_decay_exclude", *EMA):
                leaf["options"].pop(name, None)
            for name in ("weight_lr_power", "r"):
                del node["hyper"][name]
            if kind != "RAdam" and self.chance(0.5):
                leaf["rate"] = {"warmup": self.one([2, 4]), "value": leaf["rate"]}

    def leave_out(self, node):
        """Makes groups treat the estimate of Prodigy differently."""
        if self.chance(0.5):
            left_out = {"learning_rate_multiplier": 0.0}
            node["rules"].append(["^" + self.one(list(VARIABLES)), left_out])
        if self.chance(0.3):
            leaf_of(node)["options"]["corrected_decay"] = True

    def name_rows(self, node):
        """Makes groups clip sparse and dense gradients together."""
        named = [leaf for leaf in nodes_of(node) if leaf["kind"] == "LazyAdam"]
        is_several = any("optimizer" in rule for _, rule in node["rules"])
        if named and is_several and self.chance(0.5):
            options = leaf_of(node)["options"]
            for name in ("clipnorm", "clipvalue", "gradient_accumulation_steps"):
                options.pop(name, None)
            options["global_clipnorm"] = self.one([0.5, 2.0])

    def wrapping(self, kind):
        if kind == "Lookahead":
            return {
                "sync_period": self.one([1, 2, 3]),
                "slow_step_size": self.one([0.25, 0.5, 1.0]),
            }
        if kind == "MovingAverage":
            own = {
                "decay": self.one([0.5, 0.875]),
                "start_step": self.one([0, 0, 2]),
                "warmup": self.one([False, False, True, "inverse", "power"]),
            }
            if own["warmup"] == "power":
                del own["decay"]
            return own
        if kind == "ScheduleFree":
            excluded = [self.one(PATTERNS)] if self.chance(0.3) else []
            return {
                "beta": self.one([0.0, 0.5, 0.75, 1.0]),
                "weight_decay": self.one([0.0, 0.0, 2.0**-4, 0.5]),
                "weight_decay_exclude": excluded,
                "weight_lr_power": self.one([0.0, 1.0, 2.0]),
                "r": self.one([0.0, 1.0]),
            }
        if kind == "SWA":
            return {"start": self.one([1, 2, 3]), "period": self.one([1, 2])}
        return {}

    def leaf(self, is_half, within, rate=None):
        # Keras's optimizers are tested only inside ours, and not with 16-bit weights,
        # whose rounding error they lose.
        kinds = [k for k in KINDS if k not in OF_KERAS or (within and not is_half)]
        # LazyAdam treats sparse gradients differently, so groups must pass them
        # through.
        kinds += ["LazyAdam"] * (5 if "ParameterGroups" in within else 1)
        # Prodigy's groups share its estimate.
        kinds += ["Prodigy"] * (4 if "ParameterGroups" in within else 1)
        if within and not is_half:
            kinds += OF_KERAS * 2
        if "ScheduleFree" in within:
            kinds = [kind for kind in kinds if kind != "Prodigy"]
        kind = self.one(kinds)
        hyper = {
            key: self.one(values)
            for key, values in KINDS[kind].items()
            if self.chance(0.6)
        }
        if "beta_2" in KINDS[kind] and kind != "NovoGrad":
            hyper.setdefault("epsilon", self.one(LARGE))
            hyper.setdefault("beta_2", self.one(MOMENTS["beta_2"]))
        if kind in ("SGD", "LARS") and hyper.get("nesterov"):
            hyper["momentum"] = hyper.get("momentum") or 0.5
        if kind == "AdamW" and hyper.get("nesterov"):
            hyper["beta_1"] = hyper.get("beta_1") or 0.5
        if hyper.get("variance_beta") is not None:
            hyper.pop("scale", None)
        if kind == "SOAP":
            hyper.setdefault("max_size", 2)
        if kind == "Prodigy":
            hyper.setdefault("d0", 2.0**-3)
            hyper.setdefault("d_coef", 4.0)  # with less, the estimate hardly rises
        node = {
            "kind": kind,
            "hyper": hyper,
            "rate": rate or self.rate(kind),
            "options": self.options(kind),
        }
        if "ScheduleFree" in within:  # which would take some averages for its weights
            for name in EMA:
                node["options"].pop(name, None)
        if not rate and self.chance(0.1):
            values = [node["rate"], node["rate"] / 2, node["rate"] / 8]
            node["rate"] = {"boundaries": [2, 4], "values": values}
        return node

    def rate(self, kind):
        if kind in ("COCOB", "Prodigy"):
            return self.one([1.0, 0.5])
        return 2.0 ** -int(self.random.integers(2, 7))

    def options(self, kind):
        is_kerass, found = kind in OF_KERAS, {}
        if self.chance(0.4):
            found["weight_decay"] = self.one([2.0**-4, 0.5])
            if not is_kerass and self.chance(0.15):
                found["weight_decay"] = {
                    "boundaries": [1, 3],
                    "values": [0.5, 0.0, 0.25],
                }
            if not is_kerass and self.chance(0.4):
                found["independent_decay"] = True
                found["weight_decay"] = 2.0**-6
            if not is_kerass and self.chance(0.4):
                found["weight_decay_exclude"] = [self.one(PATTERNS)]
        if self.chance(0.3):
            name, values = self.one(
                [
                    ("clipnorm", (0.5, 2.0)),
                    ("clipvalue", (0.5,)),
                    ("global_clipnorm", (0.5, 2.0, 0.0)),
                    ("global_clipnorm", (0.5, 2.0, 0.0)),
                ]
            )
            found[name] = self.one(values)
        if self.chance(0.25):
            found["loss_scale_factor"] = 8.0
        if self.chance(0.25):
            found["gradient_accumulation_steps"] = self.one([2, 3])
        if self.chance(0.3) and not (
            is_kerass and "gradient_accumulation_steps" in found
        ):
            found["use_ema"] = True
            found["ema_momentum"] = self.one([0.5, 0.9 if not is_kerass else 0.75])
            if self.chance(0.5):
                found["ema_overwrite_frequency"] = self.one([1, 2, 3])
        if not is_kerass and self.chance(0.2):
            found["skip_nonfinite"] = True
        if not is_kerass and kind != "LazyAdam":
            found |= self.variants(kind)
        return found

    def variants(self, kind):
        """Options that change gradients, steps and decay."""
        values = {
            "centralize_gradient": True,
            "adaptive_clip": 0.25,
            "cautious": True,
            "cautious_decay": True,
            "corrected_decay": True,
        }
        found = {name: value for name, value in values.items() if self.chance(0.1)}
        if "adaptive_clip" in found and self.chance(0.3):
            found["adaptive_clip_exclude"] = [self.one(PATTERNS)]
        if self.chance(0.5):
            found["layouts"] = self.one(LAYOUTS)
        return found

    def rules(self, is_half, inner, within):
        rules = []
        for _ in range(self.random.integers(1, 4)):
            rule = {}
            if self.chance(0.5):
                rule["learning_rate_multiplier"] = self.one([0.0, 0.25, 0.5, 2.0])
            if self.chance(0.4):
                scheduled = {"boundaries": [2], "values": [0.25, 0.0]}
                rule["weight_decay"] = self.one([None, 0.0, 0.25, scheduled])
            if self.chance(0.3) and not isinstance(inner["rate"], dict):
                within = *within, "ParameterGroups"
                other = self.leaf(is_half, within, rate=inner["rate"])
                other["rate"] = inner["rate"] * self.one([0.25, 0.5, 1.0])
                rule["optimizer"] = other
            rules.append([self.one([*PATTERNS, ".*"]), rule])
        return [list(pair) for pair in dict(reversed(rules)).items()]

    def events(self, names):
        return [self.event(names) for _ in range(self.random.integers(3, 15))]

    def event(self, names):
        if self.chance(0.62):
            return self.train(names)
        kinds = {
            "freeze": 2,
            "unfreeze": 1,
            "rate": 1,
            "pause": 0.5,
            "plateau": 0.7,
            "scheduler": 0.7,
            "assign": 2,
            "swap": 1,
            "assign_average": 0.5,
            "finalize": 2,
            "compile": 0.7,
            "save": 0.6,
            "checkpoint": 1.2 if BACKEND == "tensorflow" else 0,
            "recreate": 1.2,
        }
        weights = np.array(list(kinds.values()))
        do = str(self.random.choice(list(kinds), p=weights / weights.sum()))
        event = {"do": do}
        if do in ("freeze", "assign"):
            event["which"] = self.some(names) or [names[0]]
        if do == "assign":
            event |= {"data": self.number(), "scale": self.one([0, 0, 0.25, 4.0])}
        if do == "finalize":
            event["which"] = self.some(names) if self.chance(0.3) else list(names)
        if do in ("rate", "pause", "scheduler"):
            event["value"] = 2.0 ** -int(self.random.integers(2, 7))
        if do == "pause":
            event["data"] = self.number()
        if do == "checkpoint":
            event["after_build"] = self.chance(0.3)
        if do == "recreate":
            event["state"] = self.chance(0.6)
        return event

    def train(self, names):
        kinds = {}
        if self.chance(0.3):
            for name in self.some(names):
                kinds[name] = self.one(["missing", "missing", "sparse", "nonfinite"])
        if "table/embeddings" in names and self.chance(0.6):
            kinds["table/embeddings"] = "sparse"
        how = "apply"
        if BACKEND == "jax" and self.chance(0.3):
            how = "stateless"
        if self.chance(0.06 if BACKEND == "torch" else 0.03):  # `fit` takes long
            how = "fit"
        if BACKEND != "torch" and self.chance(0.01):
            how = self.one(["fit_compiled", "compiled"])
        # As in training, where gradients resemble the last one.
        if self.data is None or self.chance(0.6):
            self.data = self.number()
        return {
            "do": "train",
            "data": self.data,
            "scale": self.one([0.25, 1.0, 4.0]),
            "kinds": kinds,
            "how": how,
        }


def settled(life):
    """A copy of a life without combinations that are not supported."""
    life = copy.deepcopy(life)
    kinds = {node["kind"] for node in nodes_of(life["optimizer"])}
    if kinds & {*OF_KERAS} and BACKEND == "torch":
        life["called"] = []  # Keras fails if nothing is left to decay
    # Keras cannot stack the norms of both on TensorFlow.
    dtypes = {variable["dtype"] for variable in life["variables"].values()}
    if kinds & {*OF_KERAS} and BACKEND == "tensorflow" and "float64" in dtypes:
        for node in nodes_of(life["optimizer"]):
            node.get("options", {}).pop("global_clipnorm", None)
    for node in nodes_of(life["optimizer"]):
        if "inner" not in node:
            settle_leaf(node, is_long=any(name in LONG for name in life["variables"]))
        if node["kind"] != "ParameterGroups":
            continue
        if any(each["kind"] == "Prodigy" for each in nodes_of(node)):
            for _, rule in node["rules"]:  # other factors are rejected
                factor = rule.get("learning_rate_multiplier", 1.0)
                if "learning_rate_multiplier" in rule:
                    rule["learning_rate_multiplier"] = 0.0 if factor < 0.5 else 1.0
                if "layer_wise_decay" in rule:
                    rule["layer_wise_decay"] = 1.0
        options = leaf_of(node["inner"])["options"]
        window = options.get("gradient_accumulation_steps")
        if window and any("optimizer" in rule for _, rule in node["rules"]):
            options.pop("global_clipnorm", None)  # groups reject it
        has_kerass = any(each["kind"] in OF_KERAS for each in nodes_of(node))
        for _, rule in node["rules"]:
            if has_kerass and isinstance(rule.get("weight_decay"), dict):
                rule["weight_decay"] = 0.25
            # The inner optimizer handles options that apply to all variables.
            if "optimizer" in rule:
                others = rule["optimizer"]["options"]
                for name in ("loss_scale_factor", "skip_nonfinite", "global_clipnorm"):
                    others.pop(name, None)
                others["gradient_accumulation_steps"] = window
                if (
                    window and rule["optimizer"]["kind"] in OF_KERAS
                ):  # it would update the average too often
                    for name in EMA:
                        others.pop(name, None)
    return life


def settle_leaf(node, is_long):
    """Removes what an optimizer rejects, and what would depend on rounding."""
    kind, hyper, options = node["kind"], node["hyper"], node["options"]
    if kind == "AdamW":  # decays by default
        options.setdefault("weight_decay", None)
    if kind == "SOAP" and is_long:
        hyper["max_size"] = min(hyper.get("max_size", 2), 2)
    if options.get("independent_decay"):
        options.pop("corrected_decay", None)
    elif kind == "Adan" and hyper.get("proximal", True):
        options.pop("cautious_decay", None)
    if kind == "Prodigy":
        options.pop("cautious", None)
        options.pop("cautious_decay", None)
    if "adaptive_clip" not in options:
        options.pop("adaptive_clip_exclude", None)
    uses_layouts = {"adaptive_clip", "centralize_gradient"} & {*options}
    if kind != "Muon" and not uses_layouts:
        options.pop("layouts", None)


def leaf_of(node):
    while "inner" in node:
        node = node["inner"]
    return node


def nodes_of(node):
    """Yields a node and all nodes inside it."""
    yield node
    if "inner" in node:
        yield from nodes_of(node["inner"])
    for _, rule in node.get("rules", ()):
        if "optimizer" in rule:
            yield from nodes_of(rule["optimizer"])


def described(life):
    """A life as readable lines."""
    lines = [f"{name}: {what}" for name, what in life["variables"].items()]
    lines += _tree(life["optimizer"])
    rest = {k: v for k, v in life.items() if k in ("called", "sequential", "fast")}
    lines.append(json.dumps(rest | {"build_first": life["build_first"]}))
    return [*lines, *(f"{i}. {_said(e)}" for i, e in enumerate(life["events"]))]


def _tree(node, indent=""):
    own = {**node.get("hyper", {}), **node.get("options", {})}
    if "rate" in node:
        own = {"learning_rate": node["rate"], **own}
    arguments = ", ".join(f"{key}={value}" for key, value in own.items())
    lines = [f"{indent}{node.get('preset', node['kind'])}({arguments})"]
    for pattern, rule in node.get("rules", ()):
        rule = dict(rule)
        other = rule.pop("optimizer", None)
        lines.append(f"{indent}  rule {pattern!r}: {rule}")
        if other:
            lines += _tree(other, indent + "    ")
    if "inner" in node:
        lines += _tree(node["inner"], indent + "  ")
    return lines


def _said(event):
    rest = {key: value for key, value in event.items() if key != "do"}
    return " ".join([event["do"], *(f"{key}={value}" for key, value in rest.items())])


def smaller(life):
    """Yields smaller lives that might fail too, the smallest first."""
    events = life["events"]
    size = len(events)
    while size >= 1:
        for start in range(0, len(events), size):
            yield life | {"events": events[:start] + events[start + size :]}
        size //= 2
    for name in life["variables"]:
        if len(life["variables"]) > 1:
            yield _without(life, name)
    for optimizer in _simpler(life["optimizer"]):
        if not (leaf_of(optimizer)["kind"] in OF_KERAS and "inner" not in optimizer):
            yield life | {"optimizer": optimizer}
    for key, value in {"called": [], "sequential": False, "fast": False}.items():
        if life[key] != value:
            yield life | {key: value}
    if not life["build_first"]:
        yield life | {"build_first": True}
    for name, what in life["variables"].items():
        for plain in ({"dtype": "float32"}, {"scale": 1.0}):
            if what != what | plain:
                yield life | {"variables": life["variables"] | {name: what | plain}}
    for i, event in enumerate(events):
        for simpler in _simpler_events(event):
            yield life | {"events": [*events[:i], simpler, *events[i + 1 :]]}


def _without(life, name):
    life = copy.deepcopy(life)
    del life["variables"][name]
    left = list(life["variables"])
    for event in life["events"]:
        event.get("kinds", {}).pop(name, None)
        if "which" in event:
            event["which"] = [n for n in event["which"] if n != name] or left[:1]
    return life


def _simpler(node):
    """Yields variants of an optimizer with one thing removed."""
    if "preset" in node:
        yield {key: value for key, value in node.items() if key != "preset"}
        return
    if "inner" in node:
        yield node["inner"]
        for inner in _simpler(node["inner"]):
            yield node | {"inner": inner}
    for i, (pattern, rule) in enumerate(node.get("rules", ())):
        before, after = node["rules"][:i], node["rules"][i + 1 :]
        if len(node["rules"]) > 1:
            yield node | {"rules": [*before, *after]}
        for key in rule:
            less = {k: v for k, v in rule.items() if k != key}
            yield node | {"rules": [*before, [pattern, less], *after]}
        if "optimizer" in rule:
            for other in _simpler(rule["optimizer"]):
                less = rule | {"optimizer": other}
                yield node | {"rules": [*before, [pattern, less], *after]}
    if "inner" not in node:
        for name in node["options"]:
            options = {k: v for k, v in node["options"].items() if k != name}
            if "skip_nonfinite" not in options:
                options.pop("max_consecutive_skips", None)
            if "use_ema" not in options:
                options.pop("ema_momentum", None)
                options.pop("ema_overwrite_frequency", None)
            yield node | {"options": options}
        if node["hyper"]:
            plain = {
                k: v
                for k, v in node["hyper"].items()
                if k in ("epsilon", "beta_2", "max_size", "d0", "d_coef")
            }
            if plain != node["hyper"]:
                yield node | {"hyper": plain}
        if isinstance(node["rate"], dict):
            yield node | {"rate": node["rate"].get("value", 0.5)}
        if node["kind"] not in ("RAdam", "SGD", "LazyAdam"):
            for kind in ("SGD",) if node["kind"] in OF_KERAS else ("RAdam",):
                hyper = {"epsilon": LARGE[0]} if kind == "RAdam" else {}
                yield node | {"kind": kind, "hyper": hyper}


def _simpler_events(event):
    if event["do"] != "train":
        return
    if event["how"] != "apply":
        yield event | {"how": "apply"}
    for name in event["kinds"]:
        yield event | {"kinds": {k: v for k, v in event["kinds"].items() if k != name}}
    if event["scale"] != 1.0:
        yield event | {"scale": 1.0}
