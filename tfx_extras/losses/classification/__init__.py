"""Classification losses."""

from tfx_extras.losses.classification.bi_tempered import *
from tfx_extras.losses.classification.chunked import *
from tfx_extras.losses.classification.consistency import *
from tfx_extras.losses.classification.focal import *
from tfx_extras.losses.classification.long_tailed import *
from tfx_extras.losses.classification.multi_label import *
from tfx_extras.losses.classification.noisy_labels import *
from tfx_extras.losses.classification.ordinal import *
from tfx_extras.losses.classification.poly import *
from tfx_extras.losses.classification.preference import *
from tfx_extras.losses.classification.semi_supervised import *
from tfx_extras.losses.classification.smoothed import *
from tfx_extras.losses.classification.sparsemax import *
from tfx_extras.losses.classification.weigh_unlabeled import *
from tfx_extras.losses.classification.weighted_kappa import *
