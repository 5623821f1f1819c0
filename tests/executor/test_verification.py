"""Verification counts what is wrong as a loop over the steps does, in both loops."""

import dataclasses
import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from ntkexec import ensemble, executor, pipeline
from ntkexec.engines.packed import comparison
from ntkexec.ensemble import EnsembleConfig
from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import decide
from ntkexec.graphs import message_passing
from ntkexec.program.fields import Flag, Word
from ntkexec.program.layout import Layout
from ntkexec.program.program import Program
from ntkexec.program.templates import template

WORD = 5


def unions():
    """Bits that are unions of up to five inputs; what is decided is the next state."""
    layout = Layout((Word("input", WORD), Flag("either")))
    templates = [template({bit: 1}, [layout.bit("either"), bit]) for bit in range(WORD)]
    return Program("unions", layout, tuple(templates))


@pytest.fixture(scope="module")
def engines():
    """Networks that err, one by one and as a table."""
    program = unions()
    certificate = pipeline.certify(program, num_decisions=1000, threshold="shared")
    networks = ensemble.draw(certificate.problem, EnsembleConfig(members=1, width=64))
    rng = np.random.default_rng(0)
    weights = tuple(
        w._replace(output=w.output + rng.standard_normal(w.output.shape, np.float32))
        for w in networks.weights
    )
    networks = dataclasses.replace(networks, weights=weights)
    return program, [
        pipeline.make_engine(name, certificate, networks) for name in ("ensemble", "ensemble-memo")
    ]


def slowly(engine, trace, mask):
    """Bits, nodes and steps that are wrong, smallest margin and largest matches, step by step."""
    wrong, margins, matches = [], [], []
    for states in trace[:-1]:
        found = encode(engine.encoding, jnp.asarray(states).T)
        decision = decide(engine, found)
        wrong.append(
            (np.asarray(decision.bits) != np.asarray(found.matched_writers > 0)).T & mask[:, None]
        )
        margins.append(np.abs(decision.means - decision.thresholds)[:, mask].min())
        matches.append(np.asarray(found.count)[:, mask].max(axis=1))
    return np.array(wrong), min(margins), np.max(matches, axis=0)


@pytest.mark.parametrize("which", [0, 1], ids=["plain", "packed"])
@pytest.mark.parametrize("masked", [pytest.param(False, marks=pytest.mark.slow), True])
def test_what_is_wrong_is_counted_step_by_step(engines, which, masked, monkeypatch):
    # Chunks of a size that does not divide the number of nodes.
    monkeypatch.setattr(comparison, "CHUNK", 10)
    program, loops = engines
    states = np.zeros((1 << WORD, program.layout.num_bits), bool)
    states[:, :WORD] = list(itertools.product((False, True), repeat=WORD))
    mask = states[:, 0] if masked else np.ones(len(states), bool)
    nothing = np.zeros(0, int)
    graphs = message_passing.graphs_tuple(nothing, nothing, len(states), nodes=states)
    run = executor.execute(
        loops[which], program, graphs, num_steps=4, node_mask=mask, verify=True, trace=True
    )
    wrong, margin, matches = slowly(loops[0], run.trace, mask)
    found = run.verification
    assert found.wrong_bits == wrong.sum() > 0
    assert not found.exact
    np.testing.assert_array_equal(found.wrong_nodes, wrong.any(axis=(0, 2)))
    first = int(np.flatnonzero(wrong.any(axis=(1, 2)))[0])
    assert found.first_wrong_step == first
    np.testing.assert_array_equal(found.snapshot, run.trace[first])
    assert found.smallest_margin == pytest.approx(margin, rel=1e-5)
    np.testing.assert_array_equal(found.largest_matches, matches)
