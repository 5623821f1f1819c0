"""Where each vertex, edge and remote neighbour lies: parts and chunks of equal shapes, padding that is inert.

A vertex lies in one *part* (of a stage's devices) and one *chunk* (that moves through the stages). A device
of part p keeps a *buffer* of rows for each of its layers: its own vertices chunk by chunk, one chunk more
that idle ticks may overwrite, and the remote neighbours that its vertices have (its *halo*).
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Int, Shaped

from experiments.kits.graph.operators import num_nodes, to_scipy
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["senders", "receivers", "weights", "sends", "places"],
    meta_fields=[],
)
@dataclasses.dataclass(frozen=True)
class Wiring:
    """What devices read of the graph; every array begins with the axes of parts P and of chunks K + 1.

    Args:
        senders: (P, K+1, E) rows of the part's buffer.
        receivers: (P, K+1, E) rows within the chunk.
        weights: (P, K+1, E), 0 for padding.
        sends: (P, K+1, h) rows within the chunk that go to other parts, round after round.
        places: (P, K+1, h) rows of the buffer for what comes in each; beyond it for padding.
    """

    senders: Any
    receivers: Any
    weights: Any
    sends: Any
    places: Any


@dataclasses.dataclass(frozen=True)
class Round:
    """One round of an exchange among parts.

    Args:
        shift: part p sends to p + shift, around the end.
        rows: that each sends of a chunk, the most that one has to.
        pairs: (sender, receiver) that have something to send in some chunk.
    """

    shift: int
    rows: int
    pairs: tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """A graph's vertices in parts and chunks.

    Args:
        vertices: (P, R) the vertex of each row of a part's buffer, -1 for padding.
        size: rows of a chunk within a part, C.
        chunks: K.
        wiring: for devices.
        rounds: in which remote neighbours' rows are exchanged.
        cells: (N,) each vertex's part, and (N,) its chunk.
        halo: pairs of a part and a remote neighbour of it.
        number: of vertices, N.
    """

    vertices: Int[np.ndarray, "P R"]
    size: int
    chunks: int
    wiring: Wiring
    rounds: tuple[Round, ...]
    cells: tuple[np.ndarray, np.ndarray]
    halo: int
    number: int

    @property
    def parts(self) -> int:
        return len(self.vertices)

    @property
    def alpha(self) -> float:
        """Remote neighbours of all parts over vertices."""
        return self.halo / self.number

    def placed(self, values: Shaped[np.ndarray, "N *c"], fill: float = 0) -> np.ndarray:
        """One row a vertex, as (P, K+1, C, ...): where devices look for it."""
        own = self.vertices[:, : (self.chunks + 1) * self.size]
        found = np.asarray(values)[np.maximum(own, 0)]
        found[own < 0] = fill
        return found.reshape(self.parts, self.chunks + 1, self.size, *found.shape[2:])

    def gathered(self, rows: Shaped[np.ndarray, "P K C *c"]) -> np.ndarray:
        """The inverse of `placed`: (N, ...) by vertex, from K or K + 1 chunks."""
        rows = np.asarray(rows)
        flat = rows.reshape(self.parts, -1, *rows.shape[3:])
        own = self.vertices[:, : self.chunks * self.size]
        found = np.zeros((self.number, *rows.shape[3:]), rows.dtype)
        found[own[own >= 0]] = flat[:, : own.shape[1]][own >= 0]
        return found

    def history(self, hidden: Shaped[np.ndarray, "L N H"], stages: int) -> np.ndarray:
        """What each layer gets as input, (L, N, H), as the buffers (S, P, L/S, R, H) of all devices."""
        found = np.asarray(hidden)[:, np.maximum(self.vertices, 0)]
        found[:, self.vertices < 0] = 0
        layers = found.shape[0]
        if layers % stages:
            raise ExperimentError(f"{layers} layers make no {stages} stages of equal length")
        return found.reshape(stages, layers // stages, *found.shape[1:]).swapaxes(1, 2)

    def hidden(self, history: Shaped[np.ndarray, "S P l R H"]) -> np.ndarray:
        """The inverse of `history`: what each layer got, (L, N, H)."""
        own = self.vertices[:, : self.chunks * self.size]
        rows = np.asarray(history)[..., : own.shape[1], :].swapaxes(1, 2)
        rows = rows.reshape(-1, *rows.shape[2:])
        found = np.zeros((len(rows), self.number, rows.shape[-1]), rows.dtype)
        found[:, own[own >= 0]] = rows[:, own >= 0]
        return found


def cut(
    graph: GraphsTuple, parts: int, chunks: int, *, order: Sequence[int] | None = None
) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, " N"]]:
    """The part and the chunk of every vertex, all of equal size up to one vertex a cell.

    Args:
        graph: neighbours are kept together: blocks of SciPy's reverse Cuthill-McKee order.
        parts, chunks: how many; chunks divide each part again.
        order: of all vertices, in place of that one.

    Raises:
        ExperimentError: there are fewer vertices than cells, or `order` is none of all vertices.
    """
    n = num_nodes(graph)
    if not 0 < parts * chunks <= n:
        raise ExperimentError(f"{n} vertices make no {parts} parts of {chunks} chunks")
    if order is None:
        from scipy.sparse.csgraph import reverse_cuthill_mckee

        order = reverse_cuthill_mckee(to_scipy(graph).tocsr(), symmetric_mode=False)
    along = np.asarray(order, np.int64)
    if not np.array_equal(np.sort(along), np.arange(n)):
        raise ExperimentError(f"the order is none of the vertices 0 to {n - 1}")
    cell = np.empty(n, np.int64)
    cell[along] = np.arange(n) * (parts * chunks) // n
    return cell // chunks, cell % chunks


def lay_out(
    graph: GraphsTuple,
    part: Int[np.ndarray, " N"],
    chunk: Int[np.ndarray, " N"],
    *,
    edges: int = 0,
    halo: int = 0,
) -> Layout:
    """The layout of a graph whose vertices were told their parts and chunks.

    Args:
        graph: `edges` are the operator's weights, or None for ones, as `normalised` gives it.
        part, chunk: of each vertex, from 0, as `cut` gives them; any others will do.
        edges, halo: at least so many edges a chunk, and rows that a chunk sends in a round, so that several
            graphs share a program.
    """
    n, part, chunk = num_nodes(graph), np.asarray(part), np.asarray(chunk)
    if part.shape != (n,) or chunk.shape != (n,) or min(part.min(), chunk.min()) < 0:
        raise ExperimentError(f"{n} vertices need a part and a chunk each, counted from 0")
    num_parts, num_chunks = int(part.max()) + 1, int(chunk.max()) + 1
    cell = part * (num_chunks + 1) + chunk
    slot = _ranks(cell)
    size = int(slot.max()) + 1
    own_rows = (num_chunks + 1) * size
    row = chunk * size + slot

    senders, receivers = np.asarray(graph.senders, np.int64), np.asarray(graph.receivers, np.int64)
    weights = np.ones(len(senders)) if graph.edges is None else np.asarray(graph.edges)
    home, remote = part[receivers], part[senders] != part[receivers]
    # Each remote neighbour once, in the order in which it is sent: to whom, from whom, in which chunk.
    pairs = np.unique(np.stack([home[remote], senders[remote]]), axis=1)
    to, vertex = pairs
    by = np.lexsort((vertex, chunk[vertex], part[vertex], to))
    to, vertex = to[by], vertex[by]
    place = own_rows + _ranks(to)
    source, when = part[vertex], chunk[vertex]
    nth = _ranks((to * num_parts + source) * num_chunks + when)
    rounds, start = _rounds(source, to, nth, num_parts, halo)
    rows = own_rows + int(np.bincount(to, minlength=num_parts).max())

    vertices = np.full((num_parts, rows), -1)
    vertices[part, row] = np.arange(n)
    vertices[to, place] = vertex
    length = sum(each.rows for each in rounds)
    sends = np.zeros((num_parts, num_chunks + 1, length), np.int32)
    # Each its own row beyond the buffer: what is written there is dropped, and no row is written twice.
    places = np.zeros_like(sends) + (rows + np.arange(length)).astype(np.int32)
    at = start[(to - source) % num_parts] + nth
    sends[source, when, at] = slot[vertex]
    places[to, when, at] = place

    table = np.full((num_parts, n), -1)
    table[part, np.arange(n)] = row
    table[to, vertex] = place
    target = cell[receivers]
    at = _ranks(target)
    most = max(edges, int(at.max(initial=-1)) + 1, 1)
    wired = [
        np.zeros((num_parts * (num_chunks + 1), most), kind)
        for kind in (np.int32, np.int32, weights.dtype)
    ]
    for array, values in zip(wired, (table[home, senders], slot[receivers], weights), strict=True):
        array[target, at] = values
    shaped = [array.reshape(num_parts, num_chunks + 1, most) for array in wired]
    wiring = Wiring(shaped[0], shaped[1], shaped[2], sends, places)
    return Layout(vertices, size, num_chunks, wiring, rounds, (part, chunk), len(to), n)


def _rounds(
    source: Int[np.ndarray, " m"],
    to: Int[np.ndarray, " m"],
    nth: Int[np.ndarray, " m"],
    parts: int,
    least: int,
) -> tuple[tuple[Round, ...], Int[np.ndarray, " P"]]:
    """The rounds that there must be, and by shift where each one's rows begin."""
    shift = (to - source) % parts
    found: list[Round] = []
    start = np.zeros(parts, np.int64)
    for each in np.unique(shift).tolist():
        here = shift == each
        pairs = sorted(set(zip(source[here].tolist(), to[here].tolist(), strict=True)))
        start[each] = sum(one.rows for one in found)
        found.append(Round(each, max(least, int(nth[here].max()) + 1), tuple(pairs)))
    return tuple(found), start


def _ranks(keys: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    """Each entry's place among those of an equal key, in their own order."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.searchsorted(ordered, ordered)
    ranks = np.empty(len(keys), np.int64)
    ranks[order] = np.arange(len(keys)) - first
    return ranks
