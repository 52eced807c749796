"""Optimizers move weights like those of other libraries."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from tests import tools
from tests.parity import inputs
from tfx_extras.optimizers import ADOPT
from tfx_extras.optimizers import COCOB
from tfx_extras.optimizers import LAMB
from tfx_extras.optimizers import LARS
from tfx_extras.optimizers import SOAP
from tfx_extras.optimizers import AdaBelief
from tfx_extras.optimizers import AdamW
from tfx_extras.optimizers import Adan
from tfx_extras.optimizers import AdEMAMix
from tfx_extras.optimizers import Muon
from tfx_extras.optimizers import NovoGrad
from tfx_extras.optimizers import Prodigy
from tfx_extras.optimizers import RAdam
from tfx_extras.optimizers import Yogi
from tfx_extras.optimizers import muon

TFA = inputs.Golden("tfa")
TORCH = inputs.Golden("torch")
OPTAX = inputs.Golden("optax")
PYTORCH_OPTIMIZER = inputs.Golden("pytorch_optimizer")
PRODIGY_AND_SOAP = inputs.Golden("prodigy_and_soap")
# The largest error is 3e-10, at a beta_2 of 0.9, where our series for rho_t is cut off.
TOLERANCE = 1e-9
# Newer goldens, which are in float64, are compared on all backends, in these dtypes.
TOLERANCES = {"float64": TOLERANCE, "float32": 1e-5}
each_dtype = pytest.mark.parametrize("dtype", TOLERANCES)
on_all_backends = pytest.mark.only("tensorflow", "jax", "torch")
# The layout of each form of a kernel.
LAYOUTS = {"convolution": "iiio", "tall": "io", "wide": "io", "vector": None}
# The formulas are the same on all backends, and references test each backend.
HAS_GPU = len(tools.devices()) > 1
pytestmark = pytest.mark.only("torch", *([tools.BACKEND] if HAS_GPU else []))


def trajectory(optimizer, dtype, before_step=lambda step: None, columns=4):
    """The weights after each step of `inputs.STEPS`."""
    given = inputs.optimizers()
    weights = keras.Variable(given["start"][:, :columns].astype(dtype), dtype=dtype)
    recorded = []
    gradients = given["gradients"][:, :, :columns].astype(dtype)
    for step, gradient in enumerate(gradients, 1):
        before_step(step)
        optimizer.apply([ops.convert_to_tensor(gradient)], [weights])
        if step in inputs.STEPS:
            recorded.append(tools.array(weights))
    assert keras.backend.standardize_dtype(weights.dtype) == dtype
    return np.stack(recorded)


def kernel_trajectory(optimizer, form, dtype):
    """The weights of a kernel after each step of `inputs.KERNEL_STEPS`."""
    start, gradients = inputs.formed(form)
    weights = keras.Variable(start.astype(dtype), dtype=dtype)
    recorded = []
    for step, gradient in enumerate(gradients.astype(dtype), 1):
        optimizer.apply([ops.convert_to_tensor(gradient)], [weights])
        if step in inputs.KERNEL_STEPS:
            recorded.append(tools.array(weights))
    assert keras.backend.standardize_dtype(weights.dtype) == dtype
    return np.stack(recorded)


def assert_moves_alike(ours, theirs, tolerance, dtype=None, form=None, is_mixed=False):
    """Compares each weight, relative to its total movement so far, up and down.

    `form` is that of a kernel: see `inputs.formed`. With `is_mixed`, the movement is
    that of the weight which moved most.
    """
    dtype = dtype or theirs.dtype
    theirs = theirs.astype("float64")
    if form is None:
        start = inputs.optimizers()["start"][None, :, : theirs.shape[-1]]
        steps = inputs.STEPS
    else:
        start, steps = inputs.formed(form)[0][None], inputs.KERNEL_STEPS
    moved = np.cumsum(np.abs(np.diff(theirs, axis=0, prepend=start)), 0)
    if is_mixed:
        moved = moved.max(axis=tuple(range(1, moved.ndim)), keepdims=True)
    # Each library rounds a weight once per update, however little it moves.
    largest = np.maximum(np.abs(start), np.abs(theirs)) + moved
    steps = np.array(steps).reshape(-1, *[1] * (theirs.ndim - 1))
    rounding = steps * np.finfo(dtype).eps * largest
    excess = (np.abs(ours - theirs) - rounding) / np.maximum(moved, 1e-300)
    assert excess.max() <= tolerance


WIDE_TFA = [name for name in TFA.cases if TFA.cases[name].get("dtype") == "float64"]


def _of_tfa(name):
    ours = {"AdaBelief": AdaBelief, "RectifiedAdam": RAdam}[name.split(":")[0]]
    return ours(**TFA.cases[name]["arguments"])


@tools.each_device
@pytest.mark.parametrize("name", WIDE_TFA)
def test_optimizers_move_as_those_of_tensorflow_addons(name, device):
    with tools.wide(), keras.device(device):
        moves = trajectory(_of_tfa(name), "float64")
    assert_moves_alike(moves, TFA.arrays[f"{name}/weights"], TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", WIDE_TFA)
def test_optimizers_move_in_float32_as_those_of_tensorflow_addons(name, device):
    narrow = name.replace("float64", "float32")
    arguments = TFA.cases[narrow]["arguments"]
    assert arguments == TFA.cases[name]["arguments"]
    with keras.device(device):
        moves = trajectory(_of_tfa(name), "float32")
    # TensorFlow Addons is compared in float64 and in float32. In float32 it loses
    # digits of 1 - beta_2**t, and then of rho_t - 4. Its own two goldens differ by up
    # to 4.6e-3 in the first rectified step; ours in float32 differs from its float64
    # golden by less than 1e-6. With a beta_2 of 0.9, and without rectification, all
    # agree.
    assert_moves_alike(moves, TFA.arrays[f"{name}/weights"], 1e-6, "float32")
    loses = arguments.get("rectify", True) and arguments["beta_2"] > 0.99
    tolerance = 6e-3 if loses else 1e-5
    assert_moves_alike(moves, TFA.arrays[f"{narrow}/weights"], tolerance)


@tools.each_device
@pytest.mark.parametrize("name", TORCH.named("RAdam"))
def test_radam_moves_as_that_of_pytorch(name, device):
    arguments = TORCH.cases[name]["arguments"]
    beta_1, beta_2 = arguments["betas"]
    with tools.wide(), keras.device(device):
        optimizer = RAdam(
            arguments["lr"],
            beta_1,
            beta_2,
            weight_decay=arguments["weight_decay"],
        )

        def before_step(step):
            # PyTorch adds epsilon to the root of v before it corrects the bias of v, so
            # the correction also applies to epsilon.
            bias = -math.expm1(step * math.log(beta_2))
            optimizer.epsilon = arguments["eps"] / math.sqrt(bias)

        moves = trajectory(optimizer, "float64", before_step)
    assert_moves_alike(moves, TORCH.arrays[f"{name}/weights"], TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", OPTAX.named("adabelief"))
def test_plain_adabelief_moves_as_that_of_optax(name, device):
    arguments = OPTAX.cases[name]["arguments"]
    # In Optax, `eps_root` accumulates in the second moment and `eps` does not; our
    # epsilon does both.
    assert arguments["eps"] == arguments["eps_root"]
    with tools.wide(), keras.device(device):
        optimizer = AdaBelief(
            arguments["learning_rate"],
            arguments.get("b1", 0.9),
            arguments.get("b2", 0.999),
            arguments["eps"],
            rectify=False,
        )
        moves = trajectory(optimizer, "float64")
    assert_moves_alike(moves, OPTAX.arrays[f"{name}/weights"], TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", OPTAX.named("radam"))
def test_radam_moves_as_that_of_optax(name, device):
    arguments = OPTAX.cases[name]["arguments"]
    with tools.wide(), keras.device(device):
        optimizer = RAdam(
            arguments["learning_rate"],
            arguments.get("b1", 0.9),
            arguments.get("b2", 0.999),
            arguments["eps"],
            sma_threshold=arguments.get("threshold", 5.0),
        )
        moves = trajectory(optimizer, "float64")
    assert_moves_alike(moves, OPTAX.arrays[f"{name}/weights"], TOLERANCE)


def _arguments_of_optax(name, beta_2=0.999, epsilon=1e-6):
    """Arguments of ours, where Optax's differ from them only in their names."""
    given = OPTAX.cases[name]["arguments"]
    names = {"b1": "beta_1", "b2": "beta_2", "b3": "beta_3", "eps": "epsilon"}
    renamed = {names.get(key, key): value for key, value in given.items()}
    return {"beta_2": beta_2, "epsilon": epsilon} | renamed


@tools.each_device
@pytest.mark.parametrize("name", OPTAX.named("lamb") + OPTAX.named("novograd"))
def test_lamb_and_novograd_move_as_those_of_optax(name, device):
    with tools.wide(), keras.device(device):
        if name.startswith("lamb"):
            optimizer = LAMB(**_arguments_of_optax(name))
        else:
            # Optax's first gradient is that of step 1; ours is the first that is not 0.
            optimizer = NovoGrad(**_arguments_of_optax(name, beta_2=0.25))
        moves = trajectory(optimizer, "float64")
    assert_moves_alike(moves, OPTAX.arrays[f"{name}/weights"], TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", OPTAX.named("yogi"))
def test_yogi_moves_as_that_of_optax(name, device):
    arguments = _arguments_of_optax(name, epsilon=1e-3)
    with tools.wide(), keras.device(device):
        optimizer = Yogi(**arguments)
        # Optax starts the momentum at the initial value of the second moment.
        optimizer.initial_values = dict.fromkeys(optimizer.slots, 1e-6)

        def before_step(step):
            # Optax adds epsilon after the bias correction.
            bias = -math.expm1(step * math.log(optimizer.beta_2))
            optimizer.epsilon = arguments["epsilon"] * math.sqrt(bias)

        moves = trajectory(optimizer, "float64", before_step)
    assert_moves_alike(moves, OPTAX.arrays[f"{name}/weights"], TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", OPTAX.named("cocob"))
def test_cocob_moves_as_that_of_optax(name, device):
    with tools.wide(), keras.device(device):
        optimizer = COCOB(**OPTAX.cases[name]["arguments"])
        moves = trajectory(optimizer, "float64")
    assert_moves_alike(moves, OPTAX.arrays[f"{name}/weights"], TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", OPTAX.named("adamw") + OPTAX.named("ademamix"))
def test_adamw_and_ademamix_move_as_those_of_optax(name, device):
    cls = AdamW if name.startswith("adamw") else AdEMAMix
    with tools.wide(), keras.device(device):
        optimizer = cls(**_arguments_of_optax(name, epsilon=1e-8))
        moves = trajectory(optimizer, "float64")
    assert_moves_alike(moves, OPTAX.arrays[f"{name}/weights"], TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", OPTAX.named("adopt"))
def test_adopt_moves_as_that_of_optax(name, device):
    arguments = _arguments_of_optax(name, beta_2=0.9999)
    is_clipped = arguments.pop("use_clipping", True)
    with tools.wide(), keras.device(device):
        optimizer = ADOPT(clip_power=0.25 if is_clipped else None, **arguments)
        moves = trajectory(optimizer, "float64")
    theirs = OPTAX.arrays[f"{name}/weights"]
    # Where the first gradient is 0, Optax divides the next one by epsilon.
    begins = inputs.optimizers()["gradients"][0] != 0
    assert begins.sum() == 9
    moves = np.where(begins, moves, theirs)
    # Optax computes the limit of a gradient in float32.
    assert_moves_alike(moves, theirs, 1e-7 if is_clipped else TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", PYTORCH_OPTIMIZER.named("Adan"))
def test_adan_moves_as_that_of_pytorch_optimizer(name, device):
    arguments = PYTORCH_OPTIMIZER.cases[name]["arguments"]
    with tools.wide(), keras.device(device):
        optimizer = Adan(
            arguments["lr"],
            *arguments["betas"],
            arguments["eps"],
            proximal=not arguments["weight_decouple"],
            weight_decay=arguments["weight_decay"],
        )
        moves = trajectory(optimizer, "float64")
    theirs = PYTORCH_OPTIMIZER.arrays[f"{name}/weights"]
    assert_moves_alike(moves, theirs, TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", OPTAX.named("muon"))
def test_muon_moves_as_that_of_optax(name, device, monkeypatch):
    monkeypatch.setattr(muon, "EPSILON", 0.0)  # Optax corrects the bias of the norm
    arguments = OPTAX.cases[name]["arguments"]
    axes = arguments.get("muon_weight_dimension_numbers", [0, 1])
    with tools.wide(), keras.device(device):
        optimizer = Muon(
            arguments["learning_rate"],
            arguments.get("beta", 0.95),
            nesterov=False,
            ns_steps=arguments.get("ns_steps", 5),
            ns_coefficients=[arguments.get("ns_coeffs", [3.4445, -4.775, 2.0315])],
            scale="rms" if "consistent_rms" in arguments else "spectral",
            weight_decay=arguments.get("weight_decay"),
            layouts={".": "io" if axes == [0, 1] else "oi"},
        )
        moves = trajectory(optimizer, "float64")
    assert_moves_alike(moves, OPTAX.arrays[f"{name}/weights"], TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", OPTAX.named("lars"))
def test_lars_moves_as_that_of_optax(name, device):
    arguments = dict(OPTAX.cases[name]["arguments"])
    with tools.wide(), keras.device(device):
        optimizer = LARS(epsilon=arguments.pop("eps", 0.0), **arguments)
        moves = trajectory(optimizer, "float64")
    assert_moves_alike(moves, OPTAX.arrays[f"{name}/weights"], TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", PRODIGY_AND_SOAP.named("Prodigy"))
def test_prodigy_moves_as_that_of_its_authors(name, device):
    given = dict(PRODIGY_AND_SOAP.cases[name]["arguments"])
    betas = given.pop("betas", [0.9, 0.999])
    names = {"lr": "learning_rate", "beta3": "beta_3", "eps": "epsilon"}
    names |= {"use_bias_correction": "bias_correction"}
    arguments = {names.get(key, key): value for key, value in given.items()}
    estimates = []
    with tools.wide(), keras.device(device):
        optimizer = Prodigy(beta_1=betas[0], beta_2=betas[1], **arguments)

        def before_step(step):
            if step - 1 in inputs.STEPS:
                estimates.append(float(tools.array(optimizer._shared[0])))

        moves = trajectory(optimizer, "float64", before_step)
        estimates.append(float(tools.array(optimizer._shared[0])))
    theirs = PRODIGY_AND_SOAP.arrays[f"{name}/estimates"]
    assert theirs[-1] > 2 * theirs[0]
    np.testing.assert_allclose(estimates, theirs, rtol=TOLERANCE)
    moved = PRODIGY_AND_SOAP.arrays[f"{name}/weights"]
    assert_moves_alike(moves, moved, TOLERANCE)


@tools.each_device
@pytest.mark.parametrize("name", PRODIGY_AND_SOAP.named("SOAP"))
def test_soap_moves_as_that_of_pytorch_optimizer(name, device):
    arguments = PRODIGY_AND_SOAP.cases[name]["arguments"]
    with tools.wide(), keras.device(device):
        optimizer = SOAP(
            arguments["lr"],
            *arguments["betas"],
            arguments["shampoo_beta"],
            arguments["eps"],
            arguments["precondition_frequency"],
            arguments["max_precondition_dim"],
        )
        moves = trajectory(optimizer, "float64", columns=3)
    theirs = PRODIGY_AND_SOAP.arrays[f"{name}/weights"]
    # pytorch_optimizer decomposes in float32.
    tolerance = 1e-3 if arguments["precondition_frequency"] < 50 else TOLERANCE
    assert_moves_alike(moves, theirs, tolerance)


@on_all_backends
@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", TORCH.named("AdamW"))
def test_adamw_moves_as_that_of_pytorch(name, dtype, device):
    arguments = TORCH.cases[name]["arguments"]
    with tools.wide(), keras.device(device):
        optimizer = AdamW(
            arguments["lr"],
            *arguments["betas"],
            arguments["eps"],
            amsgrad=arguments["amsgrad"],
            weight_decay=arguments["weight_decay"],
        )
        moves = trajectory(optimizer, dtype)
    theirs = TORCH.arrays[f"{name}/weights"]
    assert_moves_alike(moves, theirs, TOLERANCES[dtype], dtype)


@on_all_backends
@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", PYTORCH_OPTIMIZER.named("AdEMAMix"))
def test_ademamix_warms_up_as_that_of_pytorch_optimizer(name, dtype, device):
    arguments = PYTORCH_OPTIMIZER.cases[name]["arguments"]
    with tools.wide(), keras.device(device):
        optimizer = AdEMAMix(
            arguments["lr"],
            *arguments.get("betas", [0.9, 0.999, 0.9999]),
            alpha=arguments.get("alpha", 5.0),
            warmup_steps=arguments["t_alpha_beta3"],
            epsilon=arguments.get("eps", 1e-8),
        )
        moves = trajectory(optimizer, dtype)
    theirs = PYTORCH_OPTIMIZER.arrays[f"{name}/weights"]
    assert_moves_alike(moves, theirs, TOLERANCES[dtype], dtype)


@on_all_backends
@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", PYTORCH_OPTIMIZER.named("NorMuon"))
def test_normuon_moves_as_that_of_pytorch_optimizer(name, dtype, device, monkeypatch):
    monkeypatch.setattr(muon, "EPSILON", 0.0)  # theirs is the least norm
    arguments = PYTORCH_OPTIMIZER.cases[name]["arguments"]
    form = arguments["form"]
    with tools.wide(), keras.device(device):
        optimizer = Muon(
            arguments["lr"],
            arguments["momentum"],
            variance_beta=arguments["beta2"],
            weight_decay=arguments["weight_decay"],
            layouts={".": LAYOUTS[form]},
        )
        moves = kernel_trajectory(optimizer, form, dtype)
    theirs = PYTORCH_OPTIMIZER.arrays[f"{name}/weights"]
    assert_moves_alike(moves, theirs, TOLERANCES[dtype], dtype, form)


@on_all_backends
@tools.each_device
@each_dtype
@pytest.mark.parametrize("name", PYTORCH_OPTIMIZER.named("centralize_gradient"))
def test_gradients_are_centralized_as_by_pytorch_optimizer(name, dtype, device):
    arguments = PYTORCH_OPTIMIZER.cases[name]["arguments"]
    form = arguments["form"]
    with tools.wide(), keras.device(device):
        optimizer = momentum(arguments, centralize_gradient=True)
        moves = kernel_trajectory(optimizer, form, dtype)
    theirs = PYTORCH_OPTIMIZER.arrays[f"{name}/weights"]
    assert_moves_alike(moves, theirs, TOLERANCES[dtype], dtype, form)


def momentum(arguments, **options):
    """SGD with momentum, which LARS is without adaptation."""
    return LARS(
        arguments["lr"],
        arguments["momentum"],
        layer_adaptation_exclude=["."],
        layouts={".": LAYOUTS[arguments["form"]]},
        **options,
    )
