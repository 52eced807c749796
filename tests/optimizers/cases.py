"""The optimizers, with the arguments and the reference that test each."""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from tests.references import optimizers as references
from tfx_extras import optimizers


@dataclass(frozen=True)
class OptimizerCase:
    """One configuration of one optimizer.

    `changes` are values that must change the result; together, the cases of a class
    change each of its hyperparameters. `invalid` are values that the class rejects; the
    first case of a class has some.
    """

    cls: type
    reference: Callable[..., Any]
    kwargs: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    invalid: tuple[dict[str, Any], ...] = ()
    # Hyperparameters that have no effect at a constant rate, or in the first updates,
    # with their own tests.
    tested_apart: tuple[str, ...] = ()
    # Whether weights move even with zero gradients.
    moves_alone: bool = False
    # How many times larger the rounding errors of float32 are than for other formulas.
    amplifies: float = 1.0

    def make(self, learning_rate=2.0**-6, **options):
        return self.cls(learning_rate, **self.kwargs, **options)

    def __str__(self):
        arguments = ",".join(f"{k}={v}" for k, v in self.kwargs.items())
        return f"{self.cls.__name__}({arguments})"


INVALID = (
    {"learning_rate": -1.0},
    {"beta_1": 1.0},
    {"beta_2": -0.1},
    {"epsilon": 0.0},
    {"epsilon": float("nan")},
    {"sma_threshold": 3.0},
    {"weight_decay": -0.1},
)

OPTIMIZERS = [
    OptimizerCase(
        optimizers.AdaBelief,
        references.adabelief,
        changes={"rectify": False, "sma_threshold": 20.0},
        invalid=INVALID,
    ),
    OptimizerCase(
        optimizers.AdaBelief,
        references.adabelief,
        {"rectify": False},
        changes={"beta_1": 0.8, "beta_2": 0.9},
    ),
    OptimizerCase(
        optimizers.AdaBelief,
        references.adabelief,
        {"epsilon": 0.1, "rectify": False},
        changes={"epsilon": 0.2},
    ),
    OptimizerCase(
        optimizers.AdaBelief,
        references.adabelief,
        {"amsgrad": True, "beta_2": 0.9, "sma_threshold": 4.0},
        changes={"amsgrad": False},
    ),
    OptimizerCase(
        optimizers.RAdam,
        references.radam,
        changes={"sma_threshold": 20.0},
        invalid=INVALID,
    ),
    OptimizerCase(
        optimizers.RAdam,
        references.radam,
        {"beta_1": 0.8, "beta_2": 0.99, "sma_threshold": 4.0},
        changes={"beta_1": 0.5, "beta_2": 0.9},
    ),
    OptimizerCase(
        optimizers.RAdam,
        references.radam,
        {"epsilon": 0.1},
        changes={"epsilon": 0.2},
    ),
    OptimizerCase(
        optimizers.RAdam,
        references.radam,
        {"amsgrad": True, "beta_2": 0.9},
        changes={"amsgrad": False},
    ),
    # The average never becomes long enough to be used.
    OptimizerCase(optimizers.RAdam, references.radam, {"beta_1": 0.0, "beta_2": 0.6}),
    OptimizerCase(optimizers.RAdam, references.radam, {"beta_2": 0.0}),
    OptimizerCase(
        optimizers.LAMB,
        references.lamb,
        changes={"beta_1": 0.5, "beta_2": 0.9, "layer_adaptation_exclude": ["kernel"]},
        invalid=(
            {"learning_rate": -1.0},
            {"beta_1": 1.0},
            {"beta_2": -0.1},
            {"epsilon": -0.1},
            {"max_trust_ratio": 0.0},
        ),
    ),
    OptimizerCase(
        optimizers.LAMB,
        references.lamb,
        {"epsilon": 0.1, "max_trust_ratio": 2.0**-8},
        changes={"epsilon": 0.0, "max_trust_ratio": 2.0**-9},
    ),
    OptimizerCase(optimizers.LAMB, references.lamb, {"epsilon": 0.0}),
    OptimizerCase(
        optimizers.Yogi,
        references.yogi,
        changes={
            "beta_1": 0.5,
            "beta_2": 0.9,
            "epsilon": 0.1,
            "initial_accumulator_value": 1.0,
        },
        invalid=(
            {"learning_rate": -1.0},
            {"beta_1": 1.0},
            {"beta_2": -0.1},
            {"epsilon": 0.0},
            {"initial_accumulator_value": -0.1},
            {"l1_regularization_strength": -0.1},
            {"l2_regularization_strength": -0.1},
            {"activation": "relu"},
        ),
    ),
    OptimizerCase(
        optimizers.Yogi,
        references.yogi,
        {
            "beta_1": 0.0,
            "beta_2": 0.5,
            "initial_accumulator_value": 1e-3,
            "l1_regularization_strength": 1e-3,
            "l2_regularization_strength": 0.1,
            "activation": "tanh",
        },
        changes={
            "l1_regularization_strength": 0.0,
            "l2_regularization_strength": 0.0,
            "activation": "sign",
        },
        moves_alone=True,
    ),
    OptimizerCase(
        optimizers.NovoGrad,
        references.novograd,
        changes={"beta_1": 0.5, "beta_2": 0.9, "grad_averaging": True},
        invalid=(
            {"learning_rate": -1.0},
            {"beta_1": 1.0},
            {"beta_2": -0.1},
            {"epsilon": 0.0},
        ),
        tested_apart=("rate_in_momentum",),
    ),
    OptimizerCase(
        optimizers.NovoGrad,
        references.novograd,
        {"amsgrad": True, "beta_2": 0.5, "epsilon": 0.1, "grad_averaging": True},
        changes={"amsgrad": False, "epsilon": 1.0, "grad_averaging": False},
    ),
    OptimizerCase(
        optimizers.ProximalAdagrad,
        references.proximal_adagrad,
        changes={"initial_accumulator_value": 1.0},
        invalid=(
            {"learning_rate": -1.0},
            {"initial_accumulator_value": 0.0},
            {"l1_regularization_strength": -0.1},
            {"l2_regularization_strength": -0.1},
        ),
    ),
    OptimizerCase(
        optimizers.ProximalAdagrad,
        references.proximal_adagrad,
        {"l1_regularization_strength": 0.01, "l2_regularization_strength": 0.1},
        changes={"l1_regularization_strength": 0.0, "l2_regularization_strength": 0.0},
        moves_alone=True,
    ),
    OptimizerCase(
        optimizers.COCOB,
        references.cocob,
        changes={"alpha": 10.0},
        invalid=({"learning_rate": -1.0}, {"alpha": 0.5}),
    ),
    OptimizerCase(
        optimizers.ConditionalGradient,
        references.conditional_gradient,
        changes={"radius": 2.0, "norm": "nuclear", "epsilon": 1.0},
        invalid=(
            {"learning_rate": 1.5},
            {"radius": 0.0},
            {"norm": "fro"},
            {"epsilon": 0.0},
        ),
        moves_alone=True,
    ),
    OptimizerCase(
        optimizers.ConditionalGradient,
        references.conditional_gradient,
        {"norm": "nuclear", "radius": 0.5},
        moves_alone=True,
    ),
    OptimizerCase(
        optimizers.LazyAdam,
        references.adam,
        changes={"beta_1": 0.5, "beta_2": 0.9},
        invalid=(
            {"learning_rate": -1.0},
            {"beta_1": 1.0},
            {"beta_2": -0.1},
            {"epsilon": 0.0},
        ),
    ),
    OptimizerCase(
        optimizers.LazyAdam,
        references.adam,
        {"amsgrad": True, "beta_2": 0.9, "epsilon": 0.1},
        changes={"amsgrad": False, "epsilon": 1.0},
    ),
    OptimizerCase(
        optimizers.AdamW,
        references.adamw,
        changes={
            "beta_1": 0.5,
            "beta_2": 0.9,
            "epsilon": 0.1,
            "nesterov": True,
            "weight_decay": 0.1,
        },
        invalid=(
            {"learning_rate": -1.0},
            {"beta_1": 1.0},
            {"beta_2": -0.1},
            {"epsilon": 0.0},
            {"weight_decay": -0.1},
        ),
        moves_alone=True,
    ),
    OptimizerCase(
        optimizers.AdamW,
        references.adamw,
        {"amsgrad": True, "nesterov": True, "beta_2": 0.5},
        changes={"amsgrad": False},
        moves_alone=True,
    ),
    OptimizerCase(
        optimizers.AdamW, references.adamw, {"beta_1": 0.0}, moves_alone=True
    ),
    OptimizerCase(
        optimizers.ADOPT,
        references.adopt,
        changes={"beta_1": 0.5, "beta_2": 0.9, "epsilon": 10.0, "clip_power": 0.5},
        invalid=(
            {"learning_rate": -1.0},
            {"beta_1": 1.0},
            {"beta_2": -0.1},
            {"epsilon": 0.0},
            {"clip_power": 0.0},
        ),
    ),
    OptimizerCase(optimizers.ADOPT, references.adopt, {"clip_power": None}),
    OptimizerCase(
        optimizers.AdEMAMix,
        references.ademamix,
        {"beta_3": 0.99, "warmup_steps": 5},
        changes={
            "beta_1": 0.5,
            "beta_2": 0.9,
            "beta_3": 0.95,
            "alpha": 2.0,
            "warmup_steps": 20,
            "epsilon": 0.1,
        },
        invalid=(
            {"learning_rate": -1.0},
            {"beta_1": 1.0},
            {"beta_2": -0.1},
            {"beta_3": 1.0},
            {"beta_3": 0.8},
            {"alpha": -1.0},
            {"warmup_steps": 0},
            {"epsilon": 0.0},
        ),
    ),
    OptimizerCase(
        optimizers.AdEMAMix, references.ademamix, {"beta_1": 0.0, "warmup_steps": 8}
    ),
    OptimizerCase(optimizers.AdEMAMix, references.ademamix),
    OptimizerCase(
        optimizers.Adan,
        references.adan,
        changes={"beta_1": 0.5, "beta_2": 0.5, "beta_3": 0.9, "epsilon": 0.1},
        invalid=(
            {"learning_rate": -1.0},
            {"beta_1": 1.0},
            {"beta_2": -0.1},
            {"beta_3": 1.0},
            {"epsilon": 0.0},
        ),
        tested_apart=("proximal",),
    ),
    OptimizerCase(optimizers.Adan, references.adan, {"proximal": False}),
    OptimizerCase(
        optimizers.LARS,
        references.lars,
        changes={
            "momentum": 0.5,
            "trust_coefficient": 0.1,
            "epsilon": 1.0,
            "nesterov": True,
            "layer_adaptation_exclude": ["kernel"],
        },
        invalid=(
            {"learning_rate": -1.0},
            {"momentum": 1.0},
            {"trust_coefficient": 0.0},
            {"epsilon": -0.1},
        ),
    ),
    OptimizerCase(
        optimizers.LARS,
        references.lars,
        {"momentum": 0.0, "trust_coefficient": 0.1, "epsilon": 0.1},
    ),
    OptimizerCase(
        optimizers.Muon,
        references.muon,
        changes={
            "momentum": 0.5,
            "nesterov": False,
            "ns_steps": 3,
            "ns_coefficients": "quintic",
            "scale": "spectral",
            "variance_beta": 0.5,
            "iteration_dtype": "bfloat16",
            "adam_exclude": ["."],
        },
        invalid=(
            {"learning_rate": -1.0},
            {"momentum": 1.0},
            {"ns_steps": 0},
            {"ns_coefficients": "schulz"},
            {"ns_coefficients": [(1.0, 2.0)]},
            {"ns_coefficients": []},
            {"scale": "adam"},
            {"variance_beta": 1.0},
            {"iteration_dtype": "int8"},
            {"adam_beta_1": 1.0},
            {"adam_beta_2": -0.1},
            {"adam_epsilon": 0.0},
            {"adam_learning_rate_factor": -1.0},
        ),
    ),
    OptimizerCase(
        optimizers.Muon,
        references.muon,
        {"variance_beta": 0.5, "nesterov": False, "ns_coefficients": "quintic"},
        changes={"variance_beta": 0.9},
    ),
    OptimizerCase(
        optimizers.Muon,
        references.muon,
        {
            "scale": "rms_to_rms",
            "ns_coefficients": [[2.0, -1.5, 0.5], [1.5, -0.5, 0.0]],
            "ns_steps": 3,
        },
        changes={"scale": "none", "ns_coefficients": [[1.5, -0.5, 0.0]]},
    ),
    OptimizerCase(
        optimizers.Muon,
        references.muon,
        {"adam_exclude": ["."], "adam_learning_rate_factor": 0.5},
        changes={
            "adam_beta_1": 0.5,
            "adam_beta_2": 0.5,
            "adam_epsilon": 0.1,
            "adam_learning_rate_factor": 0.25,
        },
    ),
    # The columns of the gradients differ by factors of 100, so the eigenvalues of their
    # covariances differ by factors of 10^4. In float32, the eigenvectors of the least
    # ones have few correct digits.
    OptimizerCase(
        optimizers.SOAP,
        references.soap,
        {"max_size": 3, "frequency": 3},
        changes={
            "beta_1": 0.5,
            "beta_2": 0.9,
            "basis_beta": 0.5,
            "epsilon": 0.1,
            "frequency": 1,
            "max_size": 2,
        },
        invalid=(
            {"learning_rate": -1.0},
            {"beta_1": 1.0},
            {"beta_2": -0.1},
            {"basis_beta": 1.0},
            {"epsilon": 0.0},
            {"frequency": 0},
            {"max_size": 0},
        ),
        amplifies=5e3,
    ),
    OptimizerCase(optimizers.SOAP, references.soap, amplifies=1e4),
    OptimizerCase(
        optimizers.SOAP,
        references.soap,
        {"frequency": 1, "basis_beta": 0.8, "beta_1": 0.5},
        amplifies=1e4,
    ),
    OptimizerCase(optimizers.SOAP, references.soap, {"max_size": 2}),
    OptimizerCase(
        optimizers.Prodigy,
        references.prodigy,
        {"d0": 2.0**-6, "d_coef": 32.0},
        changes={
            "beta_1": 0.5,
            "beta_2": 0.9,
            "epsilon": 0.1,
            "d0": 2.0**-5,
            "bias_correction": True,
        },
        invalid=(
            {"learning_rate": -1.0},
            {"beta_1": 1.0},
            {"beta_2": -0.1},
            {"beta_3": 1.0},
            {"epsilon": 0.0},
            {"d0": 0.0},
            {"d_coef": 0.0},
            {"growth_rate": 0.5},
        ),
        tested_apart=("beta_3", "d_coef", "growth_rate", "safeguard_warmup"),
    ),
    OptimizerCase(
        optimizers.Prodigy,
        references.prodigy,
        {"d0": 2.0**-6, "d_coef": 32.0, "growth_rate": 1.02},
    ),
    OptimizerCase(
        optimizers.Prodigy,
        references.prodigy,
        {
            "d0": 2.0**-6,
            "d_coef": 4.0,
            "safeguard_warmup": True,
            "bias_correction": True,
        },
    ),
    OptimizerCase(optimizers.Prodigy, references.prodigy),
]
