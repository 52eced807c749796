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
from tests.faults import GRADIENTS
from tests.faults import ROOT
from tests.faults import ROUNDING
from tests.faults import WRAPPERS
from tests.faults import Fault
from tests.faults import planted

LIVES = "tests/lives/test_lives.py"
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
