"""Complete certificates hold for trained ensembles, and for nothing else."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkexec import ensemble, executor, pipeline
from ntkexec.complete import ProgramRun, complete
from ntkexec.engines.trained import ensemble_engine
from ntkexec.ensemble import DRAWS, Ensemble, EnsembleConfig
from ntkexec.errors import CertificateError, EnsembleError
from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import decide_states
from ntkexec.program.problem import LearningProblem


@pytest.fixture(scope="module")
def found(bfs):
    return complete(*bfs)


def test_every_decision_is_right_with_room_for_rounding(found):
    assert not any(found.unproven.values())
    assert found.exact
    assert found.wrong == found.unsure == 0
    assert found.num_decisions == found.num_sets > len(found.components)
    assert 0 < found.largest_rounding < found.smallest_margin
    assert found.tightest.guaranteed > 0
    assert found.verdict() == (
        "EXACT on every graph with degree at most 2 and at most 4 colours, from all states that keep "
        f"{len(found.invariants)} invariant(s): any number of nodes and steps, as long as no "
        "messages meet"
    )


def test_all_states_are_more_and_hold_too(bfs, found):
    everything = complete(*bfs, all_states=True)
    assert everything.exact
    assert everything.num_sets > found.num_sets
    assert everything.invariants == ()


def states_for(program, component, sets):
    """States in which just these templates of a component match, one a row."""
    rows = np.zeros((len(sets), program.layout.num_bits), bool)
    rng = np.random.default_rng(0)
    for row, wanted in zip(rows, sets):
        for _ in range(2000):
            row[:] = rng.random(len(row)) < rng.random()
            for t, is_wanted in zip(component.templates, wanted):
                for bit, value in program.templates[t].condition if is_wanted else ():
                    row[bit] = value
            matched = [
                all(row[b] == v for b, v in program.templates[t].condition)
                for t in component.templates
            ]
            if matched == list(wanted):
                break
        else:
            raise AssertionError("no such state")
    return rows


def test_the_engine_decides_as_certified_within_the_bound(bfs, found):
    trained, certificate = bfs
    engine = ensemble_engine(trained, certificate)
    large = [one for one in found.components if len(one.component.templates) > 2]
    states = [states_for(trained.problem.program, one.component, one.matched) for one in large]
    matches, decision = jax.jit(decide_states)(engine, jnp.asarray(np.concatenate(states)).T)
    means, active = np.asarray(decision.means), np.asarray(matches.matched_writers)
    start = 0
    for one in large:
        rows = np.s_[one.component.bits[0], start : start + len(one.matched)]
        start += len(one.matched)
        expected = active[rows] > 0
        np.testing.assert_array_equal(expected, one.matched.any(axis=1))
        limit = one.thresholds[:, 0]
        margin = np.where(expected, means[rows] - limit, limit - means[rows])
        margin = margin[one.matched.any(axis=1)].min()
        assert abs(margin - one.smallest_margin) <= one.largest_rounding


def damaged(trained, change):
    weights = list(trained.weights)
    last = weights[-1]
    weights[-1] = last._replace(output=change(last.output.copy()))
    return dataclasses.replace(trained, weights=tuple(weights))


def test_networks_that_forgot_something_are_not_certified(bfs):
    trained, certificate = bfs

    def forget(output):
        output[:, 0] *= -0.3
        return output

    judged = complete(damaged(trained, forget), certificate)
    assert judged.wrong > 0
    assert judged.tightest.margin < 0
    assert judged.verdict().startswith("NOT EXACT")


def test_a_decision_closer_than_the_rounding_error_is_not_proven(bfs, found):
    trained, _ = bfs
    tight = found.tightest
    # A threshold just below the tightest mean: still right, but by less than rounding may take.
    close = trained.thresholds.copy()
    bit = trained.problem.program.layout.bit_names.index(tight.bit_name)
    close[bit, len(tight.matched)] = tight.mean - tight.rounding / 2
    judged = complete(dataclasses.replace(trained, thresholds=close))
    assert judged.unsure > 0
    assert not judged.exact
    assert judged.verdict().startswith("NOT PROVEN")


def test_a_network_without_a_match_decides_0_at_a_threshold_of_0_and_not_below(bfs, found):
    """Its output is exactly 0, which does not exceed 0: no margin, and no room for rounding."""
    trained, _ = bfs
    for limit, exact in ((0.0, True), (-(2.0**-30), False)):
        other = trained.thresholds.copy()
        other[:, 0] = limit
        judged = complete(dataclasses.replace(trained, thresholds=other))
        assert judged.exact == exact
        assert judged.num_decisions == found.num_decisions
    # One match less is right: every component has the set of no match once.
    assert judged.wrong == sum(not one.matched.any(axis=1).all() for one in judged.components) > 0


def test_networks_that_leave_the_range_of_float32_are_not_proven(bfs):
    trained, _ = bfs
    for weight_std in (1e25, 1e200):
        config = dataclasses.replace(trained.config, weight_std=weight_std)
        with np.errstate(over="ignore", invalid="ignore"):
            judged = complete(dataclasses.replace(trained, config=config))
        assert not judged.exact
        json.dumps(judged.verdict())


def test_what_is_judged_are_the_thresholds_that_run(bfs, found):
    trained, certificate = bfs
    other = dataclasses.replace(trained, thresholds=trained.thresholds + np.float32(2))
    assert complete(other).wrong > 0
    with pytest.raises(EnsembleError, match="runs with the threshold"):
        complete(other, certificate)
    without = dataclasses.replace(trained, thresholds=None)
    assert complete(without, certificate).smallest_margin == found.smallest_margin
    with pytest.raises(CertificateError, match="was not stored with thresholds"):
        complete(without)


# Trained ones in the tests above.
@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(draw, marks=() if draw == "antisymmetric" else pytest.mark.slow)
        for draw in DRAWS
        if draw != "gaussian"
    ],
)
def test_networks_of_every_draw_are_certified_as_they_run(bfs, draw):
    """Of linearised networks, the shift of the hidden weights and the initial output belong to it."""
    _, certificate = bfs
    config = EnsembleConfig(members=4, width=256, draw=draw, seed=3)
    judged = complete(ensemble.train(certificate.problem, config), certificate)
    assert judged.exact
    if judged.ensemble.weights[0].hidden_shift is None:
        return
    # The twin: what would be judged without them is another function.
    less = [w._replace(hidden_shift=w.hidden_shift * 0) for w in judged.ensemble.weights]
    other = complete(dataclasses.replace(judged.ensemble, weights=tuple(less)), certificate)
    assert other.smallest_margin < judged.smallest_margin / 2


def test_biases_are_refused(bfs):
    _, certificate = bfs
    config = EnsembleConfig(members=1, width=128, bias_std=0.1)
    with pytest.raises(CertificateError, match=r"without biases, not bias_std 0\.1"):
        complete(Ensemble(certificate.problem, config, bfs[0].weights), certificate)


def test_another_problem_is_refused(bfs):
    trained, certificate = bfs
    other = dataclasses.replace(
        certificate, problem=LearningProblem(certificate.problem.program, "joint")
    )
    with pytest.raises(CertificateError, match="different problems"):
        complete(trained, other)


@pytest.mark.parametrize(
    "name, sizes",
    [
        *((n, {"degree": 3, "word": 3}) for n in ("flooding", "dfs", "bellman-ford")),
        *((n, {"degree": 3, "word": None}) for n in ("bipartite", "greedy-colouring", "life")),
        ("leader-election", {"degree": 3, "word": 3}),
    ],
)
@pytest.mark.slow
def test_all_algorithms_are_certified(name, sizes):
    algorithm = pipeline.find_algorithm(name)
    program = algorithm.program(**algorithm.sizes(**sizes))
    certificate = pipeline.certify(program, num_decisions=10**6)
    config = pipeline.ensemble_config(
        pipeline.at_width(certificate), members=None, seed=1, delta=1e-3, num_decisions=10**6
    )
    assert complete(ensemble.train(certificate.problem, config), certificate).exact


# Joint ensembles: what occurs on a graph.


@pytest.fixture(scope="module")
def joint():
    instance = pipeline.prepare("bfs", "path:4", sizes=None)
    certificate = pipeline.certify(
        instance.program, kind="joint", num_decisions=10**5, instance=instance
    )
    config = pipeline.ensemble_config(
        pipeline.at_width(certificate, 1024), members=None, seed=0, delta=1e-3, num_decisions=10**5
    )
    return instance, ensemble.train(certificate.problem, config), certificate


def test_a_joint_ensemble_is_certified_on_a_graph(joint):
    instance, trained, certificate = joint
    judged = complete(trained, certificate, executions=[ProgramRun.of(instance)])
    assert judged.exact
    steps = instance.num_steps
    assert judged.verdict() == (
        f"EXACT on an execution (nodes: 4, directed edges: 6, steps: {steps}): every decision that "
        "occurs there is right"
    )
    # Its margins are too narrow for what bfloat16 rounds off.
    assert judged.unproven["float32"] == 0 < judged.unproven["bfloat16"]
    (listed,) = judged.components
    execution = executor.execute(
        pipeline.make_engine("boolean", certificate), instance.program, instance.graphs,
        num_steps=instance.num_steps, trace=True,
    )  # fmt: skip
    states = execution.trace[:-1].reshape(-1, instance.program.layout.num_bits)
    engine = pipeline.make_engine("kernel", certificate)
    matched = np.asarray(jax.jit(encode)(engine.encoding, jnp.asarray(states).T).matched)[:-1].T
    assert {tuple(row) for row in matched} == {tuple(row) for row in listed.matched}


def test_the_match_sets_of_a_joint_ensemble_over_all_states_are_too_many(joint):
    _, trained, certificate = joint
    with pytest.raises(CertificateError, match=r"too many to list.*name a graph to cover instead"):
        complete(trained, certificate, limit=1000)
