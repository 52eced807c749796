"""Regression losses."""

from tfx_extras.losses.regression.counts import *
from tfx_extras.losses.regression.crps import *
from tfx_extras.losses.regression.landmarks import *
from tfx_extras.losses.regression.likelihoods import *
from tfx_extras.losses.regression.quantile import *
from tfx_extras.losses.regression.robust import *
from tfx_extras.losses.regression.survival import *
