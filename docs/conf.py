"""How Sphinx makes the site: `make docs`."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
os.environ.setdefault("KERAS_BACKEND", "torch")  # draws the curves

import tfx_extras  # noqa: E402  # the backend is chosen above

project = "tfx_extras"
copyright = "the authors of tfx_extras, Apache License 2.0"
release = version = tfx_extras.__version__
extensions = [
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx-mathjax-offline",
    "extensions.api",
    "extensions.figures",
    "extensions.gallery",
    "extensions.purposes",
    "extensions.quality",
    "extensions.site",
]
exclude_patterns = ["_build", "extensions", "figures", "tests"]
myst_enable_extensions = [
    "linkify",
    "amsmath",
    "attrs_inline",
    "colon_fence",
    "dollarmath",
    "fieldlist",
]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "tfx_extras"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["playground.css", "site.css"]
# The menu of a formula would load parts of MathJax that the site does not have.
mathjax3_config = {"options": {"enableMenu": False}}
html_copy_source = False
toc_object_entries_show_parents = "hide"  # long names would be cut off
html_show_sphinx = False
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
