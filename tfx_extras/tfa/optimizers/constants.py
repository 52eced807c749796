"""The base of all optimizers."""

import keras

KerasLegacyOptimizer = keras.optimizers.Optimizer
