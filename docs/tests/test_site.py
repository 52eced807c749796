"""The site that `make docs` built, opened in Chromium."""

import contextlib
import functools
import http.server
import shutil
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

SITE = Path(__file__).parents[1] / "_build" / "html"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Pages of the theme, without a place in the contents.
OF_SPHINX = {"genindex.html", "py-modindex.html", "search.html"}


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


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_fits(name, open_page):
    page = open_page(name)
    formulas = page.locator(".math").count()
    assert page.locator("mjx-container").count() == formulas
    assert page.locator("mjx-merror, .problematic").count() == 0
    widths = page.evaluate(
        "[...document.querySelectorAll('article img')]"
        ".map(image => image.complete * image.naturalWidth)"
    )
    assert all(width > 0 for width in widths)
    texts = page.locator("article :is(p, li, td, dt)").all_inner_texts()
    assert "$$" not in "".join(texts)  # as in code it may be
    for width in (1400, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_no_link_is_broken(browser, address):
    page = browser.new_page(java_script_enabled=False)  # which takes long
    links, anchors = {}, {}
    for name in PAGES:
        page.goto(address + name)
        found = page.evaluate(
            "[[...document.links].map(a => a.href), "
            "[...document.querySelectorAll('[id]')].map(e => e.id)]"
        )
        links[name], anchors[address + name] = found[0], {"", *found[1]}
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
    assert page.locator("#formula mjx-container").count() == 1
    assert "grow as the number of predictions" in page.locator("#cost").inner_text()
    page = open_page("api/optimizers/Yogi.html")
    cost = page.locator("#cost").inner_text()
    assert "reads 16 bytes" in cost
    assert "writes 12" in cost
    assert page.locator("article a[href$='tfa.optimizers.html']").count() == 1


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
    without |= {"Optimizer"}  # the base
    also = {"Ranger", "chunked_linear_crossentropy"}  # which are functions alone
    assert shown == classes - without | also
    assert page.locator("article img").count() >= len(shown)


@pytest.mark.parametrize(
    "words", ["AdaBelief", "label smoothing", "warmup_cosine", "NpairsLoss"]
)
def test_search_finds(words, open_page):
    page = open_page("search.html?q=" + words.replace(" ", "+"))
    page.wait_for_selector("#search-results li")
    hits = page.locator("#search-results li a").all_inner_texts()
    expected = {"AdaBelief": "AdaBelief", "label smoothing": "Label smoothing"}
    assert any(expected.get(words, words) in hit for hit in hits)


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
