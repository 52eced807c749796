"""The language model trains, is reloaded, and generates text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import BACKEND

pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]
SCRIPT = Path(__file__).parents[2] / "examples" / "language_model.py"
TEXT = "the cat sat on the mat , and the dog sat on the log . " * 60


def test_it_learns_a_text_and_writes(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    result = subprocess.run(
        [sys.executable, str(SCRIPT), "text.txt", "--epochs", "30"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"KERAS_BACKEND": BACKEND},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    before, after = result.stdout.split("Perplexity: ")[1].split("Reloaded")
    perplexity = before.split(",")[0]
    assert 1 <= float(perplexity) < 3
    again, text = after.split("it has the perplexity ")[1].split(", and writes:")
    assert again == perplexity
    written = text.split()
    assert len(written) == 24 + 60
    assert set(written) <= set(TEXT.split())
