"""A browser, and pages in it that complain of nothing."""

import shutil

import pytest

from ntkexec import report


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium here")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        # Without a sandbox, since containers often run as root.
        found = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Opens the page of a result; in the end nothing may have gone to the console or the network."""
    complaints, pages = [], []

    def opened(result):
        report.save(result, tmp_path / "page.html")
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: r.url.startswith("http") and complaints.append(r.url))
        page.goto((tmp_path / "page.html").as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert complaints == []
