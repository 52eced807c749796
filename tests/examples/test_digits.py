"""The example runs as its first page says, and rejects files that hold no data set."""

import numpy as np
import pytest

from tests.examples import script

pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (None, "there is no such file"),
        ("x,y", "is not a .npz file of numeric arrays"),
        ({"a": np.zeros(3)}, "must hold arrays `x` and `y`"),
        ({"x": np.zeros(30), "y": np.zeros(30, int)}, r"Received: shape (30,)"),
        ({"x": np.full((30, 2), np.nan), "y": np.zeros(30, int)}, "finite numbers"),
        ({"x": np.zeros((30, 2)), "y": np.zeros(29, int)}, "one integer class per"),
        ({"x": np.zeros((30, 2)), "y": np.zeros(30)}, "dtype float64"),
        ({"x": np.zeros((30, 2)), "y": np.arange(30) % 3 - 1}, "count from 0"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0, int)}, "Received: 0 images"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_file_gets_a_clear_error(arrays, message, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(script.EXAMPLES))
    from images import read_file

    path = tmp_path / "mine.npz"
    if isinstance(arrays, str):
        path.write_text(arrays)
    elif arrays is not None:
        np.savez(path, **arrays)
    with pytest.raises(SystemExit) as error:
        read_file(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)


def test_images_of_ones_own_are_read_training_resumes_exactly_and_is_drawn(
    tmp_path, monkeypatch, capfd
):
    """`make demo` does the same with the digits, on TensorFlow."""
    y = np.arange(90) % 3
    x = np.random.default_rng(0).integers(0, 99, size=(90, 5, 4, 3), dtype="uint8")
    x[np.arange(90), y] += 99  # one row of pixels is bright
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    monkeypatch.chdir(tmp_path)
    script.run(monkeypatch, "digits.py", "mine.npz")
    printed = capfd.readouterr().out  # also of the process that resumes
    assert "identical, bit for bit" in printed
    assert "It predicts as if it had never stopped, bit for bit" in printed
    accuracy = float(printed.split("Test accuracy: ")[1].split()[0].rstrip("."))
    assert accuracy >= 0.9
    for name in ("learning_rate.png", "loss.png", "predictions.png", "digits.keras"):
        assert (tmp_path / "demo" / name).stat().st_size > 1000
