"""A program is certified once: a second run computes nothing anew, and another question is one."""

import dataclasses

import networkx as nx
import pytest

import ntkexec
from ntkexec import certifying, graphs
from ntkexec.program.problem import LearningProblem
from ntkexec.programs import prepare
from ntkexec.runtime import compilation
from ntkexec.runtime.keeping import Kept

GRAPH = graphs.from_networkx(nx.cycle_graph(5))


@pytest.fixture
def counted(monkeypatch):
    """The names of what was computed, with nothing kept from before."""
    calls = []

    def counting(name):
        function = getattr(certifying, name)

        def call(*args, **kwargs):
            calls.append(name)
            return function(*args, **kwargs)

        monkeypatch.setattr(certifying, name, call)

    for name in ("state_bound", "measured_bound", "padded", "Certificate"):
        counting(name)
    certifying.BOUNDS.clear()
    certifying.CERTIFICATES.clear()
    return calls


def test_a_second_run_computes_nothing_anew(counted):
    first = ntkexec.run("flooding", GRAPH, engine="kernel", source=0)
    assert sorted(counted) == ["Certificate", "state_bound"]
    compiled = len(compilation._compiled)
    # Another source of another execution, but the same program.
    second = ntkexec.run("flooding", GRAPH, engine="kernel", source=2)
    assert len(counted) == 2
    assert second.certificate is first.certificate
    assert len(compilation._compiled) == compiled
    assert second.execution.compile_seconds == 0
    assert first.exact
    assert second.exact
    assert str(first.certificate.verdict()) == str(second.certificate.verdict())


def program(name="flooding"):
    found = ntkexec.programs.find_algorithm("flooding")
    made = found.program(**found.sizes(degree=2, word=1))
    return dataclasses.replace(made, name=name)


def test_equal_programs_share_a_certificate_and_another_name_only_the_bound(counted):
    first = ntkexec.certify(program())
    assert ntkexec.certify(program()) is first
    assert counted.count("state_bound") == 1
    other = ntkexec.certify(program("another"))
    assert other is not first
    assert other.problem.program.name == "another"
    assert other.bound is first.bound
    assert counted.count("state_bound") == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"padding": 8},
        {"bound": 3},
        {"weight_std": 2.0},
        {"threshold": "shared"},
        {"draw": "antisymmetric"},
        {"kind": "joint"},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_another_question_has_another_answer(asked):
    plain, other = ntkexec.certify(program()), ntkexec.certify(program(), **asked)
    assert other is not plain
    assert ntkexec.certify(program(), **asked) is other
    assert ntkexec.certify(program()) is plain


def test_the_padding_alone_depends_on_how_many_decisions_there_are(counted):
    asked = {"kind": "joint", "threshold": "shared"}
    few = ntkexec.certify(program(), num_decisions=10, **asked)
    assert counted.count("padded") == 1
    assert ntkexec.certify(program(), num_decisions=10, **asked) is few
    assert counted.count("padded") == 1
    ntkexec.certify(program(), num_decisions=10**9, **asked)
    ntkexec.certify(program(), num_decisions=10, delta=1e-9, **asked)
    assert counted.count("padded") == 3
    assert counted.count("state_bound") == 1


def test_a_bound_on_what_occurs_is_that_of_its_execution(counted):
    def certified(source, graph=GRAPH):
        instance = ntkexec.prepare("flooding", graph, source=source)
        return certifying.certify_instance(instance, bound="graph")

    first = certified(0)
    assert certified(0) is first
    assert counted.count("measured_bound") == 1
    assert certified(1) is not first
    assert (
        certified(0, dataclasses.replace(GRAPH, label="another")).bound.basis != first.bound.basis
    )
    assert counted.count("measured_bound") == 3


def test_thresholds_that_are_given_are_part_of_the_question():
    plain = ntkexec.certify(program())
    given = plain.thresholds.copy()
    one = ntkexec.certify(program(), given_thresholds=given)
    assert ntkexec.certify(program(), given_thresholds=given.copy()) is one
    given[0, 0] += 1
    other = ntkexec.certify(program(), given_thresholds=given)
    assert other.thresholds[0, 0] == one.thresholds[0, 0] + 1


def test_nobody_writes_into_what_is_kept():
    own = ntkexec.certify(program()).thresholds.copy()
    lowered = own - 0.25
    first = ntkexec.certify(program(), given_thresholds=own)
    own[:] = lowered
    again = ntkexec.certify(program(), given_thresholds=first.thresholds.copy())
    assert again.certified
    assert (again.given_thresholds != lowered).any()
    arrays = (
        *(first.thresholds, first.given_thresholds, first.one_margins, first.zero_margins),
        *(first.variances, first.bound.max_matches, first.bound.min_matched_writers),
        first.bound.can_be_zero,
    )
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_bound_that_is_measured_names_the_graph_that_ran(monkeypatch):
    named = []
    monkeypatch.setattr(certifying, "BOUNDS", Kept(2))
    monkeypatch.setattr(certifying, "measured_bound", lambda *_, label, **__: named.append(label))
    for degree in (3, None):
        instance = prepare("bfs", "star:11", split_degree=degree)
        certifying.bound_for(LearningProblem(instance.program), "graph", instance)
    assert named == ["star:11 (split to degree 3)", "star:11"]
