"""Damaged specs of generators, and odd names of files: a graph, or refused in words fit to show."""

import pathlib
import random
import re

import networkx as nx
import pytest
from support.read_or_refused import assert_fit_to_show

from ntkexec.errors import GraphError
from ntkexec.graphs import generators, load, parse
from ntkexec.graphs.generators import spec as spec_module

PIECES = [
    *(
        "karate",
        "grid:",
        "path:",
        "tree:",
        "gnp:",
        "random-regular:",
        "star:",
        "n=",
        "d=",
        "p=",
        "r=",
    ),
    *(
        "seed=",
        "weights=",
        "directed=",
        "connected=",
        "rows=",
        "0",
        "1",
        "3",
        "10",
        "x",
        ",",
        "=",
        ":",
    ),
    *(
        "..",
        "-",
        "+",
        ".",
        "1e3",
        "0.5",
        "nan",
        "inf",
        "99999999999",
        "\u0663",
        " ",
        "\n",
        "\x1b",
        "0..3",
    ),
]


def spec_mutant(rng, spec):
    numbers = list(re.finditer(r"[0-9.]+", spec))
    if numbers and rng.random() < 0.8:
        found = rng.choice(numbers)
        other = rng.choice(["0", "1", "2", "3", "5", "8", "20", "0.3", "-1", "1e3", "10000000", ""])
        spec = spec[: found.start()] + other + spec[found.end() :]
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        place = rng.randint(0, len(spec))
        end = min(len(spec), place + rng.choice([0, 0, 1, 2]))
        spec = spec[:place] + rng.choice(["", *PIECES]) + spec[end:]
    return spec


def fuzz_specs(*, seed, number):
    """How many of so many mutants of every generator's example are graphs."""
    num_made = 0
    for generator in generators.describe():
        rng = random.Random(f"{seed} {generator.name}")
        for _ in range(number):
            spec = spec_mutant(rng, generator.example)
            try:
                graph = parse(spec)
            except GraphError as error:
                assert_fit_to_show(error)
                continue
            num_made += 1
            assert nx.utils.graphs_equal(graph, parse(spec)), spec
            made = generators.GENERATORS[generators.name_of(spec)]
            values = spec_module.parse_arguments(made, spec.partition(":")[2])
            if "n" in values:
                assert sorted(graph) == list(range(values["n"])), spec
            if made.name in ("random-bounded", "random-regular"):
                assert max(degree for _, degree in graph.degree) <= max(values["d"], 0), spec
            if values["weights"] is not None:
                low, high = values["weights"]
                assert all(low <= w <= high for *_, w in graph.edges(data="weight")), spec
            assert graph.is_directed() == bool(values["directed"]), spec
    return num_made


@pytest.fixture
def small(monkeypatch):
    """Graphs of a hundred nodes or so only, that thousands can be made."""
    monkeypatch.setattr(spec_module, "MAX_SIZE", 500)


def test_a_damaged_spec_is_a_graph_or_refused(small):
    number = 40
    made = fuzz_specs(seed=0, number=number)
    assert 0.1 < made / (number * len(generators.describe())) < 0.9


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_many_damaged_specs_are_graphs_or_refused(small, seed):
    fuzz_specs(seed=seed, number=500)


def test_the_name_of_a_file_may_be_anything(tmp_path):
    rng = random.Random(0)
    for _ in range(200):
        name = spec_mutant(rng, rng.choice(["g.txt", "a/b.mtx", "g.txt.gz", "..", "g.tar"]))
        for spec in (name + ".txt", pathlib.Path(tmp_path, name)):
            with pytest.raises(GraphError) as caught:
                load(spec)
            assert_fit_to_show(caught.value)
