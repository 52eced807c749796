"""The successors of all other objects of TensorFlow Addons, and notes for its users.

The tables name everything in TensorFlow Addons 0.23 except losses and optimizers.
"""

import re

_NONE = "no successor"
_ALONE = "no successor in Keras"  # the replacement takes arrays and has no gradient
_AFFINE = "keras.ops.image.affine_transform, with a matrix of your own"
_SAMPLING = "keras.ops.image.map_coordinates, with coordinates of all axes"
_SEQUENCE = "keras.losses.SparseCategoricalCrossentropy, with sample weights"
_GENERATION = "keras_hub.samplers, for the models of KerasHub"
_ADAPTIVE = [
    f"Adaptive{kind}Pooling{rank}D" for kind in ("Average", "Max") for rank in "123"
]


def _none(names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), _NONE)


SUCCESSORS: dict[str, dict[str, str]] = {
    "activations": {
        "gelu": "keras.activations.gelu, where approximate=True is not the default",
        "hardshrink": "keras.activations.hard_shrink, with one threshold",
        "lisht": f"{_NONE}; it is x * keras.ops.tanh(x)",
        "mish": "keras.activations.mish",
        "snake": f"{_NONE}; it is x + keras.ops.sin(frequency * x) ** 2 / frequency",
        "softshrink": "keras.activations.soft_shrink, with one threshold",
        "sparsemax": "tfx_extras.losses.sparsemax",
        "tanhshrink": "keras.activations.tanh_shrink",
        **_none("rrelu"),
    },
    "callbacks": {
        "AverageModelCheckpoint": "tfx_extras.callbacks.SwapAverage, with "
        "swap_on_epoch=True, before keras.callbacks.ModelCheckpoint",
        "TQDMProgressBar": "tqdm.keras.TqdmCallback",
        "TimeStopping": f"{_NONE}; write a callback that sets self.model.stop_training",
    },
    "image": {
        "angles_to_projective_transforms": _AFFINE,
        "blend": f"{_NONE}; it is image1 + factor * (image2 - image1)",
        "connected_components": f"{_ALONE}; scipy.ndimage.label",
        "cutout": "keras.layers.RandomErasing, at random places",
        "dense_image_warp": _SAMPLING,
        "equalize": "keras.layers.Equalization, with different results",
        "euclidean_dist_transform": f"{_ALONE}; scipy.ndimage.distance_transform_edt",
        "gaussian_filter2d": "keras.ops.image.gaussian_blur, on an image padded by "
        'keras.ops.pad with mode="reflect" if its borders matter',
        "interpolate_bilinear": _SAMPLING,
        "interpolate_spline": f"{_ALONE}; scipy.interpolate.RBFInterpolator",
        "mean_filter2d": "keras.ops.average_pool with strides=1, on an image padded by "
        'keras.ops.pad with mode="reflect"',
        "median_filter2d": f"{_ALONE}; scipy.ndimage.median_filter",
        "random_cutout": "keras.layers.RandomErasing",
        "random_hsv_in_yiq": "keras.layers.RandomColorJitter",
        "resampler": _SAMPLING,
        "rotate": f"{_AFFINE}; for random angles, keras.layers.RandomRotation",
        "sharpness": "keras.layers.RandomSharpness",
        "shear_x": f"{_AFFINE}; at random, keras.layers.RandomShear",
        "shear_y": f"{_AFFINE}; at random, keras.layers.RandomShear",
        "transform": "keras.ops.image.affine_transform",
        "translate": f"{_AFFINE}; at random, keras.layers.RandomTranslation",
        "translate_xy": _AFFINE,
        "translations_to_projective_transforms": _AFFINE,
        **_none("adjust_hsv_in_yiq compose_transforms sparse_image_warp"),
    },
    "layers": {
        **{name: f"keras.layers.{name}, since Keras 3.13" for name in _ADAPTIVE},
        "EmbeddingBag": f"{_NONE}; keras.layers.Embedding, then keras.ops.sum or mean",
        "GELU": "keras.activations.gelu, where approximate=True is not the default",
        "GroupNormalization": "keras.layers.GroupNormalization",
        "InstanceNormalization": "keras.layers.GroupNormalization, with groups=-1",
        "Maxout": f"{_NONE}; keras.ops.reshape to (..., -1, num_units), then "
        "keras.ops.max over axis -2",
        "MultiHeadAttention": "keras.layers.MultiHeadAttention, with other arguments",
        "Sparsemax": "tfx_extras.losses.sparsemax, in keras.layers.Activation",
        "SpatialPyramidPooling2D": f"{_NONE}; for each bin "
        "keras.layers.AdaptiveAveragePooling2D, then keras.layers.Concatenate",
        "SpectralNormalization": "keras.layers.SpectralNormalization",
        "StochasticDepth": f"{_NONE}; keras.layers.Dropout on the branch, with "
        "noise_shape=(1, 1, 1, 1), which scales in training, not in inference",
        **_none(
            "CRF CorrelationCost ESN FilterResponseNormalization MaxUnpooling2D "
            "MaxUnpooling2DV2 NoisyDense PoincareNormalize PolynomialCrossing Snake "
            "TLU WeightNormalization"
        ),
    },
    "metrics": {
        "CohenKappa": f"{_ALONE}; sklearn.metrics.cohen_kappa_score",
        "F1Score": "keras.metrics.F1Score, without num_classes",
        "FBetaScore": "keras.metrics.FBetaScore, without num_classes",
        "HammingLoss": f"{_NONE}; it is 1 - keras.metrics.BinaryAccuracy, or for "
        "multiclass 1 - keras.metrics.CategoricalAccuracy",
        "KendallsTauB": f"{_ALONE}; scipy.stats.kendalltau",
        "KendallsTauC": f'{_ALONE}; scipy.stats.kendalltau with variant="c"',
        "MatthewsCorrelationCoefficient": f"{_ALONE}; "
        "sklearn.metrics.matthews_corrcoef",
        "MeanMetricWrapper": "keras.metrics.MeanMetricWrapper",
        "MultiLabelConfusionMatrix": f"{_ALONE}; "
        "sklearn.metrics.multilabel_confusion_matrix",
        "PearsonsCorrelation": "keras.metrics.PearsonCorrelation",
        "RSquare": "keras.metrics.R2Score, with class_aggregation for multioutput",
        "SpearmansRank": f"{_ALONE}; scipy.stats.spearmanr",
        "hamming_distance": f"{_ALONE}; scipy.spatial.distance.hamming",
        "hamming_loss_fn": f"{_ALONE}; sklearn.metrics.hamming_loss",
        **_none("GeometricMean HarmonicMean"),
    },
    "rnn": _none(
        "ESNCell LayerNormLSTMCell LayerNormSimpleRNNCell NASCell PeepholeLSTMCell"
    ),
    "seq2seq": {
        "BahdanauAttention": "keras.layers.AdditiveAttention, without AttentionWrapper",
        "BeamSearchDecoder": _GENERATION,
        "GreedyEmbeddingSampler": _GENERATION,
        "LuongAttention": "keras.layers.Attention, without AttentionWrapper",
        "SampleEmbeddingSampler": _GENERATION,
        "SequenceLoss": _SEQUENCE,
        "hardmax": f"{_NONE}; it is keras.ops.one_hot of keras.ops.argmax",
        "sequence_loss": _SEQUENCE,
        "tile_batch": "keras.ops.repeat, with axis=0",
        **_none(
            "AttentionMechanism AttentionWrapper AttentionWrapperState "
            "BahdanauMonotonicAttention BaseDecoder BasicDecoder BasicDecoderOutput "
            "BeamSearchDecoderOutput BeamSearchDecoderState CustomSampler Decoder "
            "FinalBeamSearchDecoderOutput InferenceSampler LuongMonotonicAttention "
            "Sampler ScheduledEmbeddingTrainingSampler ScheduledOutputTrainingSampler "
            "TrainingSampler dynamic_decode gather_tree gather_tree_from_array "
            "monotonic_attention safe_cumprod"
        ),
    },
    "text": {
        "skip_gram_sample": "tf.keras.preprocessing.sequence.skipgrams, on lists",
        **_none(
            "CRFModelWrapper CrfDecodeForwardRnnCell crf_binary_score "
            "crf_constrained_decode crf_decode crf_decode_backward crf_decode_forward "
            "crf_filtered_inputs crf_forward crf_log_likelihood crf_log_norm "
            "crf_multitag_sequence_score crf_sequence_score crf_unary_score parse_time "
            "skip_gram_sample_with_text_vocab viterbi_decode"
        ),
    },
}

_WHOLE = {
    **dict.fromkeys(["options", "register", "register_all"], "not needed any more"),
    **dict.fromkeys(["__version__", "version"], "tfx_extras.__version__"),
}

_OWN_DECAY = "decays as TensorFlow Addons did; "
_BY_RATE = (
    "multiplies weight_decay by the learning rate, and takes the learning rate first"
)
_OF_ANY = (
    f"{_OWN_DECAY}each of keras.optimizers takes weight_decay, and multiplies it by "
    "the learning rate"
)
_NOTES = {
    "AdamW": f"{_OWN_DECAY}keras.optimizers.AdamW {_BY_RATE}",
    "SGDW": f"{_OWN_DECAY}keras.optimizers.SGD(weight_decay=...) {_BY_RATE}",
    "DecoupledWeightDecayExtension": _OF_ANY,
    "extend_with_decoupled_weight_decay": _OF_ANY,
}

_UNREDUCED = "SigmoidFocalCrossEntropy"
_ONE_PER_SAMPLE = (
    "returns one loss per sample without reduction, as in TensorFlow Addons. On "
    "TensorFlow, fit minimizes their sum; on JAX and PyTorch, it needs a scalar: pass "
    'reduction="sum_over_batch_size" for the mean, or "sum"'
)

_ELSEWHERE = {
    r"(tensorflow\.)?keras\.optimizers\.legacy(\.|$)": (
        "not in Keras 3; use keras.optimizers"
    ),
    r"((tensorflow\.)?keras|tensorflow)\.losses\.Reduction\.AUTO$": (
        'not in Keras 3; use "sum_over_batch_size"'
    ),
    r"keras\.losses\.Reduction(\.|$)": (
        'not in Keras 3; use "none", "sum" or another string'
    ),
    r"tf_keras(\.|$)": "Keras 2, whose models do not accept objects of Keras 3",
    r"TF_USE_LEGACY_KERAS": (
        "makes tf.keras Keras 2, whose models do not accept objects of Keras 3"
    ),
}


def known(path: str) -> bool:
    """Whether `path` names an object of the tables, not a module."""
    package, *names = path.split(".")[1:]
    return package in _WHOLE or any(n in SUCCESSORS.get(package, ()) for n in names)


def successor(path: str) -> str:
    """The successor of `tensorflow_addons.PACKAGE.(...).NAME`."""
    package, *names = [*path.split(".")[1:], ""]
    if not names or (package in SUCCESSORS and names == [""]):
        return "used as a whole; check which names you use"
    table = SUCCESSORS.get(package, {})
    default = _WHOLE.get(package, _NONE)
    return next((table[name] for name in names if name in table), default)


def note(path: str) -> str | None:
    """A note on an object that moves."""
    return next((_NOTES[name] for name in path.split(".") if name in _NOTES), None)


def note_on_reduction(path: str) -> str | None:
    """A note on a loss that is called without `reduction` and has none by default."""
    return _ONE_PER_SAMPLE if path.endswith(f".{_UNREDUCED}") else None


def elsewhere(name: str) -> str | None:
    """Why a name outside of TensorFlow Addons does not work with Keras 3."""
    return next((_ELSEWHERE[p] for p in _ELSEWHERE if re.match(p, name)), None)
