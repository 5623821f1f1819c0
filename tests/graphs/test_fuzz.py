"""Damaged graph files, options and specs: read as independent readers read them, or refused.

Never a traceback, never another graph. The quick share runs with the suite; `-m slow` runs the long one.
"""

import random

import pytest
from support import graph_readings
from support.damage import mutant, zip_mutant
from support.graph_files import seeds
from support.read_or_refused import assert_fit_to_show, check

from ntkexec.errors import GraphError
from ntkexec.graphs import load, read


def fuzz(folder, *, seed, number):
    """How many of so many mutants of every file are read."""
    folder.mkdir()
    num_read = 0
    for name, data in seeds().items():
        rng = random.Random(f"{seed} {name}")
        for _ in range(number):
            damaged = zip_mutant(rng, data) if name.endswith(".npz") else mutant(rng, data)
            (folder / name).write_bytes(damaged)
            num_read += check(folder / name, directed=rng.choice([None, None, True, False]))
    return num_read


def test_every_undamaged_file_is_read(tmp_path):
    for name, data in seeds().items():
        (tmp_path / name).write_bytes(data)
        assert check(tmp_path / name), name


def test_a_damaged_file_is_read_as_others_read_it_or_refused(tmp_path):
    number = 40
    num_read = fuzz(tmp_path / "files", seed=0, number=number)
    # Neither way is empty, or there would be nothing to compare.
    assert 0.15 < num_read / (number * len(seeds())) < 0.85


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_many_damaged_files_are_read_as_others_read_them_or_refused(tmp_path, seed):
    fuzz(tmp_path / "files", seed=seed, number=250)


# Options of loading.

OPTIONS = {
    "weight": [None, "weight", "cost", "", "\x1b"],
    "degree": [None, 0, 1, 2, 100, -1, 2**31, 10**30],
    "strategy": ["largest_first", "parallel", "best", ""],
    "self_loops": ["drop", "refuse", "keep"],
    "directed": [None, True, False],
    "weight_scale": [1, 1, 2, 10, 10**9, 0, -1, 10**30],
    "label": [None, "x" * 1000, "\x1b"],
}


def drawn_options(rng):
    names = rng.sample(list(OPTIONS), k=rng.randint(0, 4))
    return {name: rng.choice(OPTIONS[name]) for name in names}


def check_options(path, options):
    """Whether a graph was loaded, with the weights that were asked for."""
    try:
        graph = load(path, **options)
    except GraphError as error:
        assert_fit_to_show(error)
        return False
    given = graph_readings.of_networkx(read(path, directed=options.get("directed")))
    found = graph_readings.of_networkx(graph.to_networkx())
    kept = {ends: w for ends, w in given[2].items() if len(set(ends)) == 2}
    scale = options.get("weight_scale", 1)
    asked = options.get("weight") is not None
    assert found[:2] == given[:2]
    assert found[2] == {ends: w * scale if asked else None for ends, w in kept.items()}
    assert options.get("degree") is None or graph.degree <= options["degree"]
    return True


def test_any_options_give_the_graph_that_was_asked_for_or_are_refused(tmp_path):
    rng = random.Random(0)
    names = sorted(seeds())
    num_read = 0
    for _ in range(400):
        name = rng.choice(names)
        (tmp_path / name).write_bytes(seeds()[name])
        num_read += check_options(tmp_path / name, drawn_options(rng))
    assert 50 < num_read < 350
