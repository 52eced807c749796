"""Makes deliberate faults, one at a time, and says whether a test sees each.

    python -m tests.faults [PATTERN ...] [--jobs N]

Works on copies of the project. A fault is a line of the package, what it is changed to,
and tests, of which one should fail, and pass without the fault. A pattern is a part of
any of these, or a backend. Exits with 1 if a fault goes unseen.
"""

import argparse
import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
BASE = "tfx_extras/optimizers/_base.py"
OPTIONS = "tfx_extras/optimizers/_options.py"
DECAY = "tfx_extras/optimizers/_weight_decay.py"
AVERAGING = "tfx_extras/optimizers/_averages.py"
GRADIENTS = "tfx_extras/optimizers/_gradients.py"
ROUNDING = "tfx_extras/optimizers/_rounding.py"
WRAPPERS = "tfx_extras/optimizers/wrappers/"
UPDATE = WRAPPERS + "update_batch_norm.py"
UPDATING = "tests/optimizers/test_update_batch_norm.py"
TFA = "tfx_extras/tfa/optimizers/"
RADAM = "tfx_extras/optimizers/radam.py"
WRAPPING = "tests/contracts/test_wrappers.py"
AVERAGES = "tests/optimizers/test_averages.py"
PATHS = "tfx_extras/optimizers/_paths.py"
EMA = "tests/optimizers/test_weight_averages.py"
GROUPS = "tests/optimizers/test_parameter_groups.py"
OPTIMIZERS = "tests/contracts/test_optimizers.py"
TRAINING = "tests/integration/test_training.py"
TENSORFLOW = "tests/integration/test_tensorflow.py"
LOSSES = "tests/contracts/test_losses.py"
CHUNKED = "tests/losses/classification/test_chunked.py"
LONG_ROWS = "tests/losses/classification/test_long_rows.py"
METRIC = "tests/losses/embedding/test_metric_learning.py"
BATCH = "tfx_extras/losses/_batch.py"
PAIRS = "tfx_extras/losses/embedding/_pairs.py"
INFO_NCE = "tfx_extras/losses/embedding/info_nce.py"
PROBABILITIES = "tfx_extras/losses/_probabilities.py"
DISTANCES = "tfx_extras/losses/embedding/_distances.py"
LABELS = "tests/losses/test_labels.py"
CLIENTS = "tests/clients/test_losses.py"
TRANSFORMS = "tests/clients/test_transforms.py"
GRAPHS = "tfx_extras/_backend/_graphs.py"
UPDATES = "tfx_extras/_backend/_updates.py"
RECORDED = "tfx_extras/_backend/_recorded.py"
SETTINGS = "tfx_extras/_backend/_settings.py"
TORCH = "tfx_extras/_backend/torch.py"
FAST = "tests/contracts/test_fast_paths.py"
JIT = "tests/contracts/test_jit_compile.py"
RECORDING = "tests/contracts/test_recorded.py"
SKIPPING = "tests/contracts/test_skipping.py"
MEETING = "tests/distribution/test_meeting.py"
DOCSTRINGS = "tests/contracts/test_docstrings.py"
SURFACE = "tests/contracts/test_surface.py"
LOSS = "tfx_extras/losses/_base.py"
VARIANT = "tfx_extras/optimizers/_variants.py"
VARIANTS = "tests/optimizers/test_variants.py"
LAYOUTS = "tests/optimizers/test_layouts.py"
LAYERS = "tfx_extras/layers/"
FACE = LAYERS + "_face.py"
MEMORY = LAYERS + "cross_batch_memory.py"
CENTER = LAYERS + "dino_center.py"
TASKS = LAYERS + "uncertainty_weighting.py"
RETRIEVAL = "tfx_extras/metrics/retrieval.py"
BALANCED = "tfx_extras/utils/balanced.py"
LIMIT = 600  # seconds, for one fault


class Fault(NamedTuple):
    """One line that is made wrong, and where that should be seen."""

    path: str
    right: str
    wrong: str
    tests: str
    select: str = ""
    backend: str = "torch"


FAULTS = [
    # Layers with a loss and a state, and the tools of metric learning
    *(
        Fault(path, right, wrong, tests)
        for tests, faults in {
            "tests/layers/test_faces.py": [
                (FACE, "share = 1 - self.momentum", "share = self.momentum"),
                (FACE, "if not is_training:", "if is_training is None:"),
                (FACE, "counted = counted & is_kept", "pass"),
                (FACE, "ops.stop_gradient(x))", "x)"),
                (LAYERS + "ada_face.py", "self.margin - turn", "self.margin + turn"),
                (LAYERS + "ada_face.py", "number > 1, is_training", "1, is_training"),
                (LAYERS + "ada_face.py", "square * number", "square * others"),
                (LAYERS + "curricular_face.py", "cosines > later", "cosines > own"),
                (LAYERS + "curricular_face.py", "own <= -math.cos(m)", "own <= -1"),
            ],
            "tests/layers/test_cross_batch_memory.py": [
                (MEMORY, "ops.stop_gradient(batch.samples)", "batch.samples"),
                (MEMORY, "batches >= self.warmup", "batches > self.warmup"),
                (MEMORY, "(place < self.size) | (place < rows)", "place >= 0"),
                (MEMORY, "if training and self.trainable:", "if self.trainable:"),
                (MEMORY, "counts & has_label &", "counts &"),
                (MEMORY, "(is_kept[:, 0] & ~has_label)", "(~has_label)"),
                (MEMORY, "loss.gather:", "False:"),
            ],
            "tests/layers/test_dino_center.py": [
                (CENTER, "counted = counted & kept", "pass"),
                (CENTER, "counted & (weights != 0)", "counted"),
                (CENTER, "ops.where(number > 0, moved, center)", "moved"),
                (CENTER, "counted, total.dtype) * len(t)", "counted, total.dtype)"),
                (CENTER, "steps + 1", "steps + 2"),
            ],
            "tests/layers/test_uncertainty_weighting.py": [
                (TASKS, "y_true = _known(y_true, is_counted)", "pass"),
                (TASKS, "of_one_replica(value), ops.any(counted)", "value, True"),
            ],
            "tests/layers/test_coral.py": [
                (LAYERS + "coral.py", "np.arange(count, 0, -1)", "np.arange(count)"),
                (LAYERS + "coral.py", "(input_shape[-1], 1)", "(input_shape[-1], 2)"),
            ],
            "tests/metrics/test_retrieval.py": [
                (RETRIEVAL, "kept = weights != 0", "kept = weights > -1"),
                (RETRIEVAL, "counts[classes] > 1", "counts[classes] > 0"),
                (RETRIEVAL, "rank <= positives[:, None]", "rank > 0"),
                (RETRIEVAL, "axis=1) / positives", "axis=1) / hits.shape[1]"),
                (RETRIEVAL, "int(seen) != self.size", "False"),
            ],
        }.items()
        for path, right, wrong in faults
    ),
    # Options that change gradients, steps and decay, and layouts
    *(
        Fault(path, right, wrong, VARIANTS, select)
        for path, right, wrong, select in [
            (VARIANT, "ops.sign(gradient) > 0", "ops.sign(gradient) >= -1", "cautious"),
            (BASE, "if type(self).move is Optimizer.move", "if False", "lost_to"),
            (VARIANT, "ops.where(share > least, share, least)", "1.0", "cautious"),
            (VARIANT, "total / max(inputs, 1)", "total", "centralized"),
            (VARIANT, "if inputs == 1:", "if False:", "centralized"),
            (
                VARIANT,
                "ops.where(weights > least, weights, least)",
                "weights",
                "of_zero",
            ),
            (DECAY, "ops.sign(variable) >= 0", "ops.sign(variable) > -2", "leaves_out"),
            (DECAY, "ops.where(rate > past, rate, past)", "rate", "corrected"),
            (BASE, 'self._matches("adaptive_clip_exclude")', "[]", "excluded"),
        ]
    ),
    *(
        Fault("tfx_extras/optimizers/_layouts.py", right, wrong, LAYOUTS, select)
        for right, wrong, select in [
            ('("b" if axis in given else "o")', '"o"', "have_these"),
            ("isinstance(layer, _TRANSPOSED)", "False", "subclassed"),
            ("None if id(layer) in final else", "", "make_the_outputs"),
            ("sorted(range(len(order)), key=order.__getitem__)", "order", "matrices"),
            ("layouts[rules[0]]", "layouts[rules[-1]]", "first_rule"),
        ]
    ),
    *(
        Fault(
            "tfx_extras/optimizers/muon.py", right, wrong, OPTIMIZERS, "its_reference"
        )
        for right, wrong in [
            (
                "if self.nesterov else m",
                "",
            ),
            ("min(i, len(self._triples) - 1)", "0"),
            ("math.sqrt(inputs * outputs)", "math.sqrt(inputs)"),
            ("else self.adam_learning_rate_factor", "else 1.0"),
        ]
    ),
    # Optimizers, wrappers and models with tests of their own
    *(
        Fault(f"tfx_extras/{path}.py", right, wrong, f"tests/{tests}.py", select)
        for path, tests, right, wrong, select in [
            (
                *("optimizers/soap", "optimizers/test_soap"),
                "count % self.frequency == 0",
                "count % self.frequency == 1",
                "follow_the_reference",
            ),
            (
                *("optimizers/soap", "optimizers/test_soap"),
                'ops.where(is_finite, q, float("nan"))',
                "q",
                "nan_gives_nan",
            ),
            (
                *("optimizers/prodigy", "optimizers/test_prodigy"),
                "new / self.d0, beta_3",
                "ratio, beta_3",
                "follows_the_reference",
            ),
            (
                *("optimizers/prodigy", "optimizers/test_prodigy"),
                "displacement + change, s, m, v",
                "displacement - change, s, m, v",
                "follows_the_reference",
            ),
            (
                *("optimizers/wrappers/schedule_free", "optimizers/test_schedule_free"),
                "ops.where(rate > largest, rate, largest)",
                "rate",
                "largest_rate_so_far",
            ),
            (
                *("optimizers/wrappers/schedule_free", "optimizers/test_schedule_free"),
                "kind.factor * self.weight_decay",
                "self.weight_decay",
                "rules_scale or in_muon",
            ),
            (
                *("models/sharpness_aware", "models/test_sharpness_aware"),
                "ops.cast(distance, s.dtype) * t * s",
                "ops.cast(distance, s.dtype) * s",
                "as_in_the_papers",
            ),
            (
                *("_backend/torch", "models/test_sharpness_aware"),
                "*model.non_trainable_variables, *self.states_of(model)",
                "*model.non_trainable_variables",
                "recurrent",
            ),
            (
                *("schedules/_range_test", "schedules/test_range_test"),
                "np.argmin(slopes[until])",
                "np.argmin(slopes)",
                "suggestion",
            ),
        ]
    ),
    # Formulas
    Fault(RADAM, "(m * factor)", "m", OPTIMIZERS, "its_reference"),
    Fault(
        "tfx_extras/optimizers/_rectification.py",
        "backend.choose(is_defined, c_1 * r, c_1)",
        "c_1",
        OPTIMIZERS,
        "its_reference",
    ),
    Fault(
        "tfx_extras/optimizers/adabelief.py",
        "ops.square(gradient - m)",
        "ops.square(gradient - momentum)",
        OPTIMIZERS,
        "its_reference",
    ),
    Fault(
        "tfx_extras/optimizers/_rectification.py",
        "-ops.expm1(step * math.log(beta))",
        "1 - beta**step",
        OPTIMIZERS,
        "its_reference and float32",
    ),
    Fault(
        "tfx_extras/optimizers/_rectification.py",
        "if rho_inf <= threshold:",
        "if rho_inf < 0:",
        OPTIMIZERS,
        "its_reference",
    ),
    Fault(
        "tfx_extras/optimizers/adabelief.py",
        "largest = maxima[0] if self.amsgrad else s",
        "largest = s",
        OPTIMIZERS,
        "changed_hyperparameter",
    ),
    # Precision
    Fault(
        "tfx_extras/_precision.py",
        'return "float64" if "float64" in str(dtype) else "float32"',
        'return "float32"',
        OPTIMIZERS,
        "its_reference and float64",
    ),
    Fault(
        BASE,
        "dtype=wide(reference_variable.dtype)",
        "dtype=reference_variable.dtype",
        OPTIMIZERS,
        "slots_are_wide",
    ),
    Fault(
        ROUNDING,
        "return main, ops.cast(lost, _dtype(residual))",
        "return main, ops.zeros_like(main)",
        OPTIMIZERS,
        "not_lost",
    ),
    Fault(
        ROUNDING,
        "return main, ops.cast(lost, _dtype(residual))",
        "return main, ops.zeros_like(main)",
        TRAINING,
        "pure_bfloat16",
    ),
    Fault(
        ROUNDING,
        "if _dtype(variable) != wide(variable.dtype)",
        "if True",
        OPTIMIZERS,
        "memory",
    ),
    Fault(
        "tfx_extras/optimizers/lamb.py",
        "u = self.penalized(u, variable, now, index)",
        "pass",
        OPTIMIZERS,
        "decoupled and LAMB",
    ),
    Fault(
        "tfx_extras/optimizers/lamb.py",
        "if not self._is_excluded[index]:",
        "if True:",
        OPTIMIZERS,
        "changed_hyperparameter and LAMB",
    ),
    Fault(
        "tfx_extras/optimizers/yogi.py",
        "ops.sign(x) * distance / (2 - distance)",
        "distance / (2 - distance)",
        OPTIMIZERS,
        "its_reference and Yogi",
    ),
    Fault(
        "tfx_extras/optimizers/_proximal.py",
        "x / (1 + rate * l2)",
        "x / (1 + l2)",
        OPTIMIZERS,
        "its_reference and Proximal",
    ),
    Fault(
        "tfx_extras/optimizers/novograd.py",
        "ops.where(is_first, square, v)",
        "v",
        OPTIMIZERS,
        "its_reference and Novo",
    ),
    Fault(
        "tfx_extras/optimizers/cocob.py",
        "(reward / largest + 1)",
        "(reward + largest)",
        OPTIMIZERS,
        "its_reference and COCOB",
    ),
    Fault(
        "tfx_extras/optimizers/cocob.py",
        "ops.where(reward < 0, 0.0, reward)",
        "ops.relu(reward)",
        "tests/optimizers/test_cocob.py",
        "copies",
        "jax",
    ),
    Fault(
        "tfx_extras/optimizers/cocob.py",
        "magnitude_sum, reward, bet\n",
        "magnitude_sum, reward, past_bet\n",
        "tests/optimizers/test_cocob.py",
        "far_weights",
    ),
    Fault(
        TFA + "_keras_2.py",
        '    "bet": ("tilde_w",),\n',
        "",
        "tests/tfa/test_saved.py",
        "slots_are_found",
    ),
    Fault(
        "tfx_extras/optimizers/conditional_gradient.py",
        "range(13)",
        "range(3)",
        "tests/optimizers/test_conditional_gradient.py",
        "nuclear",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "return tf.gather(gradient, self.places), parts",
        "return gradient, parts",
        "tests/optimizers/test_lazy_adam.py",
        "only_the_rows",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "self.variable.assign(tf.where(self.is_named, value, self.variable))",
        "self.variable.assign(value)",
        "tests/optimizers/test_lazy_adam.py",
        "accumulated",
        "tensorflow",
    ),
    # Configuration
    Fault(
        RADAM, '            "epsilon": self.epsilon,\n', "", OPTIMIZERS, "round_trip"
    ),
    Fault(
        OPTIONS,
        'float(str(np.float32(config["learning_rate"])))',
        'config["learning_rate"]',
        OPTIMIZERS,
        "round_trip",
    ),
    Fault(
        OPTIONS,
        '            "weight_decay_exclude": list(self.weight_decay_exclude),\n',
        "",
        OPTIMIZERS,
        "exclusion_by_method",
    ),
    Fault(RADAM, '"[0, 1)"', '"[0, 1]"', OPTIMIZERS, "invalid_arguments"),
    Fault(RADAM, "    @typechecked\n", "", OPTIMIZERS, "wrong_types"),
    Fault(
        OPTIONS,
        "isinstance(learning_rate, int | Number)",
        "False",
        OPTIMIZERS,
        "any_number",
    ),
    Fault(
        OPTIONS,
        "name=name or type(self).__name__.lower()",
        "name=name",
        OPTIMIZERS,
        "names",
    ),
    # Options
    Fault(
        DECAY,
        "return variable - _along(direction, variable, rate * variable)",
        "return variable",
        OPTIMIZERS,
        "decoupled",
    ),
    Fault(
        AVERAGING,
        "    def _update_model_variables_moving_average(",
        "    def _other(",
        OPTIMIZERS,
        "follows_each_update_once",
    ),
    Fault(
        AVERAGING,
        "ops.copy(exact(average, average_residual))",
        "exact(average, average_residual)",
        EMA,
        "share_the_buffer",
        "jax",
    ),
    # Gradients
    Fault(GRADIENTS, "shapes[0] != shapes[1]", "False", OPTIMIZERS, "another_shape"),
    Fault(
        GRADIENTS,
        "backend.without_gradients()",
        "backend.beside(None)",
        TRAINING,
        "not_recorded",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "isinstance(gradient, tf.IndexedSlices)",
        "False",
        TENSORFLOW,
        "equal_the_dense_gradient",
        "tensorflow",
    ),
    # Surface
    Fault(RADAM, "@register\n", "", "tests/contracts/test_surface.py", "registered"),
    Fault(
        RADAM,
        "        epsilon: $\\epsilon$",
        "        eps: $\\epsilon$",
        DOCSTRINGS,
        "each_argument",
    ),
    Fault(RADAM, "Rectified Adam (RAdam): ", "An ", DOCSTRINGS, "first_line"),
    Fault(RADAM, "    Use it in place", "    In place", DOCSTRINGS, "whole_text"),
    Fault(
        "tfx_extras/losses/vision/iou.py",
        "Function form of `GIoULoss`, which has the formula.",
        "It has no formula.",
        DOCSTRINGS,
        "say_the_same",
    ),
    Fault(BASE, "def _traits(self", "def traits(self", SURFACE, "completion"),
    Fault(
        LOSS,
        "if len(last) not in (0, len(own)) or not fits:",
        "if False:",
        LABELS,
        "weights",
    ),
    Fault(LOSS, "    if not own:", "    if False:", LABELS, "loss_per_batch"),
    Fault(
        "tfx_extras/_lookup.py",
        'names["__getattr__"] = self._missing',
        "pass",
        "tests/contracts/test_lookup.py",
        "missing_attribute",
    ),
    Fault(
        RADAM, "[ 0.8 -1.6]", "[ 0.8 -1.5]", "tests/docs/test_docstrings.py", "RAdam"
    ),
    Fault(
        RADAM,
        '__all__ = ["RAdam"]',
        '__all__ = ["RAdam", "corrections"]',
        "tests/contracts/test_surface.py",
        "nothing_else or has_a_case",
    ),
    Fault(
        "tfx_extras/_lookup.py",
        "pattern.lower()",
        "pattern",
        "tests/contracts/test_lookup.py",
        "patterns",
    ),
    Fault(
        "tfx_extras/__init__.py",
        "_environment.warn_of_legacy_keras()",
        "",
        "tests/integration/test_import.py",
        "legacy",
        "tensorflow",
    ),
    # Weight decay
    Fault(
        DECAY,
        "if not self.independent_decay:",
        "if True:",
        OPTIMIZERS,
        "independent_decay",
    ),
    Fault(
        OPTIONS,
        '"weight_decay": saved(',
        '"_": saved(',
        OPTIMIZERS,
        "independent_decay",
    ),
    # Many devices
    Fault(
        GRADIENTS,
        "grads = backend.summed(grads)",
        "pass",
        "tests/distribution/test_matrix.py",
        "every_way",
        "tensorflow",
    ),
    Fault(
        BASE,
        "layout=layout if shape == own else None",
        "layout=None",
        "tests/distribution/test_matrix.py",
        "every_way",
        "jax",
    ),
    # Gradients that are not finite
    Fault(
        "tfx_extras/optimizers/_skipping.py",
        "ops.all(ops.isfinite(g))",
        "ops.all(g == g)",
        SKIPPING,
        "as_if",
    ),
    Fault(
        "tfx_extras/optimizers/_skipping.py",
        "(in_a_row + 1) * is_missed",
        "in_a_row + is_missed",
        SKIPPING,
        "one_more",
    ),
    Fault(
        "tfx_extras/optimizers/_skipping.py",
        "ops.logical_or(is_skipped, is_too_much)",
        "ops.logical_not(is_finite)",
        SKIPPING,
        "one_more",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/optimizers/_skipping.py",
        "ops.logical_or(is_finite, is_too_much)",
        "is_finite",
        SKIPPING,
        "xla",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/_backend/jax.py",
        "jnp.where(condition, variable.value, value)",
        "variable.value",
        SKIPPING,
        "as_if and RAdam",
        "jax",
    ),
    Fault(
        "tfx_extras/_backend/jax.py",
        "jax.lax.cond(found, lambda: jax.debug.callback(fail), lambda: None)",
        "pass",
        SKIPPING,
        "fit_gives_up",
        "jax",
    ),
    Fault(
        "tfx_extras/_backend/jax.py",
        "found, numbers = _any(condition), set()",
        "found, numbers = condition, set()",
        SKIPPING,
        "mapped",
        "jax",
    ),
    Fault(
        "tfx_extras/_backend/jax.py",
        "if numbers == {1}:",
        "if True:",
        "tests/distribution/test_giving_up.py",
        backend="jax",
    ),
    Fault(
        "tfx_extras/_backend/jax.py",
        "if numbers == {1}:",
        "if not numbers:",
        "tests/distribution/test_giving_up.py",
        backend="jax",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "values = replica.all_gather(_here(values), axis=0)",
        "values = tf.concat([values] * 2, 0)[: tf.size(numbers)]",
        MEETING,
        "rows",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "        if is_shared:  # with",
        "        if is_shared or tf.distribute.has_strategy():  # with",
        MEETING,
        "rows",
        "tensorflow",
    ),
    Fault(
        BASE,
        "        if not self.has_fast_paths and not has_totals:\n",
        "        if not self.has_fast_paths or backend.is_distributed():\n",
        MEETING,
        "rows",
        "tensorflow",
    ),
    Fault(
        BASE,
        "        if alone:\n",
        "        if False:\n",
        FAST,
        "overridden",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "return tf.ensure_shape(x, shape) if fits else x",
        "return x",
        TENSORFLOW,
        "unknown and False and plain",
        "tensorflow",
    ),
    Fault(
        OPTIONS,
        "self._get_current_learning_rate() if rate is None",
        "super().learning_rate if rate is None",
        FAST,
        "one_graph and RAdam",
    ),
    Fault(
        "tfx_extras/_precision.py",
        "def wide(",
        "import functools\n\n\n@functools.cache\ndef wide(",
        FAST,
        "one_graph and RAdam",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "[] if assertion is None else [assertion]",
        "[]",
        SKIPPING,
        "one_more",
        "tensorflow",
    ),
    Fault(
        WRAPPERS + "parameter_groups.py",
        'getattr(counting, "skip_nonfinite", False)',
        "False",
        SKIPPING,
        "all_groups",
    ),
    # Wrappers
    Fault(
        WRAPPERS + "lookahead.py",
        "ops.where(is_first, variable, slots[0])",
        "slots[0]",
        WRAPPING,
        "its_reference and Lookahead",
    ),
    Fault(
        WRAPPERS + "_base.py",
        "ops.cast(is_update, self._iterations.dtype)",
        "1",
        WRAPPING,
        "accumulated",
    ),
    Fault(
        WRAPPERS + "_base.py",
        "iterations = ops.copy(self.iterations)",
        "iterations = ops.convert_to_tensor(self.iterations)",
        WRAPPING,
        "its_reference",
    ),
    Fault(
        WRAPPERS + "_base.py",
        "for i, variable in enumerate(self._variables):\n            store",
        "for i, variable in enumerate(self.variables):\n            store",
        WRAPPING,
        "saved_once",
    ),
    Fault(
        WRAPPERS + "_base.py",
        "self.inner_optimizer.loss_scale_factor = value",
        "pass",
        WRAPPING,
        "loss_scale",
    ),
    Fault(
        WRAPPERS + "_base.py",
        "rounded(x, target, rest)",
        "(rounded(x, target, rest)[0], None)",
        WRAPPING,
        "half_precision and Lookahead",
    ),
    Fault(WRAPPERS + "moving_average.py", "+ 9)", "+ 10)", WRAPPING, "its_reference"),
    Fault(
        WRAPPERS + "moving_average.py",
        "ops.where(n > 0, moved, variable)",
        "moved",
        WRAPPING,
        "its_reference",
    ),
    Fault(WRAPPERS + "swa.py", "// self.period", "// 1", WRAPPING, "its_reference"),
    Fault(WRAPPERS + "swa.py", ">= self.start)", "> 0)", AVERAGES, "early_one"),
    Fault(
        WRAPPERS + "_average.py",
        "weights, average = ops.copy(variable), ops.copy(slots[0])",
        "weights, average = ops.copy(slots[0]), ops.copy(variable)",
        AVERAGES,
    ),
    Fault(
        WRAPPERS + "_average.py",
        'self._swapped.assign(ops.cast(self._swapped == 0, "int32"))',
        "pass",
        AVERAGES,
    ),
    Fault(
        "tfx_extras/callbacks/swap_average.py",
        "def on_epoch_begin",
        "def _on_epoch_begin",
        AVERAGES,
        "evaluation",
    ),
    Fault(
        "tfx_extras/callbacks/swap_average.py",
        "if optimizer._is_lent:",
        "if not optimizer._is_lent:",
        AVERAGES,
        "after_an_evaluation",
    ),
    Fault(
        WRAPPERS + "_average.py",
        "self._swapped.assign(LENT)",
        "pass",
        AVERAGES,
        "that_failed",
    ),
    Fault(
        WRAPPERS + "_average.py",
        "backend.when(self._swapped != 0, self._exchange, (), changed)",
        "pass",
        AVERAGES,
        "not_trained_on or left_in",
        "jax",
    ),
    Fault(
        WRAPPERS + "_several.py",
        "largest * (inner.loss_scale_factor or 1.0)",
        "largest",
        GROUPS,
        "norm_of_all",
    ),
    Fault(UPDATE, "size / self.size if size", "0.5 if size", UPDATING, "all_the_data"),
    Fault(UPDATE, "self.size += size", "self.size = size", UPDATING, "several_times"),
    Fault(UPDATE, 'if arguments.get("training"):', "if True:", UPDATING, "not_reach"),
    Fault(UPDATE, "if mask is not None:", "if False:", UPDATING, "mask"),
    Fault(UPDATE, '"renorm": False}', '"renorm": True}', UPDATING, "renormalization"),
    Fault(
        UPDATE,
        'elif self.settings.get("renorm"):',
        "elif False:",
        UPDATING,
        "renormalization",
    ),
    Fault(UPDATE, "wide(v.dtype)", "v.dtype", UPDATING, "half_precision"),
    Fault(
        UPDATE,
        "layer.moving_mean.assign(self.means[0])",
        "pass",
        UPDATING,
        "not_finite",
    ),
    Fault(UPDATE, "if not (is_done and self.size)", "if False", UPDATING, "as_before"),
    # Losses
    Fault(PAIRS, "same & ~own,", "same,", LOSSES, "its_reference and Triplet"),
    Fault(
        PAIRS,
        "columns, _ = collected(labels, gather)",
        'labels = columns = ops.cast(labels, "float32")',
        METRIC,
        "large_labels",
    ),
    Fault(
        BATCH,
        "totals * (anchors / at_least(ops.sum(terms), 1.0))",
        "totals * (anchors / ops.sum(terms))",
        METRIC,
        "without_like",
    ),
    Fault(
        PAIRS,
        "labels = ops.convert_to_tensor(places)",
        "pass",
        METRIC,
        "large_labels",
        "jax",
    ),
    Fault(
        "tfx_extras/losses/embedding/_distances.py",
        "ops.sqrt(ops.where(is_zero, ops.ones_like(square), square))",
        "ops.sqrt(square)",
        LOSSES,
        "gradient and Contrastive",
    ),
    Fault(
        "tfx_extras/losses/embedding/_distances.py",
        "rows, of_rows = _finite(x - center)",
        "rows, of_rows = _finite(x)",
        METRIC,
        "far_away",
    ),
    Fault(
        "tfx_extras/_register.py",
        "if keras.saving.get_registered_object(registered) is not function:",
        "if False:",
        METRIC,
        "unregistered",
    ),
    Fault(
        "tfx_extras/_backend/torch.py",
        "right=True",
        "right=False",
        METRIC,
        "strictly_farther",
    ),
    Fault(
        "tfx_extras/_backend/torch.py",
        "_Gathered.apply(torch.cat([x.to(wide), missing]))",
        "_Gathered.apply(torch.cat([x.to(wide), missing]).detach())",
        "tests/distribution/test_matrix.py",
        "every_way",
    ),
    *(
        Fault(TORCH, right, wrong, "tests/distribution/test_matrix.py", "every_way")
        for right, wrong in [
            ("total / torch.where(counts == 0, 1, counts)", "mean"),
            ("_Summed.apply(*upstream)[", "_Summed.apply(upstream[0].detach())["),
            ("if is_float else torch.int64", "if is_float else x.dtype"),
        ]
    ),
    Fault(
        "tfx_extras/losses/_base.py",
        "sample_weight if by_weight else None",
        "None",
        "tests/distribution/test_matrix.py",
        "every_way",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "tf.math.divide_no_nan(total, counts)",
        "mean",
        "tests/distribution/test_matrix.py",
        "every_way",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "tf.cast(rows, dtype), before",
        "rows, before",
        "tests/distribution/test_matrix.py",
        "every_way",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/_backend/jax.py",
        "if axes:",
        "if False:",
        TRANSFORMS,
        "within_a_mapped",
        "jax",
    ),
    *(
        Fault(path, right, wrong, TRANSFORMS, select)
        for path, right, wrong, select in [
            (
                TORCH,
                "_Products.apply(x, y) if _is_autocast(x) else x @ y.T",
                "x @ y.T",
                "autocast and HardLoss",
            ),
            (TORCH, "_Products.apply(upstream, y.T)", "upstream @ y", "autocast"),
            (TORCH, "with _full_precision(tensors[0]):", "if True:", "autocast"),
            (TORCH, "with _full_precision(upstream), ", "with ", "autocast"),
            (
                TORCH,
                "with _full_precision(raw(variables[0])) if variables else",
                "with nullcontext() if variables else",
                "an_update",
            ),
            (
                "tfx_extras/losses/embedding/_distances.py",
                "with backend.full_precision(x):",
                "if True:",
                "of_the_user",
            ),
            (TORCH, "torch.func.debug_unwrap(condition)", "condition", "vmap_gives"),
            (TORCH, "torch.movedim(", "torch.moveaxis(", "vmap_gives"),
            (TORCH, "if _is_transformed(columns):", "if False:", "be_transformed"),
            (TORCH, "if is_recorded and known.once:", "if False:", "refused"),
            (
                "tfx_extras/losses/_base.py",
                "_to_be_masked(sample_weight, bound.dtype)",
                "sample_weight",
                "written_into",
            ),
        ]
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "tf.reduce_sum(tf.where(is_before, sizes, 0))",
        "0",
        "tests/distribution/test_matrix.py",
        "every_way",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/losses/embedding/triplet.py",
        "ops.where(nearer < last, nearer, last)",
        "nearer",
        METRIC,
        "any_size",
    ),
    Fault(
        "tfx_extras/losses/embedding/triplet.py",
        "loss = ops.where(has_both, loss, ops.zeros_like(loss))",
        "pass",
        METRIC,
        "without_like",
    ),
    Fault(
        "tfx_extras/losses/embedding/lifted_structured.py",
        "ops.square(ops.relu(d + push))",
        "ops.square(d + push)",
        LOSSES,
        "its_reference and Lifted",
    ),
    Fault(
        "tfx_extras/losses/embedding/n_pairs.py",
        "loss = ops.where(has_none, ops.zeros_like(loss), loss)",
        "pass",
        LOSSES,
        "its_reference and Multilabel",
    ),
    Fault(
        INFO_NCE,
        "log_sum_exp(within, others)",
        "log_sum_exp(within, others | is_own)",
        LOSSES,
        "its_reference and NTXent",
    ),
    Fault(
        INFO_NCE,
        "log_sum_exp(reverse, others)",
        "log_sum_exp(logits, others)",
        LOSSES,
        "its_reference and CLIP",
    ),
    Fault(
        "tfx_extras/losses/embedding/multi_similarity.py",
        "s + epsilon <= farthest",
        "s <= farthest",
        LOSSES,
        "its_reference and MultiSim",
    ),
    Fault(
        "tfx_extras/losses/embedding/angular_margin.py",
        "-2 - later",
        "later",
        METRIC,
        "angular_margin",
    ),
    Fault(
        "tfx_extras/losses/combined.py",
        "weight * loss(y_true",
        "loss(y_true",
        "tests/losses/test_combined.py",
        "weighted_sum",
    ),
    Fault(
        "tfx_extras/losses/classification/_long_rows.py",
        "pull + 2 * z_loss",
        "pull + z_loss",
        LONG_ROWS,
        "both_ways",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/_backend/_face.py",
        "ops.cast(ops.where(_is_at(x, own), at_own, values), x.dtype)",
        "ops.where(_is_at(x, own), at_own, values)",
        LONG_ROWS,
        "low_precision",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/losses/classification/focal.py",
        "as_given=True",
        "as_given=False",
        LONG_ROWS,
        "copied",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/classification/focal.py",
        "is_own, -p.miss(at_own), share",
        "is_own, share - 1, share",
        LONG_ROWS,
        "digits",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/classification/focal.py",
        "(miss + rise)",
        "miss",
        LONG_ROWS,
        "both_ways and focal",
        "torch",
    ),
    Fault(
        TORCH,
        "_, found = known.value(*tensors)",
        "pass",
        LONG_ROWS,
        "both_ways",
        "torch",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "_PART = 16",
        "_PART = 2**16",
        CHUNKED,
        "small_numbers",
        "tensorflow",
    ),
    Fault(
        TORCH,
        "parts.sum(-1, keepdim=True, dtype=None if is_narrow else torch.float64)",
        "x.sum(-1, keepdim=True)",
        CHUNKED,
        "small_numbers",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "(1 + rest) * fading",
        "(1 + rest)",
        CHUNKED,
        "value_is",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "place, size = place - start // parts",
        "place, size = place",
        CHUNKED,
        "value_is",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "others + ops.sum(",
        "ops.sum(",
        CHUNKED,
        "value_is and smoothed",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "step(classes - rest, rest, carried) if rest else carried",
        "carried",
        CHUNKED,
        "size_of_a_chunk",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "return before + of_z",
        "return of_z",
        CHUNKED,
        "kernel_that_is_trained",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "backend.with_columns(before, of_columns, start)",
        "backend.with_columns(before, of_columns, 0)",
        CHUNKED,
        "gradients_are",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "start=start, classes=classes",
        "start=start",
        CHUNKED,
        "gradients_are and smoothed",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "backend.largest(z, LOWEST)",
        "ops.max(z, axis=-1, keepdims=True)",
        CHUNKED,
        "few_rows",
        "torch",
    ),
    Fault(
        TORCH,
        "if x.shape[-1] == 0:",
        "if x.shape == (0,):",
        "tests/contracts/test_backend.py",
        "nothing",
        "torch",
    ),
    Fault(
        TORCH,
        "return x.amax(-1, keepdim=True).clamp(min=least)",
        "return torch.maximum(x.amax(-1, keepdim=True), torch.full((1,), least))",
        "tests/contracts/test_devices.py",
        "losses and Huber or losses and Triplet",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        '"once": True',
        '"once": False',
        CHUNKED,
        "tensorflow_functions",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "dtype = max(types)",
        'dtype = "float32"',
        CHUNKED,
        "float64",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/classification/_long_rows.py",
        "backend.columns(numbers, start, size) == own",
        "backend.columns(numbers, 0, size) == own",
        CHUNKED,
        "gradients_are",
        "torch",
    ),
    Fault(
        "tfx_extras/layers/_base.py",
        "ops.sum(_Mean(losses)(0.0, carrier, sample_weight))",
        "ops.mean(losses)",
        CHUNKED,
        "model_trains or mask",
        "torch",
    ),
    Fault(
        "tfx_extras/layers/_base.py",
        "ops.sum(_Mean(losses)(0.0, carrier, sample_weight))",
        "_Mean(losses)(0.0, carrier, sample_weight)",
        CHUNKED,
        "batch_of_nothing",
    ),
    Fault(
        "tfx_extras/layers/_base.py",
        "x = ops.reshape(x, (*ops.shape(x)[: len(shape)], *missing))",
        "x = ops.reshape(x, (*missing, *ops.shape(x)[: len(shape)]))",
        CHUNKED,
        "of_the_first_axes",
    ),
    Fault(
        "tfx_extras/layers/_base.py",
        "any(a != b for a, b in pairs if None not in (a, b))",
        "False",
        CHUNKED,
        "of_other_axes",
    ),
    Fault(
        "tfx_extras/layers/_base.py",
        "return x * ops.ones_like(losses)",
        "return x",
        CHUNKED,
        "mask",
    ),
    Fault(
        "tfx_extras/layers/chunked.py",
        "mask = inputs_mask if mask is None else mask",
        "mask = mask",
        CHUNKED,
        "mask",
    ),
    Fault(
        "tfx_extras/layers/_base.py",
        "super().__init__(autocast=False, **kwargs)",
        "super().__init__(**kwargs)",
        CHUNKED,
        "not_rounded or mixed_precision",
    ),
    Fault(
        "tfx_extras/layers/chunked.py",
        "hidden = ops.cast(inputs, self.compute_dtype)",
        "hidden = inputs",
        CHUNKED,
        "not_rounded",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "loss, (of_hidden - label_smoothing / classes * means[1],)",
        "loss, (of_hidden,)",
        CHUNKED,
        "kernel_that_is_trained",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "by_share = means[0] * fading",
        "by_share = means[0]",
        CHUNKED,
        "kernel_that_is_trained",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        "by_weight = means[1] + ops.sum",
        "by_weight = ops.sum",
        CHUNKED,
        "kernel_that_is_trained",
    ),
    Fault(
        "tfx_extras/losses/classification/chunked.py",
        'not getattr(x, "trainable", ops.is_tensor(x))',
        "False",
        CHUNKED,
        "frozen_kernel or are_given",
        "tensorflow",
    ),
    Fault(
        TORCH,
        "x is not None and x.requires_grad and torch.is_grad_enabled()",
        "None",
        CHUNKED,
        "frozen_kernel",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "x is not None and not is_frozen if is_training else None",
        "None",
        CHUNKED,
        "frozen_kernel",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/_backend/jax.py",
        "math.gcd(columns, jax.device_count())",
        "1",
        "tests/distribution/test_matrix.py",
        "every_way",
        "jax",
    ),
    Fault(
        "tfx_extras/_backend/torch.py",
        "is_recorded = torch.is_grad_enabled()",
        "is_recorded = False",
        CHUNKED,
        "second_derivative",
        "torch",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "tf.convert_to_tensor(x) for x in inputs]",
        "x for x in inputs]",
        CHUNKED,
        "reach_the_loss",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/losses/regression/quantile.py",
        "[float(t) - 1 for t in each]",
        "[-float(t) for t in each]",
        LOSSES,
        "its_reference and Pinball",
    ),
    # What users put around losses
    Fault(
        "tfx_extras/_backend/torch.py",
        "torch.nn.functional.threshold(x, bound, bound)",
        "torch.where(x > bound, x, bound)",
        CLIENTS,
        "nan_in_predictions",
    ),
    Fault(
        DISTANCES,
        "is_zero = square <= 0",
        "is_zero = ~(square > 0)",
        CLIENTS,
        "nan_in_predictions and Contrastive",
    ),
    Fault(
        DISTANCES,
        "ops.where(x <= 0, ops.zeros_like(x), x)",
        "ops.where(x > 0, x, ops.zeros_like(x))",
        CLIENTS,
        "nan_in_predictions and Triplet",
    ),
    Fault(
        "tfx_extras/losses/embedding/triplet.py",
        'd_an = ops.where(is_nan, ops.full_like(d_an, float("nan")), d_an)',
        "pass",
        CLIENTS,
        "nan_in_predictions and SemiHard",
    ),
    Fault(
        "tfx_extras/losses/classification/semi_supervised.py",
        "ops.where(confidence < method.threshold, ops.zeros_like(loss), loss)",
        "ops.where(confidence >= method.threshold, loss, ops.zeros_like(loss))",
        CLIENTS,
        "nan_in_predictions and SemiSupervised",
    ),
    Fault(
        PAIRS,
        'rows = ops.where(is_nan, ops.full_like(rows, float("nan")), rows)',
        "pass",
        METRIC,
        "label_that_is_nan",
    ),
    Fault(
        DISTANCES,
        "ops.sort(some, axis=-1)[:, middle : middle + 1]",
        "some[:, :1]",
        METRIC,
        "outlier_spoils",
    ),
    Fault(
        DISTANCES,
        "is_huge = square > float(most)",
        "is_huge = square < 0",
        METRIC,
        "large_embeddings",
    ),
    Fault(
        "tfx_extras/losses/regression/robust.py",
        "q = backend.limited(error, delta)",
        "error = ops.abs(error); q = backend.limited(error, delta)",
        "tests/losses/regression/test_robust.py",
        "curvature",
    ),
    Fault(
        "tfx_extras/losses/classification/sparsemax.py",
        "missed = ops.where(y == 0, ops.zeros_like(y), missed)",
        "pass",
        "tests/losses/classification/test_sparsemax.py",
        "minus_infinity",
    ),
    Fault(
        PROBABILITIES,
        "low, high, SLACK,",
        "low, high, math.inf,",
        "tests/losses/test_probabilities.py",
        "logits_given",
    ),
    Fault(
        PROBABILITIES,
        "return backend.clipped(x, low, high)",
        "return x",
        "tests/losses/test_probabilities.py",
        "logits_given",
    ),
    Fault(
        "tfx_extras/losses/_labels.py",
        "whole = is_signed or labels >= 0",
        "whole = True",
        LABELS,
        "wrap_neither",
        "jax",
    ),
    Fault(
        "tfx_extras/losses/_labels.py",
        "fits = (y_true >= -(2**31)) & (y_true < 2**31)",
        "fits = y_true == y_true",
        LABELS,
        "wrap_neither",
        "jax",
    ),
    Fault(
        "tfx_extras/losses/_labels.py",
        "y_true, y_pred[..., 0], ops.shape(y_pred)[-1], ignore_class",
        "y_true, y_pred[..., 0], y_pred.shape[-1], ignore_class",
        LABELS,
        "may_be_unknown",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/losses/_base.py",
        "if backend.is_ragged(values):",
        "if False:",
        LABELS,
        "ragged",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/losses/_base.py",
        "if is_text or isinstance(values, str | bytes):",
        "if False:",
        LABELS,
        "strings",
    ),
    Fault(
        "tfx_extras/losses/_base.py",
        "_mask = _Mask()",
        "_mask = keras.layers.Layer() and _Mask()",
        "tests/integration/test_import.py",
        "quiet",
    ),
    Fault(
        "tfx_extras/losses/_labels.py",
        "is_longer = len(shape) == len(samples.shape) + 1",
        "is_longer = False",
        LABELS,
        "other_form and Sparse",
    ),
    Fault(
        "tfx_extras/losses/_labels.py",
        "is_sparse = len(shapes[0]) < len(shapes[1]) or shapes[0][-1:] == (1,)",
        "is_sparse = False",
        LABELS,
        "other_form and SparsemaxLoss",
    ),
    Fault(
        "tfx_extras/losses/embedding/_cosines.py",
        "within(cosines, -1.0, 1.0, message, cure)",
        "cosines",
        LABELS,
        "no_cosines",
    ),
    Fault(
        "tfx_extras/losses/combined.py",
        "[each / divisor for each in weights]",
        "[divisor * each for each in weights]",
        "tests/losses/test_combined.py",
        "quotients",
    ),
    Fault(
        "tfx_extras/losses/combined.py",
        "return self if is_zero else _sum(other, self)",
        "return _sum(other, self)",
        "tests/losses/test_combined.py",
        "quotients",
    ),
    Fault(
        "tfx_extras/losses/classification/sparsemax.py",
        "missed = p - above",
        "missed = ops.relu(-above)",
        "tests/losses",
        "sparsemax",
    ),
    Fault(
        "tfx_extras/losses/classification/weighted_kappa.py",
        "ops.log(ratio + epsilon)",
        "ops.log(ratio)",
        LOSSES,
        "its_reference and Kappa",
    ),
    Fault(
        "tfx_extras/losses/vision/iou.py",
        "alpha = ops.stop_gradient(_ratio(v, iou_loss + v, 0.0))",
        "alpha = _ratio(v, iou_loss + v, 0.0)",
        "tests/losses/vision/test_iou.py",
        "alpha",
    ),
    Fault(
        "tfx_extras/losses/classification/semi_supervised.py",
        "rows / at_least(labeled, 1)",
        "1",
        LOSSES,
        "its_reference and Semi",
    ),
    Fault(
        "tfx_extras/_backend/_face.py",
        "x - ops.cast(places == first, x.dtype)",
        "x - ops.cast(is_one, x.dtype)",
        LOSSES,
        "its_reference and CategoricalFocal",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/_backend/_face.py",
        "-self.largest(-ops.where(is_one, places, last), -last)",
        "-self.largest(-ops.where(is_one, places, last), 0)",
        "tests/losses/test_probabilities.py",
        "small_terms",
        "tensorflow",
    ),
    Fault(
        TORCH,
        "return x.scatter_add(-1, first, -torch.ones_like(first, dtype=x.dtype))",
        "return x - is_one.to(x.dtype)",
        LOSSES,
        "its_reference and CategoricalFocal",
    ),
    Fault(
        TORCH,
        'return not (_is_read(x) and bool(x.detach().amax() < float("inf")))',
        "return False",
        "tests/losses/test_probabilities.py",
        "infinity",
    ),
    # What `torch.compile` refuses
    Fault(
        "tfx_extras/losses/_labels.py",
        "isinstance(y_true, (np.ndarray, list, tuple))",
        "isinstance(y_true, np.ndarray | list | tuple)",
        TRANSFORMS,
        "nan_in_a_graph",
    ),
    Fault(
        "tfx_extras/losses/regression/quantile.py",
        "[given] if shape == () else [given[i] for i in range(shape[0])]",
        "np.atleast_1d(tau)",
        TRANSFORMS,
        "class_is_one_graph and combined",
    ),
    # All variables at once
    Fault(TORCH, "return a if condition else b", "return a", OPTIMIZERS, "reference"),
    *(
        Fault(UPDATES, right, wrong, JIT, select, "torch")
        for right, wrong, select in [
            ("moment.settings, optimizer", "0, optimizer", "changed_counts"),
            ("step.__code__.replace()", "step.__code__", "plain_ones"),
            (
                "while moment and not (compiles and self._fails):",
                "while moment:",
                "without_a_compiler",
            ),
            ("wants is not False and", "", "unless_told"),
            ("(wants or self._is_large)", "self._is_large", "unless_told"),
            (
                '_norms_of_rows if group.layout == "rows" else norms',
                "norms",
                "with_norms",
            ),
            (">= WORTH_COMPILING", "> WORTH_COMPILING", "unless_told"),
            ("if made == _MOST:", "if False:", "all_the_time"),
            ("return Updates, ()", "return object, ()", "make_their_own"),
            (
                "key in self._worked and not _is_refused(error)",
                "False",
                "after_it_worked",
            ),
            ("found = self.known[", "found = self.asked[", "plain_ones"),
        ]
    ),
    *(
        Fault(path, right, wrong, RECORDING, select, "torch")
        for path, right, wrong, select in [
            (
                RECORDED,
                "last.get(place, -1) < i + (place not in beside)",
                "True",
                "random",
            ),
            (RECORDED, "+ (place not in beside)", "+ 1", "transposed"),
            (RECORDED, "dtype == result.dtype and", "", "random"),
            (
                RECORDED,
                "_is_like(target, result) and is_free(id(target))",
                "_is_like(target, result)",
                "random",
            ),
            (RECORDED, "if reads or schema.is_mutable:", "if reads:", "repeated"),
            (RECORDED, "if func in _READING:", "if False:", "repeated"),
            (RECORDED, '"SymInt" in str(schema) and result.ndim', "False", "repeated"),
            (
                RECORDED,
                "list(map(operator.add, totals, found)) if totals else found",
                "found",
                "sums",
            ),
            (
                RECORDED,
                "[x.clone() for x in next(_parts(inputs))]",
                "next(_parts(inputs))",
                "repeated",
            ),
            (
                RECORDED,
                "if writing and _is_like(target",
                "if False and _is_like(target",
                "few_buffers",
            ),
            (UPDATES, "n == 1 and not compiles for", "True for", "of_one_and"),
            (
                RECORDED,
                "max(gradient[:1].numel(), 1)",
                "gradient[:1].numel()",
                "of_one_and",
            ),
            (RECORDED, "scalar.copy_(value)", "pass", "of_one_and"),
            (RECORDED, "if _place(x) in self._places:", "if False:", "of_another"),
            (UPDATES, "isinstance(x, bool | str | None)", "x is x", "of_another"),
            (UPDATES, ", *map(bool, conditions)", "", "of_another"),
            (
                UPDATES,
                "recorded = Recorded(formula, example, moment.conditions)",
                "recorded = Recorded(formula, example)",
                "each_optimizer",
            ),
            (UPDATES, "if _is_in(kept, gradient):", "if False:", "in_the_memory"),
            (UPDATES, "== _MOST_SETTINGS", "== 2**40", "is_bounded"),
            (
                UPDATES,
                "    except Exception as error:  # an `if`, for example",
                "    except OSError as error:  # an `if`, for example",
                "whole_variable",
            ),
            (
                UPDATES,
                "mode=False):  # to be written outside of it too",
                "mode=True):",
                "inference",
            ),
            (UPDATES, "- made < _MOST_RECORDED", "- made < 2**40", "all_the_time"),
        ]
    ),
    Fault(
        UPDATES, "self._places != self._found()", "False", FAST, "slots_stay", "torch"
    ),
    Fault(
        TORCH,
        "return (rounded.view(torch.int16) | 0).view(rounded.dtype)",
        "return rounded",
        JIT,
        "not_removed",
        "torch",
    ),
    Fault(SETTINGS, "sorted(vars(thing).items())", "vars(thing).items()", JIT, "once"),
    Fault(UPDATES, 'group.layout != "large" or', "True or", FAST, "move_in_memory"),
    Fault(
        UPDATES,
        "kind = way, optimizer._is_elementwise, optimizer._has_norms",
        "kind = way",
        RECORDING,
        "norms_may_be",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "tf.identity(x) if isinstance(x, tf.Variable) else x",
        "x",
        FAST,
        "old_values",
        "tensorflow",
    ),
    Fault(TORCH, "if j != i and t", "if j == i and t", FAST, "old_values"),
    Fault(TORCH, "return is_traced or any", "return any", FAST, "old_values"),
    Fault(TORCH, "value.data_ptr() == t.data_ptr()", "value is t", FAST, "old_values"),
    Fault(
        TORCH,
        "type(x) in (torch.Tensor, torch.nn.Parameter) and not",
        "not",
        "tests/losses/test_probabilities.py",
        "without_numbers",
    ),
    Fault(
        "tfx_extras/_configuration.py",
        "inputs + is_method",
        "inputs",
        "tests/losses/test_properties.py",
        "method_or_a_property",
    ),
    Fault(GRAPHS, " or optimizer.jit_compile is False", "", JIT, "told", "tensorflow"),
    *(
        Fault(path, right, wrong, FAST, select, backend)
        for path, right, wrong, select, backend in [
            (BASE, "if dtype not in moments:", "if True:", "scalars", "torch"),
            (
                BASE,
                "type(self).update_step is not Optimizer.update_step",
                "False",
                "overridden",
                "torch",
            ),
            (
                BASE,
                "return self._decays[index], self._layouts[index]",
                "return True, self._layouts[index]",
                "one_by_one",
                "torch",
            ),
            (
                "tfx_extras/optimizers/lamb.py",
                "return *super()._traits(index), self._is_excluded[index]",
                "return super()._traits(index)",
                "excluded_by_path",
                "tensorflow",
            ),
            (TORCH, "tensor.clone() for tensor", "tensor for tensor", "state", "torch"),
            (
                UPDATES,
                "key == known and not any(map(operator.is_not, tensors, same))",
                "key == known",
                "stateless_scope",
                "torch",
            ),
            (UPDATES, "> most:", "> 2**40:", "many_to_a_vector", "torch"),
            (
                UPDATES,
                "key = traits[i], weights.device, weights.dtype, shape",
                "key = weights.device, weights.dtype, shape",
                "one_by_one",
                "torch",
            ),
            (
                UPDATES,
                "tensor is None or tensor.is_contiguous()",
                "True",
                "contiguous",
                "torch",
            ),
            (
                GRAPHS,
                "            settings,\n            _spec(rate),",
                "            _spec(rate),",
                "changed_between",
                "tensorflow",
            ),
            (
                GRAPHS,
                "            settings,\n            _spec(rate),",
                "            settings,",
                "set_function",
                "tensorflow",
            ),
            (
                GRAPHS,
                "optimizer._traced_rate = rate",
                "pass",
                "set_function",
                "tensorflow",
            ),
            (
                SETTINGS,
                "return id(thing), settings_of(thing)",
                "return id(thing)",
                "schedule_that",
                "tensorflow",
            ),
            (
                GRAPHS,
                "            optimizer._traits(update.place),\n",
                "",
                "one_by_one",
                "tensorflow",
            ),
            (
                GRAPHS,
                'id(v), id(getattr(v, "constraint", None))',
                "1, 1",
                "frozen",
                "tensorflow",
            ),
            (SETTINGS, "raise FunctionError", "pass", "wrapped_rate", "tensorflow"),
            (GRAPHS, "_MOST = 16", "_MOST = 160", "change_all_the_time", "tensorflow"),
            (
                GRAPHS,
                "except (tf.errors.OpError, ValueError) as error:",
                "except KeyError as error:",
                "xla_cannot",
                "tensorflow",
            ),
            (
                GRAPHS,
                "indices_shape=[None]",
                "indices_shape=x.indices.shape",
                "any_length",
                "tensorflow",
            ),
            (GRAPHS, "> _HUGE", "> 2**40", "one_program", "tensorflow"),
            (
                GRAPHS,
                "id(update.now), _variables",
                "_variables",
                "different_rates",
                "tensorflow",
            ),
            (
                GRAPHS,
                "with tf.device(_variables(first)[0].device):",
                "if True:",
                "different_devices",
                "tensorflow",
            ),
        ]
    ),
    # The layer over TensorFlow Addons' names
    Fault(
        TFA + "_warmup.py",
        "t <= warmup_steps",
        "t < 0",
        "tests/parity/test_tfa_optimizers.py",
        "warm-up",
        "torch",
    ),
    Fault(
        TFA + "_base.py",
        "1 + self.time_decay * step",
        "1 + self.time_decay",
        "tests/tfa/test_optimizers.py",
        "time_decay",
        "torch",
    ),
    Fault(
        TFA + "_base.py",
        'kwargs["learning_rate"] = lr',
        "pass",
        "tests/tfa/test_optimizers.py",
        "called_lr",
        "torch",
    ),
    Fault(
        TFA + "_base.py",
        "self.assign(tensor, ops.where(rows, tensor, past))",
        "pass",
        "tests/parity/test_tfa_optimizers.py",
        "RectifiedAdam and sparse",
        "tensorflow",
    ),
    Fault(
        TFA + "adabelief.py",
        "s = ops.where(rows, s, self.beta_2 * slots[1])",
        "pass",
        "tests/parity/test_tfa_optimizers.py",
        "AdaBelief and sparse",
        "tensorflow",
    ),
    Fault(
        TFA + "novograd.py",
        "rate_in_momentum=True",
        "rate_in_momentum=False",
        "tests/parity/test_tfa_optimizers.py",
        "NovoGrad and schedule",
        "torch",
    ),
    Fault(
        TFA + "novograd.py",
        '{"momentum": -1}',
        "{}",
        "tests/tfa/test_saved.py",
        "slots_are_found",
        "torch",
    ),
    Fault(
        TFA + "weight_decay_optimizers.py",
        "return index in map(self.index_of, chosen)",
        "return True",
        "tests/tfa/test_optimizers.py",
        "chosen_variables",
        "torch",
    ),
    Fault(
        TFA + "weight_decay_optimizers.py",
        "decayed = ops.where(rows, decayed, w)",
        "pass",
        "tests/tfa/test_tensorflow.py",
        "row_decays",
        "tensorflow",
    ),
    Fault(
        TFA + "_wrapper.py",
        "clip(self.inner_optimizer, name, value)",
        "pass",
        "tests/tfa/test_optimizers.py",
        "leaves_clipping",
        "torch",
    ),
    Fault(
        TFA + "_keras_2.py",
        'config | {"name": value["class_name"]}',
        "config",
        "tests/tfa/test_saved.py",
        "adamw",
        "torch",
    ),
    Fault(
        TFA + "_base.py",
        "restore(self, self._noted.saved)",
        "pass",
        "tests/tfa/test_saved.py",
        "h5",
        "torch",
    ),
    Fault(
        TFA + "stochastic_weight_averaging.py",
        "start=start + 1",
        "start=start + 2",
        "tests/parity/test_tfa_optimizers.py",
        "SWA",
        "torch",
    ),
    Fault(
        TFA + "discriminative_layer_training.py",
        "return chosen(is_it) or chosen(is_part)",
        "return chosen(is_it)",
        "tests/tfa/test_optimizers.py",
        "MultiOptimizer",
        "torch",
    ),
    Fault(
        TFA + "discriminative_layer_training.py",
        "if len(optimizers_of_one) > 1",
        "if len(optimizers_of_one) > 2",
        "tests/tfa/test_optimizers.py",
        "one_optimizer",
        "torch",
    ),
    Fault(
        TFA + "lamb.py",
        "if unadapted is None",
        "if not unadapted",
        "tests/tfa/test_optimizers.py",
        "no_exclusion",
        "torch",
    ),
    Fault(
        TFA + "moving_average.py",
        "(1 + n) / (10 + n)",
        "1.0",
        "tests/parity/test_tfa_optimizers.py",
        "updates",
        "torch",
    ),
    Fault(
        TFA + "_hyper.py",
        "            value = value()\n",
        "            pass\n",
        "tests/tfa/test_hyper.py",
        "function_is_called",
    ),
    Fault(
        TFA + "_hyper.py",
        "            variable.assign(value)",
        "            pass",
        "tests/tfa/test_hyper.py",
        "decay_can_be_read_and_set",
    ),
    Fault(
        TFA + "_hyper.py",
        "saved[name] = saved_hyper(",
        "saved[name] = saved[name], (",
        "tests/tfa/test_hyper.py",
        "function_is_saved",
    ),
    Fault(
        TFA + "_adam_and_sgd.py",
        "(1 - beta_2) * (ops.square(g)",
        "(1 - 0.999) * (ops.square(g)",
        "tests/tfa/test_optimizers.py",
        "rounds_its_numbers",
    ),
    Fault(
        TFA + "weight_decay_optimizers.py",
        "if index in map(self.index_of, self._noted.excluded):",
        "if False:",
        "tests/tfa/test_optimizers.py",
        "share_a_path",
    ),
    Fault(
        TFA + "_base.py",
        "            return self._get_variable_index(variable)",
        "            paths = [v.path for v in self._trainable_variables]\n"
        "            return paths.index(variable.path)",
        "tests/tfa/test_optimizers.py",
        "share_a_path",
    ),
    Fault(
        TFA + "_base.py",
        "        self._add(var_list, var_names)",
        "        pass",
        "tests/tfa/test_optimizers.py",
        "set_and_called",
    ),
    Fault(
        TFA + "_base.py",
        "        return require_patterns(name, patterns or ())",
        "        return self.weight_decay_exclude",
        "tests/tfa/test_optimizers.py",
        "set_and_called and attribute",
    ),
    Fault(
        TFA + "_wrapper.py",
        "if not isinstance(optimizer, str | dict | keras.optimizers.Optimizer):",
        "if False:",
        "tests/tfa/test_optimizers.py",
        "named_as_the_argument",
    ),
    Fault(
        TFA + "average_wrapper.py",
        'if hasattr(self, "average_op"):',
        "if False:",
        "tests/tfa/test_optimizers.py",
        "of_your_own",
    ),
    Fault(
        TFA + "utils.py",
        're.search(r, f"{path}:0")',
        "False",
        "tests/tfa/test_optimizers.py",
        "patterns_of_tensorflow_addons",
    ),
    Fault(
        TFA + "_base.py",
        "if lost and name not in self._noted.warned:",
        "if lost:",
        "tests/tfa/test_optimizers.py",
        "named_once",
    ),
    Fault(
        TFA + "discriminative_layer_training.py",
        "return self._var_key(item) == self._var_key(variable)",
        "return path_of(item) == path",
        "tests/tfa/test_optimizers.py",
        "paths_are_equal",
    ),
    Fault(
        "tfx_extras/tfa/losses/quantiles.py",
        "return mean(values) if is_one else values",
        "return values",
        "tests/tfa/test_losses.py",
        "one_axis",
    ),
    Fault(
        "tfx_extras/tfa/losses/quantiles.py",
        "    if tau.ndim < 2:",
        "    if True:",
        "tests/tfa/test_losses.py",
        "may_have_a_tau",
    ),
    Fault(
        "tfx_extras/tfa/losses/giou_loss.py",
        "if shapes[0] != shapes[1]:",
        "if False:",
        "tests/tfa/test_losses.py",
        "each_box",
    ),
    Fault(
        "tfx_extras/tfa/losses/focal_loss.py",
        "classes = y_pred.shape[-1] if",
        "classes = 1 if",
        "tests/tfa/test_losses.py",
        "focal",
    ),
    Fault(
        "tfx_extras/tfa/losses/metric_learning.py",
        "ops.where(own, ops.zeros_like(distances), distances)",
        "distances",
        "tests/tfa/test_losses.py",
        "diagonal",
    ),
    Fault(
        "tfx_extras/tfa/losses/_base.py",
        'if reduction == "auto"',
        'if reduction == "none"',
        "tests/tfa/test_losses.py",
        "reductions",
    ),
    # What is refused, and what is said
    Fault(
        "tfx_extras/_typed.py",
        "isinstance(value, int | kind) and not isinstance(value, bool)",
        "isinstance(value, int | kind)",
        "tests/contracts/test_types.py",
        "wrong_type",
    ),
    Fault(
        "tfx_extras/_typed.py",
        "raise TypeError(_message(",
        "raise ValueError(_message(",
        "tests/contracts/test_types.py",
        "wrong_type",
    ),
    Fault(
        "tfx_extras/_typed.py",
        '    vars(checked)["__signature__"] = inspect.signature(function)\n',
        "",
        "tests/contracts/test_types.py",
        "arguments_of_a_layer",
    ),
    Fault(
        "tfx_extras/_typed.py",
        "            if name not in kinds:\n",
        "            if False:\n",
        "tests/contracts/test_types.py",
        "unknown_argument",
    ),
    Fault(
        "tfx_extras/_suggest.py",
        "[key(one) for one in aliases.get(short, ())] + [short]",
        "[short]",
        "tests/contracts/test_types.py",
        "suggests_the_nearest",
    ),
    Fault(
        "tfx_extras/_suggest.py",
        "    if not found and len(short) > 3:",
        "    if False:",
        "tests/contracts/test_lookup.py",
        "a_part_of_a_name",
    ),
    Fault(
        "tfx_extras/_lookup.py",
        "hint = _of_keras(name, self._home)",
        'hint = ""',
        "tests/contracts/test_lookup.py",
        "of_keras",
    ),
    Fault(
        "tfx_extras/_environment.py",
        "    if chosen not in BACKENDS:\n",
        "    if False:\n",
        "tests/integration/test_import.py",
        "not_supported",
    ),
    Fault(
        "tfx_extras/__init__.py",
        "if not _only_migrates():\n",
        "if True:\n",
        "tests/migrate/test_command.py",
        "neither",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/_repr.py",
        "_text(float(str(np.float32(saved))))",
        "_text(saved)",
        "tests/contracts/test_repr.py",
        "differ_from_their_defaults",
    ),
    Fault(
        "tfx_extras/_repr.py",
        "*(default is None) * _derived(obj, name)",
        "",
        "tests/contracts/test_repr.py",
        "differ_from_their_defaults",
    ),
    Fault(
        "docs/guides/metric_learning.md",
        "`NPairsLoss(from_embeddings=True)`",
        "`NPairsLoss`",
        "tests/docs/test_tables.py",
    ),
    # Schedules at the ends of their intervals
    Fault(
        "tfx_extras/schedules/_base.py",
        ' and step.dtype != "uint64"',
        "",
        "tests/schedules/test_extremes.py",
        "64_bits",
    ),
    Fault(
        "tfx_extras/schedules/one_cycle.py",
        'require("peak_learning_rate / div_factor", initial, "[0, inf)")',
        "pass",
        "tests/schedules/test_extremes.py",
        "division",
    ),
    Fault(
        "tfx_extras/schedules/cyclical.py",
        'step_size, "[1e-6, inf)"',
        'step_size, "(0, inf)"',
        "tests/contracts/test_schedules.py",
        "invalid or refused",
    ),
    Fault(
        "tfx_extras/optimizers/novograd.py",
        "variance == (0.0 if self.beta_2 else -1.0)",
        "variance == 0",
        "tests/optimizers/test_novograd.py",
        "third_step",
    ),
    # What objects do together
    *(
        Fault(path, right, wrong, tests, select)
        for path, right, wrong, tests, select in [
            (
                PATHS,
                "any(re.search(pattern, path) for pattern in patterns)",
                "any(re.search(pattern, path[-4:]) for pattern in patterns)",
                OPTIMIZERS,
                "excludes_by_path",
            ),
            (
                PATHS,
                "if not any(matched([pattern], paths)):",
                "if False:",
                OPTIMIZERS,
                "finds_nothing",
            ),
            (
                PATHS,
                "return list(saved) if all(_is_shortened(*pair) for pair in pairs)",
                "return list(saved) if False",
                GROUPS,
                "bit_for_bit",
            ),
            (
                AVERAGING,
                "gain = ops.where(is_first, first, gain)",
                "pass",
                EMA,
                "is_frozen or some_are_frozen",
            ),
            (
                AVERAGING,
                "gain * (exact(variable, residual) - past)",
                "gain * (ops.cast(variable, past.dtype) - past)",
                EMA,
                "16_bit",
            ),
            (
                AVERAGING,
                "if iterations > 0:  # else",
                "if True:  # else",
                EMA,
                "without_an_update",
            ),
            (
                GRADIENTS,
                "        if self.use_ema:\n            self._move_average()",
                "        pass",
                EMA,
                "float64",
            ),
            (
                "tfx_extras/optimizers/wrappers/parameter_groups.py",
                "if self.rule_optimizers and not number else",
                "if False else",
                GROUPS,
                "clipped_once",
            ),
            (
                "tfx_extras/optimizers/wrappers/_own_rates.py",
                "own.update(before)",
                "pass",
                GROUPS,
                "clips_by_its_norm_again",
            ),
            (
                GRADIENTS,
                "if self.global_clipnorm:",
                "if False:",
                "tests/optimizers/test_base.py",
                "clipped_in_float64",
            ),
            (
                OPTIONS,
                "learning_rate, self._rate_interval)\n        keras",
                'learning_rate, "[0, inf)")\n        keras',
                GROUPS,
                "interval",
            ),
            (
                BASE,
                "if rate is AS_IT_IS:",
                "if True:",
                GROUPS,
                "any_optimizer",
            ),
            (
                ROUNDING,
                "is_its_own = ops.absolute(lost) < half * ops.absolute(value) + tiny",
                "is_its_own = ops.absolute(lost) >= 0",
                "tests/optimizers/test_rounding.py",
                "assigned_from_outside",
            ),
            (
                ROUNDING,
                "(1.01 * 2.0**-8, 0.0)",
                "(0.5 * 2.0**-8, 0.0)",
                "tests/optimizers/test_rounding.py",
                "half_a_unit",
            ),
            (
                WRAPPERS + "lookahead.py",
                "_follows_all = False",
                "_follows_all = True",
                WRAPPING,
                "frozen",
            ),
            (
                WRAPPERS + "_base.py",
                "updates = ops.copy(self._iterations)",
                "updates = ops.copy(self.iterations)",
                WRAPPING,
                "counted_from",
            ),
            (
                WRAPPERS + "_base.py",
                "variables = optimizer._trainable_variables\n        optimizer._update",
                "variables = []\n        optimizer._update",
                EMA,
                "without_a_first_gradient",
            ),
            (
                WRAPPERS + "_own_rates.py",
                "if number > 0:",
                "if False:",
                GROUPS,
                "any_optimizer",
            ),
            (
                WRAPPERS + "_own_rates.py",
                "if optimizer._use_weight_decay(v)]",
                "]",
                GROUPS,
                "stay_excluded",
            ),
            (
                WRAPPERS + "_rules.py",
                "else item is variable",
                "else False",
                GROUPS,
                "equal_paths or its_variables",
            ),
            (
                WRAPPERS + "_several.py",
                "taken.add(each.name)",
                "pass",
                GROUPS,
                "paths_of_their_own",
            ),
            (
                WRAPPERS + "_several.py",
                "(before or ratios)",
                "before",
                GROUPS,
                "reaches_all",
            ),
            (
                WRAPPERS + "parameter_groups.py",
                "last._sibling_paths = self._saved_paths",
                "pass",
                GROUPS,
                "reported",
            ),
            (
                WRAPPERS + "parameter_groups.py",
                "optimizer.learning_rate = rate\n",
                "pass\n",
                GROUPS,
                "reaches_all",
            ),
            (
                WRAPPERS + "parameter_groups.py",
                "optimizer.loss_scale_factor = self.loss_scale_factor",
                "pass",
                GROUPS,
                "scale_of_the_loss",
            ),
            (
                WRAPPERS + "_several.py",
                "if not largest:",
                "if largest is None:",
                GROUPS,
                "norm_of_zero",
            ),
            (
                WRAPPERS + "parameter_groups.py",
                'optimizer._is_of_0_1_0 = "paths" not in config',
                "pass",
                "tests/saved/test_saved.py",
                "train_on",
            ),
        ]
    ),
    Fault(
        WRAPPERS + "parameter_groups.py",
        "        self._rules.report(variables, paths)\n",
        "        self._rules.report(variables, paths)\n"
        "        inner = self.inner_optimizer\n"
        "        self.inner_optimizer = inner.from_config(inner.get_config())\n",
        GROUPS,
        "checkpoints_of_tensorflow",
        "tensorflow",
    ),
    Fault(
        WRAPPERS + "_base.py",
        "if self.slots and len(set(steps)) > 1:",
        "if False:",
        GROUPS,
        "cannot_work",
        "torch",
    ),
    Fault(
        WRAPPERS + "_several.py",
        "if others and largest and any(steps):",
        "if others and largest and steps[0]:",
        GROUPS,
        "cannot_work",
        "torch",
    ),
    Fault(
        WRAPPERS + "parameter_groups.py",
        "return self._in_order(kept)",
        "return kept[0]",
        "tests/clients/test_callbacks.py",
        "of_groups_within",
        "torch",
    ),
    Fault(
        WRAPPERS + "parameter_groups.py",
        'own["ratios"] = list(self._ratios)',
        "pass",
        GROUPS,
        "reaches_all",
        "torch",
    ),
    Fault(
        WRAPPERS + "_average.py",
        "        if lent:\n            self._exchange()\n        super()",
        "        super()",
        AVERAGES,
        "ends_training",
        "torch",
    ),
    Fault(
        "tfx_extras/callbacks/swap_average.py",
        'for each in (inner, *getattr(optimizer, "rule_optimizers", ())):',
        "for each in (inner,):",
        AVERAGES,
        "of_groups",
        "torch",
    ),
    Fault(
        "tfx_extras/tfa/optimizers/weight_decay_optimizers.py",
        "if own is AS_IT_IS:",
        "if True:",
        "tests/tfa/test_optimizers.py",
        "rule_takes",
        "torch",
    ),
    Fault(
        WRAPPERS + "_own_rates.py",
        "own is not AS_IT_IS and not decays_itself",
        "own is not AS_IT_IS",
        "tests/tfa/test_optimizers.py",
        "rule_takes",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/combined.py",
        "backend.to_be_changed([ops.convert_to_tensor(given)])[0]",
        "given",
        "tests/losses/test_combined.py",
        "mask",
        "torch",
    ),
    Fault(
        "tfx_extras/losses/combined.py",
        "(ops.cast(value, dtype) for value in values)",
        "values",
        "tests/losses/test_combined.py",
        "widest",
        "tensorflow",
    ),
    Fault(
        WRAPPERS + "_several.py",
        "global_factor(backend.summed(dense), largest)",
        "global_factor(dense, largest)",
        "tests/distribution/test_matrix.py",
        "every_way",
        "tensorflow",
    ),
    Fault(
        "tfx_extras/_backend/tensorflow.py",
        "return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)",
        "return tf.convert_to_tensor(gradient) * factor",
        GROUPS,
        "stays_lazy",
        "tensorflow",
    ),
    Fault(
        WRAPPERS + "_base.py",
        "if not isinstance(optimizer, Optimizer | OptimizerWrapper):",
        "if False:",
        WRAPPING,
        "repeated_rows",
        "tensorflow",
    ),
    Fault(
        TORCH,
        "wanted = tuple(ctx.needs_input_grad[1 : known.inputs + 1])",
        "wanted = (True,) * known.inputs",
        CHUNKED,
        "frozen_kernel or are_given",
    ),
]


def planted(fault: Fault | None, copy: Path, root: Path = ROOT) -> Path:
    """Makes a copy of the project that has the fault, and returns its folder."""
    for name in (
        "tfx_extras",
        "tests",
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "examples",
        "docs",
    ):
        source = root / name
        copied = copy / name
        copied.parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copied)
    if fault is None:
        return copy
    target = copy / fault.path
    text = target.read_text()
    if fault.right not in text:
        raise SystemExit(f"{fault.path} no longer holds {fault.right!r}")
    target.write_text(text.replace(fault.right, fault.wrong))
    return copy


class Watch:
    """A plugin of pytest: chooses tests by their names, and notes how they ended."""

    def __init__(self, chosen):
        self.chosen = chosen
        self.ended = {}

    def pytest_collection_modifyitems(self, items):
        if self.chosen is not None:
            items[:] = [item for item in items if item.nodeid in self.chosen]

    def pytest_runtest_logreport(self, report):
        has_passed = self.ended.get(report.nodeid, True) and not report.failed
        self.ended[report.nodeid] = has_passed


def run(folder: Path, arguments, chosen):
    """Runs tests of the copy in `folder`, and writes there how each ended."""
    copy = folder / "copy"
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    os.environ["PYTHONPATH"] = str(copy)
    sys.path[:] = [str(copy), *(x for x in sys.path if Path(x).resolve() != ROOT)]
    for name in list(sys.modules):
        if name.partition(".")[0] == "tests":
            del sys.modules[name]
    os.chdir(copy)

    import pytest

    watch = Watch(chosen)
    pytest.main(["-q", "-p", "no:cacheprovider", *arguments], plugins=[watch])
    (folder / "ended.json").write_text(json.dumps(watch.ended))


def start(folder: Path, *arguments) -> int:
    """Runs tests in a process of their own, which has Keras already, and says which."""
    pid = os.fork()
    if not pid:
        signal.alarm(LIMIT)
        file = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT)
        os.dup2(file, 1)
        os.dup2(file, 2)
        try:
            run(folder, *arguments)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(0)
    return pid


def results(work, jobs: int, root: Path):
    """Runs all `work`, `jobs` at a time; yields each as `(key, ended, said, seconds)`.

    Work is `(key, fault or None, arguments of "run")`; the copies are of `root`.
    Seconds are those of the CPU, also for processes that a test starts.
    """
    waiting, running = list(reversed(work)), {}
    while waiting or running:
        while waiting and len(running) < jobs:
            key, fault, *arguments = waiting.pop()
            folder = Path(tempfile.mkdtemp())
            planted(fault, folder / "copy", root)
            running[start(folder, *arguments)] = key, folder
        pid, status, used = os.wait4(-1, 0)
        key, folder = running.pop(pid)
        file = folder / "ended.json"
        ended = json.loads(file.read_text()) if file.exists() else {}
        said = (folder / "said.txt").read_text(errors="replace")
        if os.WIFSIGNALED(status):
            said += f"\nIt was ended, perhaps for taking more than {LIMIT} s.\n"
        shutil.rmtree(folder)
        yield key, ended, said, used.ru_utime + used.ru_stime


def unseen(faults: list[Fault], backend: str, jobs: int, folder: Path) -> int:
    """How many of the faults are not seen on the backend."""
    os.environ["KERAS_BACKEND"] = backend
    # As in `conftest.py`, which is too late for what is imported here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # What all runs share. Nothing here may start a thread: it would not be copied.
    import keras  # noqa: F401
    import pytest  # noqa: F401

    gc.freeze()  # what is imported is not looked through in each run

    # A copy with all that is compiled, from which the others are made.
    root = planted(None, folder / "copy")
    sys.dont_write_bytecode = False
    files = {fault.tests for fault in faults}
    os.waitpid(start(folder, ["--collect-only", *files], None), 0)

    work = [(f, f, ["-x", f.tests, "-k", f.select], None) for f in faults]
    seen_by, number = {}, 0
    for fault, ended, said, seconds in results(work, jobs, root):
        failed = [test for test, has_passed in ended.items() if not has_passed]
        number += not failed
        print(f"{'seen  ' if failed else 'UNSEEN'} {seconds:5.1f} s {told(fault)}")
        if failed:
            seen_by[failed[0]] = fault
        elif not ended:
            print(said[-1000:])
        sys.stdout.flush()

    # The same tests, without the faults.
    files = sorted({test.partition("::")[0] for test in seen_by})
    parts = [part for part in (files[i::jobs] for i in range(jobs)) if part]
    work = [(None, None, part, list(seen_by)) for part in parts]
    ended = {}
    for _, some, _, seconds in results(work, jobs, root):
        ended |= some
        print(f"       {seconds:5.1f} s without faults: {len(some)} tests ({backend})")
    for test, fault in seen_by.items():
        # A test may be there by the fault alone, whose words are in its name.
        if not ended.get(test, True):
            number += 1
            print(f"WRONG  {test} fails without {told(fault)}")
    return number


def told(fault: Fault) -> str:
    tests = f"{fault.tests} -k '{fault.select}' ({fault.backend})"
    return f"{fault.path}: {fault.right!r} -> {fault.wrong!r}: {tests}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("patterns", nargs="*", default=[""], metavar="PATTERN")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()

    is_all_seen = True
    for backend in ("torch", "jax", "tensorflow"):
        faults = [
            fault
            for fault in FAULTS
            if fault.backend == backend
            and any(pattern in " ".join(fault) for pattern in arguments.patterns)
        ]
        if faults and not os.fork():  # a process has one backend
            number = 1
            try:
                with tempfile.TemporaryDirectory() as folder:
                    number = unseen(faults, backend, arguments.jobs, Path(folder))
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(number > 0)
        elif faults:
            is_all_seen &= os.wait()[1] == 0
    sys.exit(not is_all_seen)


if __name__ == "__main__":
    main()
