"""Certificates at a finite width: the bias they allow for, and never certified and wrong together."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ensembles import program, train_at_once
from support.programs import (
    FEW,
    TYPE_CHECKED_STRATEGIES,
    expected_bits,
    small_programs,
    valid_states,
)

import ntkexec
from ntkexec import pipeline
from ntkexec.engines.trained import ensemble_engine
from ntkexec.ensemble import Ensemble, EnsembleConfig
from ntkexec.errors import CertificateError, EnsembleError
from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import decide
from ntkexec.program.problem import LearningProblem
from ntkexec.programs.graph import flooding
from ntkexec.theory import bias_fit
from ntkexec.theory.at_width import SHARE, TOLERANCE, AtWidth
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import state_bound
from ntkexec.theory.padding import padded
from ntkexec.vocabulary import CONVENTIONS, KINDS
from proofs_check.fixtures.programs import collision_program

pytestmark = TYPE_CHECKED_STRATEGIES

# One bit that 60 templates write, any of which may match at once.
HUB = LearningProblem(program([[0]] * 60))
(TARGET,) = HUB.components[0].bits


def at(width, *, problem=HUB, descent="auto", **options):
    return AtWidth(Certificate(problem, state_bound(problem), **options), width, descent)


def test_the_biases_are_those_of_the_fit_at_every_number_of_matches():
    found = at(1024)
    assert found.covered
    n0 = int(HUB.num_inputs[HUB.component_of_bit[TARGET]])
    for m in range(2, 61):
        expected = bias_fit.bias_bound(n0, m, 1024, "auto").value
        assert found.biases[TARGET, m] == max(expected, TOLERANCE)
    assert found.biases[TARGET, 1] == TOLERANCE
    assert found.biases[TARGET, 0] == 0


def test_what_the_bias_leaves_of_the_margins_decides_the_ensemble_size():
    found = at(1024)
    limit = found.certificate.ensemble_size(delta=1e-6, num_decisions=10**9)
    size = found.ensemble_size(delta=1e-6, num_decisions=10**9)
    assert found.holds
    assert size >= limit
    left = found.tightest.margin - found.tightest.bias
    assert left > 0
    # Wider networks need no more of them, and in the end as many as the limit.
    assert at(8192).ensemble_size(delta=1e-6, num_decisions=10**9) <= size


def test_a_bias_that_eats_the_margin_is_refused_with_the_width_that_would_do():
    shared = {"convention": "shared", "descent": "plain"}
    found = at(512, **shared)
    assert found.covered
    assert found.certificate.certified
    assert not found.holds
    with pytest.raises(CertificateError, match=r"too narrow at width 512: bias at most .* m = 60"):
        found.require()
    needed = found.width_needed(1.0)
    assert f"width {needed.value:,} would do" in found.verdict()
    assert at(needed.value + 1, **shared).holds
    assert not at(needed.value - 64, **shared).holds
    # With a threshold for each bit the same networks have margin enough.
    assert at(512, descent="plain").holds
    # The heavy ball asks for more than was ever measured.
    extreme = at(512, convention="shared", descent="heavy-ball")
    assert "would do, which is beyond what was measured" in extreme.verdict()


def test_what_was_not_measured_is_not_covered_and_not_called_certified():
    joint = at(1024, problem=LearningProblem(collision_program(3, 3), "joint"))
    antisymmetric, narrow = at(1024, draw="antisymmetric"), at(64)
    for found in (joint, antisymmetric, narrow):
        assert not found.covered
        assert not found.holds
        assert found.verdict().startswith("not covered: ")
        found.require()
        limit = found.certificate.ensemble_size(delta=0.1, num_decisions=10)
        assert found.ensemble_size(delta=0.1, num_decisions=10) == limit
        with pytest.raises(CertificateError, match="the bias is not bounded"):
            _ = found.tightest
    assert np.isnan(narrow.biases[TARGET, 2:]).all()


def test_the_default_width_keeps_the_bias_below_its_share_of_every_margin():
    for convention in ("shared", "bit"):
        certificate = Certificate(HUB, state_bound(HUB), convention=convention)
        for descent in ("auto", "plain", "heavy-ball"):
            width = pipeline.default_width(certificate, descent)
            found = AtWidth(certificate, width, descent)
            if found.width_needed().covered:
                assert found.tightest.bias <= SHARE * found.tightest.margin
    with pytest.raises(EnsembleError, match="width must be at least 1, got 0"):
        pipeline.at_width(certificate, 0)


def test_looser_training_than_in_the_fit_is_not_covered():
    certificate = Certificate(HUB, state_bound(HUB))
    assert AtWidth(certificate, 1024, "auto", TOLERANCE / 2).holds
    loose = AtWidth(certificate, 1024, "auto", 0.45)
    assert not loose.holds
    assert loose.verdict().startswith("not covered: training stops at a residual of 0.45")


def test_where_the_bound_is_no_fit_the_sentence_names_none():
    single = LearningProblem(program([[0]]))
    told = AtWidth(Certificate(single, state_bound(single)), 1024, "auto").verdict()
    assert "since at one match the network interpolates" in told
    assert "by a fit" not in told


def test_a_mean_on_the_threshold_is_certified_only_where_outputs_are_exact():
    # At a single match under thresholds at 0: training stops on either side of it.
    problem = LearningProblem(collision_program(1, 0), "joint")
    bound = state_bound(problem)
    assert not Certificate(problem, bound, convention="zero").certified
    assert not Certificate(problem, bound, convention="zero", draw="antisymmetric").certified
    assert not Certificate(problem, bound, convention="zero", draw="linearised").certified
    assert Certificate(problem, bound, convention="zero", draw="gaussian").certified
    with pytest.raises(CertificateError, match=r"not certified: bit .* the thresholds 'bit' would"):
        padded(Certificate(problem, bound, convention="zero"), delta=0.1, num_decisions=10)


def test_thresholds_at_zero_vouch_for_no_finite_joint_network():
    # At a single match the mean of a 0 lies on the threshold, and training stops short of it.
    problem = LearningProblem(collision_program(1, 0), "joint")
    certificate = Certificate(problem, state_bound(problem), convention="zero")
    found = AtWidth(certificate, 1024, "auto")
    assert not found.holds


@given(
    example=small_programs(max_bits=6, min_templates=2, max_templates=12, max_condition=2),
    kind=st.sampled_from(KINDS),
    convention=st.sampled_from(CONVENTIONS),
    width=st.sampled_from((16, 64, 512, 1024)),
    descent=st.sampled_from(("auto", "heavy-ball")),
)
def never_together(example, kind, convention, width, descent):
    problem = LearningProblem(example, kind)
    found = at(width, problem=problem, descent=descent, convention=convention)
    if not found.holds:
        return
    delta = 1e-6  # over all decisions here, so that 12 examples raise an alarm in one of 10^5
    states = valid_states(example.layout)
    members = found.ensemble_size(delta=delta, num_decisions=states.size)
    config = EnsembleConfig(members=members, width=width, descent=descent)
    networks = Ensemble(problem, config, train_at_once(problem, config))
    update = ensemble_engine(networks, found.certificate)
    bits = jax.jit(decide)(update, encode(update.encoding, jnp.asarray(states.T))).bits
    np.testing.assert_array_equal(np.asarray(bits).T, expected_bits(example, states))


# Each example trains networks of its own shape.
@pytest.mark.parametrize("number", [4, pytest.param(12, marks=pytest.mark.slow)])
def test_certified_and_wrong_never_together(number):
    settings(FEW, max_examples=number)(never_together)()


# Degrees up to sixty; each takes a second or two, one of them in the default suite.
HUBS = {
    "star": nx.star_graph(60),
    "two to sixty": nx.complete_bipartite_graph(2, 60),
    "complete, 30": nx.complete_graph(31),
    "complete, 60": nx.complete_graph(61),
    "thirty to thirty": nx.complete_bipartite_graph(30, 30),
    "sixty to sixty": nx.complete_bipartite_graph(60, 60),
}


@pytest.mark.parametrize(
    "name, seed",
    [
        pytest.param(
            name,
            seed,
            marks=() if seed == 0 and name == "star" else pytest.mark.slow,
        )
        for name in HUBS
        for seed in range(3)
    ],
)
def test_hubs_are_exact_at_default_settings_under_a_certificate_that_covers_the_width(name, seed):
    result = ntkexec.run("flooding", HUBS[name], message="1", seed=seed)
    assert result.finite_width.holds
    assert result.exact
    assert result.execution.verification.wrong_bits == 0


def test_a_run_says_what_its_width_does_and_narrow_networks_are_refused():
    graph = nx.complete_bipartite_graph(2, 30)
    result = ntkexec.run("flooding", graph, message="1")
    assert result.exact
    assert result.finite_width.holds
    data = result.to_data()["finite_width"]
    assert (data["covered"], data["holds"]) == (True, True)
    assert 0 < data["bias"] < data["margin"]
    assert f"covered at width {data['width']}" in str(result)
    options = {"threshold": "shared", "descent": "heavy-ball", "width": 512}
    with pytest.raises(CertificateError, match="too narrow at width 512"):
        ntkexec.run("flooding", graph, message="1", **options)
    limit = ntkexec.run("flooding", graph, message="1", engine="kernel")
    assert limit.finite_width is None
    assert limit.to_data()["finite_width"] is None


def test_the_word_of_a_stored_certificate_is_for_its_own_width():
    small = flooding.program(degree=2, slots=3, message_bits=1, arrival_bits=2)
    certificate = pipeline.certify(small, num_decisions=1000)
    one, other = pipeline.at_width(certificate), pipeline.at_width(certificate, 4096)
    assert one.tightest.bias > other.tightest.bias
    assert math.isfinite(one.noise_to_margin)
    assert dataclasses.replace(one, width=4096).tightest == other.tightest
