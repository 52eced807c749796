"""The command line: what it prints, what it writes, and its exit status."""

import codecs
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tfx_extras
from tfx_extras.migrate.__main__ import main

pytestmark = pytest.mark.only("tensorflow")

MOVES = b"import tensorflow_addons as tfa\nloss = tfa.losses.GIoULoss()\n"
MOVED = b"from tfx_extras import tfa\nloss = tfa.losses.GIoULoss()\n"
STAYS = b"import tensorflow_addons as tfa\nlayer = tfa.layers.CRF()\n"
NOTED = b"from tfx_extras import tfa\ntfa.optimizers.AdamW(1e-4)\n"
OTHER = b"import keras\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    status = main([*arguments])
    captured = capsys.readouterr()
    assert not captured.err
    return status, captured.out


def test_without_write_it_shows_a_diff_and_changes_nothing(folder, capsys):
    folder.joinpath("a.py").write_bytes(MOVES)
    expected = """\
--- a.py
+++ a.py
@@ -1,2 +1,2 @@
-import tensorflow_addons as tfa
+from tfx_extras import tfa
 loss = tfa.losses.GIoULoss()
files to change with --write: 1; places to change by hand: 0
"""
    assert run(capsys, "a.py", "./a.py") == (1, expected)
    assert folder.joinpath("a.py").read_bytes() == MOVES


def test_with_write_it_changes_the_files_and_a_second_time_nothing(folder, capsys):
    file = folder / "a.py"
    file.write_bytes(MOVES)
    file.chmod(0o755)
    changed = "files changed: 1; places to change by hand: 0\n"
    assert run(capsys, "--write", "a.py") == (0, changed)
    assert file.read_bytes() == MOVED
    assert file.stat().st_mode & 0o777 == 0o755
    assert run(capsys, "--write", "a.py") == (0, changed.replace("1", "0"))
    assert file.read_bytes() == MOVED


@pytest.mark.parametrize(
    ("source", "write", "status"),
    [
        (OTHER, False, 0),
        (NOTED, False, 0),  # informs, and requires no change
        (MOVES, False, 1),
        (MOVES, True, 0),
        (STAYS, False, 1),
        (STAYS, True, 1),
        (MOVES + STAYS, True, 1),
        (b"print 'tensorflow_addons'", True, 1),
        (b"os.environ['TF_USE_LEGACY_KERAS'] = '1'", True, 1),
    ],
)
def test_the_status_says_whether_something_is_left(
    folder, capsys, source, write, status
):
    folder.joinpath("a.py").write_bytes(source)
    assert run(capsys, "a.py", *["--write"] * write)[0] == status


def test_lines_are_those_of_the_file_as_it_is(folder, capsys):
    source = b"import tensorflow_addons as tfa\ntfa.layers.CRF, tfa.optimizers.SGDW\n"
    folder.joinpath("a.py").write_bytes(source)
    for write, line in (False, 2), (True, 3):
        _, out = run(capsys, "a.py", *["--write"] * write)
        assert f"\na.py:{line}: note: " in "\n" + out
        text = "tensorflow_addons.layers.CRF: no successor"
        assert f"\na.py:{line}: {text}" in "\n" + out


def test_folders_are_searched_but_not_those_of_others(folder, capsys):
    ours = ["a.py", "sub/b.py", "sub/deeper/c.py"]
    others = ["x.txt", ".hidden/a.py", "env/a.py", "lib/site-packages/a.py", "c/a.py"]
    for name in [*ours, *others]:
        folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        folder.joinpath(name).write_bytes(MOVES)
    folder.joinpath("env/pyvenv.cfg").touch()
    folder.joinpath("c/conda-meta").mkdir()
    run(capsys, "--write", ".")
    for name in [*ours, *others]:
        expected = MOVED if name in ours else MOVES
        assert folder.joinpath(name).read_bytes() == expected, name
    # A file named on the command line is changed, wherever it is.
    run(capsys, "--write", "x.txt", ".hidden")
    for name in ("x.txt", ".hidden/a.py"):
        assert folder.joinpath(name).read_bytes() == MOVED


def test_what_cannot_be_read_is_said_and_the_rest_goes_on(folder, capsys, monkeypatch):
    folder.joinpath("a.py").write_bytes(b"\nprint 'tensorflow_addons'\n")
    folder.joinpath("b.py").write_bytes(b"# coding: ascii\n\n# tfx_extras \xff\n")
    folder.joinpath("b.ipynb").write_bytes(b"tensorflow_addons")
    folder.joinpath("c.py").write_bytes(b"# coding: latin-7\n# tensorflow_addons\n")
    folder.joinpath("d.py").symlink_to("nowhere")
    folder.joinpath("e.py").write_bytes(b"print '\xff', with no use of it\n")
    folder.joinpath("f.py").write_bytes(b"# coding: utf-7\n+AGE-=1 # tfx_extras\n")
    folder.joinpath("g.py").write_bytes(MOVES)
    folder.joinpath("shut").mkdir()
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    status, out = run(capsys, "--write", ".")
    assert status == 1
    said = [line.split(": ")[:2] for line in out.splitlines()]
    assert said == [
        ["a.py:2", "not Python 3"],
        ["b.ipynb:1", "not a notebook"],
        ["b.py:1", "cannot be decoded"],
        ["c.py:1", "cannot be decoded"],
        ["d.py:1", "cannot be read"],
        ["f.py:1", "cannot be encoded in utf-7 as it was"],
        ["shut:1", "cannot be read"],
        ["files changed", "1; places to change by hand"],
    ]
    assert folder.joinpath("g.py").read_bytes() == MOVED


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "gbk"])
def test_encoding_and_line_ends_stay(folder, capsys, encoding, end):
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    text = f"# coding: {declared}\nx = '°'\nimport tensorflow_addons as tfa\nx = '°'"
    source = text.replace("\n", end).encode(encoding)
    folder.joinpath("a.py").write_bytes(source)
    run(capsys, "--write", "a.py")
    expected = source.replace(
        b"import tensorflow_addons as tfa", b"from tfx_extras import tfa"
    )
    assert folder.joinpath("a.py").read_bytes() == expected != source
    assert expected.startswith(codecs.BOM_UTF8) == (encoding == "utf-8-sig")


def test_the_diff_has_the_bytes_of_the_file(folder, capsysbinary):
    source = b"# coding: latin-1\r\n# \xe9\r\nimport tensorflow_addons as tfa"
    folder.joinpath("a.py").write_bytes(source)
    main(["a.py"])
    expected = b"""\
--- a.py
+++ a.py
@@ -1,3 +1,3 @@
 # coding: latin-1\r
 # \xe9\r
-import tensorflow_addons as tfa
\\ No newline at end of file
+from tfx_extras import tfa
\\ No newline at end of file
files to change with --write: 1; places to change by hand: 0
"""
    assert capsysbinary.readouterr().out == expected


def test_wrong_usage_has_status_2(folder, capsys):
    for arguments in [], ["nowhere.py"], ["--wrong", "."]:
        with pytest.raises(SystemExit) as raised:
            main(arguments)
        assert raised.value.code == 2
    assert "no such file or folder: nowhere.py" in capsys.readouterr().err


def test_without_libcst_it_says_what_to_install(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "libcst", None)
    for name in [name for name in sys.modules if "tfx_extras.migrate._" in name]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit) as raised:
        main(["."])
    assert raised.value.code == 2
    assert 'pip install "tfx-extras[migrate]"' in capsys.readouterr().err


BLOCKED = """
import sys
class Blocked:
    def find_spec(name, *_):
        if name in ("keras", "numpy", "tensorflow", "jax", "torch"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked)
"""


@pytest.fixture
def without_keras(folder):
    """Runs Python where neither Keras nor a backend can be imported."""
    folder.joinpath("site").mkdir()
    folder.joinpath("site", "sitecustomize.py").write_text(BLOCKED)
    root = Path(tfx_extras.__file__).parents[1]
    path = os.pathsep.join([str(folder / "site"), str(root)])

    def python(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )

    return python


@pytest.mark.parametrize("form", [["-m", "{}"], ["-m{}"], ["-W", "error", "-Bm", "{}"]])
def test_it_needs_neither_keras_nor_a_backend(folder, without_keras, form):
    form = [part.format("tfx_extras.migrate") for part in form]
    result = without_keras(*form, "--help")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("usage: python -m tfx_extras.migrate")
    folder.joinpath("a.py").write_bytes(MOVES)
    result = without_keras(*form, "--write", "a.py")
    assert result.stderr == ""
    assert result.returncode == 0
    assert folder.joinpath("a.py").read_bytes() == MOVED


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "import tfx_extras", "-m", "tfx_extras.migrate"],
        ["-m", "tfx_extras.losses", "tfx_extras.migrate"],
        ["-m", "tfx_extras"],
    ],
)
def test_all_else_needs_keras(without_keras, arguments):
    result = without_keras(*arguments)
    assert result.returncode == 1
    assert "No module named 'keras'" in result.stderr


def test_it_runs_as_a_module(folder):
    folder.joinpath("a.py").write_bytes(MOVES)
    root = str(Path(tfx_extras.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-m", "tfx_extras.migrate", "a.py"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
    )
    assert result.returncode == 1
    assert "+from tfx_extras import tfa\n" in result.stdout
