"""Rewrites code that uses TensorFlow Addons: `python -m tfx_extras.migrate --help`."""
