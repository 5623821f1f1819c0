"""Packed execution on several devices: words of nodes divided, message bits exchanged at the border.

Every device holds a contiguous range of nodes. Before it gathers its neighbours' bits, it receives
those of the nodes on other devices that its own nodes hear, and no others, in one all-to-all.
"""

import dataclasses
from typing import Any, cast

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from ntkexec.engines.packed.indices import compress
from ntkexec.engines.packed.neighbours import AXIS, Halo, Neighbours, Rows
from ntkexec.engines.packed.plan import Clock, PackedProgram
from ntkexec.engines.packed.rows import WORD_BITS
from ntkexec.engines.packed.step import StepResult, run_rings, single_step
from ntkexec.engines.packed.tables import Tables


@dataclasses.dataclass(frozen=True)
class Border:
    """What crosses from device to device.

    Args:
        num_devices: among which nodes are divided.
        heard: pairs of a node and another device that hears it.
        words: that each pair of devices exchanges for one message bit of all nodes; as many as the
            pair with most needs.
    """

    num_devices: int
    heard: int
    words: int

    @property
    def bytes_a_row(self) -> int:
        """Sent by all devices together for one message bit of all nodes, filling included."""
        return self.num_devices * (self.num_devices - 1) * self.words * WORD_BITS // 8


def divide(tables: Tables, silent: int, num_devices: int) -> tuple[Tables, Border]:
    """Divides nodes among devices, in ranges of whole words.

    Args:
        tables: neighbours of all nodes.
        silent: the index that stands for a free port.
        num_devices: how many.

    Returns:
        The neighbours as the device of each node sees them, with what it sends to others; and the
        sizes of what is sent.
    """
    fill = -len(tables.valid) % num_devices
    table = np.pad(tables.table, ((0, 0), (0, fill), (0, 0)), constant_values=silent)
    width = table.shape[1] * WORD_BITS
    local = width // num_devices
    table = table.reshape(len(table), width).astype(np.int64)
    receiver = np.broadcast_to(np.arange(width) // local, table.shape)
    across = (table != silent) & (table // local != receiver)
    # Every pair of a device and a node that it hears on another one, once.
    wanted = receiver[across] * width + table[across]
    pairs = np.sort(wanted)
    pairs = pairs[np.append(True, np.diff(pairs) > 0)[: len(pairs)]]
    hearer, node = np.divmod(pairs, width)
    # The pairs of a hearer are in the order of their nodes, and so of their devices.
    sender = node // local
    route = hearer * num_devices + sender
    counts = np.bincount(route, minlength=num_devices**2)
    rank = np.arange(len(pairs)) - (np.cumsum(counts) - counts)[route]
    words = max(1, -(-int(counts.max()) // WORD_BITS))
    halo = np.full((num_devices, num_devices, words * WORD_BITS), local, np.int32)
    halo[sender, hearer, rank] = node - sender * local
    # A device sees its own nodes, then what it receives from each device, then a silent word.
    received = local + sender * words * WORD_BITS + rank
    seen = np.where(table == silent, local + num_devices * words * WORD_BITS, table % local)
    seen[across] = received[np.searchsorted(pairs, wanted)]
    slots = tables.slots
    divided = Tables(
        table=seen.astype(np.int32).reshape(len(table), width // WORD_BITS, WORD_BITS),
        slots=None if slots is None else np.pad(slots, ((0, 0), (0, 0), (0, fill))),
        valid=np.pad(tables.valid, (0, fill)),
        halo=halo.reshape(num_devices, num_devices, words, WORD_BITS),
    )
    return divided, Border(num_devices, len(pairs), words)


def place(mesh: Mesh, array: np.ndarray, spec: PartitionSpec) -> Array:
    """An array divided over the mesh, also where the mesh spans several processes."""
    sharding = NamedSharding(mesh, spec)
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


ROW = PartitionSpec(AXIS)


# How each array of `Neighbours` is divided.
TABLE, SLOTS, HALO = PartitionSpec(None, AXIS), PartitionSpec(None, None, AXIS), PartitionSpec(AXIS)


def place_tables(mesh: Mesh, tables: Tables) -> Neighbours:
    """Neighbours on the devices of a mesh."""
    table = compress(tables.table, int(tables.table.max(initial=0)))
    return Neighbours(
        table=jax.tree.map(lambda array: place(mesh, array, TABLE), table),
        slots=None if tables.slots is None else place(mesh, tables.slots, SLOTS),
        valid=place(mesh, tables.valid, ROW),
        halo=None if tables.halo is None else Halo(place(mesh, tables.halo, HALO)),
    )


def _specs(neighbours: Neighbours) -> Neighbours:
    """The same tree, with how each array is divided as leaves."""
    leaves: Any = (
        jax.tree.map(lambda _: TABLE, neighbours.table),
        None if neighbours.slots is None else SLOTS,
        ROW,
        Halo(cast(Any, HALO)),
    )
    return Neighbours(*leaves)


def sharded_rings(
    changing: Rows,
    fixed: Rows,
    neighbours: Neighbours,
    num_rings: Int[Array, ""],
    *,
    packed: PackedProgram,
    ring: tuple[Clock, ...],
    mesh: Mesh,
) -> tuple[Rows, Int[Array, "d"]]:
    """`run_rings` on every device of the mesh; collisions by device.

    They are not summed here: where nothing can collide they are a constant, whose sum over devices
    would be exchanged beside the border's words, and the threads of a CPU with more devices than
    cores would wait for each other without end.
    """

    def local(*args: Any) -> tuple[Rows, Array]:
        rows, met = run_rings(*args, packed=packed, ring=ring)
        return rows, met[None]

    return jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(ROW, ROW, _specs(neighbours), PartitionSpec()),
        out_specs=(ROW, ROW),
        check_vma=False,
    )(changing, fixed, neighbours, num_rings)


def sharded_step(
    rows: Rows, neighbours: Neighbours, *, packed: PackedProgram, clock: Clock, mesh: Mesh
) -> StepResult:
    """`single_step` on every device of the mesh."""

    def local(*args: Any) -> StepResult:
        done = single_step(*args, packed=packed, clock=clock)
        return done._replace(collisions=done.collisions[None])

    return jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(ROW, _specs(neighbours)),
        out_specs=StepResult(cast(Any, ROW), cast(Any, ROW), cast(Any, PartitionSpec())),
        check_vma=False,
    )(rows, neighbours)


def fetch(row: Array | np.ndarray) -> np.ndarray:
    """A row as a whole, on every process."""
    if isinstance(row, np.ndarray) or row.is_fully_addressable:
        return np.asarray(row)
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(row, tiled=True))
