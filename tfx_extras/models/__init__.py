"""Models that train another model in a different way."""

from tfx_extras.models.sharpness_aware import SharpnessAware

__all__ = ["SharpnessAware"]
