"""Regression losses."""

from tfx_extras.losses.regression.landmarks import *
from tfx_extras.losses.regression.quantile import *
from tfx_extras.losses.regression.robust import *
