"""The encoded states of executions, against the executor's own trace, and their margins."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats
from support.ensembles import program
from support.programs import matched_table

from ntkexec import executor, pipeline
from ntkexec.complexity import collect, random_instances
from ntkexec.complexity.bounds import bounds_of
from ntkexec.complexity.cases import Cases, ComponentCases
from ntkexec.complexity.margins import margins_of
from ntkexec.errors import CertificateError, EnsembleError, GraphError, ProgramError
from ntkexec.executor.reachable import measured_bound
from ntkexec.program.problem import LearningProblem
from ntkexec.vocabulary import CONVENTIONS


def few(algorithm="flooding", num_graphs=4, **options):
    defaults = {"degree": 2, "word": None, "nodes": (3, 6), "seed": 0}
    return random_instances(algorithm, num_graphs=num_graphs, **defaults | options)


def traced_sets(problem, instances):
    """By component, the sets of matched templates before every step of every execution."""
    found = [set() for _ in problem.components]
    for instance in instances:
        certificate = pipeline.certify(instance.program, num_decisions=1)
        execution = executor.execute(
            pipeline.make_engine("boolean", certificate),
            instance.program,
            instance.graphs,
            num_steps=instance.num_steps,
            trace=True,
        )
        states = execution.trace[:-1].reshape(-1, instance.program.layout.num_bits)
        matched = matched_table(instance.program, states)
        for component, sets in zip(problem.components, found):
            sets.update(map(tuple, matched[:, list(component.templates)].tolist()))
    return found


@pytest.mark.parametrize("algorithm, degree", [("flooding", 2), ("bfs", 3)])
@pytest.mark.parametrize("kind", ["joint", "factored"])
def test_the_cases_are_the_states_that_the_executions_visit(algorithm, degree, kind):
    instances = few(algorithm, degree=degree, num_graphs=2)
    problem = LearningProblem(instances[0].program, kind)
    cases = collect(problem, instances)
    expected = traced_sets(problem, instances)
    for part, sets in zip(cases.components, expected):
        found = list(map(tuple, part.matched.tolist()))
        assert len(found) == len(set(found))
        assert set(found) == sets
    assert cases.num_updates == sum(i.num_steps * i.graph.num_nodes for i in instances)
    # The twin: another sample of graphs visits others.
    others = traced_sets(problem, few(algorithm, degree=degree, num_graphs=1, seed=1))
    assert others != expected


def test_every_execution_counts_up_to_its_own_last_step():
    # A path takes more steps than an edge; alone or together, the edge visits the same states.
    instances = few(num_graphs=12, nodes=(2, 9))
    problem = LearningProblem(instances[0].program, "joint")
    steps = [instance.num_steps for instance in instances]
    assert min(steps) < max(steps)
    together = collect(problem, instances).components[0].matched
    alone = [collect(problem, [i]).components[0].matched for i in instances]
    union = np.unique(np.concatenate(alone), axis=0)
    np.testing.assert_array_equal(np.unique(together, axis=0), union)
    # The twin: running on changes what is visited.
    longer = [dataclasses.replace(i, num_steps=max(steps) + 6) for i in instances]
    assert len(collect(problem, longer).components[0].matched) > len(union)


def test_their_certificate_is_the_measured_one():
    instances = few(num_graphs=1, nodes=(6, 6))
    for kind in ("joint", "factored"):
        problem = LearningProblem(instances[0].program, kind)
        found = collect(problem, instances).certificate()
        expected = measured_bound(
            problem, instances[0].graphs, num_steps=instances[0].num_steps, label=""
        )
        np.testing.assert_array_equal(found.bound.max_matches, expected.max_matches)
        # A bit without any writer has no 1, and either no entry.
        np.testing.assert_array_equal(found.bound.min_matched_writers, expected.min_matched_writers)
        learned = problem.component_of_bit >= 0
        np.testing.assert_array_equal(
            found.bound.can_be_zero[learned], expected.can_be_zero[learned]
        )


def test_nothing_and_other_programs_are_refused():
    problem = LearningProblem(few()[0].program)
    with pytest.raises(EnsembleError, match="no execution"):
        collect(problem, [])
    with pytest.raises(EnsembleError, match="execution of another program"):
        collect(problem, few(degree=3))


@pytest.mark.parametrize(
    "wrong, error, message",
    [
        ({"nodes": (1, 4)}, GraphError, "not 1 to 4"),
        ({"nodes": (5, 4)}, GraphError, "not 5 to 4"),
        ({"degree": 1}, GraphError, "need degree 2, got 1"),
        ({"num_graphs": 0}, GraphError, "at least one graph"),
        ({"num_graphs": 10**12}, GraphError, "333333 graphs, of 2,000,000 nodes in all, fit"),
        ({"algorithm": "bfs", "word": 1, "nodes": (9, 9)}, ProgramError, "needs word of at least"),
    ],
    ids=str,
)
def test_a_sample_that_cannot_be_drawn_is_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        few(**wrong)


@pytest.mark.parametrize("algorithm", ["flooding", "bfs", "dfs", "bellman-ford"])
def test_samples_are_of_one_program_within_the_degree_and_reproducible(algorithm):
    first, again, other = (few(algorithm, degree=3, seed=s) for s in (0, 0, 1))
    assert all(i.program == first[0].program for i in first)
    assert max(i.graph.degree for i in first) <= 3
    assert all(i.graph.num_components == 1 for i in first)
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a.initial, b.initial)
        np.testing.assert_array_equal(a.graph.tuple.senders, b.graph.tuple.senders)
    assert [i.graph.num_edges for i in first] != [i.graph.num_edges for i in other]


# Margins and bounds.


@pytest.fixture(scope="module")
def cases():
    instances = few(num_graphs=10)
    return collect(LearningProblem(instances[0].program, "joint"), instances)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_margins_are_distances_of_the_means_to_their_thresholds(cases, convention):
    found = margins_of(cases, convention)
    (part,), (states,) = found.components, cases.components
    ones = states.matched_writers > 0
    if convention == "zero":
        assert (part.margins[ones] == states.means[ones]).all()
        assert (part.margins[~ones] == -states.means[~ones]).all()
    else:
        certificate = cases.certificate(convention)
        # The smallest margin is the certificate's; without a match there is nothing to decide.
        smallest = part.margins[states.count > 0].min()
        assert smallest == pytest.approx(certificate.smallest_margin, abs=1e-12)
        assert found.noise_ratio == pytest.approx(certificate.noise_to_margin / 4, rel=1e-9)
    assert found.right_in_the_mean
    assert (found.z > 0).all()
    assert len(found.z) == part.random.sum() * part.signs.shape[1]


def test_the_union_bound_is_the_sum_of_the_tails_and_its_members_are_least(cases):
    found = margins_of(cases)
    for n in (1, 5, 50):
        by_hand = sum(0.5 * math.erfc(z * math.sqrt(n / 2)) for z in found.z)
        assert found.union_bound(n) == pytest.approx(min(1, by_hand))
        independent = math.prod(1 - 0.5 * math.erfc(z * math.sqrt(n / 2)) for z in found.z)
        assert found.independent(n) == pytest.approx(independent)
        # Bonferroni: right for independent decisions too.
        assert found.independent(n) >= 1 - found.union_bound(n) - 1e-12
    for delta in (0.3, 1e-3, 1e-9):
        n = found.members_for(delta)
        assert found.union_bound(n) <= delta
        assert n == 1 or found.union_bound(n - 1) > delta


def test_the_bounds_are_ordered_and_are_their_formulas(cases):
    found = margins_of(cases)
    some = bounds_of(found, delta=1e-3)
    n0 = cases.problem.program.num_templates
    log_terms = math.log(cases.num_decisions / 1e-3)
    assert some.theory == math.ceil(8 * n0 * log_terms)
    assert some.numerical == math.ceil(8 * found.noise_ratio * log_terms)
    # The published one counts every encoded input, 2^n0, and has no delta.
    log_inputs = math.log(2 * n0 * cases.num_steps) + n0 * math.log(2)
    assert some.published == math.ceil(8 * n0 * log_inputs)
    # Two thresholds, one worst decision: fewer than the lower bound let it fail more often than delta.
    tail = stats.norm.sf(found.z.min() * np.sqrt([some.lower - 1, some.lower]))
    assert tail[0] > 1e-3 >= tail[1]
    assert some.lower <= some.union
    # Exact tails over distinct decisions are sharper than exponential ones over all decisions.
    assert 1 <= some.union <= some.certificate
    assert some.numerical < some.theory < some.published
    assert stats.norm.sf(found.z * math.sqrt(some.union)).sum() <= 1e-3
    shared, zero = (bounds_of(margins_of(cases, name), delta=1e-3) for name in ("shared", "zero"))
    assert some.union < shared.union < zero.union <= zero.certificate


def test_the_spread_of_weights_is_the_fourth_power_in_every_margin(cases):
    one, double = margins_of(cases), margins_of(cases, weight_std=2.0)
    np.testing.assert_allclose(double.z, one.z / 4, rtol=1e-12)
    assert bounds_of(double, delta=1e-3).certificate > bounds_of(one, delta=1e-3).certificate


def test_the_ratio_of_noise_to_mean_falls_with_padding():
    instances = few(num_graphs=10)
    ratios = [
        margins_of(
            collect(LearningProblem(instances[0].program, "joint", p), instances), "shared"
        ).noise_ratio
        for p in (0, 20, 40, 80)
    ]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < ratios[0] / 4


def test_a_program_that_is_wrong_in_the_mean_has_no_number_of_networks():
    # One of ten writers of a bit matches, and ten templates that do not write it.
    problem = LearningProblem(program([[0]] * 10 + [[1]] * 10), "joint")
    matched = np.array([[1] + [0] * 9 + [1] * 10], bool)
    cases = Cases(problem, (ComponentCases(matched, problem.writes(0), 20),), 1, 1, 1, 1)
    assert not cases.certificate("shared").certified
    assert cases.certificate().certified
    found = margins_of(cases, "shared")
    assert not found.right_in_the_mean
    assert found.noise_ratio == math.inf
    with pytest.raises(CertificateError, match="some mean is on the wrong side"):
        found.members_for(0.1)
    assert bounds_of(found, delta=0.1).union is None
    with pytest.raises(CertificateError, match="not 'half'"):
        margins_of(cases, "half")
