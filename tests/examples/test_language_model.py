"""The language model trains, is reloaded, and generates text."""

import pytest

from tests.examples import script

pytestmark = [pytest.mark.only("torch"), pytest.mark.slow]
TEXT = "the cat sat on the mat , and the dog sat on the log . " * 60


def test_it_learns_a_text_and_writes(tmp_path, monkeypatch, capsys):
    (tmp_path / "text.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    script.run(monkeypatch, "language_model.py", "text.txt", "--epochs", "30")
    printed = capsys.readouterr().out
    before, after = printed.split("Perplexity: ")[1].split("Reloaded")
    perplexity = before.split(",")[0]
    assert 1 <= float(perplexity) < 3
    again, text = after.split("it has the perplexity ")[1].split(", and writes:")
    assert again == perplexity
    written = text.split()
    assert len(written) == 24 + 60
    assert set(written) <= set(TEXT.split())
