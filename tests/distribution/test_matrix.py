"""Many devices give the same results as one, and the guide says so."""

import inspect
from pathlib import Path

import keras
import pytest

from tests import processes
from tests.cases import LOSSES
from tests.distribution import matrix
from tests.distribution import work
from tests.tools import BACKEND
from tfx_extras import optimizers

GUIDE = Path(__file__).parents[2] / "docs/guides/distribution.md"


@pytest.mark.slow
def test_every_way_gives_what_one_device_gives():
    ways = [way for way in matrix.WAYS if way.backend == BACKEND]
    results = list(matrix.compare(ways))
    assert not {way.name: wrong for way, wrong, _ in results if wrong}
    for way, _, right in results:  # gradients are checked beside losses
        losses = list(work.each_loss(way.name))
        assert right >= len(work.trained(way.name)) + 2 * len(losses) >= 5, way


@pytest.mark.only("torch")
def test_every_optimizer_and_wrapper_is_in_it():
    """The optimizers come from `tests/optimizers/cases.py`."""
    public = {
        name
        for name in optimizers.__all__
        if inspect.isclass(cls := getattr(optimizers, name))
        and issubclass(cls, keras.optimizers.Optimizer)
    }
    # `Optimizer` is the base, and `Ranger` is a preset of two optimizers.
    public = public - {"Optimizer"} | {"Ranger"}
    listed = work.OPTIMIZERS.keys() | work.WRAPPERS.keys()
    assert public == listed, (
        f"{sorted(public ^ listed)}: a wrapper needs an entry in `WRAPPERS` of "
        "tests/distribution/work.py, an optimizer a case in tests/optimizers/cases.py"
    )


@pytest.mark.only("torch")
def test_every_loss_that_gathers_is_in_it():
    found = {
        case.cls.__name__
        for case in LOSSES
        if "gather" in inspect.signature(case.function).parameters
    }
    assert found == set(work.LOSSES) == work.LABELS.keys(), (
        "`LOSSES` and `LABELS` of tests/distribution/work.py must list the losses that "
        f"gather: {sorted(found)}"
    )


def test_the_table_of_the_guide_is_what_was_tested():
    assert matrix.table() in GUIDE.read_text(), (
        f"docs/guides/distribution.md needs this table:\n{matrix.table()}"
    )


@pytest.mark.slow
@pytest.mark.only("tensorflow")
def test_parameter_servers_train_in_a_loop_and_not_in_fit(tmp_path):
    processes.run("tests.distribution.parameter_servers", log=tmp_path / "log")
