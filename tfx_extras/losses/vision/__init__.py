"""Vision losses."""

from tfx_extras.losses.vision.iou import *
