"""Vision losses: of images, boxes and masks."""

from tfx_extras.losses.vision.iou import *
