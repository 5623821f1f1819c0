"""What is beyond the limits is known before it is built, from formulas that count what would be built."""

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest

from ntkexec import graphs, pipeline
from ntkexec.ensemble import EnsembleConfig, limits
from ntkexec.errors import EnsembleError, NtkexecError, ProgramError
from ntkexec.executor.encoding import index_arrays
from ntkexec.program.problem import LearningProblem
from ntkexec.programs.arithmetic import sbn
from ntkexec.programs.graph import bellman_ford, bfs, bfs_queue, dfs, flooding
from ntkexec.programs.local import Fold, Optional, Update
from ntkexec.programs.local.compiler import least_literals
from ntkexec.programs.local.examples import FAMILIES
from ntkexec.runtime import compilation, memory

SIZES = [(0, 1, 1), (1, 2, 1), (1, 3, 2), (2, 5, 3), (3, 10, 4), (5, 6, 5), (6, 37, 2), (9, 12, 3)]


@pytest.mark.parametrize("module", [bfs, dfs, bfs_queue, bellman_ford], ids=lambda m: m.__name__)
def test_the_formula_counts_the_literals_of_the_built_program(module):
    for degree, slots, word in SIZES:
        sizes = {"degree": degree, "slots": slots, "word": word}
        assert module.num_literals(**sizes) == module.program(**sizes).num_nonzeros, sizes


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


# Memory.

PROBLEM = LearningProblem(bfs.program(degree=3, slots=4, word=2))


def test_the_memory_of_an_ensemble_is_that_of_its_weights_and_of_training():
    config = EnsembleConfig(members=3, width=64)
    weights = [len(s.components) * 64 * (s.num_inputs + s.num_outputs) for s in PROBLEM.stacks]
    expected = 4 * (2 * 3 * sum(weights) + 5 * max(weights))
    assert limits.ensemble_bytes(PROBLEM, config) == expected


@pytest.mark.parametrize("members, width", [(10**11, 1024), (1, 10**11), (2, 10**23)])
def test_an_ensemble_beyond_memory_is_refused_with_one_that_fits(members, width, monkeypatch):
    monkeypatch.setenv(memory.MEMORY_VARIABLE, "4")
    with pytest.raises(EnsembleError, match="there are 4 GB") as caught:
        limits.check_ensemble(PROBLEM, EnsembleConfig(members=members, width=width))
    found = str(caught.value).split(": ")[-1].replace(",", "").split()
    if members > 1 and width < 10**6:
        fits = {"members": int(found[0]), "width": width}
        more = fits | {"members": fits["members"] + 1}
    else:
        fits = {"members": 1, "width": int(found[3])}
        more = fits | {"width": fits["width"] + 1}
    limits.check_ensemble(PROBLEM, EnsembleConfig(**fits))
    with pytest.raises(EnsembleError):
        limits.check_ensemble(PROBLEM, EnsembleConfig(**more))


def test_a_run_beyond_memory_is_refused_before_anything_is_trained(monkeypatch):
    monkeypatch.setenv(memory.MEMORY_VARIABLE, "0.001")
    with pytest.raises(EnsembleError, match="NTKEXEC_MEMORY sets another limit"):
        pipeline.run("flooding", "path:3")
    with pytest.raises(ProgramError, match=r"nodes would fit"):
        pipeline.run("flooding", "path:2000", engine="kernel")
    with pytest.raises(ProgramError, match=r"steps would fit, or none kept"):
        pipeline.run("flooding", "path:100", engine="kernel", trace=True)


def sums(numbers):
    """Compiled by one test alone."""
    return jnp.cumsum(numbers)


def test_compiled_code_beyond_memory_is_not_run(monkeypatch):
    monkeypatch.setenv(memory.MEMORY_VARIABLE, "0.000001")
    with pytest.raises(NtkexecError, match="there are 1e-06 GB"):
        compilation.call(sums, np.ones(1000, np.float32))


@pytest.mark.parametrize("asked", ["none", "-1", "0", "nan", "inf"])
def test_a_limit_of_memory_is_a_positive_number(asked):
    with pytest.raises(NtkexecError, match="a number of gigabytes"):
        memory.max_memory({memory.MEMORY_VARIABLE: asked})
    assert memory.max_memory({memory.MEMORY_VARIABLE: "2.5"}) == 2_500_000_000
    assert memory.max_memory({}) > 1 << 28


def test_one_bit_with_many_writers_does_not_lengthen_the_lists_of_all_others():
    sizes = []
    for leaves in (300, 600):
        program = pipeline.prepare("flooding", nx.star_graph(leaves), message="1").program
        arrays = jax.tree.leaves(index_arrays(LearningProblem(program)))
        sizes.append(sum(array.nbytes for array in arrays))
        # As rectangles, as long as the longest list.
        dense = 2 * 4 * program.layout.num_bits * int(program.num_writers.max())
        assert sizes[-1] < dense / 10
    assert sizes[1] < 3 * sizes[0]


# It took 25 GB and more.
@pytest.mark.slow
def test_a_star_that_took_all_memory_is_flooded():
    assert pipeline.run("flooding", nx.star_graph(999), engine="kernel").exact
