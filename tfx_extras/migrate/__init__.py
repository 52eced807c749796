"""Rewrites code from TensorFlow Addons: `python -m tfx_extras.migrate --help`."""
