"""The sharded aggregator and its rival on the devices that there are, with the bytes that they move."""

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Float

from experiments.kits.mesh.collectives import collectives_of, total_bytes
from experiments.systems.flag_aggregator.sharded import gathered_flag, sharded_flag

WAYS = {"sharded": sharded_flag, "gathered": gathered_flag}


def aggregated_on_devices(
    rows: Float[np.ndarray, "p n"], dimension: int
) -> dict[str, dict[str, Any]]:
    """Aggregates one row from each device, by both ways; for `run_with_devices`.

    Args:
        rows: one worker's gradient for each device, also of other processes.
        dimension: of the subspace.

    Returns:
        By way, the aggregate, the bytes that the busiest device receives by kind of collective, and how
        many devices and processes there were.
    """
    mesh = Mesh(np.array(jax.devices()), ("worker",))
    sharding = NamedSharding(mesh, P("worker"))
    given = jax.make_array_from_callback(rows.shape, sharding, lambda place: rows[place])
    measured: dict[str, dict[str, Any]] = {}
    for name, way in WAYS.items():

        def own(row: jax.Array, way: Any = way) -> jax.Array:
            return way(row[0], "worker", dimension)[0]

        divided = jax.shard_map(
            own, mesh=mesh, in_specs=P("worker"), out_specs=P(), check_vma=False
        )
        program = jax.jit(divided).lower(given).compile()
        measured[name] = {
            "aggregate": np.asarray(program(given)),
            "bytes": total_bytes(collectives_of(program)),
            "devices": len(jax.devices()),
            "processes": jax.process_count(),
        }
    return measured
