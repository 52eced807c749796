"""The optimizers of TensorFlow Addons."""

__all__ = []
