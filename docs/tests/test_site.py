"""The site that `make docs` built, opened in Chromium."""

import contextlib
import functools
import html
import http.server
import inspect
import itertools
import posixpath
import re
import shutil
import sys
import threading
from pathlib import Path
from urllib.parse import urldefrag
from urllib.parse import urljoin

import keras
import numpy as np
import pytest
from playwright.sync_api import sync_playwright

import tfx_extras
from tfx_extras import tfa

DOCS = Path(__file__).parents[1]
sys.path.insert(0, str(DOCS))
from extensions import purposes  # noqa: E402

SITE = DOCS / "_build" / "html"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
# Pages of names are alike, so a browser opens the first of some, and adds the others.
NAMES = [
    list(pages)
    for _, pages in itertools.groupby(
        (p for p in PAGES if p.count("/") > 1 and p.startswith("api/")),
        posixpath.dirname,
    )
]
TOGETHER = [pages[i : i + 25] for pages in NAMES for i in range(0, len(pages), 25)]
GROUPS = [*TOGETHER, *([page] for page in PAGES if page not in set().union(*NAMES))]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def address():
    """Where the site is served, for this test alone."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=SITE)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, f"none of {BROWSERS} is installed"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"]
        )
        with contextlib.closing(launched):
            yield launched


@pytest.fixture(scope="module")
def page_and_failures(browser, address):
    """A page of the browser, and what failed on it so far."""
    page = browser.new_page()
    failures = []

    def console(message):
        if message.type == "error":
            failures.append(message.text)

    def request(made):
        if not made.url.startswith((address, "data:", "blob:")):
            failures.append(f"not of the site: {made.url}")

    def failed(made):
        if made.failure != "net::ERR_ABORTED":  # by going to the next page
            failures.append(f"{made.failure}: {made.url}")

    def response(given):
        if given.status >= 400:
            failures.append(f"{given.status}: {given.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("request", request)
    page.on("requestfailed", failed)
    page.on("response", response)
    return page, failures


@pytest.fixture
def open_page(page_and_failures, address):
    """Opens a page of the site, and sees that nothing on it fails."""
    page, failures = page_and_failures
    failures.clear()

    def opened(name):
        page.set_viewport_size({"width": 1400, "height": 900})
        page.goto(address + name, wait_until="load")
        page.evaluate("window.MathJax?.startup?.promise")
        return page

    yield opened
    assert not failures


def test_the_site_is_there():
    assert len(PAGES) > 100
    assert {"index.html", "gallery.html", "playground.html"} <= set(PAGES)


# What is wrong on a page, in words, at the width that the window has.
TROUBLE = """() => {
  const troubles = [];
  const room = document.documentElement.clientWidth;
  const scrolls = (e) => ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
  for (const math of document.querySelectorAll("mjx-container")) {
    let box = math;
    while (!scrolls(box) && !box.matches("article, body")) box = box.parentElement;
    const right = math.querySelector("mjx-math").getBoundingClientRect().right;
    const end = Math.min(box.getBoundingClientRect().right, room);
    if (!scrolls(box) && math.checkVisibility() && right > end + 1)
      troubles.push(`clipped: ${math.textContent}`);
    if (scrolls(box) && box.scrollHeight > box.clientHeight + 1)
      troubles.push(`cut off below: ${math.textContent}`);
  }
  const names = "article :is(:not(pre) > code, h1, .sig-name, .sig-param, label)";
  for (const code of document.querySelectorAll(names)) {
    if (!code.checkVisibility()) continue;
    if (code.matches(".sig *") && code.getBoundingClientRect().right > room + 1)
      troubles.push(`beyond the edge: ${code.textContent}`);
    const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      for (const word of texts.currentNode.data.matchAll(/[A-Za-z_]\\w+/g)) {
        const range = document.createRange();
        range.setStart(texts.currentNode, word.index);
        range.setEnd(texts.currentNode, word.index + word[0].length);
        const tops = new Set([...range.getClientRects()].map((r) => Math.round(r.top)));
        if (tops.size > 1) troubles.push(`broken: ${word[0]}`);
      }
    }
  }
  for (const title of document.querySelectorAll("article h1"))
    if (title.scrollWidth > title.clientWidth + 1) troubles.push(title.textContent);
  if (document.documentElement.scrollWidth > innerWidth) troubles.push("page too wide");
  return troubles;
}"""
# Images load when they are seen. Here, all are.
IMAGES = """async () => {
  const images = [...document.querySelectorAll("article img")];
  for (const image of images) image.loading === "lazy" || image.remove();
  const lazy = images.filter((image) => image.loading === "lazy");
  for (const image of lazy) image.loading = "eager";
  await Promise.all(lazy.map((image) => image.decode().catch(() => null)));
  return images.map((i) => [i.src, i.isConnected, i.naturalWidth, i.alt]);
}"""


def is_telling(alt):
    """Whether a text says what is seen on an image, and not only its name."""
    return len(alt) >= 20 and alt.count(" ") >= 3


# Adds the articles of other pages, which show all that differs between them.
ADD = """async (names) => {
  const articles = document.querySelector("article").parentNode;
  for (const name of names) {
    const text = await (await fetch("/" + name)).text();
    const page = new DOMParser().parseFromString(text, "text/html");
    articles.append(document.adoptNode(page.querySelector("article")));
  }
  await window.MathJax.typesetPromise();
}"""


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_pages_are_whole_and_fit(names, open_page, address):
    # Only pages with formulas load MathJax.
    first = max(names, key=lambda name: "tex-chtml.js" in (SITE / name).read_text())
    page = open_page(first)
    if len(names) > 1:
        page.evaluate(ADD, [name for name in names if name != first])
    formulas = page.locator(".math").count()
    assert page.locator("mjx-container").count() == formulas
    assert page.locator("mjx-merror, .problematic").count() == 0
    weight = sum((SITE / name).stat().st_size for name in names)
    images = page.evaluate(IMAGES)
    for source, is_lazy, width, alt in images:
        assert is_lazy
        assert width > 0
        assert is_telling(alt)
        weight += (SITE / source.removeprefix(address)).stat().st_size
    # The gallery has all pictures, each of which loads when it is seen.
    assert weight < max(1e6 * len(names), 3e4 * len(images))
    texts = page.locator("article :is(p, li, td, dt)").all_inner_texts()
    assert "$$" not in "".join(texts)  # as in code it may be
    for width in (1400, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(TROUBLE) == []


def test_no_link_is_broken(address):
    links, anchors = {}, {}
    for name in PAGES:
        text = (SITE / name).read_text()
        links[name] = map(html.unescape, re.findall(r'<a\b[^>]*\bhref="([^"]*)"', text))
        anchors[address + name] = {"", *re.findall(r'\bid="([^"]*)"', text)}
    broken = []
    for name, targets in links.items():
        for target in targets:
            where, anchor = urldefrag(urljoin(address + name, target))
            where = where + "index.html" if where.endswith("/") else where
            if where.startswith(address) and where.endswith(".html"):
                is_there = anchor in anchors.get(where, ())
            elif where.startswith(address):
                is_there = (SITE / where[len(address) :]).exists()
            else:
                continue
            if not is_there:
                broken.append((name, target))
    assert not broken


def test_each_public_name_has_a_page_and_nothing_else_has():
    expected = set()
    for package in tfx_extras.__all__:
        expected.add(f"api/{package}.html")
        module = getattr(tfx_extras, package)
        lookup = {"get", "list"} & vars(module).keys()
        for name in {*module.__all__, *lookup}:
            folder = "" if isinstance(getattr(module, name), type) else "functions/"
            expected.add(f"api/{package}/{folder}{name}.html")
    found = {page for page in PAGES if page.startswith("api/")}
    of_tfa = {f"api/tfa.{package}.html" for package in tfa.__all__}
    assert found == expected | of_tfa | {"api/index.html"}


@pytest.mark.parametrize("package", tfa.__all__)
def test_each_name_of_tensorflow_addons_is_on_the_page_of_its_package(
    package, open_page
):
    page = open_page(f"api/tfa.{package}.html")
    ids = page.locator("dt[id]").evaluate_all("terms => terms.map(term => term.id)")
    prefix = f"tfx_extras.tfa.{package}."
    found = [i.removeprefix(prefix) for i in ids if i.startswith(prefix)]
    found = [name for name in found if "." not in name]  # else a method
    assert found == getattr(tfa, package).__all__


def test_a_class_page_has_the_formula_the_cost_and_what_differs(open_page):
    page = open_page("api/losses/Huber.html")
    assert page.locator("dl.class mjx-container[display]").count() >= 1
    functions = page.locator("#see-also a[href$='functions/huber.html']")
    assert functions.count() == 1
    page = open_page("api/losses/SigmoidFocalCrossentropy.html")
    cost = page.locator("#cost").inner_text()
    assert "linearly with the number of predictions" in cost
    assert page.locator("#see-also a[href*='tfa.losses.html']").count() == 1
    page = open_page("api/optimizers/Yogi.html")
    cost = page.locator("#cost").inner_text()
    assert "reads at least 16 bytes" in cost
    assert "writes 12" in cost
    assert page.locator("#see-also a[href$='tfa.optimizers.html']").count() == 1


def test_each_loss_schedule_and_optimizer_says_what_it_costs():
    kinds = keras.losses.Loss, keras.optimizers.Optimizer
    kinds = (*kinds, keras.optimizers.schedules.LearningRateSchedule)
    for path in (SITE / "api").glob("*/*.html"):
        thing = getattr(getattr(tfx_extras, path.parent.name), path.stem)
        if isinstance(thing, type) and issubclass(thing, kinds):
            text = path.read_text()
            assert re.search(r'id="cost"|\b([Tt]ime|[Mm]emory|costs?)\b', text), path


def shares_options(package, name):
    thing = getattr(package, name)
    if not isinstance(thing, type) and name not in purposes.PRESETS:
        return False
    if not hasattr(thing, "__annotations__") or name.endswith("Options"):
        return False
    return {"kwargs", "inner_optimizer"} & inspect.signature(thing).parameters.keys()


@pytest.mark.parametrize(
    ("package", "option"), [("losses", "reduction"), ("optimizers", "skip_nonfinite")]
)
def test_each_class_shows_the_options_that_all_share_when_it_is_asked(
    package, option, open_page
):
    public = getattr(tfx_extras, package)
    names = [name for name in public.__all__ if shares_options(public, name)]
    assert len(names) > 10
    for name in names:
        folder = "" if isinstance(getattr(public, name), type) else "functions/"
        text = (SITE / f"api/{package}/{folder}{name}.html").read_text()
        folded = re.search(r'<details class="[^"]*\boptions\b.*?</details>', text, re.S)
        assert folded, name
        assert f"<strong>{option}</strong>" in folded[0]
    page = open_page(f"api/{package}/{names[0]}.html")
    text = page.locator("details.options strong", has_text=option).first
    assert not text.is_visible()
    page.locator("details.options summary").click()
    assert text.is_visible()


def test_the_reference_lists_each_name_once_by_purpose(open_page):
    for package in ("losses", "optimizers", "schedules"):
        page = open_page(f"api/{package}.html")
        listed = page.locator("table.stacked td:first-child code").all_inner_texts()
        public = getattr(tfx_extras, package)
        assert sorted(listed) == sorted({*public.__all__, "get", "list"})
        assert page.locator("article h2").count() >= 4


def test_a_name_without_a_purpose_stops_the_build():
    public = {"losses": {*purposes.ordered("losses")}}
    purposes.check(public)
    with pytest.raises(ValueError, match=r"Missing: \['Hinge'\]"):
        purposes.check({"losses": {*public["losses"], "Hinge"}})
    with pytest.raises(ValueError, match=r"Not public: \['Huber'\]"):
        purposes.check({"losses": public["losses"] - {"Huber"}})


def test_the_figures_of_the_front_page_are_those_of_the_benchmarks():
    results = DOCS.parent / "benchmarks" / "results"
    measured = "".join(path.read_text() for path in results.glob("*.md"))
    claimed = re.findall(r"\| ([\d.]+) (?:ms|MB)", (DOCS / "index.md").read_text())
    assert len(claimed) == 14
    assert [number for number in claimed if f"| {number} |" not in measured] == []


def test_the_site_has_one_mathjax():
    folder = SITE / "_static" / "mathjax"
    assert [path.name for path in folder.rglob("*.js")] == ["tex-chtml.js"]
    assert sum(path.stat().st_size for path in folder.rglob("*.*")) < 3e6


def luminance(color):
    """Relative luminance of a color of CSS, as in WCAG 2."""
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", color)[:3])
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (red, green, blue)
    ]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


COLORS = """() => {
  const style = (selector) => getComputedStyle(document.querySelector(selector));
  const text = document.querySelectorAll("article :is(p, dd, h1, code, mjx-container)");
  return {
    ground: style("body").backgroundColor,
    filter: style("article img").filter,
    text: [...new Set([...text].map((e) => getComputedStyle(e).color))],
  };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_figures_are_legible(scheme, browser, address):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(address + "api/losses/Huber.html")
    page.wait_for_selector("mjx-container")
    found = page.evaluate(COLORS)
    context.close()
    ground = luminance(found["ground"])
    assert (ground < 0.1) == (scheme == "dark")
    for color in found["text"]:
        low, high = sorted([ground, luminance(color)])
        assert (high + 0.05) / (low + 0.05) >= 4.5, color
    # Black on transparent, which a dark page turns round.
    assert ("invert(1)" in found["filter"]) == (scheme == "dark")
    drawn = (SITE / "_images" / "Huber.svg").read_text()
    assert re.search(r'id="patch_1">\s*<path [^>]*style="fill: none', drawn)


@pytest.mark.parametrize("name", ["ko/index.html", "ko/start.html"])
def test_a_korean_page_has_a_korean_navigation(name, open_page):
    page = open_page(name)
    assert page.locator("html").get_attribute("lang") == "ko"
    shown = page.locator(
        ".sidebar-tree :is(.caption-text, .toctree-l1 > a, [href*='ko/'])"
    ).all_inner_texts()
    assert len(shown) > 30
    assert [text for text in shown if not re.search("[가-힣]", text)] == []


def test_the_gallery_has_each_loss_schedule_and_optimizer(open_page):
    page = open_page("gallery.html")
    shown = set(page.locator(".sd-card-title code").all_inner_texts())
    classes = {
        name
        for package in (tfx_extras.losses, tfx_extras.schedules, tfx_extras.optimizers)
        for name in package.__all__
        if isinstance(getattr(package, name), type)
    }
    # Options are no objects; what adds or parts others has no curve of its own.
    without = {"CombinedLoss", "LossOptions", "OptimizerOptions", "ParameterGroups"}
    without |= {"Optimizer", "LearningRates"}  # the base, and a result
    # These are functions alone.
    also = purposes.PRESETS | {"chunked_linear_crossentropy"}
    assert shown == classes - without | also
    assert page.locator("article img").count() >= len(shown)


# What people search for, and pages of which one must be among the first five.
SEARCHES = {
    "AdaBelief": ["AdaBelief"],
    "warmup_cosine": ["warmup_cosine"],
    "NpairsLoss": ["NpairsLoss"],
    "imbalanced": ["Class imbalance", "SigmoidFocalCrossentropy"],
    "class imbalance": ["Class imbalance", "SigmoidFocalCrossentropy"],
    "exclude bias": ["Choosing an optimizer", "OptimizerOptions"],
    "EMA": ["MovingAverage", "Optimizer wrappers"],
    "hard mining": ["TripletHardLoss", "Metric learning"],
    "recall": ["recall"],
    "label smoothing": ["Label smoothing"],
    "focal loss": ["SigmoidFocalCrossentropy"],
    "quantile regression": ["PinballLoss"],
}


@pytest.mark.parametrize("words", SEARCHES)
def test_search_finds(words, open_page):
    page = open_page("search.html?q=" + words.replace(" ", "+"))
    page.wait_for_selector("#search-results li")
    hits = page.locator("#search-results li > a").all_inner_texts()[:5]
    assert any(title in hit for hit in hits for title in SEARCHES[words]), hits


def slide(page, curve, **values):
    """Moves sliders, and returns the curve that is drawn."""
    place = page.locator(f".playground[data-curve={curve}]")
    for name, value in values.items():
        place.locator(f"input[name={name}]").evaluate(
            "(slider, value) => { slider.value = value;"
            " slider.dispatchEvent(new Event('input')); }",
            str(value),
        )
    return np.array(place.evaluate("place => place.curve")).T


SCHEDULES = [
    {"peak": 0.001, "warmup": 100, "hold": 0, "decay": 900, "end": 0, "restarts": 0}
    | {"m_mul": 1.0},
    {"peak": 0.01, "warmup": 0, "hold": 50, "decay": 200, "end": 0.001, "restarts": 3}
    | {"m_mul": 0.5},
    {"peak": 0.004, "warmup": 500, "hold": 10, "decay": 130, "end": 0.005}
    | {"restarts": 1, "m_mul": 0.9},
]


@pytest.mark.parametrize("values", SCHEDULES)
def test_the_schedule_of_the_playground_is_that_of_python(values, open_page):
    steps, rates = slide(open_page("playground.html"), "schedule", **values)
    exact = tfx_extras.schedules.warmup_cosine(
        steps,
        values["peak"],
        values["warmup"],
        values["decay"],
        hold_steps=values["hold"],
        end_learning_rate=values["end"],
        restarts=values["restarts"],
        m_mul=values["m_mul"],
    )
    assert len(steps) == 501
    np.testing.assert_allclose(rates, keras.ops.convert_to_numpy(exact), atol=1e-8)


@pytest.mark.parametrize(("gamma", "alpha"), [(2, 0.25), (0, 1), (0.5, 0.5), (5, 0.75)])
def test_the_focal_loss_of_the_playground_is_that_of_python(gamma, alpha, open_page):
    page = open_page("playground.html")
    logits, losses = slide(page, "focal", gamma=gamma, alpha=alpha)
    exact = tfx_extras.losses.sigmoid_focal_crossentropy(
        np.ones((len(logits), 1)),
        logits[:, None],
        alpha=alpha,
        gamma=gamma,
        from_logits=True,
    )
    assert len(logits) == 201
    np.testing.assert_allclose(losses, keras.ops.convert_to_numpy(exact), atol=1e-6)
    path = page.locator("[data-curve=focal] svg path").get_attribute("d")
    assert path.count("L") == 200


def test_the_axes_of_the_playground_hold_still_while_a_slider_moves(open_page):
    page = open_page("playground.html")

    def axis():
        place = page.locator("[data-curve=schedule] figure text")
        return place.all_text_contents()

    before = axis()
    slide(page, "schedule", peak=0.0005)
    assert axis() == before
    slider = page.locator("[data-curve=schedule] input[name=peak]")
    slider.evaluate("slider => slider.dispatchEvent(new Event('change'))")
    assert axis() != before
    assert "0.0005" in axis()
