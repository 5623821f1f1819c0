"""Members side by side on several devices, of this process or of many.

Training is cut over all devices of all processes: every device trains members of its own, and every
process then has them all. Evaluation is cut over the devices of a process.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
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


def put(values: np.ndarray, dtype: Any = None) -> Array:
    """An array on the default device; unlike `jnp.asarray`, it compiles no program to convert it.

    Args:
        values: numbers.
        dtype: their type there; by default JAX's for their own.
    """
    return jax.device_put(np.asarray(values, dtype))


def spread(array: np.ndarray, axis: int) -> Array:
    """An array cut along an axis over the devices of this process.

    What does not come out even is filled up with zeros, so the axis must be one that is summed over.
    """
    devices = jax.local_devices()
    if len(devices) == 1:
        return put(array)
    missing = -array.shape[axis] % len(devices)
    padded = np.pad(array, [(0, missing if i == axis else 0) for i in range(array.ndim)])
    cut = PartitionSpec(*[None] * axis, AXIS)
    return jax.device_put(padded, NamedSharding(Mesh(np.array(devices), (AXIS,)), cut))


def over_members(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(members, *others)`, with the leading axis of `members` and of the result cut.

    Every device runs the function on its own share; nothing is exchanged.
    """
    cut, whole = PartitionSpec(AXIS), PartitionSpec()

    def divided(members: Array, *others: Any) -> Any:
        specs = (cut, *[whole] * len(others))
        return jax.shard_map(function, mesh=mesh(), in_specs=specs, out_specs=cut, check_vma=False)(
            members, *others
        )

    return divided


# Any: a pytree of arrays.
def gather(tree: Any) -> Any:
    """The same pytree as NumPy arrays, whole in every process."""
    if jax.process_count() == 1:
        return jax.tree.map(np.asarray, tree)
    from jax.experimental import multihost_utils  # here, since most processes are alone

    return multihost_utils.process_allgather(tree, tiled=True)


def agree(flag: bool) -> bool:
    """Whether it is true in every process: all must take the same decision on what to compute."""
    if jax.process_count() == 1:
        return flag
    from jax.experimental import multihost_utils

    return bool(multihost_utils.process_allgather(np.array(flag)).all())
