"""Registers objects by the names that TensorFlow Addons saved them with."""

import keras

register = keras.saving.register_keras_serializable(package="Addons")
