"""What nodes meet: the match sets of an execution are those of a loop over nodes and templates."""

import dataclasses

import networkx as nx
import numpy as np
import pytest
from support.programs import matched_table, written_table

from ntkexec import pipeline
from ntkexec.executor import reachable
from ntkexec.executor.reachable import bound_of_sets, measured_bound, occurring_sets
from ntkexec.graphs import message_passing
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.theory.match_bound import NEVER
from ntkexec.vocabulary import KINDS

RUNS = [
    ("flooding", nx.path_graph(5), {"message": "1"}),
    ("flooding", nx.star_graph(3), {"message": "01"}),
    ("bfs", nx.cycle_graph(5), {}),
    ("dfs", nx.complete_graph(4), {}),
    ("bellman-ford", nx.path_graph(4), {}),
    ("life", nx.path_graph(3), {}),
]


def slowly(program, graphs, num_steps):
    """Which templates match, before every step and at every node; in NumPy, without the executor."""
    states, split = np.asarray(graphs.nodes, bool), program.layout.num_computation_bits
    seen = []
    for _ in range(num_steps):
        seen.append(matched_table(program, states))
        decided = seen[-1] @ written_table(program)
        states = decided.copy()
        np.logical_or.at(states[:, split:], graphs.receivers, decided[graphs.senders, split:])
    return np.array(seen, bool).reshape(-1, program.num_templates)


def prepared(name, graph, inputs):
    return pipeline.prepare(name, graph, **inputs)


@pytest.mark.parametrize(
    "name, graph, inputs, together",
    [
        *((*run, 64) for run in RUNS),
        (*RUNS[0], 1),
        *(pytest.param(*run, 1, marks=pytest.mark.slow) for run in RUNS[1:]),
    ],
    ids=str,
)
def test_the_sets_are_those_of_the_plain_semantics(name, graph, inputs, together, monkeypatch):
    monkeypatch.setattr(reachable, "STEPS_TOGETHER", together)
    monkeypatch.setattr(reachable, "GATHERED_ROWS", 20)
    instance = prepared(name, graph, inputs)
    seen = slowly(instance.program, instance.graphs, instance.num_steps)
    for kind in KINDS:
        problem = LearningProblem(instance.program, kind)
        found = occurring_sets(problem, instance.graphs, num_steps=instance.num_steps)
        for sets, component in zip(found, problem.components, strict=True):
            np.testing.assert_array_equal(
                sets, np.unique(seen[:, list(component.templates)], axis=0)
            )


@pytest.mark.parametrize("name, graph, inputs", RUNS, ids=str)
def test_the_bound_counts_what_was_seen(name, graph, inputs):
    instance = prepared(name, graph, inputs)
    program = instance.program
    seen = slowly(program, instance.graphs, instance.num_steps)
    problem = LearningProblem(program)
    found = measured_bound(problem, instance.graphs, num_steps=instance.num_steps, label="it")
    assert found.basis == f"measured on it, {instance.num_steps} steps"
    for index, component in enumerate(problem.components):
        (bit,), count = component.bits, seen[:, list(component.templates)].sum(axis=1)
        assert found.max_matches[index] == max(1, count.max())
        # Factored, all templates of a component write its bit.
        expected = [m if m in count and m > 0 else NEVER for m in range(problem.max_matches + 1)]
        assert found.min_matched_writers[bit].tolist() == expected
        assert np.flatnonzero(found.can_be_zero[bit]).tolist() == ([0] if 0 in count else [])


def test_of_a_joint_network_the_fewest_writers_are_counted_match_by_match():
    instance = prepared(*RUNS[2])
    problem = LearningProblem(instance.program, "joint")
    seen = slowly(instance.program, instance.graphs, instance.num_steps)
    active = seen.astype(int) @ written_table(instance.program)
    count = seen.sum(axis=1)
    found = measured_bound(problem, instance.graphs, num_steps=instance.num_steps, label="it")
    for bit in range(active.shape[1]):
        for m in range(problem.max_matches + 1):
            writers = active[count == m, bit]
            fewest = writers[writers > 0].min(initial=NEVER)
            assert found.min_matched_writers[bit, m] == fewest
            assert found.can_be_zero[bit, m] == (writers == 0).any()


def test_in_a_batch_every_graph_counts_up_to_its_own_last_step():
    runs = [prepared("bfs", nx.path_graph(n), {"sizes": BFS}) for n in (2, 6)]
    problem = LearningProblem(runs[0].program, "joint")
    graphs, steps = message_passing.batch([run.graphs for run in runs]), (runs[0].num_steps, 2)
    (together,) = occurring_sets(problem, graphs, num_steps=np.repeat(steps, [2, 6]))
    alone = [occurring_sets(problem, run.graphs, num_steps=n)[0] for run, n in zip(runs, steps)]
    np.testing.assert_array_equal(together, np.unique(np.concatenate(alone), axis=0))
    # The twin: if the large graph runs on, it meets more.
    (longer,) = occurring_sets(problem, graphs, num_steps=runs[1].num_steps)
    assert len(longer) > len(together)


BFS = {"degree": 2, "slots": 4, "word": 3}


def test_progress_ends_with_all_steps():
    run = prepared("bfs", nx.path_graph(2), {"sizes": BFS})
    problem, seen = LearningProblem(run.program), []
    occurring_sets(problem, run.graphs, num_steps=130, report=lambda *step: seen.append(step))
    assert seen == [(64, 130), (128, 130), (130, 130)]
    nothing = occurring_sets(problem, run.graphs, num_steps=0)
    assert [sets.shape for sets in nothing] == [(0, len(c.templates)) for c in problem.components]
    assert (bound_of_sets(problem, nothing, "").max_matches == 1).all()


def test_a_template_without_conditions_always_matches():
    run = prepared("bfs", nx.path_graph(2), {"sizes": BFS})
    program = Program("p", run.program.layout, (template({}, [0]),))
    run = dataclasses.replace(run, initial=np.zeros((2, program.layout.num_bits), bool))
    (sets,) = occurring_sets(LearningProblem(program), run.graphs, num_steps=3)
    assert sets.tolist() == [[True]]
