"""Raw programs are executed as their matrices say, joint and factored, and so they are certified:
repeated conditions and rows that write nothing are learned, matched and proven like any other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.programs import FEW, all_states, regression
from support.raw import matched_rows, next_states, raw_matrices, updated

from ntkexec import complete, ensemble, executor
from ntkexec.engines.kernel import kernel_engine
from ntkexec.engines.packed import packed_kernel_engine
from ntkexec.engines.trained import ensemble_engine
from ntkexec.ensemble import EnsembleConfig, thresholds
from ntkexec.executor.deciding import decided
from ntkexec.graphs import message_passing
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.recheck.command import main as recheck
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import state_bound
from ntkexec.vocabulary import KINDS

KIND = st.sampled_from(KINDS)
# A row that repeats one, rows that write nothing, a bit that nothing writes, a row that always matches.
ROWS = np.array([[0, 1, -1, -1], [0, 1, -1, -1], [1, -1, -1, 1], [-1, -1, -1, -1], [-1, 0, 1, -1]])
THEN = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]])


def certified(drawn, kind):
    conditions, targets, start = drawn
    program = Program.from_arrays(conditions, targets, message_start=start)
    problem = LearningProblem(program, kind)
    return Certificate(problem, state_bound(problem))


@FEW
@given(raw_matrices(), KIND)
def test_every_state_is_updated_as_a_sum_of_products(drawn, kind):
    conditions, targets, _ = drawn
    certificate = certified(drawn, kind)
    states = all_states(conditions.shape[1])
    matches, decision = decided(kernel_engine(certificate), states.T)
    expected = updated(conditions, targets, states.astype(int))
    matched = matched_rows(conditions, states.astype(int))
    np.testing.assert_array_equal(np.asarray(matches.matched)[:-1].T, matched)
    if kind == "joint":
        np.testing.assert_array_equal(np.asarray(matches.count)[0], matched.sum(axis=1))
    assert certificate.certified
    np.testing.assert_array_equal(np.asarray(decision.bits).T, expected)
    # The closed form, against a linear system with all rows in it.
    means, _ = regression(certificate.problem, states)
    np.testing.assert_allclose(np.asarray(decision.means).T, means, atol=1e-5)
    margins = np.abs(means - np.asarray(decision.thresholds).T)
    some = matched.any(axis=1)
    if some.any() and kind == "joint":
        assert margins[some].min() >= certificate.smallest_margin - 1e-6


@settings(FEW, max_examples=6)
@given(raw_matrices(max_bits=5), st.integers(0, 2**16), KIND)
def test_packed_or_not_an_execution_is_that_of_the_matrices(drawn, seed, kind):
    conditions, targets, start = drawn
    certificate, rng = certified(drawn, kind), np.random.default_rng(seed)
    states = rng.random((9, conditions.shape[1])) < 0.5
    adjacency = (rng.random((9, 9)) < 0.15) & ~np.eye(9, dtype=bool)
    receivers, senders = np.nonzero(adjacency)
    graphs = message_passing.graphs_tuple(senders, receivers, 9, nodes=states)
    after, steps = states, 0
    for _ in range(4):
        following, met = next_states(conditions, targets, start, after.astype(int), adjacency)
        if met:
            break
        after, steps = following, steps + 1
    engines = [kernel_engine(certificate)]
    if kind == "factored":
        engines.append(packed_kernel_engine(certificate))
    for engine in engines:
        found = executor.execute(engine, certificate.problem.program, graphs, num_steps=steps)
        assert found.collisions == 0
        assert found.verification.exact
        np.testing.assert_array_equal(found.states, after)


@pytest.mark.parametrize("kind", KINDS)
def test_trained_networks_are_proven_and_the_proof_is_verified(kind, tmp_path, capsys):
    certificate = certified((ROWS, THEN, 3), kind)
    networks = ensemble.train(
        certificate.problem,
        EnsembleConfig(members=3 if kind == "factored" else 12, width=256, seed=0),
        directory=tmp_path / "raw",
        thresholds=thresholds.running(certificate),
        convention=certificate.convention,
    )
    found = complete.complete(networks)
    states = all_states(4).astype(int)
    for one in found.components:
        own = list(one.component.templates)
        sets = {tuple(row) for row in matched_rows(ROWS[own], states).tolist()}
        assert {tuple(row) for row in one.matched.tolist()} == sets
    assert found.exact, found.verdict()
    assert found.scope == "every graph, from all states"
    # Two neighbours may write the bit that is a message: no list of decisions rules that out.
    assert found.verdict().endswith("nodes and steps, as long as no messages meet")
    data = complete.to_data(found, ensemble.read_manifest(tmp_path / "raw"), tmp_path / "raw")
    complete.write(tmp_path / "proof.json", data)
    assert recheck([str(tmp_path / "proof.json"), str(tmp_path / "raw")]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"VERIFIED: {found.num_decisions:,} decisions")
    assert certificate.problem.program.digest in said
    # The twins: a proof that claims more, and one without the idle rows, about another program.
    claim = data["claim"]
    data["claim"] = claim.removesuffix(", as long as no messages meet")
    complete.write(tmp_path / "proof.json", data)
    assert recheck([str(tmp_path / "proof.json"), str(tmp_path / "raw")]) == 1
    assert "not what was shown" in capsys.readouterr().out
    data["claim"] = claim
    data["program"]["templates"] = [t for t in data["program"]["templates"] if t[1]]
    complete.write(tmp_path / "proof.json", data)
    assert recheck([str(tmp_path / "proof.json"), str(tmp_path / "raw")]) == 1


@pytest.mark.slow
def test_what_a_complete_certificate_and_its_checker_say_is_so_in_every_state(tmp_path, capsys):
    verdicts = set()

    @settings(FEW, max_examples=20)
    @given(raw_matrices(max_bits=5, max_rows=5), KIND, st.integers(0, 9))
    def agrees(drawn, kind, seed):
        conditions, targets, _ = drawn
        certificate = certified(drawn, kind)
        folder, proof = tmp_path / f"{len(list(tmp_path.iterdir()))}", tmp_path / "proof.json"
        networks = ensemble.train(
            certificate.problem,
            EnsembleConfig(members=1, width=64, seed=seed, draw="linearised"),
            directory=folder,
            thresholds=thresholds.running(certificate),
            convention=certificate.convention,
        )
        found = complete.complete(networks)
        states = all_states(conditions.shape[1])
        for one in found.components:
            own = list(one.component.templates)
            sets = matched_rows(conditions[own], states.astype(int)).tolist()
            assert sorted(map(tuple, one.matched.tolist())) == sorted({*map(tuple, sets)})
        _, decision = decided(ensemble_engine(networks, certificate), states.T)
        expected = updated(conditions, targets, states.astype(int))
        right = bool((expected == np.asarray(decision.bits).T).all())
        assert right or not found.exact
        assert right == (found.wrong == 0) or found.unsure
        complete.write(proof, complete.to_data(found, ensemble.read_manifest(folder), folder))
        assert recheck([str(proof), str(folder)]) == (0 if found.exact else 1)
        verdicts.add((kind, found.exact))

    agrees()
    capsys.readouterr()
    assert {("factored", True), ("joint", True)} <= verdicts
