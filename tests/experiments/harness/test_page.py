"""The page of reports: what surprises is seen, all of it fits a telephone, and nothing is loaded."""

import dataclasses
import re
import shutil

import pytest
from support.ports import claim, port

from experiments.harness import page, plots, runner
from experiments.harness.claim import beats
from ntkexec.check import Measurement

WORDS = {"source": "section <1>", "how": "counted"}


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 1


def numbers(config, trial):
    odd = 0.1 * (trial.seed % 2)
    return {"value": 1, "with_a_name_that_is_rather_long_for_a_plot": odd + 1, "without": odd}


CLAIMS = (
    claim("small", lambda rs: Measurement(rs[0]["numbers"]["value"]), 2),
    claim("smaller", lambda rs: Measurement(rs[0]["numbers"]["value"]), 0),
    claim("smallest", lambda rs: Measurement(rs[0]["numbers"]["value"]), -1),
    claim("unknown", lambda rs: Measurement(reason="no data: " + "/a/long/path" * 20)),
    beats(
        "better",
        "More & better",
        "numbers.with_a_name_that_is_rather_long_for_a_plot",
        "numbers.without",
        plot=plots.arms("accuracy"),
        **WORDS,
    ),
)


def report(slug="a-method", **paper):
    expected = {"smaller": "fails"}
    made = port({"numbers": numbers}, CLAIMS, Config(), slug=slug, expected=expected)
    about = dataclasses.replace(made.about, paper=dataclasses.replace(made.about.paper, **paper))
    return runner.run(dataclasses.replace(made, about=about), Config(), num_seeds=3)


def row(text, name):
    (found,) = re.findall(rf"<tr[^>]*>(?:(?!<tr).)*?>{name}<.*?</tr>", text, re.DOTALL)
    return found


def test_what_surprises_is_marked_and_what_fails_as_expected_says_so():
    text = page.render([report()])
    assert "contrary to what was expected: smallest." in text
    assert 'class="surprise"' in row(text, "smallest")
    assert "holds expected" in row(text, "smallest")
    assert "as expected" in row(text, "smaller")
    for name in ("small", "smaller", "unknown", "better"):
        assert 'class="surprise"' not in row(text, name)
    assert "expected" not in row(text, "small")


def test_a_claim_says_where_it_comes_from_and_a_reconstructed_port_that_it_is_one():
    plain, read = page.render([report()]), page.render([report(provenance="reconstructed")])
    assert "paper: section &lt;1&gt;" in row(plain, "better")
    assert "our reading" in read
    assert "our reading" not in plain


def test_a_claim_leads_to_its_plot_and_the_contents_to_the_reports():
    text = page.render([report(), report("another")])
    leads, there = (re.findall(rf'{kind}="#?([\w-]+)"', text) for kind in ("href", "id"))
    assert set(leads) == set(there) == {"a-method", "another", "a-method-better", "another-better"}
    assert len(there) == len(set(there))
    assert "the verdict is on the difference under the same seeds" in text
    assert 'href="#a-method"' not in page.render([report()])  # no contents of one


def test_nothing_is_cut_off_on_a_wide_screen_nor_on_a_telephone(tmp_path):
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium here")
    sync_api = pytest.importorskip("playwright.sync_api")
    (tmp_path / "page.html").write_text(page.render([report(), report("another")]))
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for width in (1280, 400):
            shown = browser.new_page(viewport={"width": width, "height": 900})
            shown.goto((tmp_path / "page.html").as_uri())
            shown.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()
