"""The names under which TensorFlow Addons saved its objects."""

import keras

register = keras.saving.register_keras_serializable(package="Addons")
