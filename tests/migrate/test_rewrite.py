"""How source code is rewritten, and what is reported about it."""

import builtins
import textwrap

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tfx_extras.migrate._names import UnreadableError
from tfx_extras.migrate._rewrite import apply
from tfx_extras.migrate._rewrite import examine

pytestmark = pytest.mark.only("tensorflow")

CASES = {
    "all of it moves, and the name stays": (
        """
        import tensorflow_addons as tfa
        loss = tfa.losses.TripletSemiHardLoss()
        """,
        """
        from tfx_extras import tfa
        loss = tfa.losses.TripletSemiHardLoss()
        """,
    ),
    "another name stays too": (
        "import tensorflow_addons as addons  # why\naddons.optimizers.LAMB()",
        "from tfx_extras import tfa as addons  # why\naddons.optimizers.LAMB()",
    ),
    "one of many imports": (
        "import os, tensorflow_addons as tfa, sys",
        "import os, tfx_extras.tfa as tfa, sys",
    ),
    "the full name": (
        """
        import tensorflow_addons
        x = tensorflow_addons.losses.giou_loss
        y = tensorflow_addons . optimizers.weight_decay_optimizers.AdamW
        """,
        """
        import tfx_extras.tfa
        x = tfx_extras.tfa.losses.giou_loss
        y = tfx_extras.tfa . optimizers.weight_decay_optimizers.AdamW
        """,
    ),
    "submodules": (
        """
        import tensorflow_addons.losses, tensorflow_addons.optimizers as tfo
        from tensorflow_addons.losses.triplet import triplet_semihard_loss
        from tensorflow_addons.optimizers import AdamW as W, SGDW
        from tensorflow_addons.losses import *
        tensorflow_addons.losses.x, tfo.y
        """,
        """
        import tfx_extras.tfa.losses, tfx_extras.tfa.optimizers as tfo
        from tfx_extras.tfa.losses.triplet import triplet_semihard_loss
        from tfx_extras.tfa.optimizers import AdamW as W, SGDW
        from tfx_extras.tfa.losses import *
        tfx_extras.tfa.losses.x, tfo.y
        """,
    ),
    "packages": (
        "from tensorflow_addons import (\n    losses,  # a\n    optimizers as o\n)",
        "from tfx_extras.tfa import (\n    losses,  # a\n    optimizers as o\n)",
    ),
    "an import is split": (
        "if x:\n    from tensorflow_addons import losses, layers as L, optimizers  # c",
        "if x:\n    from tfx_extras.tfa import losses, optimizers\n"
        "    from tensorflow_addons import layers as L  # c",
    ),
    "an import with comments is split": (
        """
        from tensorflow_addons import (
            layers,  # left
            losses,  # moved
        )
        """,
        """
        from tfx_extras.tfa import (
            losses,  # moved
        )
        from tensorflow_addons import (
            layers,  # left
            )
        """,
    ),
    "what cannot move keeps its name": (
        """
        import tensorflow_addons as tfa
        tfa.layers.Maxout(3), tfa.losses.PinballLoss()
        """,
        """
        from tfx_extras import tfa as tfx_tfa
        import tensorflow_addons as tfa
        tfa.layers.Maxout(3), tfx_tfa.losses.PinballLoss()
        """,
    ),
    "with two names tfa is free": (
        "import tensorflow_addons as addons\naddons.layers, addons.losses.x",
        "from tfx_extras import tfa\nimport tensorflow_addons as addons\n"
        "addons.layers, tfa.losses.x",
    ),
    "both names are taken": (
        "import tensorflow_addons as tfa\ntfx_tfa = 1\ntfa.layers, tfa.losses.x",
        "from tfx_extras import tfa as tfx_tfa_2\nimport tensorflow_addons as tfa\n"
        "tfx_tfa = 1\ntfa.layers, tfx_tfa_2.losses.x",
    ),
    "the full name of both": (
        """
        import tensorflow_addons
        tensorflow_addons.layers.Maxout, tensorflow_addons.losses.giou_loss
        """,
        """
        import tfx_extras.tfa
        import tensorflow_addons
        tensorflow_addons.layers.Maxout, tfx_extras.tfa.losses.giou_loss
        """,
    ),
    "submodules of both": (
        """
        import tensorflow_addons.layers
        import tensorflow_addons.losses
        tensorflow_addons.layers.Maxout, tensorflow_addons.losses.giou_loss
        """,
        """
        import tfx_extras.tfa
        import tensorflow_addons.layers
        import tensorflow_addons.losses
        tensorflow_addons.layers.Maxout, tfx_extras.tfa.losses.giou_loss
        """,
    ),
    "one line": (
        "x = 1; import tensorflow_addons as tfa; tfa.layers.A, tfa.losses.B",
        "x = 1; from tfx_extras import tfa as tfx_tfa; "
        "import tensorflow_addons as tfa; tfa.layers.A, tfx_tfa.losses.B",
    ),
    "a line after a colon": (
        "if x: import tensorflow_addons as tfa\ntfa.layers.A, tfa.losses.B",
        "if x: from tfx_extras import tfa as tfx_tfa; "
        "import tensorflow_addons as tfa\ntfa.layers.A, tfx_tfa.losses.B",
    ),
    "an import that may fail": (
        """
        try:
            import tensorflow_addons as tfa
        except ImportError:
            tfa = None
        if tfa is not None:
            tfa.losses.A
        """,
        """
        try:
            from tfx_extras import tfa
        except ImportError:
            tfa = None
        if tfa is not None:
            tfa.losses.A
        """,
    ),
    "an import in a function": (
        """
        def f():
            import tensorflow_addons as tfa
            return tfa.losses.A, tfa.layers.A

        def g(tfa):
            return tfa.losses.A, [tfa.losses.A for tfa in x]
        """,
        """
        def f():
            from tfx_extras import tfa as tfx_tfa
            import tensorflow_addons as tfa
            return tfx_tfa.losses.A, tfa.layers.A

        def g(tfa):
            return tfa.losses.A, [tfa.losses.A for tfa in x]
        """,
    ),
    "an import again, within a function": (
        """
        import tensorflow_addons as tfa

        def f():
            import tensorflow_addons as tfa
            tfa.losses.A, tfa.layers.A
            import tensorflow_addons as tfa
        """,
        """
        from tfx_extras import tfa

        def f():
            from tfx_extras import tfa as tfx_tfa
            import tensorflow_addons as tfa
            tfx_tfa.losses.A, tfa.layers.A
            import tensorflow_addons as tfa
        """,
    ),
    "an import again, in a class": (
        """
        import tensorflow_addons as tfa

        class C:
            import tensorflow_addons as tfa
            tfa.losses.A, tfa.layers.A
            import tensorflow_addons as tfa
        """,
        """
        from tfx_extras import tfa as tfx_tfa
        import tensorflow_addons as tfa

        class C:
            from tfx_extras import tfa as tfx_tfa
            import tensorflow_addons as tfa
            tfx_tfa.losses.A, tfa.layers.A
            import tensorflow_addons as tfa
        """,
    ),
    "strings of which Python warns": (
        "import tensorflow_addons as tfa\nx = '\\d'",
        "from tfx_extras import tfa\nx = '\\d'",
    ),
    "nested strings": (
        "import tensorflow_addons\nf'{tensorflow_addons.losses.x!r:>{1}} tfa.losses'",
        "import tfx_extras.tfa\nf'{tfx_extras.tfa.losses.x!r:>{1}} tfa.losses'",
    ),
    "annotations": (
        "import tensorflow_addons as tfa\ndef f(x: 'tfa.losses.A', y: tfa.losses.B): 0",
        "from tfx_extras import tfa\ndef f(x: 'tfa.losses.A', y: tfa.losses.B): 0",
    ),
    "other modules": (
        "from .tensorflow_addons import losses\nimport tensorflow_addons_x as tfa\n"
        "from . import tensorflow_addons\nimport x.tensorflow_addons\ntfa.losses\n"
        "from tensorflow_addons.x import losses\nimport tensorflow_addons.optimizers_",
        None,
    ),
    "what is bound twice, with uses of both": (
        """
        try:
            import tensorflow_addons as tfa
        except ImportError:
            import mine as tfa
        tfa.losses.A, tfa.layers.B
        """,
        None,
    ),
    "a full name that is bound twice": (
        "import tensorflow_addons\nif x: tensorflow_addons = 1\n"
        "tensorflow_addons.losses.A",
        None,
    ),
    "a name that is bound elsewhere, with uses of both": (
        "def f():\n    global tfa\n    import tensorflow_addons as tfa\n"
        "def g():\n    return tfa.losses.A, tfa.layers.B",
        None,
    ),
    "a local name that is ours": (
        "import tensorflow_addons\ndef f(tfx_extras): tensorflow_addons.losses.A",
        None,
    ),
    "one name by two kinds of import": (
        "import tensorflow_addons as tensorflow_addons\nimport tensorflow_addons\n"
        "tensorflow_addons.losses.A",
        None,
    ),
    "an annotation in quotes, of a full name": (
        "import tensorflow_addons\ndef f(x: 'tensorflow_addons.losses.A'): 0",
        None,
    ),
}


def rewritten(source):
    edits, _ = examine(source)
    return apply(source.encode(), edits).decode()


def findings(source):
    _, found = examine(textwrap.dedent(source).strip())
    return [f"{line}: {text}" for line, text, _ in found]


@pytest.mark.parametrize("case", CASES)
def test_source_becomes(case):
    before, after = CASES[case]
    before = textwrap.dedent(before)
    after = before if after is None else textwrap.dedent(after)
    assert rewritten(before) == after
    assert rewritten(after) == after


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            """
            import tensorflow_addons as tfa
            tfa.layers.GroupNormalization(4)
            tfa.losses.giou_loss
            tfa.image.filters.mean_filter2d.x
            print(tfa, tfa.__version__)
            """,
            [
                "2: tensorflow_addons.layers.GroupNormalization: "
                "keras.layers.GroupNormalization",
                "4: tensorflow_addons.image.filters.mean_filter2d.x: "
                "keras.ops.average_pool with strides=1, on an image padded by "
                'keras.ops.pad with mode="reflect"',
                "5: tensorflow_addons.__version__: tfx_extras.__version__",
                "5: tensorflow_addons: used as a whole; check which names you use",
            ],
        ),
        (
            """
            from tensorflow_addons.layers import (
                CRF,
                Maxout as M,
            )
            from tensorflow_addons import metrics as m, rnn, text
            M(CRF)
            m.F1Score(3)
            f(text)
            """,
            [
                "2: tensorflow_addons.layers.CRF: no successor",
                "3: tensorflow_addons.layers.Maxout: no successor; keras.ops.reshape "
                "to (..., -1, num_units), then keras.ops.max over axis -2",
                "5: tensorflow_addons.rnn: not used here",
                "7: tensorflow_addons.metrics.F1Score: keras.metrics.F1Score, "
                "without num_classes",
                "8: tensorflow_addons.text: used as a whole; check which names you use",
            ],
        ),
        (
            """
            import tensorflow_addons.layers
            import tensorflow_addons.seq2seq as s
            from tensorflow_addons import *
            from tensorflow_addons import register_all
            register_all()
            """,
            [
                "1: tensorflow_addons.layers: not used here",
                "2: tensorflow_addons.seq2seq: not used here",
                "3: tensorflow_addons.*: import the names that are used",
                "4: tensorflow_addons.register_all: not needed any more",
            ],
        ),
        (
            """
            import tensorflow_addons.layers
            tensorflow_addons.layers.CRF, tensorflow_addons.layers.CRF
            """,
            ["2: tensorflow_addons.layers.CRF: no successor"],
        ),
        (
            """
            try:
                import tensorflow_addons
            except ImportError:
                tensorflow_addons = None
            def f(x: "tensorflow_addons.losses.A"): tensorflow_addons.losses.B
            """,
            [
                '5: "tensorflow_addons.losses.A": strings are not rewritten',
                "5: tensorflow_addons.losses.A: use tfx_extras.tfa.losses.A",
                "5: tensorflow_addons.losses.B: use tfx_extras.tfa.losses.B",
            ],
        ),
        (
            """
            import_module("tensorflow_addons.losses")
            requires = ["tensorflow-addons>=0.2", "tensorflow_addons is no module"]
            os.environ["TF_USE_LEGACY_KERAS"] = "1"
            '''TF_USE_LEGACY_KERAS is named in a text.'''
            """,
            [
                '1: "tensorflow_addons.losses": strings are not rewritten',
                '2: "tensorflow-addons>=0.2": strings are not rewritten',
                '3: "TF_USE_LEGACY_KERAS": makes tf.keras Keras 2, whose models do '
                "not accept objects of Keras 3",
            ],
        ),
        (
            """
            import keras, tf_keras, tensorflow as tf
            from tensorflow.keras.optimizers import legacy as old
            from tensorflow.keras.optimizers.legacy import SGD
            tf.keras.optimizers.legacy.Adam(), keras.optimizers.legacy.Adam()
            old.Adam(), tf.keras.optimizers.Adam(), SGD()
            tf.keras.losses.Reduction.AUTO, keras.losses.Reduction.SUM
            tf.keras.losses.Reduction.SUM, tf.optimizers.legacy
            """,
            [
                "1: tf_keras: Keras 2, whose models do not accept objects of Keras 3",
                "2: tensorflow.keras.optimizers.legacy: not in Keras 3; use "
                "keras.optimizers",
                "3: tensorflow.keras.optimizers.legacy.SGD: not in Keras 3; use "
                "keras.optimizers",
                "4: keras.optimizers.legacy.Adam: not in Keras 3; use keras.optimizers",
                "4: tensorflow.keras.optimizers.legacy.Adam: not in Keras 3; use "
                "keras.optimizers",
                '6: keras.losses.Reduction.SUM: not in Keras 3; use "none", "sum" or '
                "another string",
                "6: tensorflow.keras.losses.Reduction.AUTO: not in Keras 3; use "
                '"sum_over_batch_size"',
            ],
        ),
    ],
)
def test_what_is_left_is_said_with_its_line(source, expected):
    assert findings(source) == expected
    assert all(f.by_hand for f in examine(textwrap.dedent(source))[1])


@pytest.mark.parametrize(
    "source",
    [
        "import tensorflow_addons as tfa\ntfa.optimizers.AdamW(1e-4)",
        "from tensorflow_addons.optimizers import AdamW as W\nW(1e-4)",
        "import tensorflow_addons\ntensorflow_addons.optimizers.AdamW(1e-4)",
        "import tensorflow_addons.optimizers as o\no.AdamW(1e-4)",
        "import tensorflow_addons as tfa\ntfa.layers, tfa.optimizers.AdamW(1e-4)",
        "import os\nfrom tfx_extras import tfa; tfa.optimizers.AdamW(1e-4)",
        "import keras\nfrom tfx_extras.tfa.optimizers import AdamW; AdamW(1e-4)",
    ],
)
def test_weight_decay_is_noted_where_it_is_used(source):
    (found,) = (f for f in examine(source)[1] if not f.by_hand)
    assert found.line == 2
    assert ".optimizers.AdamW: decays as TensorFlow Addons did" in found.text
    assert not examine("import keras\nkeras.optimizers.AdamW()")[1]


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("AdamW", "keras.optimizers.AdamW multiplies"),
        ("SGDW", "keras.optimizers.SGD(weight_decay=...) multiplies"),
        ("DecoupledWeightDecayExtension", "each of keras.optimizers takes"),
        ("extend_with_decoupled_weight_decay", "each of keras.optimizers takes"),
    ],
)
def test_a_note_on_weight_decay_names_what_keras_has(name, theirs):
    source = f"import tensorflow_addons as tfa\ntfa.optimizers.{name}(1e-4)"
    (found,) = (f for f in examine(source)[1] if not f.by_hand)
    assert f"decays as TensorFlow Addons did; {theirs}" in found.text
    assert found.text.count("AdamW") == 2 * (name == "AdamW")


FOCAL = "tfa.losses.SigmoidFocalCrossEntropy"


@pytest.mark.parametrize(
    ("source", "is_noted"),
    [
        (f"import tensorflow_addons as tfa\n{FOCAL}()", True),
        (f"import tensorflow_addons as tfa\n{FOCAL}(True, 0.5, gamma=1.0)", True),
        (f"from tfx_extras import tfa\nx.compile(loss={FOCAL}(alpha=0.5))", True),
        (
            "from tensorflow_addons.losses.focal_loss import "
            "SigmoidFocalCrossEntropy as F\nF(from_logits=True)",
            True,
        ),
        (f"import tensorflow_addons as tfa\n{FOCAL}(reduction='none')", False),
        (f"import tensorflow_addons as tfa\n{FOCAL}(True, 0.5, 1.0, 'sum')", False),
        (f"import tensorflow_addons as tfa\n{FOCAL}(**options)", False),
        (f"import tensorflow_addons as tfa\n{FOCAL}(*options)", False),
        (f"import tensorflow_addons as tfa\nprint({FOCAL})", False),
        (f"import tensorflow_addons as tfa\n{FOCAL}.from_config(x)", False),
        (f"import tensorflow_addons as tfa\nx: '{FOCAL}' = f('{FOCAL}')", False),
        ("import tensorflow_addons as tfa\ntfa.losses.GIoULoss()", False),
        ("import keras\nkeras.losses.SigmoidFocalCrossEntropy()", False),
    ],
)
def test_a_focal_loss_that_needs_a_reduction_is_noted(source, is_noted):
    found = [f for f in examine(source)[1] if not f.by_hand]
    assert len(found) == is_noted
    for finding in found:
        assert finding.line == 2
        assert "SigmoidFocalCrossEntropy: returns one loss per sample" in finding.text
        assert 'reduction="sum_over_batch_size"' in finding.text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_and_added_as_the_file_ends_them(end):
    lines = ["x = 1", "import tensorflow_addons as tfa", "tfa.layers.CRF, tfa.losses.A"]
    source = end.join(lines)
    added = ["from tfx_extras import tfa as tfx_tfa"]
    uses = ["tfa.layers.CRF, tfx_tfa.losses.A"]
    assert rewritten(source) == end.join([lines[0], *added, lines[1], *uses])
    assert [found.line for found in examine(source)[1]] == [3]


@pytest.mark.parametrize(
    ("source", "line", "text"),
    [
        ("\nprint 1", 2, "not Python 3: Missing parentheses"),
        ("x = '\0'", 1, "cannot be analyzed|not Python 3"),
        ("\fimport tensorflow_addons", 1, "odd white space or line ends"),
        ("import tensorflow_addons\r", 1, "odd white space or line ends"),
        ("x = '\ud800'", 1, "cannot be analyzed: UnicodeEncodeError"),
        ("x = 1" + " + 1" * 700, 1, "cannot be analyzed: RecursionError"),
    ],
)
def test_what_cannot_be_read_is_said(source, line, text):
    with pytest.raises(UnreadableError, match=text) as raised:
        examine(source)
    assert raised.value.line == line


class Path:
    """Stands for whatever an attribute or an import gives; it knows only its path."""

    def __init__(self, path):
        self.path = path

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Path(f"{self.path}.{name}")


def run(source):
    """The paths that a program passes to `seen`, and the error that ends it."""
    paths = []

    def imports(name, _globals=None, _locals=None, fromlist=None, _level=0):
        return Path(name if fromlist else name.split(".")[0])

    names = vars(builtins) | {"__import__": imports}
    names |= {
        "seen": lambda *values: paths.extend(getattr(v, "path", v) for v in values),
        "other": Path("other"),
    }
    try:
        exec(compile(source, "test", "exec"), {"__builtins__": names})
    except (NameError, AttributeError):
        paths.append("error")
    return paths


IMPORTS = [
    "import tensorflow_addons as tfa",
    "import tensorflow_addons",
    "import tensorflow_addons.losses",
    "import tensorflow_addons.layers, os",
    "import tensorflow_addons.optimizers as opt",
    "import os, tensorflow_addons as tfa, tensorflow_addons as addons",
    "from tensorflow_addons import losses, layers",
    "from tensorflow_addons import (\n  layers as L, # é\n  losses,\n  optimizers)",
    "from tensorflow_addons.losses.triplet import triplet_hard_loss as loss",
    "import tensorflow_addons as tfa; seen(tfa.losses.A, tfa.layers.B)",
]
USES = [
    "seen(tfa.losses.A)",
    "seen(tfa.losses.A, tfa.layers.B)",
    "seen(addons.losses.A, addons.optimizers)",
    "seen(addons.image)",
    "seen(tensorflow_addons.optimizers.A)",
    "seen(tensorflow_addons.layers.A)",
    "seen(losses.A, layers.B)",
    "seen(L.A, losses.B, optimizers.C)",
    "seen(opt.A, loss)",
    "seen(tfa is None)",
    "seen('tfa.losses.A')",
    "seen(f'{tfa.losses.A.path!s:>{9}}' == '')",
    "seen([tfa.losses.A for tfa in [other]][0], tfa.losses.A)",
    "seen((lambda tfa=tfa: tfa.losses.A)(other))",
    "tfa = other",
    "tensorflow_addons = other",
    "tfx_tfa = other; seen(tfx_tfa.losses)",
]
BLOCKS = [
    "if True:\n{}",
    "try:\n{}\nexcept ImportError:\n    tfa = None",
    "def f():\n{}\nf()",
    "def f():\n    global tfa, tensorflow_addons\n{}\nf()",
    "def f(tfa):\n{}\nf(other)",
    "class C:\n{}",
]


def block(inner):
    return st.builds(
        lambda form, lines: form.format(textwrap.indent("\n".join(lines), "    ")),
        st.sampled_from(BLOCKS),
        st.lists(inner, min_size=1, max_size=4),
    )


LINE = st.sampled_from(IMPORTS) | st.sampled_from(USES)
PROGRAM = st.lists(st.recursive(LINE, block, max_leaves=6), max_size=8).map("\n".join)


@example("import tensorflow_addons as tfa\nseen(tfa.losses.A, tfa.layers.B)")
@given(PROGRAM)
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
def test_a_program_does_the_same_with_what_moved(source):
    edits, found = examine(source)
    after = apply(source.encode(), edits).decode()
    assert not examine(after)[0]

    def moved(path):
        for package in ("losses", "optimizers"):
            old, new = f"tensorflow_addons.{package}", f"tfx_extras.tfa.{package}"
            path = path.replace(old, new) if isinstance(path, str) else path
        return path

    seen = run(after)
    assert [moved(path) for path in seen] == [moved(path) for path in run(source)]
    left = any(finding.by_hand for finding in found)
    assert left or [moved(path) for path in seen] == seen
