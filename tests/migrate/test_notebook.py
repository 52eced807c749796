"""Notebooks: how their code is rewritten, byte by byte, and what is reported."""

import json

import pytest

from tfx_extras.migrate._names import UnreadableError
from tfx_extras.migrate._notebook import migrate

pytestmark = pytest.mark.only("tensorflow")

TEXT = {"cell_type": "markdown", "metadata": {}, "source": ["tensorflow_addons as tfa"]}


def code(*lines):
    return {"cell_type": "code", "metadata": {}, "outputs": [], "source": list(lines)}


def notebook(*cells, **style):
    whole = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(whole, **style) + "\n").encode()


@pytest.mark.parametrize(
    "style",
    [
        {"indent": 1, "ensure_ascii": False},
        {"indent": 2},
        {"separators": (",", ":")},
        {"indent": "\t", "sort_keys": True},
    ],
)
def test_names_are_followed_from_cell_to_cell(style):
    before = notebook(
        TEXT,
        code("import tensorflow_addons as tfa"),
        code("# é\n", "x = tfa.losses.A, tfa.layers.CRF\n", "# <"),
        code("tfa.optimizers.B"),
        **style,
    ).replace(b"<", b"\\u003c")  # as some tools write it
    after, findings = migrate(before)
    imports = [
        "from tfx_extras import tfa as tfx_tfa\n",
        "import tensorflow_addons as tfa",
    ]
    expected = notebook(
        TEXT,
        code(*imports),
        code("# é\n", "x = tfx_tfa.losses.A, tfa.layers.CRF\n", "# <"),
        code("tfx_tfa.optimizers.B"),
        **style,
    ).replace(b"<", b"\\u003c")
    assert after == expected
    assert migrate(after)[0] == after
    ((place, finding),) = findings
    assert place == "cell 2:2"
    assert finding.text == "tensorflow_addons.layers.CRF: no successor"


def test_added_lines_are_set_as_the_others_of_the_cell():
    lines = ["import tensorflow_addons as tfa\n", "tfa.losses.A, tfa.layers"]
    after, _ = migrate(notebook(code(*lines)))
    added = "from tfx_extras import tfa as tfx_tfa\n"
    expected = code(added, lines[0], "tfx_tfa.losses.A, tfa.layers")
    assert after == notebook(expected)


def test_a_source_may_be_one_string():
    cell = code() | {"source": "x = 1\nfrom tensorflow_addons import losses\nx = 'é'"}
    after, _ = migrate(notebook(cell, indent=1, ensure_ascii=False))
    cell["source"] = "x = 1\nfrom tfx_extras.tfa import losses\nx = 'é'"
    assert after == notebook(cell, indent=1, ensure_ascii=False)


def test_what_is_not_python_stays():
    cells = [
        code("!pip install tensorflow-addons\n", "%matplotlib inline\n", "x = !ls é\n"),
        code(
            "%%time\n",
            "!ls é\n",
            "import tensorflow_addons\n",
            "if x:\n",
            "    %pip list\n",
        ),
        code("%%bash\n", "pip install tensorflow_addons\n", "import x"),
        code("tensorflow_addons.losses.giou_loss?\n", "tensorflow_addons.losses.x"),
        code("%timeit tfa.losses.x\n", "why = 'is this no help?'"),
        code("this is no Python"),
        code(),
    ]
    after, findings = migrate(notebook(*cells))
    expected = [dict(cell) for cell in cells]
    expected[1]["source"][2] = "import tfx_extras.tfa\n"
    expected[3]["source"][1] = "tfx_extras.tfa.losses.x"
    assert json.loads(after)["cells"] == expected
    assert [(place, finding.text) for place, finding in findings] == [
        ("cell 1:1", "!pip install tensorflow-addons: only Python is rewritten"),
        ("cell 3:2", "pip install tensorflow_addons: only Python is rewritten"),
        ("cell 4:1", "tensorflow_addons.losses.giou_loss?: only Python is rewritten"),
        ("cell 5:1", "%timeit tfa.losses.x: only Python is rewritten"),
        ("cell 6:1", "this cell is not Python"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b'{"cells": [{"source": []}]}',
        b'{"cells": [], "a": 1, "a": 2}',
    ],
)
def test_what_is_no_notebook_is_said(text):
    with pytest.raises(UnreadableError, match="not a notebook"):
        migrate(text)
