"""Decisions at match sets: one evaluation, whoever asks."""

import dataclasses

import numpy as np
import pytest
from support.ensembles import MIXED, member_outputs, train_at_once

from ntkexec.complete import complete
from ntkexec.complexity.cases import Cases, ComponentCases
from ntkexec.complexity.rounding import float32_certificate
from ntkexec.engines.packed.memo import tabulate
from ntkexec.ensemble import Ensemble, EnsembleConfig
from ntkexec.ensemble.decisions import decisions_of
from ntkexec.ensemble.evaluation import evaluate, networks_of
from ntkexec.ensemble.thresholds import running
from ntkexec.program.match_sets import all_match_sets
from ntkexec.program.problem import LearningProblem
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import state_bound

PROBLEM = LearningProblem(MIXED, padding=2)
SETS = [
    all_match_sets([MIXED.templates[t] for t in component.templates])
    for component in PROBLEM.components
]


def trained(draw, weight_std):
    config = EnsembleConfig(members=3, width=256, draw=draw, weight_std=weight_std)
    return Ensemble(PROBLEM, config, train_at_once(PROBLEM, config))


def cases_of(sets):
    components = (
        ComponentCases(matched, PROBLEM.writes(index), int(PROBLEM.num_inputs[index]))
        for index, matched in enumerate(sets)
    )
    return Cases(PROBLEM, tuple(components), 1, 1, 1, 1)


def by_every_road(networks):
    """Largest bound on rounding and smallest margin over all match sets."""
    certificate = Certificate(
        PROBLEM,
        state_bound(PROBLEM),
        weight_std=networks.config.weight_std,
        draw=networks.config.draw,
    )
    proof = complete(networks, certificate)
    assert [one.matched.tolist() for one in proof.components] == [s.tolist() for s in SETS]
    study = float32_certificate(networks, cases_of(SETS))
    table = tabulate(networks, running(certificate))
    assert table.num_sets == proof.num_sets == sum(map(len, SETS))
    return [
        (proof.largest_rounding, proof.smallest_margin),
        (study.largest_bound, study.smallest_margin),
        (table.largest_error, table.smallest_margin),
    ]


@pytest.mark.parametrize("draw", ["trained", "antisymmetric", "linearised"])
@pytest.mark.parametrize("weight_std", [pytest.param(1.0, marks=pytest.mark.slow), 1.4])
def test_one_ensemble_has_one_bound_on_the_same_match_sets_by_every_road(draw, weight_std):
    networks = trained(draw, weight_std)
    proof, study, table = by_every_road(networks)
    assert proof == study == table
    # The twin: scales that are left out are another ensemble, whatever the road.
    config = dataclasses.replace(networks.config, weight_std=1.2)
    others = by_every_road(dataclasses.replace(networks, config=config))
    assert len({*others, proof}) == 2


@pytest.mark.parametrize(
    "draw, options",
    [
        ("trained", {"weight_std": 1.4}),
        ("antisymmetric", {"bias_std": 0.1}),
        ("linearised", {"weight_std": 1.4}),
        pytest.param("trained", {"bias_std": 0.1}, marks=pytest.mark.slow),
        pytest.param("antisymmetric", {"weight_std": 1.4}, marks=pytest.mark.slow),
        pytest.param("linearised", {"bias_std": 0.1}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_the_mean_is_that_of_the_formula_member_by_member(draw, options):
    config = EnsembleConfig(members=3, width=64, draw=draw, **options)
    networks = Ensemble(PROBLEM, config, train_at_once(PROBLEM, config))
    for stack, weights in zip(PROBLEM.stacks, networks.weights):
        for place, index in enumerate(stack.components):
            x = np.zeros((len(SETS[index]), stack.num_inputs))
            x[:, : SETS[index].shape[1]] = SETS[index]
            x /= np.sqrt(np.maximum(x.sum(axis=1, keepdims=True), 1))
            members = [member_outputs(weights, config, i, place, x) for i in range(3)]
            expected = np.mean(members, axis=0)[:, : len(PROBLEM.components[index].bits)]
            found = evaluate(networks_of(networks, index), SETS[index])
            np.testing.assert_allclose(found.mean, expected, atol=1e-12)
            certain = ~SETS[index].any(axis=1) & (config.bias_std == 0)
            np.testing.assert_array_equal(found.certain.all(axis=1), certain)


def test_what_is_exactly_0_is_infinitely_far_from_a_threshold_that_it_need_not_exceed():
    networks = trained("trained", 1.0)
    shape = (MIXED.layout.num_bits, PROBLEM.max_matches + 1)
    for limit, right in ((0.0, True), (0.5, True), (-(2.0**-30), False)):
        found = decisions_of(networks, 0, SETS[0], np.full(shape, limit, np.float32))
        idle = ~SETS[0].any(axis=1)
        assert np.isinf(found.distance[idle]).all() == right
        assert found.right[idle].all() == right
        assert np.isfinite(found.distance[~idle]).all()
        np.testing.assert_array_equal(found.expected[:, 0], ~idle)
