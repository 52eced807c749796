"""Docstrings name what they document, and say all that a user needs.

Of a class and its function, the class has the whole text. What both say is the same.
"""

import inspect
import re

import keras
import pytest

from tests.contracts.test_surface import PRESETS
from tests.contracts.test_surface import PUBLIC
from tfx_extras import callbacks
from tfx_extras import losses
from tfx_extras import optimizers

pytestmark = pytest.mark.only("torch")  # text is the same on each backend

SECTIONS = ["Args", "Call arguments", "Returns", "Raises", "Example", "Reference"]
PUBLIC = [getattr(package, name) for package, name in PUBLIC]
PUBLIC += [getattr(callbacks, name) for name in callbacks.__all__]
# Callbacks, and presets of two optimizers, have no formula of their own.
WITHOUT_FORMULA = {*callbacks.__all__, *PRESETS, "kernel_layouts"}
PAIRS = [cls for cls in PUBLIC if getattr(cls, "function", None) in PUBLIC]

each = pytest.mark.parametrize("thing", PUBLIC, ids=lambda thing: thing.__name__)
each_pair = pytest.mark.parametrize("cls", PAIRS, ids=lambda cls: cls.__name__)


def sections(thing):
    """The sections of a docstring by title; what comes before them by ""."""
    found = {"": []}
    title = ""
    for line in inspect.getdoc(thing).splitlines():
        head = re.fullmatch(r"([A-Z][a-z]+(?: [a-z]+)?):.*", line)
        if head and head[1].rstrip("s") in [name.rstrip("s") for name in SECTIONS]:
            title = head[1]
        found.setdefault(title, []).append(line)
    return {title: "\n".join(lines) for title, lines in found.items()}


def entries(section):
    """What a section says of each name, in one line."""
    parts = re.split(r"(?m)^    (\*{0,2}\w+): ", section)
    return {
        name: " ".join(text.split())
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def arguments(thing):
    """What a docstring says of each argument."""
    found = sections(thing)
    return entries(found.get("Args", "")) | entries(found.get("Call arguments", ""))


def words(text):
    """Text without what writers differ in: "Warm-up" is "warmup"."""
    return re.sub("[^a-z0-9]", "", text.lower())


@each
def test_the_first_line_names_the_object_and_says_what_it_does(thing):
    first = inspect.getdoc(thing).splitlines()[0]
    assert len(first) <= 80
    assert "form of" not in first
    name = thing.__name__
    parts = re.findall("[A-Z]+[a-z]+|[A-Z]+|[a-z]+", name)
    common = {"loss", "losses", "crossentropy", "categorical", "sparse", "optimizer"}
    own = [part for part in map(str.lower, parts) if part not in common]
    is_named = all(part in words(first) for part in own or parts)
    assert words(name) in words(first) or is_named, (name, first)
    assert first.count(" ") >= 3


@each
def test_each_argument_is_explained_and_an_example_shown(thing):
    documented = arguments(thing)
    for argument in inspect.signature(thing).parameters:
        assert documented.get(argument) or documented.get(f"**{argument}"), argument
    found = sections(thing)
    assert "Example" in found
    if inspect.isclass(thing):
        if thing.__name__ in callbacks.__all__:  # they check what they are used with
            assert "Error:" in found["Raises"]
        else:
            assert "ValueError:" in found["Raises"]
            assert "TypeError:" in found["Raises"]
    elif thing.__name__ not in WITHOUT_FORMULA:
        assert "Returns" in found


@each
def test_the_whole_text_has_a_formula_and_says_when_to_use_the_object(thing):
    if thing in [cls.function for cls in PAIRS]:
        return
    found = sections(thing)
    assert ("$$" in found[""]) or thing.__name__ in WITHOUT_FORMULA
    _, second, *_ = found[""].split("\n\n")
    assert second.startswith("Use it")
    alternatives = re.findall(r"`(keras\.[\w.]+)`", second)
    assert alternatives or "Keras has no equivalent" in " ".join(second.split())
    for alternative in alternatives:
        found = keras
        for name in alternative.split(".")[1:]:
            found = getattr(found, name)


@each_pair
def test_a_class_and_its_function_say_the_same(cls):
    of_class, of_function = inspect.getdoc(cls), inspect.getdoc(cls.function)
    assert of_class.splitlines()[0] == of_function.splitlines()[0]
    assert f"`{cls.__name__}`" in of_function
    said, again = arguments(cls), arguments(cls.function)
    shared = said.keys() & again.keys()
    assert shared >= again.keys() - {"sample_weight"}
    assert {name: said[name] for name in shared} == {n: again[n] for n in shared}


@pytest.mark.parametrize("options", [losses.LossOptions, optimizers.OptimizerOptions])
def test_the_options_of_all_are_named_in_their_classes(options):
    documented = arguments(options)
    assert documented.keys() == options.__annotations__.keys()
    package = losses if options is losses.LossOptions else optimizers
    for cls in PUBLIC:
        own = inspect.isclass(cls) and vars(package).get(cls.__name__) is cls
        if own and "kwargs" in inspect.signature(cls).parameters:
            assert f"`{options.__name__}`" in arguments(cls)["**kwargs"]
