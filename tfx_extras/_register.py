"""One decorator makes a class or function loadable by name from a saved model."""

import keras

PACKAGE = "tfx_extras"

register = keras.saving.register_keras_serializable(package=PACKAGE)
