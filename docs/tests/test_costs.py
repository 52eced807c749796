"""The pages say what an object costs, and nothing that does not hold for it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from extensions import api
from extensions import costs

COSTS = {
    entry.name: costs.sentence(entry.package, entry.thing)
    for entry in api.ENTRIES
    if entry.package not in api.COMPACT
}


@pytest.mark.parametrize("name", ["RAdam", "LAMB", "Prodigy"])
def test_the_cost_of_an_optimizer_is_computed_from_its_state(name):
    assert COSTS[name].startswith("Time grows linearly with the number of weights.")


@pytest.mark.parametrize("name", ["Muon", "SOAP", "LazyAdam", "ConditionalGradient"])
def test_an_optimizer_whose_docstring_says_its_time_gets_no_other(name):
    thing = next(e.thing for e in api.ENTRIES if e.name == name)
    assert "ime" in thing.__doc__
    assert not COSTS[name]


def test_schedules_have_the_cost_of_schedules_and_tools_do_not():
    assert COSTS["WarmupCosine"] == costs.SCHEDULE
    for name in ("find_learning_rate", "LearningRates", "epochs", "plot"):
        assert not COSTS[name]


def test_a_method_has_its_text_on_the_page_of_its_class():
    page = api.page(next(e for e in api.ENTRIES if e.name == "LearningRates"))
    assert "{py:method} plot(" in page
    assert "[`plot`]" not in page
    assert ":Attributes:" in page
