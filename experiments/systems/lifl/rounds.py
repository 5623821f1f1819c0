"""One round: updates sent to their nodes as they come, folded along a tree, and the mean brought back."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float

from experiments.kits.federated.traffic import Traffic
from experiments.systems.lifl.aggregator import Task
from experiments.systems.lifl.cluster import Cluster
from experiments.systems.lifl.placement import Place, Placement, place_best_fit
from experiments.systems.lifl.plans import Tree, tree_of
from experiments.systems.lifl.running import Clients, Running, finish
from experiments.systems.lifl.scaling import scale
from experiments.systems.lifl.states import check_weight
from experiments.systems.lifl.wire import check_patience, plain_array
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Round:
    """What came of a round.

    Args:
        mean: the weighted mean of all updates.
        weight: sum of the weights.
        placement: the node of every update.
        tree: who folded what.
        traffic: bytes over sockets by hop, headers and answers included, of keys inside nodes, and of the
            notes by which processes are told and tell what is done ("control").
        started: aggregators started for it.
        restarted: processes started again within it.
        arrived: when every update was stored, in seconds from the round's beginning.
        began: when the first fold of every sum began, by its name, likewise.
        ended: when every sum was whole, likewise.
    """

    mean: Float[np.ndarray, "size"]
    weight: float
    placement: Placement
    tree: Tree
    traffic: Traffic
    started: int
    restarted: int
    arrived: tuple[float, ...]
    began: dict[int, float]
    ended: dict[int, float]

    @property
    def seconds(self) -> float:
        """From its beginning, when all processes are ready, until the mean is there."""
        return self.ended[self.tree.result]


def run_round(
    cluster: Cluster,
    updates: Sequence[Float[np.ndarray, "size"]],
    weights: Sequence[float],
    *,
    arrivals: Sequence[float] | None = None,
    leaves: int | Sequence[int] | None = None,
    fan_in: int = 2,
    eager: bool = True,
    ordered: bool = True,
    fold_seconds: float = 0.0,
    place: Place = place_best_fit,
    before_update: Callable[[int], None] = lambda update: None,
    patience: float = 60.0,
) -> Round:
    """The weighted mean of clients' models, aggregated by the processes of a cluster.

    A process that ends meanwhile, whatever ended it, is started again and does its tasks anew from what
    the store still holds. With `ordered` and as many leaves, the result is the same to the last bit,
    whatever comes when and is restarted.

    Args:
        cluster: nodes and their processes, one round at a time. What cannot be a round is refused and the
            cluster goes on; after an error in a round it is closed.
        updates: of all clients, each of the cluster's size and type; any tree by `ravel_pytree`.
        weights: of the clients, such as numbers of examples; from 0 on, and not all 0. Weighted sums must
            not leave the numbers of the cluster's type.
        arrivals: seconds after the beginning at which the clients send; all at once by default.
        leaves: aggregators of every node, no more than its updates, and one where there are any; by
            default what `scale` makes of this and the last round, as far as there are places for them.
        fan_in: updates of a leaf, for `scale`.
        eager: whether an update is folded when it comes; else when all of its leaf have come.
        ordered: whether leaves fold in the order of the clients; else in the order of arrival.
        fold_seconds: that every fold is made to take in addition, for experiments.
        place: gives the node of every update from the nodes' capacities and the updates' sizes, which are 1.
        before_update: called with an update's number before it is sent, in another thread; one that is
            not back in time is an error, and runs on.
        patience: seconds after the last arrival, until a round that is not over is an error.

    Returns:
        A `Round`: its mean, who folded what, when, and what it cost in bytes and processes.

    Raises:
        ExperimentError: updates that do not fit the cluster, sums that are not finite, processes that end
            again and again, or a round that is not over in time.
    """
    if cluster.closed:
        raise ExperimentError(
            "the cluster is closed, by its `with` or by an error in a round before"
        )
    updates = [plain_array(update, f"update {i}") for i, update in enumerate(updates)]
    weights = [float(weight) for weight in weights]
    times = [0.0] * len(updates) if arrivals is None else [float(time) for time in arrivals]
    _check(cluster, updates, weights, times)
    check_patience(patience)
    common = Task(0, 0, (), eager=eager, ordered=ordered, fold_seconds=float(fold_seconds))
    with _alone(cluster):
        placement, tree = _planned(cluster, len(updates), place, leaves, fan_in, common)
        before = cluster.counts()
        try:
            started = cluster.begin(tree.number, tree.roles)
            running = Running(cluster, tree, time.monotonic(), max(times) + patience)
            clients = Clients(cluster, placement, tree, updates, weights, times, before_update)
            arrived = finish(running, clients, patience)
            top = cluster.aggregators[tree.top, _place_of(tree)]
            mean = top.gateway.store.models[top.slot].copy()
            traffic = _traffic(before, cluster.counts())
            cluster.end()
        except BaseException:
            cluster.close()
            raise
    return Round(
        mean,
        float(sum(weights)),
        placement,
        tree,
        traffic,
        started,
        running.restarted,
        arrived,
        {ident: at - running.start for ident, at in running.began.items()},
        {ident: at - running.start for ident, at in running.ended.items()},
    )


@contextlib.contextmanager
def _alone(cluster: Cluster) -> Iterator[None]:
    if not cluster.under_way.acquire(blocking=False):
        raise ExperimentError("a round is under way in this cluster, in another thread")
    try:
        yield
    finally:
        cluster.under_way.release()


def _planned(
    cluster: Cluster,
    updates: int,
    place: Place,
    leaves: int | Sequence[int] | None,
    fan_in: int,
    common: Task,
) -> tuple[Placement, Tree]:
    """Where updates go in the cluster's next round, and who folds them."""
    layout, num = cluster.gateways[0].store.layout, len(cluster.gateways)
    if not callable(place):
        raise ExperimentError(f"place is a function of capacities and sizes, not {place!r}")
    placement = tuple(place(cluster.capacities, [1.0] * updates))
    if len(placement) != updates or not set(placement) <= set(range(num)):
        raise ExperimentError(f"updates are not placed on nodes of the cluster: {placement}")
    counts = [placement.count(node) for node in range(num)]
    for node, (count, most) in enumerate(zip(counts, cluster.capacities, strict=True)):
        if count > most:
            raise ExperimentError(f"node {node} has a capacity of {most} updates, not of {count}")
    if leaves is None:
        scaling = scale(counts, cluster.queues, fan_in=fan_in)
        cluster.queues = scaling.queues
        places = max(1, layout.aggregators - (0 if cluster.reuse else 2))
        leaves = [min(number, places) for number in scaling.leaves]
    if isinstance(leaves, int):
        leaves = [leaves] * num
    if len(leaves) != num or min(leaves) < 0 or not 0 <= common.fold_seconds < 1e6:
        raise ExperimentError(
            f"leaves are counted from 0 on at every node, and folds take no time or some seconds; not "
            f"{list(leaves)} and {common.fold_seconds!r}"
        )
    number = int(cluster.gateways[0].store.now[0]) + 1
    common = dataclasses.replace(common, round=number)
    addresses = [gateway.address for gateway in cluster.gateways]
    tree = tree_of(placement, leaves, addresses, common, promote=cluster.reuse)
    for role in tree.roles:
        if role.index >= layout.aggregators:
            raise ExperimentError(
                f"node {role.node} has places for {layout.aggregators} aggregators; the round needs "
                f"{role.index + 1}"
            )
    return placement, tree


def _check(
    cluster: Cluster,
    updates: Sequence[np.ndarray],
    weights: Sequence[float],
    times: Sequence[float],
) -> None:
    layout = cluster.gateways[0].store.layout
    if not len(updates) == len(weights) == len(times) > 0:
        raise ExperimentError(
            f"a round takes an update at least, and a weight and a time for each; got {len(updates)}, "
            f"{len(weights)} and {len(times)}"
        )
    for number, weight in enumerate(weights):
        try:
            check_weight(weight, layout.dtype)
        except ExperimentError as error:
            raise ExperimentError(f"weight {number}: {error}") from None
    if not sum(weights) > 0:
        raise ExperimentError("all weights are 0, and there is no mean")
    check_weight(sum(weights), layout.dtype)
    if not (np.isfinite(times).all() and min(times) >= 0):
        raise ExperimentError("arrivals are finite numbers of seconds from 0 on")
    for number, update in enumerate(updates):
        if update.shape != (layout.size,) or update.dtype != layout.dtype:
            raise ExperimentError(
                f"update {number} is {update.dtype}{update.shape}; the cluster's models are "
                f"{layout.dtype}({layout.size},), as jax.flatten_util.ravel_pytree and .astype make them"
            )
        if not np.isfinite(update).all():
            raise ExperimentError(
                f"update {number} holds numbers that are not finite; leave that client out"
            )
    if len(updates) > sum(cluster.capacities):
        raise ExperimentError(
            f"{len(updates)} updates are more than the nodes' capacity of {sum(cluster.capacities)}"
        )


def _place_of(tree: Tree) -> int:
    return next(r.index for r in tree.roles if r.tasks[-1].ident == tree.result)


def _traffic(before: dict[str, int], after: dict[str, int]) -> Traffic:
    more = {name: after[name] - before[name] for name in after}
    found = Traffic().plus(
        "client to gateway", "update", more["client_bytes"], more["client_messages"]
    )
    found = found.plus("node to node", "sum", more["node_bytes"], more["node_messages"])
    found = found.plus("inside nodes", "key", more["key_bytes"], more["keys"])
    return found.plus("control", "note", more["note_bytes"], more["notes"])
