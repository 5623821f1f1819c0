"""Members side by side on several devices, of this process or of many."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

AXIS = "members"


@functools.cache
def mesh() -> Mesh:
    """All devices of all processes in a row."""
    return Mesh(np.array(jax.devices()), (AXIS,))


def place(values: np.ndarray, axis: int | None) -> Array:
    """An array on all devices: cut along an axis, or a copy on each if that is None."""
    cut = () if axis is None else (*[None] * axis, AXIS)
    sharding = NamedSharding(mesh(), PartitionSpec(*cut))
    return jax.make_array_from_callback(values.shape, sharding, lambda index: values[index])


def over_members(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(members, *others)`, with the leading axis of `members` and of the result cut.

    Every device runs the function on its own share; nothing is exchanged.
    """
    cut, whole = PartitionSpec(AXIS), PartitionSpec()

    def spread(members: Array, *others: Any) -> Any:
        specs = (cut, *[whole] * len(others))
        return jax.shard_map(function, mesh=mesh(), in_specs=specs, out_specs=cut, check_vma=False)(
            members, *others
        )

    return spread


# Any: a pytree of arrays.
def gather(tree: Any) -> Any:
    """The same pytree as NumPy arrays, whole in every process."""
    if jax.process_count() == 1:
        return jax.tree.map(np.asarray, tree)
    return multihost_utils.process_allgather(tree, tiled=True)
