"""What the tutorials of TensorFlow Addons show, on data that is made up.

It is written for `tensorflow_addons`: a test migrates it, and trains.
"""

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa
from tensorflow_addons.losses import TripletSemiHardLoss

EPOCHS = 12
rng = np.random.default_rng(0)
y_train = rng.integers(0, 4, 64)
x_train = (np.eye(4, 8)[y_train] + rng.normal(0, 0.2, (64, 8))).astype("float32")


def classifier():
    return tf.keras.Sequential(
        [
            tf.keras.layers.Input((8,)),
            tf.keras.layers.Dense(16, activation="relu", name="hidden"),
            tf.keras.layers.Dense(4, name="logits"),
        ]
    )


def train(optimizer, model=None, loss=None):
    model = model or classifier()
    loss = loss or tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss)
    history = model.fit(x_train, y_train, batch_size=32, epochs=EPOCHS, verbose=0)
    return history.history["loss"]


def weight_decay():
    step = tf.Variable(0, trainable=False)
    schedule = tf.optimizers.schedules.PiecewiseConstantDecay(
        [10, 20], [1e-0, 1e-1, 1e-2]
    )
    optimizer = tfa.optimizers.AdamW(
        learning_rate=1e-2, weight_decay=lambda: 1e-4 * schedule(step)
    )
    return train(optimizer)


def ranger():
    radam = tfa.optimizers.RectifiedAdam(
        lr=1e-2, total_steps=24, warmup_proportion=0.1, min_lr=1e-3
    )
    return train(tfa.optimizers.Lookahead(radam, sync_period=6, slow_step_size=0.5))


def triplets():
    embedder = tf.keras.Sequential(
        [
            tf.keras.layers.Input((8,)),
            tf.keras.layers.Dense(4, activation=None),
            tf.keras.layers.Lambda(lambda x: tf.math.l2_normalize(x, axis=1)),
        ]
    )
    optimizer = tfa.optimizers.LazyAdam(0.01)
    return train(optimizer, embedder, TripletSemiHardLoss())


def averaged():
    model = classifier()
    optimizer = tfa.optimizers.SWA(
        tf.keras.optimizers.SGD(0.1), start_averaging=4, average_period=2
    )
    losses = train(optimizer, model)
    optimizer.assign_average_vars(model.variables)
    return [*losses, model.evaluate(x_train, y_train, verbose=0)]


def cyclical():
    rate = tfa.optimizers.TriangularCyclicalLearningRate(
        initial_learning_rate=1e-3,
        maximal_learning_rate=1e-1,
        step_size=8,
        scale_mode="cycle",
    )
    return train(
        tfa.optimizers.SGDW(learning_rate=rate, weight_decay=1e-4, momentum=0.9)
    )


def layer_by_layer():
    model = classifier()
    optimizers = [
        tf.keras.optimizers.Adam(learning_rate=1e-3),
        tf.keras.optimizers.Adam(learning_rate=1e-2),
    ]
    pairs = [(optimizers[0], model.layers[0]), (optimizers[1], model.layers[1:])]
    return train(tfa.optimizers.MultiOptimizer(pairs), model)


def by_hand():
    model, optimizer = classifier(), tfa.optimizers.NovoGrad(1e-2)
    losses = []
    for _ in range(EPOCHS):
        with tf.GradientTape() as tape:
            logits = model(x_train, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(y_train, logits)
            )
        optimizer.minimize(loss, model.trainable_variables, tape=tape)
        losses.append(float(loss))
    return losses


TUTORIALS = [
    weight_decay,
    ranger,
    triplets,
    averaged,
    cyclical,
    layer_by_layer,
    by_hand,
]

if __name__ == "__main__":
    for tutorial in TUTORIALS:
        tf.keras.utils.set_random_seed(0)
        losses = tutorial()
        print(f"{tutorial.__name__}: {losses[0]:.3f} -> {losses[-1]:.3f}")
