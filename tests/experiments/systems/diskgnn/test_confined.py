"""The memory that training takes sees whatever a method holds, from its opening on."""

import numpy as np
import pytest

from experiments.systems.diskgnn import (
    FeatureStore,
    Memory,
    Packed,
    confined,
    neighbours_of,
    pack,
    sample_offline,
    train_pipelined,
)

GENERATOR = np.random.default_rng(0)
NODES = 5000
X = GENERATOR.standard_normal((NODES, 1024), np.float32)  # 20 MB
GRAPH = neighbours_of(GENERATOR.integers(NODES, size=(15000, 2)), NODES)
PLAN = sample_offline(GRAPH, np.arange(64), batch=4, fanouts=(3, 3), generator=GENERATOR)
BOUND = 0.5
"""Of the claim."""

pytestmark = pytest.mark.skipif(
    not (confined.STATUS.exists() and confined.FORGET.exists()),
    reason="a system that tells peaks of memory is needed",
)


class Hoarding(Packed):
    """Keeps every feature from when it is opened."""

    def __init__(self, folder, memory, **given):
        super().__init__(folder, memory, **given)
        self.everything = np.load(self.file.path.parents[1] / "x.npy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("confined")
    np.save(path / "x.npy", X)
    with FeatureStore(path / "x.npy", Memory(1 << 24)) as store:
        pack(store, PLAN, path / "packed", host_rows=100, generator=GENERATOR).close()
    return path


@pytest.mark.parametrize("method", [Packed, Hoarding])
def test_what_is_held_from_opening_on_is_in_the_peak(folder, method):
    def use(packed):
        def step(state, rows):
            return state + float(rows[0, 0]), 0.0

        return train_pipelined(step, 0.0, range(16), (packed.features,), ahead=1).state

    confined.peak_of(lambda: Packed(folder / "packed", Memory(1 << 24)), use)  # all code is loaded
    growth, _ = confined.peak_of(lambda: method(folder / "packed", Memory(1 << 24)), use)
    assert (growth / X.nbytes < BOUND) == (method is Packed)
    assert growth > (0.02 if method is Packed else 0.98) * X.nbytes


@pytest.mark.slow
@pytest.mark.parametrize("method", [Packed, Hoarding])
def test_training_that_keeps_all_features_is_refused_by_the_number(folder, monkeypatch, method):
    monkeypatch.setattr(confined, "Packed", method)
    told = {
        "features": str(folder / "x.npy"), "packed": str(folder / "packed"), "limit": X.nbytes // 4,
        "nodes": NODES, "width": 1024, "classes": 3, "hidden": 8, "batch": 4, "fanouts": [3, 3],
        "rate": 0.01, "ahead": 1, "seed": 0,
    }  # fmt: skip
    labels = GENERATOR.integers(3, size=NODES)
    found = confined.grown(told, labels, list(range(16)))
    assert found["different"] == 0
    assert (found["packed"] / X.nbytes <= BOUND) == (method is Packed)
    assert found["in_memory"] / X.nbytes > BOUND
