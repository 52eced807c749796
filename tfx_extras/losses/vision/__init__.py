"""Vision losses."""

from tfx_extras.losses.vision.images import *
from tfx_extras.losses.vision.iou import *
