"""The pipeline: the same steps in the same order, however much is read ahead; no thread outlives it."""

import threading

import numpy as np
import pytest

from experiments.systems.diskgnn import (
    FeatureStore,
    Memory,
    Packed,
    ledger,
    neighbours_of,
    pack,
    sample_offline,
    train_pipelined,
)
from experiments.systems.diskgnn.memory import MemoryBudgetError
from ntkexec.errors import ExperimentError


def step(state, rows):
    return state * np.float32(0.9) + rows.sum(), float(state)


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_any_reading_ahead_leaves_the_same_bits_and_bounded_memory(ahead):
    memory = Memory((ahead + 2) * 4096)
    x = np.random.default_rng(0).normal(size=(20, 16)).astype(np.float32)

    def read(number):
        rows = memory.array((16,), np.float32, "rows")
        rows[:] = x[number]
        return rows

    before = threading.active_count()
    found = train_pipelined(step, np.float32(1), range(20), (abs, read, np.negative), ahead=ahead)
    state, losses = np.float32(1), []
    for row in x:
        state, loss = step(state, -row)
        losses.append(loss)
    assert (found.state, found.losses) == (state, tuple(losses))
    assert memory.held == 0
    assert memory.peak <= (ahead + 1) * 4096
    assert threading.active_count() == before


def test_the_next_batch_is_read_while_this_one_is_computed_with():
    began = [threading.Event() for _ in range(3)]

    def read(number):
        began[number].set()
        return number

    def waiting(state, number):
        # Would wait for ever if nothing were read ahead.
        assert number == 2 or began[number + 1].wait(60)
        return state, 0.0

    train_pipelined(waiting, None, range(3), (read,), ahead=1)


@pytest.mark.parametrize("ahead", [0, 2])
def test_the_ledger_s_memory_suffices_to_train_from_packed_files_and_is_needed(tmp_path, ahead):
    generator, plenty = np.random.default_rng(0), Memory(1 << 24)
    x = generator.normal(size=(500, 128)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    graph = neighbours_of(generator.integers(500, size=(1500, 2)), 500)
    plan = sample_offline(graph, np.arange(64), batch=8, fanouts=(4, 3), generator=generator)
    with (
        FeatureStore(tmp_path / "x.npy", plenty) as store,
        pack(
            store, plan, tmp_path / "packed", space=1.2, host_rows=20, generator=generator
        ) as packed,
    ):
        account = ledger(plan, packed.layout)
    needed = account.memory(ahead=ahead)
    for limit in (needed, account.caches + account.buffer):
        memory = Memory(limit)
        with Packed(tmp_path / "packed", memory) as packed:

            def sums(state, rows):
                return state + float(rows.sum()), 0.0

            args = (sums, 0.0, range(8), (packed.features,))
            if limit < needed:
                with pytest.raises(MemoryBudgetError, match="allow more"):
                    train_pipelined(*args, ahead=ahead)
                continue
            state = train_pipelined(*args, ahead=ahead).state
            assert state == sum(float(x[batch.nodes].sum()) for batch in plan.batches)
        assert memory.held == 0


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, StopIteration])
@pytest.mark.parametrize("where", ["first stage", "last stage", "step"])
def test_threads_end_where_something_fails(where, error):
    def failing(name):
        def stage(item):
            if item == 3 and name == where:
                raise error("three")
            return item

        return stage

    def taking(state, item):
        return state, failing("step")(item)

    before = threading.active_count()
    stages = (failing("first stage"), failing("last stage"))
    for ahead in (2, 0):
        with pytest.raises((error, RuntimeError)):
            train_pipelined(taking, None, range(9), stages, ahead=ahead)
        assert threading.active_count() == before
    with pytest.raises(ExperimentError, match="-1 batches ahead"):
        train_pipelined(taking, None, [], stages, ahead=-1)
