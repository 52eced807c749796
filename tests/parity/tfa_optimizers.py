"""What TensorFlow Addons' optimizers and ours are both asked to do; NumPy only.

Each case trains a kernel and a bias. Its gradients are dense, or the gradient of the
kernel is sparse: it names some of the rows, one of them twice.
"""

from typing import Any

import numpy as np

STEPS = (1, 2, 6, 10, 50)
ALL = ("dense", "sparse")
DENSE = ("dense",)
LR = 2.0**-6
BETAS = {"beta_1": float(np.float32(0.9)), "beta_2": float(np.float32(0.999))}
ADAM = {"learning_rate": LR} | BETAS
# At first only the gradient's direction matters; the first rectified step is the 6th.
SHORT = ADAM | {"beta_2": float(np.float32(0.9)), "beta_1": 0.5}
FALLING = ["ExponentialDecay", {"initial_learning_rate": 2.0**-5} | {
    "decay_steps": 16, "decay_rate": 0.5}]  # fmt: skip
FALLING_DECAY = ["PiecewiseConstantDecay", {
    "boundaries": [3, 9], "values": [2.0**-6, 2.0**-5, 2.0**-7]}]  # fmt: skip
SGD = ["SGD", {"learning_rate": LR}]
MOMENTUM = ["SGD", {"learning_rate": LR, "momentum": 0.875}]
RADAM = ["RectifiedAdam", SHORT]
WARMUP = {"total_steps": 40, "warmup_proportion": 0.25, "min_lr": 2.0**-10}
DECAY = 2.0**-5

CASES = {
    "RectifiedAdam": {
        "default": ADAM,
        "short": SHORT | {"sma_threshold": 4.0, "epsilon": 2.0**-10},
        "decay, amsgrad": SHORT | {"weight_decay": DECAY, "amsgrad": True},
        "decay by schedule": SHORT | {"weight_decay": FALLING_DECAY},
        "schedule": SHORT | {"learning_rate": FALLING, "weight_decay": DECAY},
        "warm-up": SHORT | WARMUP,
        "warm-up, decay": SHORT | WARMUP | {"weight_decay": DECAY},
        "clipnorm": SHORT | {"clipnorm": 1.0},
        "clipvalue": SHORT | {"clipvalue": 0.25},
        "global_clipnorm": SHORT | {"global_clipnorm": 1.0},
        "time decay": SHORT | {"decay": 2.0**-4},
        "time decay, warm-up": SHORT | WARMUP | {"decay": 2.0**-4},
    },
    "AdaBelief": {
        "default": ADAM,
        "short, epsilon": SHORT | {"epsilon": 2.0**-10},
        "plain": SHORT | {"rectify": False, "weight_decay": DECAY},
        "decay, amsgrad": SHORT | {"weight_decay": DECAY, "amsgrad": True},
        "warm-up": SHORT | WARMUP,
        "schedule, clipnorm": SHORT | {"learning_rate": FALLING, "clipnorm": 1.0},
    },
    "LAMB": {
        "default": ADAM,
        "decay": SHORT | {"weight_decay": DECAY},
        "without the bias": SHORT
        | {"weight_decay": DECAY, "exclude_from_weight_decay": ["bias"]},
        "without layers": SHORT
        | {"weight_decay": DECAY, "exclude_from_layer_adaptation": ["kern"]},
        "schedule, epsilon": SHORT | {"learning_rate": FALLING, "epsilon": 2.0**-4},
        "clipvalue": SHORT | {"clipvalue": 0.25},
    },
    "LazyAdam": {
        "default": ADAM,
        "short, epsilon": SHORT | {"epsilon": 2.0**-10},
        "schedule": SHORT | {"learning_rate": FALLING},
        "amsgrad": (DENSE, SHORT | {"amsgrad": True}),
        "clipnorm": SHORT | {"clipnorm": 1.0},
    },
    "NovoGrad": {
        "default": ADAM,
        "decay": SHORT | {"weight_decay": DECAY},
        "averaging": SHORT | {"grad_averaging": True, "weight_decay": DECAY},
        "amsgrad": (DENSE, SHORT | {"amsgrad": True}),
        "schedule": SHORT | {"learning_rate": FALLING},
        "clipnorm, epsilon": SHORT | {"clipnorm": 1.0, "epsilon": 2.0**-4},
    },
    "ProximalAdagrad": {
        "default": {"learning_rate": LR, "initial_accumulator_value": 0.125},
        "l1": {"learning_rate": LR, "initial_accumulator_value": 0.125}
        | {"l1_regularization_strength": 2.0**-4},
        "l1, l2": {"learning_rate": LR, "initial_accumulator_value": 0.5}
        | {"l1_regularization_strength": 2.0**-4}
        | {"l2_regularization_strength": 2.0**-3},
        "schedule": {"learning_rate": FALLING, "initial_accumulator_value": 0.125},
    },
    "AdamW": {
        "default": ADAM | {"weight_decay": 2.0**-8},
        "without the bias": SHORT
        | {"weight_decay": DECAY, "exclude_from_weight_decay": ["bias"]},
        "amsgrad, epsilon": SHORT
        | {"weight_decay": DECAY, "amsgrad": True, "epsilon": 2.0**-10},
        "schedules": SHORT
        | {"weight_decay": FALLING_DECAY, "learning_rate": FALLING},
        "clipnorm": SHORT | {"weight_decay": DECAY, "clipnorm": 1.0},
        "time decay": SHORT | {"weight_decay": DECAY, "decay": 2.0**-4},
    },
    "SGDW": {
        "default": (DENSE, {"learning_rate": LR, "weight_decay": DECAY}),
        "momentum": MOMENTUM[1] | {"weight_decay": DECAY},
        "nesterov": MOMENTUM[1] | {"weight_decay": DECAY, "nesterov": True},
        "without the bias": MOMENTUM[1]
        | {"weight_decay": DECAY, "exclude_from_weight_decay": ["bias"]},
        "schedules": MOMENTUM[1]
        | {"weight_decay": FALLING_DECAY, "learning_rate": FALLING},
        "clipvalue": MOMENTUM[1] | {"weight_decay": DECAY, "clipvalue": 0.25},
    },
    "extended Adam": {"decay": SHORT | {"weight_decay": DECAY}},
    "extended SGD": {"momentum": MOMENTUM[1] | {"weight_decay": DECAY}},
    "extended RMSprop": {
        "decay": {"learning_rate": LR, "rho": 0.875, "weight_decay": DECAY}
        # Keras 3 adds epsilon inside the root.
        | {"epsilon": 2.0**-60},
        "momentum, centered": {"learning_rate": LR, "rho": 0.875}
        | {"weight_decay": DECAY, "momentum": 0.5, "centered": True},
    },
    "extended Adagrad": {"decay": {"learning_rate": LR, "weight_decay": DECAY}},
    "Yogi": {
        "default": {"learning_rate": LR, "beta1": BETAS["beta_1"]}
        | {"beta2": BETAS["beta_2"], "initial_accumulator_value": 2.0**-20},
        "tanh": {"learning_rate": LR, "beta1": 0.5, "beta2": 0.875}
        | {"activation": "tanh", "initial_accumulator_value": 2.0**-20},
        "l1, l2": {"learning_rate": LR, "beta1": 0.5, "beta2": 0.875}
        | {"l1_regularization_strength": 2.0**-4}
        | {"l2_regularization_strength": 2.0**-3}
        | {"initial_accumulator_value": 2.0**-2},
        "without momentum": {"learning_rate": LR, "beta1": 0.0, "beta2": 0.875}
        | {"initial_accumulator_value": 2.0**-20},
        "schedule, epsilon": {"learning_rate": FALLING, "beta1": 0.5, "beta2": 0.875}
        | {"epsilon": 2.0**-4, "initial_accumulator_value": 2.0**-20},
    },
    "COCOB": {"default": (DENSE, {}), "alpha": (DENSE, {"alpha": 4})},
    "ConditionalGradient": {
        "fro": {"learning_rate": 0.96875, "lambda_": 0.5, "ord": "fro"},
        "fro, epsilon": {"learning_rate": 0.75, "lambda_": 2.0, "ord": "fro"}
        | {"epsilon": 0.25},
        "nuclear": {"learning_rate": 0.96875, "lambda_": 0.5, "ord": "nuclear"},
        "clipvalue": {"learning_rate": 0.96875, "lambda_": 0.5, "clipvalue": 0.25},
    },
    "Lookahead": {
        "SGD": (DENSE, {"optimizer": SGD}),
        "momentum": {"optimizer": MOMENTUM, "sync_period": 3, "slow_step_size": 0.25},
        "RectifiedAdam": {"optimizer": RADAM, "sync_period": 5},
        "AdamW": {"optimizer": ["AdamW", SHORT | {"weight_decay": DECAY}]},
    },
    "MovingAverage": {
        "SGD": {"optimizer": SGD, "average_decay": 0.875},
        "start": {"optimizer": RADAM, "average_decay": 0.875, "start_step": 5},
        "dynamic": {"optimizer": MOMENTUM, "average_decay": 0.75}
        | {"dynamic_decay": True},
        "dynamic, start": {"optimizer": MOMENTUM, "average_decay": 0.75}
        | {"dynamic_decay": True, "start_step": 5},
        "updates": {"optimizer": SGD, "average_decay": 0.875, "num_updates": 6},
    },
    "SWA": {
        "default": {"optimizer": SGD},
        "start": {"optimizer": RADAM, "start_averaging": 5, "average_period": 3},
    },
    "MultiOptimizer": {
        "two": {"optimizers_and_layers": [[RADAM, "the kernel"], [SGD, "the bias"]]},
    },
}  # fmt: skip
NARROW = ("SWA",)  # fails in float64
# Cases in which TensorFlow Addons is wrong, and how.
FAULTS = {
    "extended:LAMB": (
        ["extended LAMB", SHORT | {"weight_decay": DECAY}],
        ALL,
        "decays a second time, in the formula of LAMB",
    ),
    "SGDW:sparse": (["SGDW", CASES["SGDW"]["default"][1]], ("sparse",), "no decay"),
    "LazyAdam:sparse": (
        ["LazyAdam", CASES["LazyAdam"]["amsgrad"][1]],
        ("sparse",),
        "not amsgrad",
    ),
    "MultiOptimizer:overlap": (
        [
            "MultiOptimizer",
            {"optimizers_and_layers": [[SGD, "the kernel"], [SGD, "the kernel"]]},
        ],
        DENSE,
        "the kernel moves twice, the bias never",
    ),
}


def cases() -> dict[str, dict[str, Any]]:
    """What to build, and the modes and dtypes of its gradients, by name."""
    described = {}
    for symbol, settings in CASES.items():
        for title, case in settings.items():
            modes, arguments = case if isinstance(case, tuple) else (ALL, case)
            dtypes = ["float32"] if symbol in NARROW else ["float32", "float64"]
            build = [symbol, arguments]
            described[f"{symbol}:{title}"] = {
                "build": build,
                "modes": modes,
                "dtypes": dtypes,
            }
    for name, (build, modes, fault) in FAULTS.items():
        described[name] = {
            "build": build,
            "modes": modes,
            "dtypes": ["float64"],
            "fault": fault,
        }
    return described


def made(described: Any, named) -> Any:
    """Builds an object that is described by the name of a class and its arguments.

    Args:
        described: `["SGD", {"learning_rate": 1.0}]`, which may be nested in arguments
            or lists.
        named: Function from a name, such as `"SGD"` or `"the kernel"`, to its object.
    """
    if isinstance(described, str) and described.startswith("the "):
        return named(described)
    if not isinstance(described, list | tuple):
        return described
    match described:
        case [str(name), dict(arguments)]:
            return named(name)(**{k: made(v, named) for k, v in arguments.items()})
    return [made(item, named) for item in described]


def given() -> dict[str, np.ndarray]:
    """Weights, and 50 gradients: dense, or of three rows, of which two are often equal.

    The last row appears first in step 8.
    """
    random = np.random.default_rng(2302)

    def normal(*shape, scale=1.0):
        return np.round(random.standard_normal(shape) * 1024) / 1024 * scale

    gradients = normal(50, 4, 3, scale=np.exp2(random.integers(-6, 3, (50, 4, 3))))
    gradients[:3, 0, 0] = 0  # the second moment is still 0 while steps are counted
    rows = random.integers(0, 4, (50, 3))
    rows[:7] %= 3
    rows[:, 1] = rows[:, 0]
    return {
        "kernel": normal(4, 3, scale=0.25),
        "bias": normal(3, scale=0.25),
        "gradients": gradients,
        "bias_gradients": normal(50, 3),
        "rows": rows,
        "slices": gradients[:, :3].copy(),
    }


def record(mode: str, apply, read) -> np.ndarray:
    """Kernel and bias after the recorded steps, flattened and concatenated.

    Args:
        mode: Whether the gradient of the kernel is dense or sparse.
        apply: Function of the gradient of the kernel (or of its rows), the numbers of
            these rows, and the gradient of the bias.
        read: Function that returns the numbers to record.
    """
    start = given()
    recorded = []
    for step in range(1, STEPS[-1] + 1):
        i = step - 1
        if mode == "dense":
            apply(start["gradients"][i], None, start["bias_gradients"][i])
        else:
            apply(start["slices"][i], start["rows"][i], start["bias_gradients"][i])
        if step in STEPS:
            recorded.append(np.concatenate([np.ravel(x) for x in read()]))
    return np.stack(recorded)
