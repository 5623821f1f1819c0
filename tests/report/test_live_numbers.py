"""The live page calculates what the library calculates: states, means, thresholds, spread, bounds."""

import functools

import networkx as nx
import numpy as np
import pytest
from scipy import stats
from support.scripts import calculator

from ntkexec import pipeline
from ntkexec.ensemble.gaussian import state_covariance
from ntkexec.executor.options import Executing
from ntkexec.executor.reachable import occurring_sets
from ntkexec.graphs import load
from ntkexec.report import live_page
from ntkexec.theory import predictor

# Two float64 routes to the same closed form.
EXACT = {"rtol": 1e-10, "atol": 1e-13}
GRAPHS = ("petersen", "grid:3x4", "cycle:8", "path:6", "complete:5", "hypercube:3")
CASES = [
    ("flooding", "grid:3x4"),
    ("bfs", "petersen"),
    ("dfs", "path:6"),
    ("bellman-ford", "complete:5"),
]
SETTINGS = [
    ("joint", "bit", 0),
    ("joint", "shared", 16),
    ("joint", "zero", 3),
    ("factored", "shared", 0),
    ("factored", "bit", 5),
]
WEIGHT_STD = 1.5


@pytest.fixture(scope="module", params=["node", pytest.param("chromium", marks=pytest.mark.slow)])
def call(request):
    with calculator(request.param, live_page.scripts()) as found:
        yield found


@functools.cache
def weighted(name):
    """The graph of a name with the weights that the page gives it."""
    graph = load(name).tuple
    edges = [(int(u), int(v)) for u, v in zip(graph.senders, graph.receivers)]
    found = nx.Graph()
    found.add_nodes_from(range(int(graph.n_node[0])))
    found.add_weighted_edges_from((u, v, 1 + (3 * min(u, v) + 5 * max(u, v)) % 4) for u, v in edges)
    return found


@functools.cache
def prepared(algorithm, name):
    inputs = {"message": "11"} if algorithm == "flooding" else {}
    parameters = live_page.live_data()[algorithm]["parameters"]
    graph = load(weighted(name), weight="weight" if algorithm == "bellman-ford" else None)
    return pipeline.prepare(algorithm, graph, sizes=parameters, source=1, **inputs)


# What a page does with an algorithm on a graph, up to the program's own run.
SETTING = """
  const about = argument.data, program = learning.programOf(about.listing);
  const graph = graphs.named(argument.graph);
  const instance = graphs.instance(argument.algorithm, program, about.parameters, graph, 1);
  const states = networks.ownRun(program, graph, instance);
"""


def asked(algorithm, graph, **more):
    return {
        "algorithm": algorithm,
        "graph": graph,
        "data": live_page.live_data()[algorithm],
        **more,
    }


def bits_of(text):
    return np.array([[int(b) for b in row] for row in text], bool)


@pytest.mark.parametrize("name", GRAPHS)
def test_named_graphs_their_colours_and_weights_are_those_of_the_library(call, name):
    graph = load(name)
    found = call(
        "a => { const g = graphs.named(a); return {g, colours: graphs.colouring(g)}; }", name
    )
    edges = {(int(u), int(v)) for u, v in zip(graph.tuple.senders, graph.tuple.receivers) if u < v}
    assert {(u, v) for u, v, _ in found["g"]["edges"]} == edges
    assert len(found["g"]["edges"]) == len(edges)
    assert found["colours"] == graph.colours.tolist()
    assert {(u, v, w) for u, v, w in found["g"]["edges"]} == set(
        weighted(name).edges(data="weight")
    )


@pytest.mark.parametrize(("algorithm", "graph"), CASES)
def test_every_state_of_a_run_is_that_of_the_library(call, algorithm, graph):
    found = call(
        f"argument => {{ {SETTING} return {{steps: instance.numSteps, "
        "states: states.map(nodes => nodes.map(bits => bits.join('')))}; }",
        asked(algorithm, graph),
    )
    instance = prepared(algorithm, graph)
    assert found["steps"] == instance.num_steps
    certificate = pipeline.certify(instance.program, bound=1)
    engine = pipeline.make_engine("boolean", certificate)
    trace = instance.execute(engine, Executing(trace=True)).trace
    assert len(found["states"]) == len(trace)
    for nodes, states in zip(found["states"], trace):
        assert np.array_equal(bits_of(nodes), states)


MEANS = """argument => {
  const program = learning.programOf(argument.data.listing);
  const problem = learning.problemOf(program, argument);
  const graph = graphs.named(argument.graph);
  const instance = graphs.instance(argument.algorithm, program, argument.data.parameters, graph, 1);
  const sets = learning.occurring(problem, networks.ownRun(program, graph, instance));
  const thresholds = learning.thresholdsOf(problem, argument.threshold, sets);
  const certificate = networks.certificate(problem, thresholds, sets);
  const draw = {weightStd: argument.weightStd, numDecisions: argument.decisions};
  return {
    states: argument.states.map(text => learning.evaluate(
      problem, thresholds, program.matches(Uint8Array.from(text, Number)),
    ).flatMap(({bits}) => bits.map(b => [b.bit, b.m, b.mean, b.threshold, b.variance]))),
    counts: sets.map(found => found.length),
    certified: certificate.certified, ratio: certificate.ratio === Infinity ? null : certificate.ratio,
    margin: certificate.weakest.margin, bit: program.names[certificate.weakest.bit],
    needed: certificate.certified ? networks.networksNeeded(certificate.ratio, {...draw, delta: 1e-3}) : null,
    bound: certificate.certified ? networks.unionBound(certificate.ratio, {...draw, members: 7}) : null,
  };
}"""


# Each setting and each algorithm once; all of one with all of the other on demand.
QUICK = {(0, 1), (1, 0), (2, 2), (3, 0), (4, 3)}
COMBINED = [
    pytest.param(*case, *setting, marks=() if (i, j) in QUICK else pytest.mark.slow)
    for i, setting in enumerate(SETTINGS)
    for j, case in enumerate(CASES)
]


@pytest.mark.parametrize(("algorithm", "graph", "kind", "threshold", "padding"), COMBINED)
def test_means_thresholds_and_bounds_are_those_of_the_library(
    call, algorithm, graph, kind, threshold, padding
):
    instance = prepared(algorithm, graph)
    program = instance.program
    # States of the run, and others in which templates match as they like: 120 for each setting.
    rng = np.random.default_rng(0)
    initial = instance.initial[rng.integers(len(instance.initial), size=60)]
    states = np.concatenate(
        [initial ^ (rng.random(initial.shape) < 0.15), rng.random(initial.shape) < 0.5]
    )
    certificate = pipeline.certify(
        program,
        instance=instance,
        kind=kind,
        bound="graph",
        threshold=threshold,
        padding=padding,
        weight_std=WEIGHT_STD,
        draw="gaussian",
    )
    problem = certificate.problem
    found = call(
        MEANS,
        asked(
            algorithm,
            graph,
            kind=kind,
            threshold=threshold,
            padding=padding,
            weightStd=WEIGHT_STD,
            decisions=instance.num_decisions,
            states=["".join("01"[int(b)] for b in row) for row in states],
        ),
    )
    # By state and learned bit: the bit, m, mean, threshold and variance.
    bit, m, mean, limit, variance = np.moveaxis(np.array(found["states"]), -1, 0)
    bit, m = bit.astype(int), m.astype(int)
    conditions, targets = program.to_arrays()
    matched = ((conditions == -1) | (conditions == states[:, None, :])).all(axis=2)
    assert (bit == bit[:1]).all()
    owner = problem.component_of_bit[bit[0]]
    member = np.array([np.isin(np.arange(len(targets)), c.templates) for c in problem.components])
    assert np.array_equal(m, (matched.astype(int) @ member.T)[:, owner])
    n0, active = problem.num_inputs[owner], matched.astype(int) @ targets
    exact = predictor.mean(m, n0, program.num_writers[bit], active[:, bit[0]])
    np.testing.assert_allclose(mean, exact, **EXACT)
    np.testing.assert_allclose(variance, predictor.variance(m, n0), **EXACT)
    # One unit in the last place of float32, with which engines run.
    expected = certificate.thresholds[bit, m]
    assert (abs(limit - expected) <= np.spacing(abs(expected).astype(np.float32))).all()
    sets = occurring_sets(problem, instance.graphs, num_steps=instance.num_steps)
    assert found["counts"] == [len(rows) for rows in sets]
    assert found["certified"] == certificate.certified
    if not certificate.certified:
        assert found["needed"] is None
        return
    np.testing.assert_allclose(found["margin"], certificate.smallest_margin, rtol=1e-6)
    np.testing.assert_allclose(
        found["ratio"] * WEIGHT_STD**4, certificate.noise_to_margin, rtol=1e-6
    )
    decisions = instance.num_decisions
    assert found["needed"] == certificate.ensemble_size(delta=1e-3, num_decisions=decisions)
    np.testing.assert_allclose(
        found["bound"],
        certificate.failure_probability(num_members=7, num_decisions=decisions),
        rtol=1e-4,
    )


SPREAD = """argument => {
  const program = learning.programOf(argument.data.listing);
  const problem = learning.problemOf(program, argument);
  const graph = graphs.named(argument.graph);
  const instance = graphs.instance(argument.algorithm, program, argument.data.parameters, graph, 1);
  const [sets] = learning.occurring(problem, networks.ownRun(program, graph, instance));
  const row = networks.factorOf(problem.components[0]), rows = sets.map(row), found = [];
  const draw = networks.drawOf(problem, 3);
  const spread = sets.map(set => Array.from(draw(0, set)));
  const own = learning.thresholdsOf(problem, argument.threshold, [sets]);
  const thresholds = (bit, m) => own(bit, m) + argument.shift;
  const trial = networks.trialsOf(problem, thresholds, [sets], 5);
  const trials = Array.from({length: argument.trials}, trial);
  const certificate = networks.certificate(problem, thresholds, [sets]);
  return {
    rows, spread, sets: sets.map(set => [...set.matched]),
    tails: [-40, -2, -0.5, 0, 1e-3, 1, 2.999, 3, 5, 12, 30].map(x => [x, theory.upperTail(x)]),
    rates: argument.members.map(n => trials.filter(
      t => networks.failed(t, {members: n, weightStd: 1.5})).length / trials.length),
    sums: argument.members.map(n => certificate.sum(n, 1.5)),
    redraw: sets.map(set => Array.from(networks.drawOf(problem, 3)(0, set)))[0],
  };
}"""


def test_draws_have_the_covariance_of_the_library_and_runs_go_wrong_as_the_tails_say(call):
    found = call(
        SPREAD,
        asked(
            "bfs",
            "path:6",
            kind="joint",
            padding=0,
            threshold="bit",
            trials=400,
            members=[1, 3, 6, 20],
            shift=0,
        ),
    )
    size = len(live_page.live_data()["bfs"]["listing"]["program"]["templates"])
    matched = np.zeros((len(found["sets"]), size), bool)
    for row, templates in zip(matched, found["sets"]):
        row[templates] = True
    covariance = state_covariance(matched, matched, size)
    factor = np.zeros((len(matched), max(map(len, found["rows"]))))
    for row, entries in zip(factor, found["rows"]):
        row[: len(entries)] = entries
    np.testing.assert_allclose(factor @ factor.T, covariance, atol=1e-11)
    # One draw at all sets: whitened, its numbers are standard Gaussian, 5 standard errors allowed.
    root = np.linalg.lstsq(factor, np.array(found["spread"]))[0]
    assert abs((root**2).mean() - 1) < 5 * np.sqrt(2 / root.size)
    assert abs(root.mean()) < 5 / np.sqrt(root.size)
    assert found["redraw"] == found["spread"][0]
    for x, tail in found["tails"]:
        np.testing.assert_allclose(tail, stats.norm.sf(x), rtol=1e-13 if x < 3 else 1e-12)
    # The sum of tails bounds the frequency, and is not far above it where it is small.
    errors = np.sqrt(np.array(found["sums"]) / 400)
    assert (np.array(found["rates"]) <= np.minimum(1, found["sums"]) + 5 * errors).all()
    assert found["rates"][0] > found["rates"][1] > found["rates"][-1]


def test_a_threshold_where_it_does_not_belong_is_found_out(call):
    """Every 1 lies below it, and more networks only make that surer."""
    found = call(
        SPREAD,
        asked(
            "bfs",
            "path:6",
            kind="joint",
            padding=0,
            threshold="bit",
            shift=1.5,
            trials=50,
            members=[1, 100, 10000],
        ),
    )
    assert found["rates"] == [1, 1, 1]
    assert found["sums"] == [1, 1, 1]
