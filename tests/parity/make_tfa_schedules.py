"""Writes `goldens/tfa_schedules.npz`: the cyclical rates of TensorFlow Addons.

In the environment of `make_tfa.py`:

    .venv-tfa/bin/python -m tests.parity.make_tfa_schedules

Rates and steps are in float64. Users have integer steps, but TensorFlow Addons fails to
raise an integer to a power.
"""

import json

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

from tests.parity import inputs

# Step sizes that divide the steps, that do not divide them, and that put half cycles
# between two steps.
RATES = (
    {"initial_learning_rate": 0.125, "maximal_learning_rate": 0.75, "step_size": 10},
    {"initial_learning_rate": 0.01, "maximal_learning_rate": 0.4, "step_size": 7},
    {"initial_learning_rate": 1e-4, "maximal_learning_rate": 1e-2, "step_size": 12.5},
    {"initial_learning_rate": 0.3, "maximal_learning_rate": 0.02, "step_size": 6.3},
)
OWN = {
    "CyclicalLearningRate": [{"scale_fn": "waning"}],
    "TriangularCyclicalLearningRate": [{}],
    "Triangular2CyclicalLearningRate": [{}],
    "ExponentialCyclicalLearningRate": [{"gamma": 0.96}, {"gamma": 0.99994}],
}


def main():
    tf.keras.saving.register_keras_serializable("tests")(inputs.waning)
    steps = tf.constant(inputs.schedules()["steps"], "float64")
    cases, outputs = {}, {}
    for symbol, settings in OWN.items():
        cls = getattr(tfa.optimizers, symbol)
        for own in settings:
            for rates in RATES:
                for scale_mode in ("cycle", "iterations"):
                    arguments = rates | own | {"scale_mode": scale_mode}
                    name = f"{symbol}:{json.dumps(arguments)}"
                    given = dict(arguments)
                    if "scale_fn" in given:
                        given["scale_fn"] = inputs.waning
                    config = tf.keras.saving.serialize_keras_object(cls(**given))
                    cases[name] = {"arguments": arguments, "config": config}
                    for rate in ("initial_learning_rate", "maximal_learning_rate"):
                        given[rate] = np.float64(given[rate])
                    outputs[name] = {"rates": cls(**given)(steps).numpy()}
    versions = {"tensorflow": tf.__version__, "tensorflow-addons": tfa.__version__}
    inputs.save("tfa_schedules", versions, cases, outputs)


if __name__ == "__main__":
    main()
