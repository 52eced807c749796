"""Every example in a docstring runs and prints what it shows."""

import doctest
import re

import keras
import numpy as np
import pytest

import tfx_extras
from tests.tools import BACKEND
from tfx_extras import tfa

# Those that train run with and without graphs. Contracts hold TensorFlow and JAX to the
# numbers of the others.
pytestmark = pytest.mark.only("tensorflow", "torch")
TRAINS = re.compile(r"\.(fit|evaluate|compile|apply)\(")
NAMES = {"keras": keras, "np": np, "tfx_extras": tfx_extras}
PACKAGES = [
    *(getattr(tfx_extras, name) for name in tfx_extras.__all__),
    *(tfa.losses, tfa.losses.metric_learning, tfa.optimizers),
]
EXAMPLES = [
    test
    for package in PACKAGES
    for name in package.__all__
    for test in doctest.DocTestFinder(recurse=False).find(
        getattr(package, name), name, globs=NAMES
    )
    if test.examples and (BACKEND == "torch" or TRAINS.search(test.docstring))
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_example_prints_what_it_says(example):
    output = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(example, out=output.append)
    assert runner.tries > 0
    assert runner.failures == 0, "".join(output)
