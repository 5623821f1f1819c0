"""The ledger: a row for each system from stored runs, and the page that shows it in step with the ports."""

import dataclasses
import re

import pytest
from support import ports

from experiments.harness import ledger, readme, registry, runner, stored
from experiments.harness.claim import at_least, reported
from experiments.harness.report import Report
from experiments.harness.study import Record
from ntkexec.cli import paper
from ntkexec.errors import ExperimentError

WORDS = {"source": "a table", "how": "by hand"}
CLAIMS = (
    at_least("large", "large", "one.x", bound=1.0, broken="one.y", **WORDS),
    reported("met", "met", "one.x", figure=2.0, within=1.0, unit="%", data="cora", **WORDS),
    reported("absent", "absent", "other.x", figure=2.0, within=1.0, data="cora", **WORDS),
)


def report_of(values):
    """As if the port had been measured under as many seeds as there are values."""
    port = ports.port({"one": None, "other": None}, CLAIMS, None, slug="an-example")
    records = tuple(
        Record(seed, {"one": {"x": x, "y": -x}}, {"other": "it is not there"})
        for seed, x in enumerate(values)
    )
    outcomes = tuple(runner.judge(claim, records) for claim in CLAIMS)
    return Report(port, "quick", None, records, outcomes, 3.0, 4.0, 0, stored.environment())


def test_a_row_counts_verdicts_and_puts_published_figures_beside_ours():
    row = ledger.row(report_of([2.0, 2.2, 2.1]))
    assert row.verdicts == {"holds": 2, "fails": 0, "undecided": 0, "not measured": 1}
    assert (row.seeds, row.cpu_seconds, row.scale) == (3, 4.0, "quick")
    (figure,) = row.figures  # what was not measured stands beside nothing
    assert (figure.claim, figure.data, figure.published) == ("met", "cora", 2.0)
    assert figure.ours == pytest.approx(2.1)
    assert figure.interval[0] < 2.1 < figure.interval[1]
    assert "`met` (cora): 2 %, ours 2.1 [1.8" in str(figure)


def test_the_table_sums_the_verdicts():
    table = ledger.markdown([report_of([2.0, 2.1, 2.2]), report_of([9.0, 9.1, 9.2])], {})
    lines = table.splitlines()
    assert [line.split("|")[2:6] for line in lines[-3:]] == [
        [" 2 ", " 0 ", " 0 ", " 1 "],
        [" 1 ", " 1 ", " 0 ", " 1 "],
        [" 3 ", " 1 ", " 0 ", " 2 "],
    ]
    assert lines[-1].startswith("| 2 systems |")


def test_the_first_row_is_of_ntkexec_itself_and_counts_with_the_others():
    own = ledger.own_row()
    named = {name for one in paper.results() for name in one.checks}
    assert sum(own.verdicts.values()) == len(named)
    assert all(one.title in own.paper for one in paper.papers())
    broken = dataclasses.replace(own, verdicts={**own.verdicts, "fails": 5})
    table = ledger.markdown([report_of([2.0, 2.1, 2.2])], {}, broken)
    lines = table.splitlines()
    assert lines[-3].startswith("| [ntkexec](paper.md)<br>")
    assert lines[-3].endswith("| [line by line](paper.md) | - | - |")
    assert lines[-1].split("|")[1:4] == [" 2 systems ", f" {own.verdicts['holds'] + 2} ", " 5 "]


def test_a_longer_run_adds_figures_that_the_row_could_not_measure_and_no_verdicts():
    short, long = report_of([2.0, 2.2, 2.1]), report_of([2.0, 2.2])
    records = tuple(Record(seed, {"other": {"x": x}}) for seed, x in enumerate([2.0, 2.2]))
    outcomes = tuple(runner.judge(claim, records) for claim in CLAIMS)
    long = dataclasses.replace(long, scale="standard", records=records, outcomes=outcomes)
    row = ledger.row(short, [long])
    assert row.verdicts == ledger.row(short).verdicts
    assert [(figure.claim, figure.scale) for figure in row.figures] == [
        ("met", ""),
        ("absent", "standard"),
    ]
    assert "at standard" not in str(row.figures[0])
    assert "] at standard: " in str(row.figures[1])
    # What the short run measured is not told again.
    assert ledger.row(short, [dataclasses.replace(short, scale="full")]) == ledger.row(short)


def test_the_page_keeps_its_words_and_is_not_written_with_a_hole(tmp_path):
    page = tmp_path / "results.md"
    page.write_text(f"before\n{readme.LEDGER_START}\nwas there\n{readme.LEDGER_END}\nafter\n")
    there, bare = report_of([2.0, 2.2]), report_of([])
    with pytest.raises(ExperimentError, match="nothing is stored for this code of an-example"):
        readme.write_ledger([there, bare], page)
    assert "was there" in page.read_text()
    readme.write_ledger([there], page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "was there" not in text
    assert "an-example" in text
    page.write_text("no marks")
    with pytest.raises(ExperimentError, match="once each"):
        readme.write_ledger([there], page)
    with pytest.raises(ExperimentError, match="cannot read"):
        readme.write_ledger([there], tmp_path / "none.md")


def test_the_page_of_results_has_every_port_and_says_what_its_readme_says():
    page = readme.LEDGER.read_text()
    rows = {m[1]: m[2] for m in re.finditer(r"^\| \[([a-z0-9-]+)\](.*)$", page, re.MULTILINE)}
    assert list(rows) == ["ntkexec", *registry.slugs()]
    own = re.findall(r"\| (\d+) (?=\|)", rows.pop("ntkexec"))
    assert [int(cell) for cell in own] == list(ledger.own_row().verdicts.values())
    for slug, row in rows.items():
        about = registry.about_of(slug)
        verdicts = [int(cell) for cell in re.findall(r"\| (\d+) (?=\|)", row)[:4]]
        said = re.search(
            r"(\d+) holds?, (\d+) fails?, (\d+) undecided, (\d+) not measured",
            about.readme.read_text(),
        )
        assert verdicts == [int(number) for number in said.groups()], slug
        assert sum(verdicts) == len(about.expected), slug
