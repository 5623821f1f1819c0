"""Figures that `ntkexec paper` tells are those of the code and of the pages that it names."""

import re
from pathlib import Path

import pytest

from ntkexec.cli import paper
from ntkexec.pipeline import find_algorithm
from ntkexec.programs.local import examples
from proofs_check.fixtures import trained_networks
from proofs_check.statements import permutations

DOCS = Path(__file__).parents[2] / "docs"


def line(words):
    """The one result whose description has these words."""
    (found,) = [one for one in paper.results() if words in one.what]
    return found


def figures(text):
    """The numbers of a text, thousands told apart by commas."""
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


def table(page, *, heads):
    """The rows of a page's first table that begins so, by column."""
    lines = (DOCS / page).read_text().splitlines()
    start = next(i for i, text in enumerate(lines) if text.startswith(heads))
    names, rows = [cell.strip() for cell in lines[start].strip("|").split("|")], []
    for text in lines[start + 2 :]:
        if not text.startswith("|"):
            break
        rows.append(dict(zip(names, map(str.strip, text.strip("|").split("|")), strict=True)))
    return rows


def num_templates(name, **asked):
    algorithm = find_algorithm(name)
    return algorithm.program(**algorithm.sizes(**asked)).num_templates


def test_numbers_of_examples_are_those_of_the_programs_and_of_the_page():
    flooding = line("message flooding is learnable")
    public = [word * (1 + 4 * (2**2 + 1)) for word in (1, 3)]
    assert [flooding.published.count(f"{number} at") for number in public] == [1, 1]
    ours = [num_templates("flooding", degree=2, word=word) for word in (1, 3)]
    assert set(ours) <= set(figures(flooding.ours))
    sizes = table("sizes.md", heads="| program | D | l | templates, public")
    for name, word, words in (
        ("bfs", 3, "breadth-first search is learnable"),
        ("dfs", 4, "depth-first search is learnable"),
        ("bellman-ford", 4, "Bellman-Ford is learnable"),
    ):
        told = line(words)
        found = num_templates(name, degree=2, word=word)
        (row,) = [r for r in sizes if (r["program"], r["D"], r["l"]) == (name, "2", str(word))]
        assert told.published.startswith(
            f"{row['templates, public']} examples at D = 2, l = {word}"
        )
        assert told.ours.startswith(f"{found} examples")
        assert row["ours, D² + 1 slots"].startswith(f"{found} ")


@pytest.mark.parametrize("bits", [2, 3, 7])
def test_examples_of_arithmetic_are_as_many_as_is_told(bits):
    for name, words, count in (
        ("add", "binary addition", lambda b: 3 * b + 2),
        ("multiply", "binary multiplication", lambda b: 19 * b - 21),
    ):
        first, last = count(1) - count(0), abs(count(0))
        assert figures(line(words).ours)[:2] == [first, last]
        assert num_templates(name, word=bits) == count(bits)


def test_the_union_bound_asks_for_what_the_page_has():
    rows = table("complexity.md", heads="| program | D | n0 | m | thresholds | union")
    unions = [int(row["union"]) for row in rows if row["thresholds"] == "bit"]
    assert f"asks for {min(unions)} to {max(unions)}," in line("without error with high").ours


def test_numbers_for_permutations_are_those_of_the_check():
    told, published = line("networks until 90 %"), permutations.PUBLISHED[0.9]
    half = len(published)
    assert figures(told.published) == [*published.values(), *published]
    expected = [[permutations.expected_size(k, r) for k in published] for r in ("nngp", "ntk")]
    assert [figures(told.ours)[:half], figures(told.ours)[half : 2 * half]] == expected


def test_widths_are_those_of_the_checks():
    told = {width for width in figures(line("Gaussian process").ours) if width > 100}
    scale = paper.stored_run()["scale"]
    assert told == {found[scale][1] for found in (trained_networks.FEW, trained_networks.MANY)}


def test_as_many_local_algorithms_are_shipped():
    assert "twelve such algorithms" in line("algorithms of the LOCAL model").ours
    assert len(examples.FAMILIES) == 12
