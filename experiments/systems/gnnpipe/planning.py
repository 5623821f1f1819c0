"""Which way to divide a graph network among devices, from the bytes that each way moves in an epoch."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from experiments.kits.costs import num_bytes
from experiments.kits.graph.convert import from_networkx
from experiments.kits.graph.operators import normalised, num_nodes
from experiments.kits.graph.segments import GraphsTuple
from experiments.systems.gnnpipe.layouts import Layout, cut, lay_out
from experiments.systems.gnnpipe.networks import Network
from ntkexec.errors import ExperimentError

if TYPE_CHECKING:
    import networkx as nx


@dataclasses.dataclass(frozen=True)
class Traffic:
    """Bytes of one kind that devices send each other in an epoch, all together, forward and backward.

    Args:
        useful: what must be sent.
        padding: what makes shapes equal.
        bubbles: what idle ticks send.
    """

    useful: int
    padding: int = 0
    bubbles: int = 0

    @property
    def total(self) -> int:
        return self.useful + self.padding + self.bubbles


@dataclasses.dataclass(frozen=True)
class Bytes:
    """What an epoch moves.

    Args:
        boundaries: vertices' rows from stage to stage and their gradients, 2 (S - 1) N H numbers.
        halos: rows of remote neighbours and their gradients, 2 L alpha N H numbers.
        gradients: of parameters, summed over the parts of each stage: 2 (P - 1) of each.
    """

    boundaries: Traffic
    halos: Traffic
    gradients: Traffic

    @property
    def useful(self) -> int:
        """What the formulas of the paper count: rows, and no parameters."""
        return self.boundaries.useful + self.halos.useful

    @property
    def total(self) -> int:
        return self.boundaries.total + self.halos.total + self.gradients.total


@dataclasses.dataclass(frozen=True)
class Division:
    """One way to divide the work.

    Args:
        stages, parts: S of P devices each; one stage is graph parallelism, one part the pure pipeline.
        chunks: K, one for graph parallelism.
        bytes: that it moves.
        alpha: remote neighbours of all parts over vertices.
        utilisation: share of ticks in which a stage has work, K / (K + S - 1).
        seconds: of an epoch as far as told: compute by utilisation, and an even share of the bytes.
    """

    stages: int
    parts: int
    chunks: int
    bytes: Bytes
    alpha: float
    utilisation: float
    seconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """All ways that fit, and the best of them.

    Args:
        best: by seconds where they are told, else by bytes.
        divisions: by stages.
        left_out: numbers of stages that divide the devices, and do not fit.
    """

    best: Division
    divisions: tuple[Division, ...]
    left_out: tuple[int, ...] = ()

    def __str__(self) -> str:
        lines = ["stages  parts  chunks   alpha  used          bytes"]
        for one in self.divisions:
            lines.append(
                f"{one.stages:6d} {one.parts:6d} {one.chunks:7d} {one.alpha:7.3f}"
                f" {one.utilisation:5.0%} {one.bytes.total:14,d}{'  <- best' * (one is self.best)}"
            )
        if self.left_out:
            lines.append(
                f"not with {', '.join(map(str, self.left_out))} stages: layers do not divide, or there are "
                "fewer vertices than chunks"
            )
        lines.append(
            "used: share of ticks with work; bytes: of an epoch, with padding and idle ticks"
        )
        return "\n".join(lines)


def plan_parallelism(
    graph: Union[GraphsTuple, "nx.Graph"],
    network: Network,
    devices: int,
    *,
    chunks: int | None = None,
    itemsize: int = 4,
    compute_seconds: float | None = None,
    bytes_per_second: float | None = None,
) -> Plan:
    """Every way to divide the network among the devices, with its bytes, and the best one.

    Args:
        graph: networkx, or a graph whose `edges` are the operator's weights; of a networkx graph the
            symmetric operator with self-loops is taken.
        network: whose layers are divided evenly; of its width, itemsize and parameters are the bytes.
        devices: that there are; all are used.
        chunks: of every pipeline; by default four times its stages.
        itemsize: bytes of a number.
        compute_seconds: of an epoch on one device; with `bytes_per_second` of a device, ways are compared
            by time: compute over devices and utilisation, plus an even share of the bytes.
        bytes_per_second: that a device sends.

    Raises:
        ExperimentError: no way fits, a number is not above 0, or only one of the two speeds is told.
    """
    if (compute_seconds is None) != (bytes_per_second is None):
        raise ExperimentError("a plan by time needs both compute_seconds and bytes_per_second")
    for name, value in (
        ("devices", devices), ("chunks", chunks), ("itemsize", itemsize),
        ("compute_seconds", compute_seconds), ("bytes_per_second", bytes_per_second),
    ):  # fmt: skip
        if value is not None and not 0 < value < float("inf"):
            raise ExperimentError(f"a plan with {name} = {value} is none; it is above 0")
    if not hasattr(graph, "senders"):
        if not hasattr(graph, "number_of_nodes") or not graph.number_of_nodes():
            raise ExperimentError(
                f"a {type(graph).__name__} is no graph of networkx with vertices, and no GraphsTuple"
            )
        graph = normalised(from_networkx(graph))
    found = []
    for stages, parts, number in _ways(num_nodes(graph), network.layers, devices, chunks):
        layout = lay_out(graph, *cut(graph, parts, number))
        moved = moved_bytes(layout, network, stages, itemsize=itemsize)
        busy = number / (number + stages - 1)
        seconds = None
        if compute_seconds is not None and bytes_per_second is not None:
            seconds = (compute_seconds / busy + moved.total / bytes_per_second) / devices
        found.append(Division(stages, parts, number, moved, layout.alpha, busy, seconds))
    if not found:
        raise ExperimentError(
            f"{devices} devices share no {network.layers} layers of {num_nodes(graph)} vertices evenly"
        )
    best = min(found, key=lambda one: one.bytes.total if one.seconds is None else one.seconds)
    fitting = {one.stages for one in found}
    possible = [one for one in range(1, devices + 1) if devices % one == 0]
    return Plan(best, tuple(found), tuple(one for one in possible if one not in fitting))


def moved_bytes(layout: Layout, network: Network, stages: int, *, itemsize: int = 4) -> Bytes:
    """The bytes of an epoch of `pipeline_step`, or, with one stage and chunk, of `graph_parallel_step`.

    Args:
        layout: of the graph.
        network: of which every stage has an equal share of layers, and a copy of both ends.
        stages: S.
        itemsize: bytes of a number, of parameters too.

    Source: Chen, Chen and Qian, arXiv:2308.10087, for 2 (S - 1) N H and 2 L alpha N H; padding and
    bubbles are of the programs here.
    """
    parts, chunks, size = layout.parts, layout.chunks, layout.size
    both = 2 * itemsize  # there and back
    crossing = both * (stages - 1) * network.carried
    boundaries = Traffic(
        crossing * layout.number,
        crossing * (parts * chunks * size - layout.number),
        crossing * (stages - 1) * parts * size,
    )
    layer = both * network.layers * network.width
    sent = sum(each.rows * len(each.pairs) for each in layout.rounds)  # in a layer, of a chunk
    halos = Traffic(
        layer * layout.halo,
        layer * (chunks * sent - layout.halo),
        layer * (stages - 1) * sent,
    )
    share = _local_parameters(network, stages)
    gradients = Traffic(2 * (parts - 1) * stages * share * itemsize)
    return Bytes(boundaries, halos, gradients)


def _ways(
    vertices: int, layers: int, devices: int, chunks: int | None
) -> Iterator[tuple[int, int, int]]:
    """Stages, parts and chunks that fit."""
    for stages in range(1, devices + 1):
        if devices % stages or layers % stages:
            continue
        parts = devices // stages
        number = 1 if stages == 1 else chunks or 4 * stages
        if parts * number <= vertices:
            yield stages, parts, number


def _local_parameters(network: Network, stages: int) -> int:
    """Numbers that a device has of the parameters."""
    tree: Any = network.initial(np.random.default_rng(0), np.int8)
    ends = num_bytes({name: tree[name] for name in ("encoder", "head")})
    return ends + num_bytes(tree["layers"]) // stages
