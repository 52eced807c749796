"""The base class of all optimizers."""

import keras

KerasLegacyOptimizer = keras.optimizers.Optimizer
