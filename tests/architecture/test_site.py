"""The built site is whole: formulas are drawn, and nothing is asked of the network."""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
EXTERNAL = re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"?(?:https?:)?//")


def formulas():
    found = importlib.util.spec_from_file_location("formulas", ROOT / "docs" / "formulas.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_formulas_in_a_line_and_between_lines_become_mathml_and_the_rest_stays():
    pytest.importorskip("latex2mathml")
    page = (
        r'<p>If <span class="arithmatex">\(a &lt; \tfrac12\)</span> then</p>'
        '<div class="arithmatex">\\[\n\\sqrt{b}_i\n\\]</div><code>\\(c\\)</code>'
    )
    found = formulas().as_mathml(page)
    assert found.count("<math ") == 2
    assert 'display="inline"' in found.split("<code>")[0].split("then")[0]
    assert 'display="block"' in found.split("then")[1]
    assert "arithmatex" not in found
    assert "<mfrac>" in found
    assert found.endswith(r"<code>\(c\)</code>")
    for escaped in ("&lt;", "&#x0003C;"):
        found = found.replace(escaped, "LESS")
    assert "LESS" in found


def test_a_root_has_something_as_high_as_a_capital_under_it():
    pytest.importorskip("latex2mathml")
    page = r'<span class="arithmatex">\(\sqrt{m} + m\)</span>'
    assert formulas().as_mathml(page).count("<mspace ") == 1


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("material", reason="needs the extra 'docs'")
    pytest.importorskip("mkdocstrings", reason="needs the extra 'docs'")
    target = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(target)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    return target


def test_no_page_loads_anything_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text()
        # An address may say where a page is ("canonical"); nothing else names another host.
        assert not EXTERNAL.search(text), f"{page}: {EXTERNAL.search(text)[0]}"
        assert 'class="arithmatex"' not in text


def test_every_notebook_is_a_page_with_all_that_its_cells_put_out(site):
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        outputs = [
            output
            for cell in json.loads(path.read_text())["cells"]
            for output in cell.get("outputs", ())
        ]
        page = (site / "notebooks" / path.stem / "index.html").read_text()
        shown = re.findall(r'<(?:div|pre) class="output">', page)
        assert len(shown) == len(outputs) > 0
        assert "output-of-a-notebook" not in page
        frames = sum("<iframe" in "".join(o.get("data", {}).get("text/html", "")) for o in outputs)
        assert page.count("<iframe ") >= frames
    live = (site / "live.html").read_text()
    assert live == (ROOT / "docs" / "live.html").read_text()


def test_formulas_are_drawn_without_a_network(site):
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium here")
    sync_api = pytest.importorskip("playwright.sync_api")
    asked = []
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "explanation" / "index.html").as_uri())
        page.evaluate("document.fonts.ready")
        fonts = page.evaluate("[...document.fonts].map(f => f.family + ' ' + f.status)")
        fraction = page.locator("math[display=block] mfrac").first
        above, below = (fraction.locator("> *").nth(i).bounding_box() for i in (0, 1))
        index = page.locator("math msub").first
        base, low = (index.locator("> *").nth(i).bounding_box() for i in (0, 1))
        browser.close()
    assert any("STIX Two Math" in font and "loaded" in font for font in fonts), fonts
    assert above["y"] + above["height"] <= below["y"] + 1
    assert low["y"] + low["height"] > base["y"] + base["height"] + 1
    assert asked
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
