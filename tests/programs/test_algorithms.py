"""What every algorithm says of itself: its name, its sizes without a graph, and how a page shows it."""

import pytest

from ntkexec import pipeline
from ntkexec.errors import NtkexecError, ProgramError
from ntkexec.programs import ALGORITHMS, arithmetic
from ntkexec.programs.local.examples import FAMILIES
from ntkexec.programs.local.family import one_bit
from ntkexec.vocabulary import ALGORITHM_NAMES

ON_ONE_NODE = {algorithm.name for algorithm in arithmetic.ALGORITHMS}
WITHOUT_NUMBERS = {family.name for family in FAMILIES if family.word is one_bit}


def test_the_names_that_are_completed_are_those_of_the_algorithms():
    assert list(ALGORITHM_NAMES) == list(ALGORITHMS)


def without_a_graph(name):
    """A degree and a word, as far as the algorithm has them."""
    if name in ON_ONE_NODE:
        return {"degree": 0, "word": 4}
    if name in WITHOUT_NUMBERS:
        return {"degree": 3}
    return {"degree": 3, "word": 4}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_program_has_sizes_for_all_graphs_of_a_degree(name):
    algorithm, given = ALGORITHMS[name], without_a_graph(name)
    sizes = algorithm.sizes(**given)
    assert sizes == algorithm.sizes(**{"slots": None, "word": None, "arrival_bits": None} | given)
    missing = "needs --word" if name in ON_ONE_NODE else "needs --degree"
    with pytest.raises(ProgramError, match=f"{name} without .* {missing}"):
        algorithm.sizes()
    if name in ON_ONE_NODE:
        with pytest.raises(ProgramError, match="runs on one node; only --degree 0 and --word fit"):
            algorithm.sizes(degree=1, word=4)
    else:
        assert sizes["slots"] == 10
        assert sizes.get("word", 4) == (1 if name in WITHOUT_NUMBERS else 4)
        assert algorithm.sizes(**given, slots=5)["slots"] == 5


@pytest.mark.parametrize("name", sorted(WITHOUT_NUMBERS))
def test_a_word_is_refused_where_there_are_no_numbers(name):
    with pytest.raises(
        ProgramError, match="has no numbers; only --degree and --slots are its sizes"
    ):
        ALGORITHMS[name].sizes(degree=3, word=4)


@pytest.mark.parametrize("size", ["arrival_bits", "depth_bits"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_size_of_another_algorithm_is_refused(name, size):
    algorithm, given = ALGORITHMS[name], without_a_graph(name)
    has = {"arrival_bits": name.startswith("flooding"), "depth_bits": name.endswith("-split")}[size]
    assert (size in algorithm.own_sizes) == has
    if has:
        assert algorithm.sizes(**given, **{size: 7})[size] == 7
        return
    words = size.replace("_", " ")
    message = f"{name} has no {words}; leave --{words.replace(' ', '-')} out"
    with pytest.raises(ProgramError, match=message):
        algorithm.sizes(**given, **{size: 7})


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - ON_ONE_NODE))
def test_a_page_shows_fields_that_the_program_has(name):
    found = pipeline.prepare(name, "path:3")
    paths = found.program.layout.paths
    assert found.colour_by is None or found.colour_by in paths
    for field, flag in found.shown_where.items():
        assert field in paths
        assert found.program.layout.leaves[flag].kind == "flag"


# Compiling for the degree of the karate club takes seconds.
LONG = {"leader-election", "components", "spanning-tree", "eccentricity", "triangles", "bipartite"}
LONG |= {"neighbourhood-size", "greedy-colouring", "independent-set", "bellman-ford", "life"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in LONG else ())
        for name in ALGORITHMS
        if name not in ON_ONE_NODE
    ],
)
def test_the_graph_of_the_example_is_one_that_the_algorithm_runs_on(name):
    assert pipeline.prepare(name, ALGORITHMS[name].example).num_steps > 0


def test_not_every_algorithm_runs_on_the_karate_club():
    with pytest.raises(NtkexecError):
        pipeline.prepare("cole-vishkin", "karate")
