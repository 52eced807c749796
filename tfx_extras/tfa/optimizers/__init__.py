"""The optimizers of TensorFlow Addons."""

from tfx_extras.tfa.optimizers.adabelief import AdaBelief
from tfx_extras.tfa.optimizers.average_wrapper import AveragedOptimizerWrapper
from tfx_extras.tfa.optimizers.cocob import COCOB
from tfx_extras.tfa.optimizers.conditional_gradient import ConditionalGradient
from tfx_extras.tfa.optimizers.constants import KerasLegacyOptimizer
from tfx_extras.tfa.optimizers.cyclical_learning_rate import CyclicalLearningRate
from tfx_extras.tfa.optimizers.cyclical_learning_rate import (
    ExponentialCyclicalLearningRate,
)
from tfx_extras.tfa.optimizers.cyclical_learning_rate import (
    Triangular2CyclicalLearningRate,
)
from tfx_extras.tfa.optimizers.cyclical_learning_rate import (
    TriangularCyclicalLearningRate,
)
from tfx_extras.tfa.optimizers.discriminative_layer_training import MultiOptimizer
from tfx_extras.tfa.optimizers.lamb import LAMB
from tfx_extras.tfa.optimizers.lazy_adam import LazyAdam
from tfx_extras.tfa.optimizers.lookahead import Lookahead
from tfx_extras.tfa.optimizers.moving_average import MovingAverage
from tfx_extras.tfa.optimizers.novograd import NovoGrad
from tfx_extras.tfa.optimizers.proximal_adagrad import ProximalAdagrad
from tfx_extras.tfa.optimizers.rectified_adam import RectifiedAdam
from tfx_extras.tfa.optimizers.stochastic_weight_averaging import SWA
from tfx_extras.tfa.optimizers.weight_decay_optimizers import SGDW
from tfx_extras.tfa.optimizers.weight_decay_optimizers import AdamW
from tfx_extras.tfa.optimizers.weight_decay_optimizers import (
    DecoupledWeightDecayExtension,
)
from tfx_extras.tfa.optimizers.weight_decay_optimizers import (
    extend_with_decoupled_weight_decay,
)
from tfx_extras.tfa.optimizers.yogi import Yogi

__all__ = [
    "COCOB",
    "LAMB",
    "SGDW",
    "SWA",
    "AdaBelief",
    "AdamW",
    "AveragedOptimizerWrapper",
    "ConditionalGradient",
    "CyclicalLearningRate",
    "DecoupledWeightDecayExtension",
    "ExponentialCyclicalLearningRate",
    "KerasLegacyOptimizer",
    "LazyAdam",
    "Lookahead",
    "MovingAverage",
    "MultiOptimizer",
    "NovoGrad",
    "ProximalAdagrad",
    "RectifiedAdam",
    "Triangular2CyclicalLearningRate",
    "TriangularCyclicalLearningRate",
    "Yogi",
    "extend_with_decoupled_weight_decay",
]
