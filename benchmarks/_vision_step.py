"""Losses of images on one backend, forward and backward, for `vision_losses.py`."""

import numpy as np
from _server import serve

# The shape of the predictions, and what else computes the loss on TensorFlow.
LOSSES = {
    "lovasz_hinge_loss": ((4, 256, 256, 1), None),
    "ssim_loss": ((4, 256, 256, 3), "tf.image.ssim"),
}


def make(package, name, side=None):
    """A loss, and its gradient with respect to the predictions, as one step."""
    import keras

    from tfx_extras import losses

    (batch, *sides, channels), _ = LOSSES[name]
    shape = (batch, *(side or each for each in sides), channels)
    random = np.random.default_rng(0)
    if name == "ssim_loss":
        y, x = random.random((2, *shape), "float32")
    else:
        y = random.integers(0, 2, shape).astype("float32")
        x = random.standard_normal(shape, "float32")
    loss = getattr(losses, name)
    backend = keras.backend.backend()
    if package == "tf.image.ssim":
        import tensorflow as tf

        def loss(y, x):
            return 1 - tf.image.ssim(y, x, max_val=1.0)

    if backend == "tensorflow":
        import tensorflow as tf

        y, x = tf.constant(y), tf.constant(x)

        @tf.function(autograph=False)
        def graph():
            with tf.GradientTape() as tape:
                tape.watch(x)
                values = loss(y, x)
            return values, tape.gradient(values, x)

        def step():
            return [part.numpy() for part in graph()]

    elif backend == "jax":
        import jax

        y, x = map(jax.numpy.asarray, (y, x))

        @jax.jit
        def both(y, x):
            values, pull = jax.vjp(lambda x: loss(y, x), x)
            return values, pull(jax.numpy.ones_like(values))[0]

        def step():
            return jax.block_until_ready(both(y, x))

    else:
        import torch

        y, x = torch.tensor(y), torch.tensor(x, requires_grad=True)

        def step():
            x.grad = None
            values = loss(y, x)
            values.sum().backward()
            return values.detach(), x.grad

    def means():
        return [float(np.abs(np.asarray(part)).mean()) for part in step()]

    return step, {"means": means}


if __name__ == "__main__":
    serve(make)
