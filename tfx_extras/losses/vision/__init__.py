"""Vision losses."""

from tfx_extras.losses.vision.boundary import *
from tfx_extras.losses.vision.cl_dice import *
from tfx_extras.losses.vision.dice import *
from tfx_extras.losses.vision.images import *
from tfx_extras.losses.vision.iou import *
from tfx_extras.losses.vision.jaccard import *
from tfx_extras.losses.vision.lovasz import *
from tfx_extras.losses.vision.tversky import *
