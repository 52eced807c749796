"""What holds for the public interface."""

import builtins
import inspect
import re
from pathlib import Path

import keras
import pytest

import tfx_extras
from tests.cases import LOSSES
from tests.cases import OPTIMIZERS
from tests.cases import SCHEDULES
from tests.cases import WRAPPERS
from tests.cases import each_class
from tfx_extras import callbacks
from tfx_extras import layers
from tfx_extras import losses
from tfx_extras import metrics
from tfx_extras import models
from tfx_extras import optimizers
from tfx_extras import schedules
from tfx_extras import tfa
from tfx_extras import utils
from tfx_extras._typed import arguments_of

# Public names without cases: helpers, options and the base.
TOOLS = {
    *("epochs", "plot", "weigh_unlabeled"),
    "effective_number_weights",  # tests/losses/classification/test_long_tailed.py
    "evidential_moments",  # tests/losses/regression/test_forecasts.py
    "ordinal_probabilities",  # tests/losses/classification/test_ordinal.py
    "sequence_log_probabilities",  # tests/losses/classification/test_preference.py
    "signed_distances",  # tests/losses/vision/test_boundary.py
    *("kernel_layouts", "layer_wise_decay", "update_batch_norm"),
    *("find_learning_rate", "LearningRates"),  # tests/schedules/test_range_test.py
    *("LossOptions", "OptimizerOptions"),
    "Optimizer",  # the base: tests/optimizers/test_base.py
}
# These have no formula of their own: a sum of losses (tests/losses/test_combined.py),
# parameter groups (tests/optimizers/test_parameter_groups.py), presets of two
# optimizers, and layers. A model is trained in tests/models.
PRESETS = {"Ranger", "ScheduleFreeAdamW", "ScheduleFreeRAdam", "ScheduleFreeSGD"}
WITHOUT_CASES = {
    "CombinedLoss",
    "ParameterGroups",
    *PRESETS,
    "ChunkedLinearCrossentropy",
    "Coral",  # tests/layers/test_coral.py
    "CosineDense",  # tests/layers/test_cosine_dense.py
    *("AdaFace", "CurricularFace"),  # tests/layers/test_faces.py
    "CrossBatchMemory",  # tests/layers/test_cross_batch_memory.py
    *("DINOCenter", "UncertaintyWeighting"),  # tests/layers
    "SharpnessAware",
    *("RecallAtK", "MeanAveragePrecisionAtR"),  # tests/metrics/test_retrieval.py
    "BalancedBatches",  # tests/utils/test_balanced.py
}
# These functions have neither a class nor a case: `sparsemax` and `nearest` are no
# losses. The others have a layer instead: one takes arguments that Keras does not pass
# to a loss, and the other a center that training updates.
WITHOUT_CLASSES = {
    "sparsemax",  # tests/losses/classification/test_sparsemax.py
    "chunked_linear_crossentropy",  # tests/losses/classification/test_chunked.py
    "dino_loss",  # tests/losses/embedding/test_dino.py
    "nearest",  # tests/utils/test_nearest.py
}
UNREGISTERED = {"BalancedBatches"}  # no part of a model, so not saved with one
PACKAGES = [layers, losses, metrics, models, optimizers, schedules, utils]
PUBLIC = [
    (package, name)
    for package in PACKAGES
    for name in package.__all__
    if name not in TOOLS
]
each_public = pytest.mark.parametrize(
    ("package", "name"), PUBLIC, ids=[name for _, name in PUBLIC]
)
# The pages where users choose, read what is new and see curves, with the names that
# they need not show.
PLACES = [
    ("README.md", PACKAGES, set()),
    ("CHANGELOG.md", PACKAGES, set()),
    ("docs/guides/losses.md docs/guides/metric_learning.md", [losses], set()),
    ("docs/guides/optimizers.md", [models, optimizers, schedules], set()),
    ("docs/figures/losses.py", [losses], {"CombinedLoss"}),
    ("docs/figures/train.py", [optimizers], {"ParameterGroups"}),
    ("docs/figures/schedules.py", [schedules], set()),
]


def test_every_public_object_has_a_case():
    listed = {case.cls.__name__ for case in [*OPTIMIZERS, *WRAPPERS]}
    for case in [*LOSSES, *SCHEDULES]:
        listed |= {case.cls.__name__, case.function.__name__}
    public = {name for _, name in PUBLIC}
    missing = public - listed - WITHOUT_CASES - WITHOUT_CLASSES
    assert not missing, (
        f"{sorted(missing)}: a case is missing in tests/optimizers/cases.py, "
        "tests/losses/cases/ROOM/NAME.py or tests/schedules/cases.py"
    )
    assert listed | WITHOUT_CASES | WITHOUT_CLASSES == public


@each_public
def test_every_public_object_is_registered_under_its_name(package, name):
    obj = getattr(package, name)
    if name in UNREGISTERED:
        assert not hasattr(obj, "get_config")
        return
    assert obj.__name__ == name
    assert keras.saving.get_registered_name(obj) == f"tfx_extras>{name}"
    assert keras.saving.get_registered_object(f"tfx_extras>{name}") is obj


@each_public
def test_every_function_has_its_class_and_shares_its_arguments(package, name):
    obj = getattr(package, name)
    if package is optimizers or not inspect.isfunction(obj) or name in WITHOUT_CLASSES:
        return
    (cls,) = (
        c
        for c in vars(package).values()
        if inspect.isclass(c) and getattr(c, "function", None) is obj
    )
    inputs = 2 if package is losses else 1
    own = list(inspect.signature(obj).parameters.values())[inputs:]
    # The class gets the weights when it is called.
    own = [p for p in own if p.name != "sample_weight"]
    bound = list(inspect.signature(cls).parameters.values())
    bound = [p for p in bound if p.kind is not p.VAR_KEYWORD]
    assert [(p.name, p.default) for p in own] == [(p.name, p.default) for p in bound]


@pytest.mark.parametrize(
    ("paths", "packages", "without"), PLACES, ids=[paths for paths, _, _ in PLACES]
)
def test_every_class_is_named_where_users_look(paths, packages, without):
    root = Path(__file__).parents[2]
    text = "".join((root / path).read_text() for path in paths.split())
    missing = [
        name
        for package, name in PUBLIC
        if package in packages and inspect.isclass(getattr(package, name))
        if name not in without and not re.search(rf'[`"]{name}\b', text)
    ]
    assert not missing, f"{' or '.join(paths.split())} must name {missing}"


@pytest.mark.parametrize("package", [*PACKAGES, callbacks])
def test_nothing_else_is_public(package):
    visible = {n for n in vars(package) if not n.startswith("_")}
    modules = {n for n in visible if inspect.ismodule(getattr(package, n))}
    # With `import *` they would shadow Python's builtins.
    lookup = {"get", "list"} & visible
    assert visible - modules == set(package.__all__) | lookup


@pytest.mark.parametrize("package", [*PACKAGES, callbacks, tfa.losses, tfa.optimizers])
def test_a_star_import_replaces_nothing_of_python(package):
    assert not vars(builtins).keys() & set(package.__all__)
    assert "get" not in package.__all__


def test_options_are_those_of_keras_and_our_own():
    base = next(
        cls
        for cls in keras.optimizers.Optimizer.__mro__
        if cls.__name__ == "BaseOptimizer"
    )
    taken = set(inspect.signature(base.__init__).parameters)
    taken -= {"self", "learning_rate", "kwargs"}
    ours = set(optimizers.OptimizerOptions.__annotations__)
    own = {"independent_decay", "weight_decay_exclude"}
    own |= {"skip_nonfinite", "max_consecutive_skips", "jit_compile"}
    own |= {"adaptive_clip", "adaptive_clip_exclude", "centralize_gradient", "layouts"}
    own |= {"cautious", "cautious_decay", "corrected_decay"}
    assert ours == taken | own
    taken = set(inspect.signature(keras.losses.Loss.__init__).parameters) - {"self"}
    assert set(losses.LossOptions.__annotations__) == taken
    for options in (optimizers.OptimizerOptions, losses.LossOptions):
        for name in options.__annotations__:
            assert f"{name}:" in options.__doc__


def test_top_level_is_eight_packages_and_a_version():
    names = ["callbacks", "layers", "losses", "metrics", "models", "optimizers"]
    names += ["schedules", "utils"]
    assert tfx_extras.__all__ == names
    assert tfx_extras.__version__.count(".") == 2


# The attributes that users read or call, beyond constructor arguments and Keras's own,
# and those that subclasses of `Optimizer` define.
FOR_USERS = {
    *("function", "decays_inside", "has_fast_paths", "initial_values", "penalized"),
    *("coefficients", "is_elementwise", "move", "scalar_slots", "slots", "update"),
    *("estimate", "estimated_learning_rate", "shared_values", "slot_shape", "totals"),
    *("skipped", "skipped_in_a_row", "rule_optimizers", "has_average", "swap"),
    *("after", "assign_average", "before", "is_swapped"),
    *("has_norms", "slot_shape", "squared_norms"),
}


@each_class([*LOSSES, *OPTIMIZERS, *SCHEDULES, *WRAPPERS])
def test_completion_shows_what_users_need(case):
    """All internal names begin with an underscore."""
    made = case.make()
    bases = {
        keras.losses.Loss: keras.losses.Loss,
        keras.optimizers.Optimizer: keras.optimizers.SGD,
        (schedule := keras.optimizers.schedules.LearningRateSchedule): schedule,
    }
    (like,) = (like for base, like in bases.items() if isinstance(made, base))
    of_keras = dir(like())
    arguments = arguments_of(type(made))
    shown = {name for name in dir(made) if not name.startswith("_")}
    assert shown - {*of_keras, *arguments} <= FOR_USERS
