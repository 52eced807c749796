"""Writes `goldens/distributions.npz`: likelihoods and scores, in `float64`.

python3.11 -m venv .venv-distributions
.venv-distributions/bin/pip install torch==2.13.0 scipy==1.17.1 scikit-learn==1.9.1 \
    scoringrules==0.10.0 statsmodels==0.15.0 numpy==2.4.6
.venv-distributions/bin/python -m tests.parity.make_distributions
"""

from importlib.metadata import version

import numpy as np
import scoringrules
import torch
from scipy import stats
from sklearn.metrics import mean_tweedie_deviance
from statsmodels.discrete.count_model import ZeroInflatedNegativeBinomialP
from statsmodels.duration.hazard_regression import PHReg
from torch import distributions
from torch.nn import functional
from torch.nn.functional import softplus

from tests.parity import inputs

GIVEN = inputs.distributions()
Y, P, COUNTS = GIVEN["values"], GIVEN["parameters"], GIVEN["counts"]
ROWS = [*zip(COUNTS, P, strict=True)]


def gaussian_nll_loss(p, full):
    variance = p[:, 1].exp()
    return functional.gaussian_nll_loss(
        p[:, 0], torch.tensor(Y), variance, full=full, eps=1e-300, reduction="none"
    )


def student(p):
    t = distributions.StudentT(2 + softplus(p[:, 2]), p[:, 0], p[:, 1].exp())
    return -t.log_prob(torch.tensor(Y))


def mixture(p):
    """Two components for two values."""
    means, scales = p[:, 2:6].reshape(-1, 2, 2), p[:, 6:].reshape(-1, 2, 2).exp()
    each = distributions.Independent(distributions.Normal(means, scales), 1)
    weights = distributions.Categorical(logits=p[:, :2])
    both = distributions.MixtureSameFamily(weights, each)
    return -both.log_prob(torch.tensor(GIVEN["pairs"]))


def poisson(p):
    return -distributions.Poisson(p[:, 0].exp()).log_prob(torch.tensor(COUNTS))


def negative_binomial(p):
    size = (-p[:, 1]).exp()
    d = distributions.NegativeBinomial(size, logits=p[:, 0] + p[:, 1])
    return -d.log_prob(torch.tensor(COUNTS))


def zero_inflated(y, p):
    one = np.ones((1, 1))
    model = ZeroInflatedNegativeBinomialP(np.array([y]), one, exog_infl=one, p=2)
    return -model.loglikeobs(np.array([p[2], p[0], np.exp(p[1])]))[0]


def cox(ties):
    time, event = GIVEN["times"].T
    risks = GIVEN["risks"][:, None]
    model = PHReg(time, risks, status=event, ties=ties)
    return -model.loglike(np.ones(1)) / event.sum()


def of_torch(function):
    p = torch.tensor(GIVEN["mixtures"] if function is mixture else P)
    p.requires_grad_()
    value = function(p)
    value.sum().backward()
    return {"value": value.detach().numpy(), "gradient": p.grad.numpy()}


def deviances(power):
    positive = COUNTS + (power == 2)
    pairs = zip(positive, np.exp(P[:, 0]), strict=True)
    return [mean_tweedie_deviance([y], [mu], power=power) for y, mu in pairs]


def main():
    mu, sigma = P[:, 0], np.exp(P[:, 1])
    members = GIVEN["members"]
    outputs = {
        f"gaussian_nll_loss:full {full}": of_torch(
            lambda p, f=full: gaussian_nll_loss(p, f)
        )
        for full in (False, True)
    }
    outputs |= {
        "StudentT": of_torch(student),
        "MixtureSameFamily": of_torch(mixture),
        "Poisson": of_torch(poisson),
        "NegativeBinomial": of_torch(negative_binomial),
        "scipy.t:3.5": {"value": -stats.t.logpdf(Y, 3.5, mu, sigma)},
        "scipy.poisson": {"value": -stats.poisson.logpmf(COUNTS, np.exp(mu))},
        "ZeroInflatedNegativeBinomialP": {
            "value": [zero_inflated(y, p) for y, p in ROWS]
        },
        "crps_normal": {"value": scoringrules.crps_normal(Y, mu, sigma)},
    }
    for estimator in ("fair", "nrg"):
        value = scoringrules.crps_ensemble(Y, members, estimator=estimator)
        outputs[f"crps_ensemble:{estimator}"] = {"value": value}
    for power in (1, 1.2, 1.5, 1.9, 2):
        outputs[f"mean_tweedie_deviance:{power}"] = {"value": deviances(power)}
    for ties in ("breslow", "efron"):
        outputs[f"PHReg:{ties}"] = {"value": cox(ties)}
    packages = ("torch", "scipy", "scikit-learn", "scoringrules", "statsmodels")
    versions = {package: version(package) for package in packages}
    cases = {name: {"dtype": "float64"} for name in outputs}
    inputs.save("distributions", versions, cases, outputs)


if __name__ == "__main__":
    main()
