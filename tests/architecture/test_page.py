"""The page about the house, and the house's own: the picture is of these sources, every name is there."""

import importlib
import operator
import pathlib
import re

import networkx as nx
import pytest

from benchmarks.architecture.imports import imports_of, modules_of
from benchmarks.architecture.layers import LAYERS, PACKAGES, ROOMS, room_graph
from benchmarks.architecture.picture import PICTURE, drawn, levels

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
LINKS = sorted(set(re.findall(r"\[([^\]]+)\]\(\.\./([^)]+)\)", PAGE.read_text())))


def resolved(text, target):
    """What a link is about: a name in the module that it leads to, or from the package on."""
    module = target.removesuffix(".py").replace("/", ".")
    if text.startswith("ntkexec."):
        module, text = "ntkexec", text.removeprefix("ntkexec.")
    return operator.attrgetter(text)(importlib.import_module(module))


@pytest.fixture(scope="module")
def graph():
    return room_graph(imports_of(modules_of(ROOT, PACKAGES)))


def test_the_picture_is_drawn_from_these_imports(graph):
    assert PICTURE.read_text() == drawn(graph), "run python -m benchmarks.architecture"
    # One more import that no path of others stands for.
    unlike = next(
        (above, below)
        for low, below in enumerate(ROOMS)
        for above in ROOMS[low + 1 :]
        if not nx.has_path(graph, above, below)
    )
    assert drawn(nx.DiGraph([*graph.edges, unlike])) != drawn(graph)


def test_every_room_lies_in_its_layer_and_every_line_leads_down(graph):
    level = levels(graph)
    assert all(level[above] > level[below] for above, below in graph.edges)
    assert len({*level.values()}) == max(level.values()) + 1 >= len(LAYERS)
    assert all(f">{room}</text>" in PICTURE.read_text() for room in ROOMS)


def test_the_page_is_short_and_walks_thrice():
    text = PAGE.read_text()
    assert len(text.splitlines()) < 100
    assert len(re.findall(r"^## One ", text, re.MULTILINE)) == 3
    assert len(LINKS) > 30
    assert "(docs/architecture.md)" in (ROOT / "README.md").read_text()
    assert "(../docs/architecture.md)" in (ROOT / "ntkexec" / "README.md").read_text()


PLACES = re.compile(r"(?<![\w/.-])((?:ntkexec|proofs_check|benchmarks|tests|notebooks)/[\w./-]*\w)")


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page):
    # The site makes a page of each notebook.
    named = {
        re.sub(r"^(notebooks/.*)\.md$", r"\1.ipynb", one)
        for one in PLACES.findall(page.read_text())
    }
    assert [one for one in sorted(named) if not (ROOT / one).exists()] == []


@pytest.mark.parametrize(("text", "target"), LINKS, ids=lambda part: part)
def test_every_name_of_the_page_is_there(text, target):
    assert (ROOT / target).exists()
    if target.endswith(".py"):
        assert resolved(text.strip("`"), target) is not None


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("gone", "ntkexec/pipeline.py"),
        ("run", "ntkexec/gone.py"),
        ("ntkexec.gone", "ntkexec/result.py"),
    ],
)
def test_a_name_that_is_gone_would_be_found_out(text, target):
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        resolved(text, target)


def test_the_house_tells_of_every_room_and_of_files_that_are_there():
    text = (ROOT / "ntkexec" / "README.md").read_text()
    rows = re.findall(r"^\|[^|]*\| (`[^|]+) \|[^|]+\| `([^|]+)` \|$", text, re.MULTILINE)
    assert len(rows) >= 15
    for rooms, begin in rows:
        room = ROOT / "ntkexec" / re.match(r"`([^`]+)`", rooms)[1]
        assert room.exists()
        assert room.is_file() or (room / begin).exists() or (room.parent / begin).exists(), begin
    folders = {room for room in ROOMS if (ROOT / "ntkexec" / room).is_dir()}
    assert folders <= {*re.findall(r"`(\w+)/`", text)}
