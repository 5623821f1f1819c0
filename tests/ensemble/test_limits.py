"""What is beyond memory is known before it is there."""

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest

from ntkexec import pipeline
from ntkexec.ensemble import EnsembleConfig, limits
from ntkexec.errors import EnsembleError, NtkexecError, ProgramError
from ntkexec.executor.encoding import index_arrays
from ntkexec.program.problem import LearningProblem
from ntkexec.programs.graph import bfs
from ntkexec.runtime import compilation, memory

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
