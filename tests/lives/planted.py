"""Faults that once were, made anew: how many lives it takes until one is found.

Each is a fault of options or wrappers that meet each other, or of a model's life, which
no test of one object alone had seen.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults import AVERAGING
from tests.faults import BASE
from tests.faults import DECAY
from tests.faults import GRADIENTS
from tests.faults import ROOT
from tests.faults import ROUNDING
from tests.faults import WRAPPERS
from tests.faults import Fault
from tests.faults import planted

LIVES = "tests/lives/test_lives.py"
LAYOUT = "tfx_extras/optimizers/_layouts.py"
PRODIGY = "tfx_extras/optimizers/prodigy.py"
SOAP = "tfx_extras/optimizers/soap.py"
GROUPS = WRAPPERS + "parameter_groups.py"
MOST = 1000  # lives until a fault must have been found

PLANTED = {
    "an average replaces weights while gradients are accumulated": Fault(
        GRADIENTS,
        "        backend.when(\n            is_last,\n            lambda grads:",
        "        if self.ema_overwrite_frequency:\n"
        "            self._overwrite_model_variables_with_average_value(\n"
        "                trainable_variables\n"
        "            )\n"
        "        backend.when(\n            is_last,\n            lambda grads:",
        LIVES,
    ),
    "an average reads 16-bit weights as they are rounded": Fault(
        AVERAGING,
        "past + gain * (exact(variable, residual) - past)",
        "past + gain * (ops.cast(variable, past.dtype) - past)",
        LIVES,
    ),
    "clipping within groups makes gradients dense": Fault(
        WRAPPERS + "_several.py",
        "[backend.scaled(g, factor) for g in grads]",
        "[backend.scaled(g, factor) for g in dense]",
        LIVES,
        backend="tensorflow",
    ),
    "groups exchange their optimizer when they are built": Fault(
        GROUPS,
        "        self._rules.report(variables, paths)\n",
        "        self._rules.report(variables, paths)\n"
        "        cls, config = type(self.inner_optimizer), "
        "self.inner_optimizer.get_config()\n"
        "        self.inner_optimizer = cls.from_config(config)\n",
        LIVES,
        backend="tensorflow",
    ),
    "groups forget what was excluded from weight decay": Fault(
        GROUPS,
        "        for optimizer in self._all():\n"
        "            optimizer.exclude_from_weight_decay",
        "        for optimizer in self.rule_optimizers:\n"
        "            optimizer.exclude_from_weight_decay",
        LIVES,
    ),
    "what rounding took outlives an assignment": Fault(
        ROUNDING,
        "is_its_own = ops.absolute(lost) < half * ops.absolute(value) + tiny",
        "is_its_own = ops.isfinite(lost)",
        LIVES,
    ),
    "Lookahead moves frozen weights": Fault(
        WRAPPERS + "lookahead.py", "_follows_all = False", "_follows_all = True", LIVES
    ),
    "an average of no update replaces weights": Fault(
        AVERAGING, "        if iterations > 0:", "        if True:", LIVES
    ),
    "a group without gradients does not begin its average": Fault(
        GROUPS,
        "            else:\n                pass_by(optimizer)",
        "            else:\n"
        "                innermost(optimizer)._iterations.assign_add(1)",
        LIVES,
    ),
    "rules' optimizers do not unscale": Fault(
        GROUPS,
        "optimizer.loss_scale_factor = self.loss_scale_factor",
        "pass",
        LIVES,
    ),
    "a norm of 0 clips all": Fault(
        WRAPPERS + "_several.py", "if not largest:", "if largest is None:", LIVES
    ),
    "rules look for the paths of a reloaded model": Fault(
        GROUPS,
        "tuple(paths_of(variables, self._saved_paths))",
        "tuple(paths_of(variables, None))",
        LIVES,
    ),
    "one more gradient is skipped than may be": Fault(
        "tfx_extras/optimizers/_skipping.py",
        "in_a_row >= most",
        "in_a_row > most",
        LIVES,
    ),
    "repeated rows are not summed for Keras's optimizers": Fault(
        WRAPPERS + "_base.py",
        "if not isinstance(optimizer, Optimizer | OptimizerWrapper):",
        "if False:",
        LIVES,
        backend="tensorflow",
    ),
    "Prodigy: variables that do not move are part of the estimate": Fault(
        BASE,
        "if self._own_rates is None or self._own_rates[index].factor != 0:",
        "if True:",
        LIVES,
    ),
    "Prodigy: the estimate changes the decay of a group": Fault(
        BASE,
        "rate = self._decay_now(rate, learning_rate, dtype)",
        "rate = self._decay_now(rate, now.learning_rate, dtype)",
        LIVES,
    ),
    "Prodigy: decay is no part of the displacement": Fault(
        PRODIGY,
        "return variable + change, (displacement + change, s, m, v)",
        "step = m / (ops.sqrt(v) + new_ratio * self.epsilon)\n"
        "        step = displacement - now.learning_rate * step\n"
        "        return variable + change, (step, s, m, v)",
        LIVES,
    ),
    "Prodigy: each rise of the estimate is taken for the first": Fault(
        PRODIGY,
        "is_first_rise = (d == ops.cast(self.d0, d.dtype)) & (found > d)",
        "is_first_rise = found > d",
        LIVES,
    ),
    "Prodigy: two numbers share a buffer on JAX": Fault(
        "tfx_extras/_backend/jax.py",
        "is_shared = id(value) in seen and not isinstance(value, Tracer)",
        "is_shared = False",
        LIVES,
        backend="jax",
    ),
    "SOAP: second moments are not ordered with their basis": Fault(
        SOAP,
        "ordered = ops.take(ordered, order, axis=axis)",
        "ordered = ordered",
        LIVES,
    ),
    "SOAP: the momentum stays in the old basis": Fault(
        SOAP,
        "return _rotated(_rotated_back(m, old), new), ordered, _joined(new)",
        "return m, ordered, _joined(new)",
        LIVES,
    ),
    "SOAP: all variables have one count of steps": Fault(
        SOAP,
        "after = ops.where(begins, counted + 1, ops.zeros_like(count))",
        "after = ops.cast(self.iterations, count.dtype) + 1",
        LIVES,
    ),
    "cautious decay looks at a step that was masked": Fault(
        BASE,
        "new_w = new_w - (w - self._after_decay(w, now, index, step))",
        "new_w = new_w - (w - self._after_decay(w, now, index, w - new_w))",
        LIVES,
    ),
    "corrected decay forgets the largest learning rate": Fault(
        DECAY,
        "self._largest_rate.assign(ops.where(rate > past, rate, past))",
        "self._largest_rate.assign(ops.where(rate > 0, rate, past))",
        LIVES,
    ),
    "the last rule for a layout counts": Fault(
        LAYOUT, "layout = layouts[rules[0]]", "layout = layouts[rules[-1]]", LIVES
    ),
    "Muon: variables that are excluded are taken for matrices": Fault(
        "tfx_extras/optimizers/muon.py",
        'excluded = self._matches("adam_exclude")',
        "excluded = [False] * len(variables)",
        LIVES,
    ),
    "variables that are excluded are clipped": Fault(
        BASE,
        "self._clips = [not x for x in not_clipped]",
        "self._clips = [True for _ in not_clipped]",
        LIVES,
    ),
    "ScheduleFreeAdamW: the optimizer inside decays too": Fault(
        WRAPPERS + "schedule_free.py",
        "beta_2, epsilon, weight_decay=None, **kwargs)",
        "beta_2, epsilon, **kwargs)",
        LIVES,
    ),
    "ScheduleFreeRAdam: the threshold is that of RAdam": Fault(
        WRAPPERS + "schedule_free.py",
        "sma_threshold=4.0, **kwargs",
        "**kwargs",
        LIVES,
    ),
}


def lives_until_found(fault):
    """How many lives a package with the fault stands, or `None` if it stands all."""
    with tempfile.TemporaryDirectory() as folder:
        copy = planted(fault, Path(folder) / "copy")
        first = 0
        while first < MOST:
            said = lived(copy, fault, "--lives", MOST - first, "--seed", first)
            seed = re.search(r"Life (\d+) on", said)
            if seed is None:
                break
            first = int(seed[1]) + 1
            # The package itself must stand it.
            if "Life" not in lived(ROOT, fault, "--life", seed[1]):
                return first
    return None


def lived(root, fault, *options):
    """What is said of the lives of a project."""
    command = [sys.executable, "-m", "tests.lives", *map(str, options)]
    result = subprocess.run(
        [*command, "--keep", "--most", "1"],
        cwd=root,
        env=os.environ | {"KERAS_BACKEND": fault.backend, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    if "ended badly" not in result.stdout:
        raise SystemExit(result.stdout + result.stderr)
    return result.stdout


def main(pattern=""):
    """Prints a table, and returns whether a fault was not found."""
    print(f"| fault | backend | lives until found, at most {MOST} |\n|---|---|---|")
    missed = 0
    for name, fault in PLANTED.items():
        if re.search(pattern, name):
            lives = lives_until_found(fault)
            missed += lives is None
            print(f"| {name} | {fault.backend} | {lives or 'NOT FOUND'} |", flush=True)
    return missed > 0
