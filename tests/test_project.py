"""The README and the project files agree with the package and with each other."""

import os
import re
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.only("torch")  # text is the same on every backend

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
LINK = re.compile(r"\[[^\]]+\]\(([^)]+)\)")
PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
PACKAGES = {
    "Keras": ("keras", PROJECT["dependencies"]),
    "NumPy": ("numpy", PROJECT["dependencies"]),
    "TensorFlow": ("tensorflow", EXTRAS["tensorflow"]),
    "JAX": ("jax", EXTRAS["jax"]),
    "PyTorch": ("torch", EXTRAS["torch"]),
}


def rows(heading):
    """The rows of the first table below a heading, by their first cell."""
    _, below = README.split(heading, 1)
    table = re.search(r"(?m)^\|.*\n\|[-|]+\n((?:\|.*\n)+)", below)[1]
    cells = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return {first.strip("`"): rest for first, *rest in cells}


def pinned(path):
    """The exact versions in a constraints file, by package."""
    return dict(re.findall(r"(?m)^(\w+)==([\w.]+)", (ROOT / path).read_text()))


def test_the_versions_are_those_that_are_declared_and_tested():
    table = rows("### Supported versions")
    assert table.keys() == {"Python", *PACKAGES}
    lowest, newest = pinned(".ci/lowest.txt"), pinned("constraints.txt")
    for title, (name, requirements) in PACKAGES.items():
        minimum, tested = table[title]
        assert f"{name}>={minimum}" in requirements, title
        assert f"{lowest[name]}.".startswith(f"{minimum}."), title
        assert tested == newest[name], title


def test_the_version_of_python_is_the_one_that_is_declared_and_tested():
    minimum, tested = rows("### Supported versions")["Python"]
    assert PROJECT["requires-python"] == f">={minimum}"
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    assert f'python-version: "{tested}"' in workflow
    assert f"Programming Language :: Python :: {tested}" in PROJECT["classifiers"]


def test_every_extra_is_explained():
    assert rows("## Installation").keys() == EXTRAS.keys()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    text = (ROOT / page).read_text()
    paths = [path for path in LINK.findall(text) if not path.startswith("https:")]
    missing = [path for path in paths if not (ROOT / path.split("#")[0]).exists()]
    assert not missing


def test_the_page_of_a_package_index_has_no_link_into_the_repository():
    """The package index has the README but no other file of the repository."""
    assert "](docs/" in README
    text = README
    hook = PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    assert hook["fragments"] == [{"path": "README.md"}]
    for change in hook["substitutions"]:
        text = re.sub(change["pattern"], change["replacement"], text)
    assert [link for link in LINK.findall(text) if not link.startswith("https:")] == []
    assert "\n- Getting started (`docs/guides/start.md`): from data" in text
    # The pattern does not match links by reference or in HTML.
    assert not re.search(r"(?m)^\[[^\]]+\]:|\]\[|<a |<img", README)


def test_the_version_stands_in_one_place():
    assert "version" in PROJECT["dynamic"]
    path = PYPROJECT["tool"]["hatch"]["version"]["path"]
    assert re.search(r'(?m)^__version__ = "[\d.]+"$', (ROOT / path).read_text())
    assert "= tfx_extras.__version__" in (ROOT / "docs/conf.py").read_text()


def test_the_source_distribution_has_all_that_the_tests_read():
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert all(list(ROOT.glob(path.removeprefix("/"))) for path in included)
    read = ["benchmarks", "docs", "examples", "tests", "tfx_extras"]
    read += [".ci", ".github", "Makefile", "constraints.txt", "*.md"]
    assert {f"/{name}" for name in read} <= set(included)


def test_the_workflow_runs_what_must_pass():
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    assert re.search(r"(?m)^  pull_request:$", text)
    assert re.search(r"(?m)^      - run: \.ci/run$", text)
    run = ROOT / ".ci/run"
    assert os.access(run, os.X_OK)
    assert re.search(r"(?m)^make test$", run.read_text())
    assert re.search(r"(?m)^make test +#", README)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob(".github/**/*.yml")), ids=lambda path: path.name
)
def test_the_files_for_github_are_yaml(path):
    text = path.read_text()
    assert "\t" not in text
    assert re.match(r"name: [\w ]+\n", text)
    try:
        import yaml  # the tests' requirements do not include it
    except ImportError:
        return
    content = yaml.safe_load(text)
    if path.parent.name == "ISSUE_TEMPLATE":
        assert {"name", "description", "body"} <= content.keys()
        assert all({"type", "attributes"} <= part.keys() for part in content["body"])


def test_the_changelog_begins_with_what_is_unreleased():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"(?m)^## (.+)$", text)[0] == "Unreleased"
