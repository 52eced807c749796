"""The example of metric learning runs, and draws neighbors."""

import re

import numpy as np
import pytest

from tests.examples import script

pytestmark = pytest.mark.only("torch")


@pytest.mark.slow
def test_it_prints_recall_and_draws_neighbors(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    script.run(monkeypatch, "metric_learning.py", "--fast")
    printed = capsys.readouterr().out
    recalls = [float(x) for x in re.findall(r"recall@1 .*: (0\.\d+)$", printed, re.M)]
    assert len(recalls) == 3
    assert (tmp_path / "demo" / "neighbors.png").stat().st_size > 1000


def test_no_number_and_no_image_is_in_two_parts(monkeypatch):
    monkeypatch.syspath_prepend(str(script.EXAMPLES))
    import two_digits

    data = two_digits.read(seed=1, examples=3, noise=0.0)
    numbers = {name: set(y.tolist()) for name, (_, y) in data.items()}
    assert [len(each) for each in numbers.values()] == [60, 20, 20]
    assert len(set.union(*numbers.values())) == 100
    written = {}
    for name, (x, _) in data.items():
        halves = np.concatenate([x[:, :, :8], x[:, :, 8:]])
        # Moved digits have their pixels in another order.
        written[name] = {np.sort(half, axis=None).tobytes() for half in halves}
    assert not written["training"] & written["test"]
    assert not written["validation"] & written["test"]
    assert not written["training"] & written["validation"]
