"""Nodes of one kind are compared by one of them, and the outcome is that of comparing each."""

import numpy as np
import pytest

from ntkexec import executor, graphs, pipeline
from ntkexec.engines.packed import comparison
from ntkexec.errors import CertificateError
from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import decide
from ntkexec.programs.graph import bfs

NEVER = 10**9
GRIDS = graphs.batch([graphs.load("grid:4x4")] * 12)
INSTANCE = bfs.instance(GRIDS, sources=[0, 16, 35])
ENGINE = pipeline.make_engine(
    "kernel-packed", pipeline.certify(INSTANCE.program, num_decisions=10**6)
)
LAYOUT = INSTANCE.program.layout


def verified(monkeypatch, few):
    monkeypatch.setattr(comparison, "FEW_KINDS", few)
    return executor.execute(
        ENGINE, INSTANCE.program, INSTANCE.graphs, num_steps=INSTANCE.num_steps, verify=True
    ).verification


def test_all_steps_have_the_outcome_of_comparing_every_node(monkeypatch):
    each, by_kind = verified(monkeypatch, NEVER), verified(monkeypatch, 70)
    assert by_kind.exact
    assert by_kind.wrong_bits == each.wrong_bits
    np.testing.assert_array_equal(by_kind.wrong_nodes, each.wrong_nodes)
    np.testing.assert_array_equal(by_kind.largest_matches, each.largest_matches)
    assert by_kind.smallest_margin == pytest.approx(each.smallest_margin, rel=1e-6)


def test_a_single_wrong_bit_among_many_nodes_of_a_kind_is_found_at_its_node(monkeypatch):
    monkeypatch.setattr(comparison, "FEW_KINDS", 70)
    states, mask = np.asarray(INSTANCE.graphs.nodes), np.ones(GRIDS.num_nodes, bool)
    right = np.asarray(decide(ENGINE.plain, encode(ENGINE.plain.encoding, states.T)).bits).T
    first, _ = comparison._kinds(np.concatenate([states.T, right.T, mask[None]]))
    assert len(first) <= comparison.FEW_KINDS < GRIDS.num_nodes / 2
    assert not check(states, right, mask).wrong.any()
    wrong = right.copy()
    wrong[77, 3] ^= True
    with pytest.raises(CertificateError, match="step 0, node 77: packed execution decides"):
        check(states, wrong, mask)
    # Whoever does not count may decide as it likes.
    mask[77] = False
    assert not check(states, wrong, mask).wrong.any()


def check(states, decided, mask):
    return comparison.check_packed_step(ENGINE.plain, LAYOUT, mask, 0, states, decided)


@pytest.mark.parametrize("num_rows", [0, 1, 31, 70])
def test_kinds_are_the_distinct_columns_each_by_its_first(num_rows):
    rng = np.random.default_rng(num_rows)
    rows = rng.random((num_rows, 7)) < 0.5
    rows = rows[:, rng.integers(7, size=200)]
    first, kind = comparison._kinds(rows)
    assert (rows[:, first][:, kind] == rows).all()
    assert len({tuple(column) for column in rows.T}) == len(first)
    assert [int(np.flatnonzero(kind == place)[0]) for place in range(len(first))] == first.tolist()
    assert (np.diff(first) > 0).all()
