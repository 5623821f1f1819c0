"""Graphs are filled up so that several share compiled code, and nothing that comes out shows it."""

import contextlib
import dataclasses

import jax
import numpy as np
import pytest
from support.instances import kernel_engine_for

from ntkexec import executor, graphs, pipeline
from ntkexec.engines.packed.rows import num_words
from ntkexec.executor import buckets, loop, reachable
from ntkexec.executor.reachable import occurring_sets
from ntkexec.graphs import message_passing
from ntkexec.program.fields import Flag
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.programs.graph import bfs
from ntkexec.runtime import compilation

COMPILED = "/jax/core/compile/backend_compile_duration"
SIZES = {"degree": 2, "slots": 3, "word": 9}
_seen = []
# JAX keeps its listeners to the end of the process.
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: _seen.append(event) if event == COMPILED else None
)


@contextlib.contextmanager
def compilations():
    """A list that is as long, afterwards, as there were compilations of anything by XLA."""
    found, before = [], len(_seen)
    yield found
    found += _seen[before:]


@pytest.mark.parametrize("size_of", [buckets.bucket, buckets.fine])
def test_a_bucket_holds_what_is_put_in_and_little_more(size_of):
    sizes = [*range(5000), 99_999, 1 << 20]
    found = [size_of(size) for size in sizes]
    assert found == sorted(found)
    assert [size_of(size) for size in found] == found  # a bucket's own size is in it
    for size, filled in zip(sizes, found, strict=True):
        assert size <= filled <= size + size // 4
    assert len(set(found[1025:2049])) == 4
    assert buckets.fine(99_999) <= 99_999 * 9 / 8
    assert buckets.bucket(65, 0) == 128


def test_what_is_added_hears_nobody_and_is_heard_by_nobody():
    instance = bfs.instance(graphs.load("path:37"), sources=[0])
    mask = np.arange(37) > 3
    found = buckets.filled(instance.graphs, mask)
    senders, receivers = found.graphs.senders, found.graphs.receivers
    assert len(found.mask) == len(found.graphs.nodes) == 40
    assert len(senders) == len(receivers) == 128
    for filled, given in [
        (senders, instance.graphs.senders),
        (receivers, instance.graphs.receivers),
        (found.graphs.nodes, instance.initial),
        (found.mask, mask),
    ]:
        np.testing.assert_array_equal(filled[: len(given)], given)
    assert not found.mask[37:].any()
    assert not found.graphs.nodes[37:].any()
    assert min(senders[72:].min(), receivers[72:].min()) >= 37
    assert (np.diff(receivers) >= 0).all()


def restless():
    """A node without a flag changes a bit in every step, and sends one that any other meets."""
    layout = Layout((Flag("real"), Flag("beats")), (Flag("message"),))
    real, beats, message = range(3)
    return Program(
        "restless",
        layout,
        (
            template({real: 1}, [real]),
            template({real: 0, beats: 0}, [beats]),
            template({real: 0}, [message]),
        ),
        halt="real",
    )


@pytest.mark.parametrize("until", ["steps", "fixed-point", "halt"])
def test_nodes_that_are_added_may_do_what_they_like(until, monkeypatch):
    program = restless()
    states = np.zeros((10, 3), bool)
    states[:, 0] = True
    one = np.arange(9)
    path = message_passing.graphs_tuple(one, one + 1, 10, nodes=states)
    engine = pipeline.make_engine("boolean", pipeline.certify(program, num_decisions=1))
    options = {"num_steps": 6, "until": until, "trace": True}
    found = executor.execute(engine, program, path, **options)
    assert len(buckets.filled(path, np.ones(10, bool)).mask) > 10
    # As without them.
    monkeypatch.setattr(loop, "filled", buckets.Filled)
    alone = executor.execute(engine, program, path, **options)
    assert (found.steps, found.stopped, found.collisions) == (alone.steps, alone.stopped, 0)
    assert found.steps == {"steps": 6, "fixed-point": 1, "halt": 0}[until]
    np.testing.assert_array_equal(found.states, alone.states)
    np.testing.assert_array_equal(found.trace, alone.trace)
    for field in dataclasses.fields(found.verification):
        np.testing.assert_array_equal(
            getattr(found.verification, field.name), getattr(alone.verification, field.name)
        )

    # They would count if they were not masked.
    def unmasked(graphs, mask):
        larger = buckets.filled(graphs, mask)
        return larger._replace(mask=np.ones_like(larger.mask))

    monkeypatch.setattr(loop, "filled", unmasked)
    counted = executor.execute(engine, program, path, **options | {"until": "steps"})
    assert counted.collisions > 0


def on_path(num_nodes):
    """Breadth-first search on a path, by a program that does for all paths of so many nodes."""
    return bfs.instance(graphs.load(f"path:{num_nodes}"), sources=[0], sizes=SIZES)


@pytest.mark.parametrize("name", ["kernel", "kernel-packed"])
def test_a_second_graph_of_a_bucket_compiles_nothing(name):
    compilation.clear()
    # Of equal parity, since the steps that are left over after whole turns of the clock are code.
    first, second, other = (on_path(n) for n in (50, 54, 300))
    certificate = pipeline.certify(first.program, num_decisions=1)
    engine = pipeline.make_engine(name, certificate)

    def run(instance):
        with compilations() as found:
            execution = executor.execute(
                engine, instance.program, instance.graphs, num_steps=50, verify=name == "kernel"
            )
        return len(found), execution

    assert run(first)[0] > 0
    count, execution = run(second)
    assert (count, execution.compile_seconds) == (0, 0)
    assert len(execution.states) == 54
    assert run(other)[0] > 0  # another bucket


def test_the_sets_that_occur_are_compiled_for_a_bucket(monkeypatch):
    problem = LearningProblem(on_path(50).program, "factored")

    def sets(num_nodes):
        return occurring_sets(problem, on_path(num_nodes).graphs, num_steps=60)

    sets(50)
    with compilations() as count:
        found = sets(54)
    assert not count
    # What nodes that were added meet is none of them.
    monkeypatch.setattr(reachable, "filled", buckets.Filled)
    for one, other in zip(found, sets(54), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_large_graph_is_left_as_it_is():
    nobody = np.zeros(0, np.int32)
    states = np.zeros((buckets.LARGEST, 1), bool)
    large = message_passing.graphs_tuple(nobody, nobody, len(states), nodes=states)
    found = buckets.filled(large, np.ones(len(states), bool))
    assert found.graphs.nodes is states  # not even copied
    assert len(found.graphs.senders) == 0


def test_what_is_wrong_is_said_of_the_graph_alone(monkeypatch):
    instance = on_path(37)
    engine = kernel_engine_for(instance.program)
    # Nothing is above these thresholds.
    broken = dataclasses.replace(engine, thresholds=np.full_like(engine.thresholds, 10))

    def verified():
        run = executor.execute(broken, instance.program, instance.graphs, num_steps=3)
        return dataclasses.asdict(run.verification)

    found = verified()
    assert found["wrong_bits"] > 0
    assert found["snapshot"].shape == instance.initial.shape
    monkeypatch.setattr(loop, "filled", buckets.Filled)
    for name, value in verified().items():
        np.testing.assert_array_equal(found[name], value)


def test_packed_rows_grow_by_ever_smaller_steps():
    sizes = np.unique(np.geomspace(1, 1 << 22, 3000).astype(int))
    found = np.array([num_words(size) for size in sizes.tolist()])
    assert (np.diff(found) >= 0).all()
    assert (found * 32 > sizes).all()  # with a place for the silent node
    spare = found / (sizes // 32 + 1)
    assert spare[(sizes >= 128) & (sizes < 4096)].max() < 2
    assert spare[sizes >= 4096].max() <= 1.25
    assert spare[sizes >= 32768].max() <= 1.125
    few = found[(sizes >= 256) & (sizes < 512)]
    assert set(few.tolist()) == {16}
