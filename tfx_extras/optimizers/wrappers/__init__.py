"""Wrappers: optimizers that wrap other optimizers."""

from tfx_extras.optimizers.wrappers.layer_wise_decay import *
from tfx_extras.optimizers.wrappers.lookahead import *
from tfx_extras.optimizers.wrappers.moving_average import *
from tfx_extras.optimizers.wrappers.parameter_groups import *
from tfx_extras.optimizers.wrappers.schedule_free import *
from tfx_extras.optimizers.wrappers.swa import *
from tfx_extras.optimizers.wrappers.update_batch_norm import *
