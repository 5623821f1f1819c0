"""What is too large is known before it is built, from formulas that count what would be built."""

import pytest

from ntkexec import graphs, pipeline
from ntkexec.errors import ProgramError
from ntkexec.program import limits
from ntkexec.programs.arithmetic import sbn
from ntkexec.programs.graph import (
    bellman_ford,
    bfs,
    bfs_queue,
    bfs_split,
    dfs,
    dfs_split,
    flooding,
    flooding_split,
)
from ntkexec.programs.local import Fold, Optional, Update
from ntkexec.programs.local.compiler import least_literals
from ntkexec.programs.local.examples import FAMILIES

SIZES = [(0, 1, 1), (1, 2, 1), (1, 3, 2), (2, 5, 3), (3, 10, 4), (5, 6, 5), (6, 37, 2), (9, 12, 3)]


@pytest.mark.parametrize("module", [bfs, dfs, bfs_queue, bellman_ford], ids=lambda m: m.__name__)
def test_the_formula_counts_the_literals_of_the_built_program(module):
    for degree, slots, word in SIZES:
        sizes = {"degree": degree, "slots": slots, "word": word}
        assert module.num_literals(**sizes) == module.program(**sizes).num_nonzeros, sizes


@pytest.mark.parametrize(
    "depth_bits", [2, *(pytest.param(bits, marks=pytest.mark.slow) for bits in (1, 4))]
)
def test_so_do_those_of_the_programs_on_split_graphs(depth_bits):
    for degree, slots, word in SIZES:
        sizes = {"degree": degree, "slots": slots, "depth_bits": depth_bits}
        searched = sizes | {"word": word}
        flooded = sizes | {"message_bits": word, "arrival_bits": word + 1}
        cases = ((bfs_split, searched), (dfs_split, searched), (flooding_split, flooded))
        for module, all_sizes in cases:
            assert module.num_literals(**all_sizes) == module.program(**all_sizes).num_nonzeros


def test_so_do_those_of_flooding_and_of_the_machine():
    for degree, slots, word in SIZES:
        sizes = {"degree": degree, "slots": slots, "message_bits": word, "arrival_bits": word + 1}
        assert flooding.num_literals(**sizes) == flooding.program(**sizes).num_nonzeros
    for word, cells, code in [(1, 1, 1), (2, 1, 3), (3, 2, 4), (5, 7, 33), (8, 16, 20)]:
        sizes = {"word": word, "cells": cells, "code": code}
        assert sbn.num_literals(**sizes) == sbn.program(**sizes).num_nonzeros


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_local_algorithm_has_at_least_what_is_counted(family):
    for degree, slots, word in [(2, 5, 3), (3, 10, 4), (5, 6, 4)]:
        compiled = family.compiled(degree=degree, slots=slots, word=word)
        local = compiled.algorithm
        counted = least_literals(
            degree=degree,
            slots=slots,
            message_bits=Optional(local.message).num_bits * (degree if local.addressed else 1),
            by_port=any(
                isinstance(s, Fold) or (isinstance(s, Update) and s.body is None)
                for s in local.stages
            ),
        )
        assert counted <= compiled.program.num_nonzeros


def test_a_hub_is_refused_at_once_with_the_degree_that_fits():
    star = graphs.load("star:n=2391")
    with pytest.raises(ProgramError, match=r"bfs of degree 2,390.* degree 397 would fit"):
        pipeline.prepare("bfs", star)
    for name in ("dfs", "bfs-queue", "bellman-ford", "life", "greedy-colouring"):
        with pytest.raises(ProgramError, match=r"degree \d+ would fit"):
            pipeline.prepare(name, star)
    # And that degree does fit, the next does not.
    limits.check_program("bfs", bfs.num_literals, degree=397, slots=398, word=1)
    with pytest.raises(ProgramError):
        limits.check_program("bfs", bfs.num_literals, degree=398, slots=399, word=1)


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ({"degree": 1 << 31, "slots": (1 << 62) + 1, "word": 3}, "degree 50 would fit"),
        ({"degree": 3, "slots": 10**30, "word": 3}, "slots .* would fit"),
        ({"degree": 3, "slots": 10, "word": 10**30}, "word .* would fit"),
        ({"degree": -1, "slots": 1, "word": 1}, "degree of at least 0, got -1"),
        ({"degree": 1, "slots": 0, "word": 1}, "slots of at least 1, got 0"),
        ({"degree": 1, "slots": 2, "word": -5}, "word of at least 1, got -5"),
    ],
)
def test_sizes_that_nothing_holds_are_refused(sizes, says):
    for module in (bfs, dfs, bfs_queue, bellman_ford):
        with pytest.raises(ProgramError, match=says if module is bfs else "fit|at least"):
            module.program(**sizes)


def test_the_limit_can_be_set(monkeypatch):
    sizes = {"degree": 3, "slots": 10, "word": 4}
    literals = bfs.num_literals(**sizes)
    monkeypatch.setenv(limits.LITERALS_VARIABLE, str(literals))
    limits.check_program("bfs", bfs.num_literals, **sizes)
    monkeypatch.setenv(limits.LITERALS_VARIABLE, str(literals - 1))
    with pytest.raises(ProgramError, match="NTKEXEC_LITERALS sets another"):
        limits.check_program("bfs", bfs.num_literals, **sizes)
    monkeypatch.setenv(limits.LITERALS_VARIABLE, "many")
    with pytest.raises(ProgramError, match="not 'many'"):
        limits.check_program("bfs", bfs.num_literals, **sizes)


def test_a_long_program_of_the_machine_is_refused_at_once():
    with pytest.raises(ProgramError, match="at most 2,000 instructions, not 20,000"):
        sbn.program(word=5, cells=3, code=20_000)
