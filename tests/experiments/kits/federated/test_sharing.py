"""Partitions, arrivals and the ledger of traffic: nothing lost, nothing twice, nothing invented."""

import json

import numpy as np
import pytest

from experiments.kits.federated.arrivals import burst, poisson, stragglers
from experiments.kits.federated.partitions import by_dirichlet, by_quantity, by_shards, evenly
from experiments.kits.federated.traffic import Sent, Totals, Traffic
from ntkexec.errors import ExperimentError

LABELS = np.repeat(np.arange(10), 37)


def rng(seed=0):
    return np.random.default_rng(seed)


PARTITIONS = {
    "evenly": lambda g: evenly(370, 7, g),
    "by_quantity": lambda g: by_quantity(370, 7, 1.0, g),
    "by_dirichlet": lambda g: by_dirichlet(LABELS, 7, 0.3, g),
    "by_shards": lambda g: by_shards(LABELS, 7, 2, g),
    "one client": lambda g: by_dirichlet(LABELS, 1, 0.3, g),
    "as many clients as examples": lambda g: evenly(370, 370, g),
}


@pytest.mark.parametrize("name", PARTITIONS)
@pytest.mark.parametrize("seed", range(5))
def test_a_partition_is_disjoint_covers_everything_and_leaves_nobody_empty(name, seed):
    parts = PARTITIONS[name](rng(seed))
    together = np.concatenate(parts)
    assert np.array_equal(np.sort(together), np.arange(370))
    assert min(len(part) for part in parts) >= 1
    again = PARTITIONS[name](rng(seed))
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def labels_seen(parts):
    return np.mean([len(np.unique(LABELS[part])) for part in parts])


def test_small_concentrations_make_few_labels_and_large_ones_equal_shares():
    few = labels_seen(by_dirichlet(LABELS, 7, 0.1, rng()))
    assert few < 6 < 9.5 < labels_seen(by_dirichlet(LABELS, 7, 1000.0, rng()))
    shards = by_shards(LABELS, 10, 1, rng())
    assert [len(np.unique(LABELS[part])) for part in shards] == [1] * 10
    sizes = [len(part) for part in by_quantity(370, 7, 1e6, rng())]
    assert max(sizes) - min(sizes) <= 2


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: evenly(3, 4, rng()), "3 examples cannot be dealt out to 4"),
        (lambda: evenly(3, 0, rng()), "to 0 clients"),
        (lambda: by_dirichlet(LABELS, 7, 0.0, rng()), "positive number, not 0"),
        (lambda: by_dirichlet(LABELS, 7, np.nan, rng()), "positive number, not nan"),
        (lambda: by_dirichlet(LABELS, 300, 0.01, rng()), "raise the concentration above 0.01"),
        (lambda: by_dirichlet(LABELS[:, None], 7, 1.0, rng()), r"\(370, 1\)"),
        (lambda: by_dirichlet(np.append(LABELS, np.nan), 7, 1.0, rng()), "dealt out to nobody"),
        (lambda: by_shards(LABELS, 100, 4, rng()), "need 400 examples, got 370"),
        (lambda: by_shards(LABELS, 7, 0, rng()), "not 0"),
    ],
)
def test_what_cannot_be_dealt_out_is_refused(make, says):
    with pytest.raises(ExperimentError, match=says):
        make()


ARRIVALS = {
    "poisson": lambda n, g: poisson(n, 4.0, g),
    "burst": lambda n, g: burst(n, g, bursts=4, every=10.0, spread=0.5),
    "stragglers": lambda n, g: stragglers(n, g),
}


@pytest.mark.parametrize("name", ARRIVALS)
def test_arrivals_are_sorted_finite_and_as_many_as_asked_for(name):
    times = ARRIVALS[name](1000, rng())
    assert times.shape == (1000,)
    assert np.isfinite(times).all()
    assert times[0] >= 0
    assert (np.diff(times) >= 0).all()
    assert np.array_equal(times, ARRIVALS[name](1000, rng()))
    with pytest.raises(ExperimentError, match="at least one arrival, not 0"):
        ARRIVALS[name](0, rng())


def test_arrivals_have_the_moments_that_they_are_named_for():
    gaps = np.diff(poisson(40_000, 4.0, rng()), prepend=0)
    # Mean and deviation of an exponential are equal; 5 standard errors of 40,000 draws.
    assert abs(gaps.mean() - 0.25) < 5 * 0.25 / 200
    assert abs(gaps.std() - 0.25) < 0.01
    times = burst(100, rng(), bursts=4, every=10.0, spread=0.5)
    assert np.array_equal(np.unique(times // 10, return_counts=True)[1], [25] * 4)
    assert (times % 10).max() < 0.5
    slow = stragglers(1000, rng(), share=0.1, slower=100.0)
    assert (slow > 10).sum() == 100


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: poisson(3, 0.0, rng()), "rate must be a positive number, not 0"),
        (lambda: burst(3, rng(), bursts=4), "3 arrivals do not make 4 bursts"),
        (lambda: burst(9, rng(), every=1.0, spread=2.0), "2 seconds every 1"),
        (lambda: stragglers(9, rng(), slower=0.5), "0.5 times as slow"),
    ],
)
def test_arrivals_that_make_no_sense_are_refused(make, says):
    with pytest.raises(ExperimentError, match=says):
        make()


def test_a_ledger_sums_by_hop_and_loses_nothing():
    up = Traffic().plus("client to gateway", "model", 1200, messages=3)
    up = up.plus("client to gateway", "size", 24, messages=3).plus("gateway to cloud", "model", 400)
    down = Traffic().plus("gateway to client", "model", np.int64(1200), messages=np.int32(3))
    both = up + down
    assert up.by_hop() == {"client to gateway": Totals(1224, 6), "gateway to cloud": Totals(400, 1)}
    assert both.by_what()["model"] == Totals(2800, 7)
    assert both.total == Totals(2824, 10)
    assert sum(one.bytes for one in both.by_hop().values()) == both.total.bytes
    told = json.loads(json.dumps(both.to_data()))
    assert told["client to gateway"]["size"] == {"bytes": 24, "messages": 3}
    assert Traffic().total == Totals(0, 0)
    assert Traffic().by_hop() == {}


@pytest.mark.parametrize("value", [-1, 0.5, True, float("nan"), float("inf")])
def test_shares_of_bytes_and_negative_ones_are_refused(value):
    with pytest.raises(ExperimentError, match="bytes over a to b cannot be"):
        Sent("a to b", "model", value)
    with pytest.raises(ExperimentError, match="has a name"):
        Sent(" ", "model", 1)
