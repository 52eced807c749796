"""Metric learning losses."""

from tfx_extras.losses.embedding.angular_margin import *
from tfx_extras.losses.embedding.contrastive import *
from tfx_extras.losses.embedding.dino import *
from tfx_extras.losses.embedding.info_nce import *
from tfx_extras.losses.embedding.lifted_structured import *
from tfx_extras.losses.embedding.multi_similarity import *
from tfx_extras.losses.embedding.n_pairs import *
from tfx_extras.losses.embedding.proxy_anchor import *
from tfx_extras.losses.embedding.proxy_nca import *
from tfx_extras.losses.embedding.self_supervised import *
from tfx_extras.losses.embedding.soft_triple import *
from tfx_extras.losses.embedding.triplet import *
