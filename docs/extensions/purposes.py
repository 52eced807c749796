"""The order of the reference by purpose, and the words that people search for.

The build fails if a public name is missing in `PURPOSES`, or a name in it is unknown.
"""

# Classes, and functions without a class. A function of a class follows it.
PURPOSES = {
    "losses": {
        "Classification": [
            "SigmoidFocalCrossentropy",
            "CategoricalFocalCrossentropy",
            "SparseCategoricalFocalCrossentropy",
            "SmoothedCategoricalCrossentropy",
            "SmoothedSparseCategoricalCrossentropy",
            "PolySigmoidCrossentropy",
            "PolyCategoricalCrossentropy",
            "PolySparseCategoricalCrossentropy",
            "AsymmetricLoss",
            "ZLPRLoss",
            "LogitAdjustedCrossentropy",
            "LDAMLoss",
            "effective_number_weights",
            "GeneralizedCategoricalCrossentropy",
            "GeneralizedSparseCategoricalCrossentropy",
            "SymmetricCategoricalCrossentropy",
            "SymmetricSparseCategoricalCrossentropy",
            "BiTemperedLoss",
            "SparseBiTemperedLoss",
            "SemiSupervisedCrossentropy",
            "weigh_unlabeled",
            "JensenShannonLoss",
            "RDropLoss",
            "WeightedKappaLoss",
            "CoralLoss",
            "CornLoss",
            "EarthMoverLoss",
            "ordinal_probabilities",
            "SparsemaxLoss",
            "sparsemax",
            "chunked_linear_crossentropy",
        ],
        "Metric learning": [
            "SupervisedContrastiveLoss",
            "NTXentLoss",
            "CLIPLoss",
            "SigLIPLoss",
            "VICRegLoss",
            "BarlowTwinsLoss",
            "dino_loss",
            "ContrastiveLoss",
            "TripletLoss",
            "TripletSemiHardLoss",
            "TripletHardLoss",
            "MultiSimilarityLoss",
            "LiftedStructuredLoss",
            "NPairsLoss",
            "NPairsMultilabelLoss",
            "ArcFaceLoss",
            "CosFaceLoss",
            "ProxyAnchorLoss",
            "ProxyNCALoss",
            "SoftTripleLoss",
        ],
        "Preference tuning": [
            "DPOLoss",
            "IPOLoss",
            "ORPOLoss",
            "SimPOLoss",
            "RewardLoss",
            "sequence_log_probabilities",
        ],
        "Regression": [
            "Huber",
            "PseudoHuber",
            "CharbonnierLoss",
            "SmoothL1",
            "GeneralRobustLoss",
            "PinballLoss",
            "WingLoss",
            "AdaptiveWingLoss",
        ],
        "Regression with uncertainty": [
            "GaussianNLLLoss",
            "StudentTNLLLoss",
            "MixtureNLLLoss",
            "EvidentialLoss",
            "evidential_moments",
            "GaussianCRPSLoss",
            "EnsembleCRPSLoss",
        ],
        "Counts and amounts": [
            "PoissonNLLLoss",
            "NegativeBinomialNLLLoss",
            "TweedieLoss",
        ],
        "Survival analysis": ["CoxLoss"],
        "Vision": [
            "DiceLoss",
            "SparseDiceLoss",
            "JaccardLoss",
            "SparseJaccardLoss",
            "TverskyLoss",
            "SparseTverskyLoss",
            "FocalTverskyLoss",
            "SparseFocalTverskyLoss",
            "GeneralizedDiceLoss",
            "SparseGeneralizedDiceLoss",
            "LovaszHingeLoss",
            "LovaszSoftmaxLoss",
            "CLDiceLoss",
            "BoundaryLoss",
            "signed_distances",
            "GIoULoss",
            "SSIMLoss",
            "MSSSIMLoss",
            "TotalVariationLoss",
        ],
        "Tools": ["CombinedLoss", "LossOptions", "get", "list"],
    },
    "optimizers": {
        "Adaptive optimizers": [
            "AdamW",
            "AdEMAMix",
            "Adan",
            "ADOPT",
            "AdaBelief",
            "RAdam",
            "Yogi",
            "NovoGrad",
            "COCOB",
            "Prodigy",
            "SOAP",
        ],
        "Kernels as matrices": ["Muon", "kernel_layouts"],
        "Large batches, sparse models and constraints": [
            "LAMB",
            "LARS",
            "LazyAdam",
            "ProximalAdagrad",
            "ConditionalGradient",
        ],
        "Wrappers": ["Lookahead", "Ranger", "ParameterGroups", "layer_wise_decay"],
        "Weight averaging": ["MovingAverage", "SWA", "update_batch_norm"],
        "Training without a schedule": [
            "ScheduleFreeAdamW",
            "ScheduleFreeRAdam",
            "ScheduleFreeSGD",
            "ScheduleFree",
        ],
        "Tools": ["OptimizerOptions", "Optimizer", "get", "list"],
    },
    "schedules": {
        "Warm-up and decay": [
            "WarmupCosine",
            "WarmupStableDecay",
            "InverseSquareRoot",
            "Polynomial",
            "REX",
            "Warmup",
        ],
        "Cyclical": ["OneCycle", "Cyclical"],
        "Composition": ["Sequential", "PiecewiseLinear"],
        "Tools": [
            "find_learning_rate",
            "LearningRates",
            "epochs",
            "plot",
            "get",
            "list",
        ],
    },
    "layers": {
        "Large vocabularies": ["ChunkedLinearCrossentropy"],
        "Metric learning": [
            "CosineDense",
            "AdaFace",
            "CurricularFace",
            "CrossBatchMemory",
        ],
        "Ordinal classification": ["Coral"],
        "Self-supervised learning": ["DINOCenter"],
        "Several losses": ["UncertaintyWeighting"],
    },
    "callbacks": {
        "Callbacks": ["LearningRateLogger", "SwapAverage", "WarmupThenPlateau"]
    },
    "metrics": {"Retrieval": ["RecallAtK", "MeanAveragePrecisionAtR"]},
    "models": {"Training": ["SharpnessAware"]},
    "utils": {"Embeddings": ["nearest"], "Data": ["BalancedBatches"]},
}

# Functions that return an optimizer.
PRESETS = {"Ranger", "ScheduleFreeAdamW", "ScheduleFreeRAdam", "ScheduleFreeSGD"}

# Entries of the index, which the search finds first. Pages are relative to `docs/`.
WORDS = {
    "guides/imbalance": ["class imbalance", "imbalanced data", "rare classes"],
    "guides/label_smoothing": ["label smoothing"],
    "guides/metric_learning": ["hard mining", "hard negatives"],
    "guides/self_supervised": ["self-supervised learning", "SimCLR", "pretraining"],
    "guides/multi_task": ["multi-task learning", "loss weights"],
    "guides/preference": ["RLHF", "alignment", "language models"],
    "guides/distributions": [
        "uncertainty",
        "probabilistic forecasting",
        "prediction intervals",
        "calibration",
        "mixture density network",
    ],
    "guides/ordinal": [
        "ordinal classification",
        "ordinal regression",
        "ordered classes",
        "ratings",
    ],
    "guides/segmentation": ["masks", "semantic segmentation", "medical images"],
    "guides/long_tailed": [
        "multi-label classification",
        "long-tailed data",
        "missing labels",
        "balanced accuracy",
        "class-balanced",
    ],
    "guides/recall": ["recall", "recall@k", "retrieval"],
    "guides/optimizers": [
        "exclude bias",
        "exclude biases from weight decay",
        "weight decay exclude bias",
    ],
    "guides/wrappers": ["EMA", "weight averaging", "parameter groups"],
    "guides/fine_tuning": ["fine-tuning", "layer-wise decay", "discriminative rates"],
    "guides/mixed_precision": ["Kahan summation", "bfloat16"],
    "guides/start": ["installation"],
    "api/losses/SigmoidFocalCrossentropy": [
        "focal loss",
        "class imbalance",
        "imbalanced",
    ],
    "api/losses/CategoricalFocalCrossentropy": ["focal loss", "class imbalance"],
    "api/losses/SparseCategoricalFocalCrossentropy": ["focal loss", "class imbalance"],
    "api/losses/SmoothedCategoricalCrossentropy": ["label smoothing"],
    "api/losses/SmoothedSparseCategoricalCrossentropy": ["label smoothing"],
    "api/losses/PolySigmoidCrossentropy": ["PolyLoss", "Poly-1"],
    "api/losses/PolyCategoricalCrossentropy": ["PolyLoss", "Poly-1"],
    "api/losses/PolySparseCategoricalCrossentropy": ["PolyLoss", "Poly-1"],
    "api/losses/AsymmetricLoss": ["ASL", "multi-label classification"],
    "api/losses/ZLPRLoss": [
        "multi-label classification",
        "multilabel_categorical_crossentropy",
    ],
    "api/losses/LogitAdjustedCrossentropy": [
        "logit adjustment",
        "balanced softmax",
        "class imbalance",
        "long-tailed data",
    ],
    "api/losses/LDAMLoss": ["class imbalance", "long-tailed data"],
    "api/losses/functions/effective_number_weights": [
        "class-balanced loss",
        "effective number of samples",
        "class weights",
    ],
    "api/losses/GeneralizedCategoricalCrossentropy": ["GCE", "noisy labels"],
    "api/losses/GeneralizedSparseCategoricalCrossentropy": ["GCE", "noisy labels"],
    "api/losses/SymmetricCategoricalCrossentropy": ["SCE", "noisy labels"],
    "api/losses/SymmetricSparseCategoricalCrossentropy": ["SCE", "noisy labels"],
    "api/losses/BiTemperedLoss": ["noisy labels", "tempered softmax"],
    "api/losses/SparseBiTemperedLoss": ["noisy labels", "tempered softmax"],
    "api/losses/TripletHardLoss": ["hard mining", "batch hard"],
    "api/losses/TripletSemiHardLoss": ["semi-hard mining"],
    "api/losses/DiceLoss": ["segmentation", "soft Dice", "F1 loss"],
    "api/losses/SparseDiceLoss": ["semantic segmentation"],
    "api/losses/JaccardLoss": ["soft IoU", "IoU loss of masks"],
    "api/losses/LovaszSoftmaxLoss": ["mean IoU", "mIoU"],
    "api/losses/CLDiceLoss": ["centerline Dice", "vessels", "thin structures"],
    "api/losses/BoundaryLoss": ["surface loss", "small objects"],
    "api/losses/functions/signed_distances": ["distance transform", "distance map"],
    "api/losses/Huber": ["robust regression", "outliers"],
    "api/losses/PinballLoss": ["quantile regression"],
    "api/losses/GaussianNLLLoss": [
        "heteroscedastic regression",
        "aleatoric uncertainty",
        "beta-NLL",
    ],
    "api/losses/StudentTNLLLoss": ["heavy tails"],
    "api/losses/MixtureNLLLoss": ["mixture density network", "MDN"],
    "api/losses/EvidentialLoss": ["deep evidential regression", "DER"],
    "api/losses/GaussianCRPSLoss": ["CRPS", "probabilistic forecasting"],
    "api/losses/EnsembleCRPSLoss": ["CRPS", "ensemble forecasts", "fair CRPS"],
    "api/losses/PoissonNLLLoss": ["count data", "Poisson regression"],
    "api/losses/NegativeBinomialNLLLoss": [
        "overdispersion",
        "zero-inflated",
        "count data",
    ],
    "api/losses/CoxLoss": ["survival analysis", "DeepSurv", "proportional hazards"],
    "api/losses/TweedieLoss": ["gamma loss", "insurance claims"],
    "api/losses/CoralLoss": ["ordinal regression", "ordinal classification"],
    "api/losses/CornLoss": ["ordinal regression", "ordinal classification"],
    "api/losses/EarthMoverLoss": ["EMD", "Wasserstein distance", "NIMA"],
    "api/losses/SSIMLoss": ["structural similarity", "DSSIM"],
    "api/losses/MSSSIMLoss": ["structural similarity"],
    "api/losses/CharbonnierLoss": ["super-resolution", "image restoration"],
    "api/losses/GeneralRobustLoss": ["Barron", "Cauchy loss", "Welsch", "outliers"],
    "api/losses/WingLoss": ["landmarks", "keypoints"],
    "api/losses/AdaptiveWingLoss": ["heatmap regression", "keypoints"],
    "api/losses/JensenShannonLoss": ["AugMix", "consistency loss"],
    "api/losses/DPOLoss": ["RLHF", "preference tuning", "conservative DPO"],
    "api/losses/RewardLoss": ["RLHF", "reward model", "Bradley-Terry", "RankNet"],
    "api/losses/NTXentLoss": ["SimCLR", "InfoNCE"],
    "api/losses/VICRegLoss": ["self-supervised learning", "variance-invariance"],
    "api/losses/BarlowTwinsLoss": ["self-supervised learning", "redundancy reduction"],
    "api/optimizers/MovingAverage": ["EMA", "exponential moving average"],
    "api/optimizers/SWA": ["stochastic weight averaging"],
    "api/optimizers/OptimizerOptions": [
        "exclude bias",
        "gradient clipping",
        "AGC",
        "cautious",
    ],
    "api/optimizers/ScheduleFree": ["Schedule-Free", "no learning-rate schedule"],
    "api/optimizers/AdamW": ["NAdamW", "Nesterov momentum"],
    "api/optimizers/LAMB": ["large batches"],
    "api/optimizers/Muon": ["NorMuon", "Newton-Schulz"],
    "api/optimizers/LARS": ["large batches", "SimCLR"],
    "api/optimizers/Prodigy": ["learning-rate free", "D-Adaptation"],
    "api/optimizers/SOAP": ["Shampoo", "second-order"],
    "api/metrics/RecallAtK": ["recall@k", "R@1", "retrieval"],
    "api/metrics/MeanAveragePrecisionAtR": ["MAP@R", "retrieval"],
    "api/utils/BalancedBatches": [
        "PK sampler",
        "P x K sampling",
        "batch sampler",
        "m per class",
    ],
    "api/utils/functions/nearest": ["nearest neighbors", "k-NN"],
    "api/models/SharpnessAware": ["SAM", "ASAM", "flat minima"],
    "api/schedules/WarmupCosine": ["cosine decay", "warm-up", "warm restarts"],
    "api/schedules/OneCycle": ["1cycle", "one-cycle policy"],
}


def ordered(package: str) -> dict[str, int]:
    """The place of each name of a package in the table."""
    names = (name for names in PURPOSES[package].values() for name in names)
    return {name: place for place, name in enumerate(names)}


def check(public: dict[str, set[str]]) -> None:
    """Raises unless the table has exactly the public names.

    Args:
        public: The names of each package, without functions that have a class.
    """
    for package, names in public.items():
        listed = [n for some in PURPOSES.get(package, {}).values() for n in some]
        missing, unknown = names - {*listed}, {*listed} - names
        twice = {name for name in listed if listed.count(name) > 1}
        if missing or unknown or twice:
            raise ValueError(
                f"`PURPOSES` in docs/extensions/purposes.py must name each public name "
                f"of tfx_extras.{package} once. Missing: {sorted(missing)}. Not "
                f"public: {sorted(unknown)}. Twice: {sorted(twice)}"
            )


def write_words(app, docname: str, source: list[str]) -> None:
    """Adds the entries of the index to a page, below its title."""
    words = WORDS.get(docname)
    if words:
        title, _, rest = source[0].partition("\n")
        entries = ", ".join(f"! {word}" for word in words)
        source[0] = f"{title}\n\n```{{index}} {entries}\n```\n\n{rest}"


def check_words(app, env) -> None:
    """Raises if a page is gone whose words are in `WORDS`."""
    missing = WORDS.keys() - env.found_docs
    if missing:
        raise ValueError(f"`WORDS` names pages that are not there: {sorted(missing)}")


def setup(app):
    app.connect("source-read", write_words)
    app.connect("env-check-consistency", check_words)
    return {"parallel_read_safe": True}
