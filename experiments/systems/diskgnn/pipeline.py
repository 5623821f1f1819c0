"""Training in which the next batches are read while this one is computed with."""

import collections
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from ntkexec.errors import ExperimentError

State = TypeVar("State")
Stage = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Trained(Generic[State]):
    """What training leaves.

    Args:
        state: after the last batch.
        losses: of each batch.
        waited: seconds for which computing waited for data.
        computed: seconds of computing.
    """

    state: State
    losses: tuple[float, ...]
    waited: float
    computed: float


def train_pipelined(
    step: Callable[[State, Any], tuple[State, Any]],
    state: State,
    batches: Iterable[Any],
    stages: Sequence[Stage],
    *,
    ahead: int = 2,
) -> Trained[State]:
    """The state after one step for each batch, in this order, whatever is read ahead.

    Each stage has a thread of its own and hands what it makes to the next: where rows lie, their bytes, their
    way to the device. The caller's thread computes. At most `ahead` batches are on their way beside
    the one that is computed with, so memory is bounded. All threads have ended when this returns or raises.

    Args:
        step: `(state, prepared) -> (state, loss)`; the loss is waited for, so that no more work is queued on
            the device than is counted.
        state: before the first.
        batches: what the first stage takes, such as numbers of batches in the order of this epoch.
        stages: functions of one argument, called by one thread each.
        ahead: batches; 0 prepares every batch when it is its turn, without threads.

    Raises:
        ExperimentError: there are no stages, or `ahead` is negative. What a stage or the step raises
            is raised.

    Source: the training pipeline in the paper.
    """
    if ahead < 0 or not stages:
        raise ExperimentError(f"cannot read {ahead} batches ahead through {len(stages)} stages")
    losses: list[float] = []
    waited = computed = 0.0
    workers = [
        ThreadPoolExecutor(1, f"stage-{place}") for place in range(len(stages) if ahead else 0)
    ]
    pending: collections.deque[Future[Any]] = collections.deque()
    coming = iter(batches)

    def submit() -> None:
        for item in coming:
            future = workers[0].submit(stages[0], item)
            for place in range(1, len(stages)):
                future = workers[place].submit(_after, stages[place], future)
            pending.append(future)
            return

    def prepared() -> Iterator[Any]:
        if not ahead:
            for item in coming:
                for stage in stages:
                    item = stage(item)
                yield item
                del item  # or it would be held while the next one is prepared
            return
        for _ in range(ahead):
            submit()
        while pending:
            found = pending.popleft().result()
            submit()
            yield found
            del found

    try:
        start = time.perf_counter()
        for item in prepared():
            read = time.perf_counter()
            state, loss = step(state, item)
            losses.append(float(loss))
            del item
            waited += read - start
            start = time.perf_counter()
            computed += start - read
    finally:
        for worker in workers:
            worker.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.shutdown(wait=True)
    return Trained(state, tuple(losses), waited, computed)


def _after(stage: Stage, before: "Future[Any]") -> Any:
    return stage(before.result())
