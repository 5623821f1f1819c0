"""Scripts of a page, carried out by what is there: a browser, or Node.js, which has no page."""

import contextlib
import json
import shutil
import subprocess

import pytest

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
CHROMIUM += ["--disable-background-networking"]


def chromium():
    """Where the browser is; skips where there is none."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium here")
    return path


@contextlib.contextmanager
def browser():
    """A headless Chromium, driven by playwright."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        # Without a sandbox, since containers often run as root.
        found = driver.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        yield found
        found.close()


@contextlib.contextmanager
def calculator(engine, source):
    """`call(function, argument)` carries a function of JavaScript out after a source.

    Args:
        engine: `node` or `chromium`.
        source: scripts without a page.
    """
    if engine == "node":
        path = shutil.which("node")
        if path is None:
            pytest.skip("no Node.js here")

        def call(function, argument):
            text = (
                f"{source}\nconst argument = JSON.parse(require('fs').readFileSync(0, 'utf8'));\n"
            )
            text += f"process.stdout.write(JSON.stringify(({function})(argument)));"
            done = subprocess.run(
                [path, "-e", text], input=json.dumps(argument), capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr[-2000:]
            return json.loads(done.stdout)

        yield call
        return
    with browser() as found:
        page = found.new_page()
        page.set_content(f"<!doctype html><script>{source}</script>")
        yield lambda function, argument: page.evaluate(
            f"argument => ({function})(argument)", argument
        )
        page.close()
