"""What READMEs say of results is read as it was written: the rows are those that the sentence counts."""

import dataclasses
import re

import pytest

from experiments.harness import readme, registry, written
from ntkexec.errors import ExperimentError


@pytest.mark.parametrize("about", registry.abouts(), ids=lambda about: about.slug)
def test_rows_are_those_that_the_table_counts(about):
    rows = written.rows(about)
    table = about.readme.read_text().split(readme.start_of(about.slug))[1]
    counted = re.search(r"(\d+) holds?, (\d+) fails?, (\d+) undecided, (\d+) not measured", table)
    verdicts = [row.verdict for row in rows]
    assert [verdicts.count(name) for name in written.VERDICTS] == [*map(int, counted.groups())]
    assert {row.claim for row in rows} == {*about.expected}


def test_published_figures_are_read_with_their_intervals():
    about = registry.about_of("dagnn")
    found = {row.claim: row.published for row in written.rows(about) if row.published}
    cora = found["cora"]
    assert cora.published == 84.4
    assert cora.low < cora.ours < cora.high
    assert cora.within == 1
    everywhere = [row for one in registry.abouts() for row in written.rows(one) if row.published]
    # A claim that was measured holds exactly if its whole interval lies within.
    for row in everywhere:
        one = row.published
        ends = [abs(end - one.published) for end in (one.low, one.high)]
        assert (row.verdict == "holds") == (max(ends) <= one.within), row
    assert len(everywhere) >= 10


def test_a_row_that_no_run_wrote_is_refused(tmp_path):
    about = registry.about_of("dagnn")
    text = about.readme.read_text().replace("| undecided |", "| perhaps |", 1)
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(ExperimentError, match="no run wrote"):
        written.rows(dataclasses.replace(about, folder=tmp_path))
    (tmp_path / "README.md").write_text("nothing")
    assert written.rows(dataclasses.replace(about, folder=tmp_path)) == []
