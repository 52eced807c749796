"""Runs a life, and compares the actual with the expected state after each event."""

import re
import warnings
from contextlib import contextmanager
from contextlib import nullcontext

import keras
import numpy as np
from keras import ops

from tests.lives.life import BACKEND
from tests.lives.life import HALF
from tests.lives.life import VARIABLES
from tests.lives.life import described
from tests.lives.life import settled
from tests.lives.life import smaller
from tests.lives.model import OF_KERAS
from tests.lives.model import Gradient
from tests.lives.model import Model
from tests.lives.model import TooManySkipsError
from tests.lives.world import World
from tests.lives.world import gradient
from tests.lives.world import paths
from tests.tools import array

# Relative to how far weights moved, and to their magnitude, by dtype of the variable.
TOLERANCES = {
    "float64": (1e-8, 1e-13),
    "float32": (2e-4, 1e-6),
    "float16": (2e-3, 1e-5),
    "bfloat16": (2e-3, 1e-5),
}
# Keras's optimizers compute scalars that all variables share in float32.
OF_KERAS_FLOAT64 = (1e-6, 1e-7)
MANTISSA = {"float16": 10, "bfloat16": 7}


class DifferenceError(Exception):
    """Something differs from what is expected."""

    def __init__(self, step, what, text):
        super().__init__(text)
        self.step, self.what = step, what


class Run:
    """One life: the actual state beside the expected state."""

    def __init__(self, life):
        self.life = life = settled(life)
        self.names = list(life["variables"])
        values = [
            start(name, what["scale"]) for name, what in life["variables"].items()
        ]
        self.world = World(life, values)
        trained = [v.path for v in self.world.variables]
        called = [
            f"^{re.escape(path)}$"
            for name, path in zip(self.names, trained, strict=True)
            if name in life["called"]
        ]
        called += [name for name in life["called"] if name not in self.names]
        self.model = Model(life["optimizer"], called, values, trained)
        self.leaf = self.model.optimizer.leaf
        self.is_kerass = any(
            leaf.kind in OF_KERAS for leaf in self.model.optimizer.leaves()
        )
        kinds = {leaf.kind for leaf in self.model.optimizer.leaves()}
        self.is_estimated = "Prodigy" in kinds
        self.all = list(range(len(self.names)))
        self.frozen = set()
        self.is_swapped = False
        self.is_built = False
        if life["build_first"]:
            self.build()

    def build(self):
        self.world.build()
        self.is_built = True

    def go(self, event):
        if self.is_swapped and event["do"] not in ("swap", "save", "checkpoint"):
            self.swap()
        getattr(self, event["do"])(event)

    def which(self, event):
        return [self.names.index(name) for name in event["which"]]

    # Events

    def train(self, event):
        random = np.random.default_rng(event["data"])
        how, kinds = event["how"], dict(event["kinds"])
        learned = [i for i in self.all if i not in self.frozen] or self.all
        # What Keras does not support, or does differently on each backend.
        is_whole = self.is_kerass and self.leaf.window > 1
        if BACKEND == "jax" and how == "fit_compiled" and self.averages_of_keras:
            how = "fit"
        is_fit = how in ("fit", "fit_compiled")
        if is_whole or not self.is_built or how in ("stateless", "compiled"):
            learned = self.all
        if is_fit and (BACKEND == "jax" or self.is_kerass):
            learned = self.all
        if is_fit:
            kinds = {}
        values, grads, native = [], {}, []
        for i, name in enumerate(self.names):
            dtype = self.life["variables"][name]["dtype"]
            value = drawn(random, VARIABLES[name], event["scale"])
            kind, rows = kinds.get(name, "dense"), None
            if kind == "sparse" and value.ndim > 1:
                rows = random.random(len(value)) < 0.5
                rows[random.integers(len(value))] = True
                value = value * rows[:, None]
            if kind == "nonfinite" and self.leaf.options.get("skip_nonfinite"):
                value[..., 0] = random.choice([np.inf, -np.inf, np.nan])
            values.append(value)
            scale = self.leaf.options.get("loss_scale_factor") or 1.0
            if i not in learned:
                continue
            if kind == "missing" and not is_whole:
                native.append(None)
                continue
            native.append(gradient(value * scale, rows, dtype, random))
            named = rows if BACKEND == "tensorflow" else None
            grads[i] = Gradient(value * scale, named)
        if not grads:
            return
        is_too_much = False
        try:
            self.model.optimizer.apply(self.model.weights, grads)
        except TooManySkipsError:
            is_too_much = True
        with refused("max_consecutive_skips") if is_too_much else nullcontext():
            if how == "stateless":
                self.world.stateless(native)
            elif how == "compiled":
                self.world.compiled(native)
            elif is_fit:
                self.world.fit(values, learned, run_eagerly=how == "fit")
                self.model.optimizer.finalize(self.model.weights, learned)
            else:
                self.world.apply(native, learned, has_all=len(learned) == len(self.all))
        self.is_built = True

    @property
    def averages_of_keras(self):
        """Whether an optimizer of Keras has replaced weights by their average.

        It does so without a copy, and then Keras fails in its next compiled step:
        JAX cannot donate one buffer twice.
        """
        return any(
            leaf.kind in OF_KERAS and leaf.options.get("use_ema")
            for leaf in self.model.optimizer.leaves()
        )

    @property
    def overflows(self):
        """Whether a weight should be larger than any number in `float16`."""
        pairs = zip(self.names, self.model.weights.largest, strict=True)
        return any(
            self.life["variables"][name]["dtype"] == "float16" and largest > 65504
            for name, largest in pairs
        )

    def diverge(self, event):
        """Applies gradients that are all nonfinite, several times in a row."""
        kinds = dict.fromkeys(self.names, "nonfinite")
        for number in range(event["times"]):
            one = {"data": event["data"] + number, "scale": 1.0, "kinds": kinds}
            self.train(one | {"how": "apply"})

    def freeze(self, event):
        self.frozen |= set(self.which(event))

    def unfreeze(self, event):
        self.frozen.clear()

    def compile(self, event):
        self.world.compile()

    @property
    def is_scheduled(self):
        return isinstance(self.leaf.rate, dict)

    def rate(self, event):
        if not self.is_scheduled:
            self.world.optimizer.learning_rate = event["value"]
            self.model.optimizer.set_rate(event["value"])

    def pause(self, event):
        """Makes one update with rate 0."""
        for value in (0.0, event["value"]):
            self.rate({"value": value})
            if value == 0:
                rest = {"scale": 1.0, "kinds": {}, "how": "apply"}
                self.train({"data": event["data"], **rest})

    def plateau(self, event):
        if not self.is_scheduled:
            self.world.plateau()
            self.model.optimizer.set_rate(self.leaf.rate / 2)

    def scheduler(self, event):
        if not self.is_scheduled:
            self.world.scheduler(event["value"])
            self.model.optimizer.set_rate(event["value"])

    def assign(self, event):
        random = np.random.default_rng(event["data"])
        for i in self.which(event):
            name, variable = self.names[i], self.world.variables[i]
            dtype = self.life["variables"][name]["dtype"]
            value = drawn(random, VARIABLES[name], event["scale"])
            variable.assign(ops.convert_to_tensor(value, variable.dtype))
            # Residuals that round to the same weight cannot be told apart.
            slack = ulp(value, dtype) / 2 if dtype in HALF else 0.0
            self.model.weights.restart(i, value, slack)

    def swap(self, event=None):
        average = self.model.average()
        if average is not None and average.has_average:
            if not self.is_swapped:
                self.settle(average)
            self.world.average().swap()
            self.is_swapped = not self.is_swapped

    def settle(self, average):
        if average.kind == "ScheduleFree":
            average.settle(self.model.weights, average.own)

    def assign_average(self, event):
        average = self.model.average()
        if average is not None and average.has_average:
            self.settle(average)
            self.world.average().assign_average()
            for i in average.own:
                self.model.weights[i] = average.kept[i]

    def finalize(self, event):
        if not self.is_built or (self.is_kerass and self.leaf.updates == 0):
            return
        which = self.all if self.is_kerass else self.which(event)
        variables = [self.world.variables[i] for i in which]
        self.world.optimizer.finalize_variable_values(variables)
        self.model.optimizer.finalize(self.model.weights, which)

    def save(self, event):
        if not self.is_built:
            self.build()
        self.world.save()
        self.forget_called()

    def checkpoint(self, event):
        if not self.is_built:
            self.build()
        self.world.checkpoint(event["after_build"])
        self.forget_called()

    def recreate(self, event):
        if not self.is_built:
            self.build()
        self.world.recreate(event["state"])
        self.forget_called()
        if not event["state"]:
            self.model.fresh()
            for i, variable in enumerate(self.world.variables):
                self.model.weights.restart(i, array(variable))
            self.is_built = False

    def forget_called(self):
        """Drops exclusions made by a call, which Keras does not save."""
        for leaf in self.model.optimizer.leaves():
            if leaf.kind in OF_KERAS and leaf.called:
                leaf.called = []
                self.model.build()

    # Comparisons

    def compare(self, step):
        average = self.model.average()
        for i, variable in enumerate(self.world.variables):
            wanted = self.model.weights[i]
            if self.is_swapped and i in average.own:
                wanted = average.kept[i]
            self.compare_one(step, "weights", i, variable, wanted)
        if not self.is_built:
            return
        if BACKEND == "jax" and not self.averages_of_keras:
            self.compare_buffers(step)
        optimizer = self.world.optimizer
        updates = int(ops.convert_to_numpy(optimizer.iterations))
        if updates != self.model.optimizer.updates:
            wanted = self.model.optimizer.updates
            text = f"iterations are {updates} and should be {wanted}"
            raise DifferenceError(step, "iterations", text)
        for name in ("skipped", "skipped_in_a_row"):
            if self.leaf.options.get("skip_nonfinite"):
                count = int(getattr(optimizer, name).numpy())
                if count != getattr(self.leaf, name):
                    text = f"{name} is {count} and should be {getattr(self.leaf, name)}"
                    raise DifferenceError(step, name, text)
        if not self.is_scheduled:
            rate = float(ops.convert_to_numpy(optimizer.learning_rate))
            if abs(rate - self.leaf.rate) > 1e-6 * self.leaf.rate:
                text = f"learning_rate is {rate} and should be {self.leaf.rate}"
                raise DifferenceError(step, "learning_rate", text)
        self.compare_averages(step, optimizer, self.model.optimizer)

    def compare_buffers(self, step):
        """No two variables share a buffer, which a compiled step could not donate."""
        variables = [*self.world.variables, *self.world.optimizer.variables]
        buffers = [v.value.unsafe_buffer_pointer() for v in variables]
        for variable, buffer in zip(variables, buffers, strict=True):
            if buffers.count(buffer) > 1:
                text = f"{variable.path} shares its buffer with another variable"
                raise DifferenceError(step, "buffer", text)

    def compare_averages(self, step, optimizer, wanted):
        """Compares the averages of an optimizer and of those that it wraps."""
        known = {id(v): i for i, v in enumerate(self.world.variables)}
        trained = [known.get(id(v)) for v in optimizer._trainable_variables]
        if getattr(wanted, "has_average", False) and not self.is_swapped:
            for i, slots in zip(trained, optimizer._slots, strict=True):
                if i in wanted.own:
                    what = f"average of {wanted.kind}"
                    self.compare_one(step, what, i, slots[0], wanted.kept[i])
        if hasattr(wanted, "inner"):
            self.compare_averages(step, optimizer.inner_optimizer, wanted.inner)
        elif wanted.averages:
            for i, kept in zip(
                trained, optimizer._model_variables_moving_average, strict=True
            ):
                if i in wanted.averages:
                    self.compare_one(step, "average", i, kept, wanted.averages[i])

    def compare_one(self, step, what, i, variable, wanted):
        found = array(variable)
        dtype = keras.backend.standardize_dtype(variable.dtype)
        if BACKEND == "jax" and dtype == "float64":  # JAX computes it in float32
            dtype = "float32"
        dtypes = {dtype}
        if self.is_estimated:  # all variables share the rounding of each
            dtypes |= {what["dtype"] for what in self.life["variables"].values()}
        pairs = [TOLERANCES[each] for each in dtypes]
        of_moved, of_magnitude = map(max, zip(*pairs, strict=True))
        if dtype == "float64" and self.is_kerass:
            of_moved, of_magnitude = OF_KERAS_FLOAT64
        weights = self.model.weights
        largest = max(weights.largest[i], np.max(np.abs(wanted), initial=0.0))
        bound = of_moved * weights.moved[i] + of_magnitude * largest
        slack = weights.slack[i]
        if dtype in HALF:
            bound = bound + 0.52 * ulp(np.maximum(np.abs(found), np.abs(wanted)), dtype)
        if np.any(slack) or (self.is_estimated and any(map(np.any, weights.slack))):
            bound = bound + 2 * slack + 0.02 * weights.moved[i]
        distance = np.abs(found - wanted)
        if not np.all(distance <= bound):
            excess = np.nan_to_num(distance - bound, nan=np.inf)
            worst = np.unravel_index(np.argmax(excess), found.shape)
            text = (
                f"{what} of {self.names[i]} at {tuple(map(int, worst))}: "
                f"{found[worst]:.9g} should be {wanted[worst]:.9g} "
                f"(tolerance {np.broadcast_to(bound, found.shape)[worst]:.2g}, "
                f"moved {weights.moved[i]:.2g})"
            )
            raise DifferenceError(step, what.split(" of ")[0], text)


@contextmanager
def refused(part):
    """The scope must raise an error whose message contains `part`."""
    try:
        yield
    except Exception as error:
        if part not in str(error):
            raise
    else:
        raise AssertionError(f"no error mentions {part}")


def start(name, scale):
    random = np.random.default_rng(list(VARIABLES).index(name))
    return drawn(random, VARIABLES[name], 1.0) * scale


def drawn(random, shape, scale):
    """Numbers of 7 bits, which every dtype holds; some are 0."""
    value = random.integers(-96, 97, shape) / 64
    return value * scale if scale else np.zeros(shape)


def ulp(value, dtype):
    """The spacing of 16-bit numbers at `value`."""
    exponent = np.floor(np.log2(np.maximum(np.abs(value), 2.0**-14)))
    return 2.0 ** (exponent - MANTISSA[dtype])


def live(life):
    """Runs a life; returns the `DifferenceError` that ends it, or `None`."""
    step = -1
    with warnings.catch_warnings(), paths(life["fast"]), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            run = Run(life)
            run.compare(step)
            for step, event in enumerate(life["events"]):
                run.go(event)
                if run.overflows:
                    return None
                run.compare(step)
        except DifferenceError as difference:
            return difference
        except Exception as error:  # finding these is the purpose
            name = type(error).__name__
            text = re.sub(r"0x[0-9a-f]+|id=\d+", "", f"{name}: {error}")
            return DifferenceError(step, f"{name}", text[:600])
    return None


def shrunk(life, difference, attempts=300):
    """A smaller life that fails in the same way, and its difference."""
    tried = 0
    while True:
        for candidate in smaller(life):
            tried += 1
            if tried > attempts:
                return life, difference
            found = live(candidate)
            if found is not None and found.what == difference.what:
                events = candidate["events"][: found.step + 1]
                life, difference = candidate | {"events": events}, found
                break
        else:
            return life, difference


def report(seed, life, difference):
    """Describes a life that ended badly."""
    at = f"after event {difference.step}" if difference.step >= 0 else "when it began"
    lines = [f"Life {seed} on {BACKEND} differs {at}: {difference}"]
    return "\n".join([*lines, *("    " + line for line in described(life))])
