"""What a certificate says, of what it speaks, and what it refuses."""

import dataclasses
import html
import math
import re

import numpy as np
import pytest
from support.certificates import (
    CERTIFIED,
    FLIPS,
    LAST_CERTIFIED,
    certificate,
    collision,
)
from support.programs import (
    TYPE_CHECKED_STRATEGIES,
)

from ntkexec.errors import CertificateError, EnsembleError
from ntkexec.program.fields import Flag, Word
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.theory import predictor
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import given_bound
from ntkexec.theory.padding import padding_needed
from proofs_check.fixtures.programs import collision_program

pytestmark = TYPE_CHECKED_STRATEGIES


# What it says, and what it refuses.


@pytest.mark.parametrize(("kind", "num_matches", "writers"), FLIPS)
def test_a_failing_certificate_names_the_bit_and_what_would_help(kind, num_matches, writers):
    failing = collision(kind, num_matches, writers + 1)
    needed = padding_needed(failing)
    message = (
        f"not certified: bit target has {writers + 1} writers, but at m = {num_matches} matches "
        rf"and 1 matched writer\(s\) .* padding with {needed} templates would certify it"
    )
    with pytest.raises(CertificateError, match=message):
        failing.require()
    with pytest.raises(CertificateError, match=message):
        failing.ensemble_size(delta=0.1, num_decisions=1)
    collision(kind, num_matches, writers).require()


def test_the_report_shows_matches_capacity_bit_and_verdict():
    for writers in (3, 4):
        found = collision("joint", 9, writers)
        report = str(found)
        lines = {line[:13].strip(): line[13:].strip() for line in report.splitlines()}
        assert lines["matches m"] == "at most 9; all states (integer programming)"
        assert lines["tightest bit"] == f"target when it is 1: w = {writers}, a >= 1"
        assert lines["at m, n0"] == f"9, {writers + 8}"
        assert lines["C(m, n0)"] == f"{predictor.capacity(9, writers + 8):.2f}"
        assert lines["threshold"] == f"{found.threshold:.4f} (convention: shared)"
        assert lines["verdict"] == found.verdict()
        assert lines["verdict"].startswith("certified" if writers == 3 else "not certified: bit")
        assert "target" in lines["verdict"]


def test_a_notebook_shows_the_same_table():
    problem = CERTIFIED.problem
    named = dataclasses.replace(problem.program, name="<b>&")
    found = dataclasses.replace(CERTIFIED, problem=dataclasses.replace(problem, program=named))
    page = found._repr_html_()
    assert "<b>" not in page
    cells = re.findall("<td>(.*?)</td>", page)
    assert list(map(html.unescape, cells)) == [cell for row in found.rows() for cell in row]
    assert [f"{name:<13} {value}" for name, value in found.rows()] == str(found).splitlines()


def test_a_certificate_covers_executions_within_its_bound_only():
    problem = LearningProblem(collision_program(3, 4), "factored")
    found = certificate(problem)
    within = found.bound.max_matches
    assert found.covers(within)
    assert found.covers(np.zeros_like(within))
    for component in range(len(within)):
        beyond = within.copy()
        beyond[component] += 1
        assert not found.covers(beyond)


def test_a_given_bound_certifies_what_the_bound_over_all_states_cannot():
    problem = collision("joint", 9, 4).problem
    assert not certificate(problem, convention="shared").certified
    assert not Certificate(problem, given_bound(problem, 9), convention="shared").certified
    assert Certificate(problem, given_bound(problem, 8), convention="shared").certified


def test_the_report_of_a_program_beyond_all_padding_still_names_the_bit():
    writers, others = 2200, 1100
    layout = Layout((Word("number", 12), Flag("many"), Flag("few")))
    templates = []
    for i in range(writers + others):
        condition = {bit: i >> bit & 1 for bit in layout.bits("number")}
        templates.append(template(condition, [layout.bit("many" if i < writers else "few")]))
    problem = LearningProblem(Program("wide", layout, tuple(templates)), "joint")
    hopeless = Certificate(problem, given_bound(problem, others), convention="shared")
    assert not hopeless.certified
    assert "not certified: bit many" in str(hopeless)
    assert Certificate(problem, given_bound(problem, others)).certified


# What it speaks of.


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ({"weight_std": 1.5}, "weight_std 1, but these have weight_std 1.5"),
        ({"bias_std": 0.3}, "without biases, but these have bias_std 0.3"),
        ({"certified": "antisymmetric"}, "antisymmetric networks, but these are trained"),
        ({"certified": "gaussian"}, "gaussian networks, but these are trained"),
    ],
)
def test_a_certificate_speaks_of_one_kind_of_network(networks, message):
    kind = {"weight_std": 1.0, "bias_std": 0.0, "draw": "trained"}
    found = dataclasses.replace(CERTIFIED, draw=networks.pop("certified", "trained"))
    CERTIFIED.require_networks(**kind)
    with pytest.raises(EnsembleError, match=message):
        found.require_networks(**kind | networks)


@pytest.mark.parametrize("weight_std", [0.0, -1.0, math.nan, math.inf])
def test_weights_without_a_spread_are_refused(weight_std):
    with pytest.raises(CertificateError, match=f"weight_std must be positive, got {weight_std:g}"):
        dataclasses.replace(CERTIFIED, weight_std=weight_std)


def test_the_conventions_are_told_side_by_side():
    found = collision("joint", 9, LAST_CERTIFIED[9] + 1).conventions()
    assert list(found) == ["zero", "shared", "bit"]
    assert [one.certified for one in found.values()] == [False, False, True]
    sizes = {
        name: one.ensemble_size(delta=1e-3, num_decisions=10**6)
        for name, one in CERTIFIED.conventions().items()
        if one.certified
    }
    assert sizes["bit"] < sizes["shared"]


def test_thresholds_that_are_given_are_the_ones_that_are_judged():
    table = CERTIFIED.thresholds
    same = dataclasses.replace(CERTIFIED, convention="bit", given_thresholds=table)
    assert same.smallest_margin == CERTIFIED.smallest_margin
    higher = dataclasses.replace(CERTIFIED, given_thresholds=table + 10)
    assert not higher.certified
    with pytest.raises(CertificateError, match="have shape"):
        dataclasses.replace(CERTIFIED, given_thresholds=table[:, :-1])
    with pytest.raises(CertificateError, match="zero, shared, bit, not 'half'"):
        dataclasses.replace(CERTIFIED, convention="half")
