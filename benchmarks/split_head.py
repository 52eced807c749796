"""Memory per device if the kernel of a head is split over its classes.

    python benchmarks/split_head.py [--sizes ROWS FEATURES CLASSES] [--devices 8]

Prints a table in Markdown: the temporary memory per device of
`ChunkedLinearCrossentropy` and of Keras's `Dense` with its cross-entropy, for the
forward and backward pass with the gradients of the hidden states and the kernel. The
numbers are those that the compiled program reports; nothing is computed. Needs JAX.
"""

import argparse
import os


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs=3, type=int, default=(1024, 512, 32_768))
    parser.add_argument("--devices", type=int, default=8)
    options = parser.parse_args()

    os.environ["KERAS_BACKEND"] = "jax"
    devices = f" --xla_force_host_platform_device_count={options.devices}"
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + devices
    import jax
    import keras
    from _chunked_step import inputs
    from _report import print_about
    from _report import print_head
    from _report import print_row
    from _timing import ratio

    from tfx_extras import layers

    _, features, classes = options.sizes
    hidden, kernel, labels = inputs(*options.sizes)
    mesh = keras.distribution.DeviceMesh(
        (options.devices,), ["model"], jax.devices("cpu")
    )
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*kernel"] = (None, "model")
    keras.distribution.set_distribution(
        keras.distribution.ModelParallel(layout_map=layout)
    )
    head = layers.ChunkedLinearCrossentropy(classes, use_bias=False)
    dense = keras.layers.Dense(classes, use_bias=False)
    whole = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for layer in (head, dense):
        layer.build((None, features))
        layer.kernel.assign(kernel)

    def chunked_loss(hidden, kernel):
        return head.stateless_call([kernel], [], hidden, labels)[0].mean()

    def dense_loss(hidden, kernel):
        return whole(labels, dense.stateless_call([kernel], [], hidden)[0])

    def megabytes(loss):
        step = jax.jit(jax.value_and_grad(loss, (0, 1)))
        step = step.lower(hidden, head.kernel.value).compile()
        return step.memory_analysis().temp_size_in_bytes / 1e6

    print_about()
    title = "### {} rows, {} features, {} classes".format(*options.sizes)
    columns = ("chunked, MB", "dense, MB", "ratio")
    print_head(f"{title}, float32, temporary", "devices", *columns)
    ours, theirs = megabytes(chunked_loss), megabytes(dense_loss)
    row = f"{ours:.1f}", f"{theirs:.1f}", ratio(theirs, ours)
    print_row(str(options.devices), *row)


if __name__ == "__main__":
    main()
