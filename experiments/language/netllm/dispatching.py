"""A scheduler learned from what others did: schedules collected, and workloads played side by side."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.language.netllm.adapting import Adapted
from experiments.language.netllm.cluster import Action, Outcome, Policy, View, episode, played
from experiments.language.netllm.jobs import Workload
from experiments.language.netllm.scheduling import number_of, share_of
from experiments.language.netllm.tasks import Scheduling, cluster_action, cluster_inputs
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True, eq=False)
class SchedulePool:
    """Decisions of several policies, to learn from.

    Args:
        examples: for `adapt`: inputs of `Scheduling` and what was chosen, one decision a row.
        completion: mean milliseconds of each workload (rows) under each policy (columns).
    """

    examples: dict[str, np.ndarray]
    completion: Float[np.ndarray, "workloads policies"]


def collected(
    task: Scheduling, workloads: Sequence[Workload], policies: Mapping[str, Policy]
) -> SchedulePool:
    """Every workload under every policy, with decisions between two candidates at least.

    A row's quality is how far its whole schedule was below the mean completion time of the same workload
    under all policies, in deviations. (The public code conditions on the sum of later rewards, which
    says more of the jobs than of who schedules them.) Choices beyond the slots are left out.

    Args:
        task: whose inputs are made.
        workloads: to be played.
        policies: at least two, by name.
    """
    completion = np.zeros((len(workloads), len(policies)))
    rows: list[tuple[int, int, dict[str, Any]]] = []
    for place, workload in enumerate(workloads):
        for column, policy in enumerate(policies.values()):
            noted: list[dict[str, Any]] = []
            found = played(workload, _noting(task, policy, noted))
            completion[place, column] = found.mean_completion(workload)
            rows += [(place, column, one) for one in noted]
    middle = completion.mean(1, keepdims=True)
    quality = (middle - completion) / np.maximum(completion.std(1, keepdims=True), 1e-9)
    for place, column, one in rows:
        one["quality"] = np.array([quality[place, column]], np.float32)
    examples = {name: np.stack([one[name] for _, _, one in rows]) for name in rows[0][2]}
    return SchedulePool(examples, completion)


def _noting(task: Scheduling, policy: Policy, noted: list[dict[str, Any]]) -> Policy:
    def noting(view: View) -> Action:
        choice, number = policy(view)
        if len(view.candidates) > 1 and choice < task.slots:
            share = share_of(min(number, view.free), view.free)
            noted.append(
                {
                    **cluster_inputs(view, task.slots, 0.0),
                    "choice": np.int32(choice),
                    "share": np.int32(share),
                    "matters": np.float32(view.free > 1),
                }
            )
        return choice, number

    return noting


def dispatched(
    adapted: Adapted, workloads: Sequence[Workload], *, quality: Sequence[float]
) -> tuple[Outcome, ...]:
    """Workloads under an adapted backbone, side by side, so that it is called once for all of them.

    Where there is one candidate it gets all executors, and nobody is asked.

    Args:
        adapted: to `Scheduling`.
        workloads: to be played.
        quality: that is asked for in each; see `collected`.

    Raises:
        ExperimentError: not one quality for each workload.
    """
    task: Scheduling = adapted.task
    if len(quality) != len(workloads):
        raise ExperimentError(
            f"{len(quality)} qualities are asked for in {len(workloads)} workloads"
        )
    running = [episode(workload) for workload in workloads]
    outcomes: dict[int, Outcome] = {}
    views: dict[int, View] = {}

    def go_on(place: int, action: Action | None) -> None:
        """To the next decision between candidates, or to the end."""
        try:
            view = running[place].send(action)  # type: ignore[arg-type]
            while len(view.candidates) == 1:
                view = running[place].send((0, number_of(2, view.free)))
            views[place] = view
        except StopIteration as end:
            outcomes[place] = end.value
            views.pop(place, None)

    for place in range(len(running)):
        go_on(place, None)
    while views:
        # Those that have ended are stood for by another, since a batch's size is compiled.
        stand_in = next(iter(views.values()))
        given = [
            cluster_inputs(views.get(place, stand_in), task.slots, asked)
            for place, asked in enumerate(quality)
        ]
        batch = {name: np.stack([one[name] for one in given]) for name in given[0]}
        scores, shares = (np.asarray(part) for part in adapted.outputs(batch))
        for place, view in list(views.items()):
            go_on(place, cluster_action(scores[place], shares[place], view))
    return tuple(outcomes[place] for place in range(len(running)))
