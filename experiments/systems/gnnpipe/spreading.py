"""One program on many devices, or on one that stands for them: axes of a mesh, or mapped axes of arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from ntkexec.errors import ExperimentError

Axes = jax.sharding.Mesh | Mapping[str, int]
"""A mesh of devices, or sizes of the same axes by name, all of them simulated on one device."""
Names = tuple[str, ...]


def sizes_of(axes: Axes) -> dict[str, int]:
    """The size of each axis by name."""
    if not isinstance(axes, (jax.sharding.Mesh, Mapping)):
        raise ExperimentError(
            f"axes are a mesh or sizes by name, such as {{'stage': 4}}, not {axes}"
        )
    return dict(axes.shape if isinstance(axes, jax.sharding.Mesh) else axes)


def spread(
    function: Callable[..., Any], axes: Axes, inputs: Sequence[Names], outputs: Sequence[Names]
) -> Callable[..., Any]:
    """The function, which sees one device's share, over arguments that hold all shares.

    Args:
        function: may use collectives over the names of the axes; it returns a tuple.
        axes: over which it is spread.
        inputs, outputs: for each argument and each result the axes that all its leaves begin with, in the
            order of `axes`; it is the same along the others.
    """
    if isinstance(axes, jax.sharding.Mesh):
        return _on_mesh(function, axes, inputs, outputs)
    for name, size in reversed(list(axes.items())):
        function = jax.vmap(
            function,
            in_axes=tuple(0 if name in names else None for names in inputs),
            out_axes=tuple(0 if name in names else None for names in outputs),
            axis_name=name,
            axis_size=size,
        )
    return function


def _on_mesh(
    function: Callable[..., Any],
    mesh: jax.sharding.Mesh,
    inputs: Sequence[Names],
    outputs: Sequence[Names],
) -> Callable[..., Any]:
    def local(*shares: Any) -> Any:
        bare = [_without(share, len(names)) for share, names in zip(shares, inputs, strict=True)]
        results = zip(function(*bare), outputs, strict=True)
        return tuple(_with(found, len(names)) for found, names in results)

    specs = tuple(jax.P(*names) for names in inputs), tuple(jax.P(*names) for names in outputs)
    # Axes of a mesh may ask for arguments that are divided already; those of this one divide them.
    free = jax.sharding.Mesh(mesh.devices, mesh.axis_names)
    return jax.shard_map(local, mesh=free, in_specs=specs[0], out_specs=specs[1], check_vma=False)


def _without(share: Any, number: int) -> Any:
    """A device's share, which begins with axes of length 1, without them."""
    return jax.tree.map(lambda leaf: leaf.reshape(leaf.shape[number:]), share)


def _with(found: Any, number: int) -> Any:
    return jax.tree.map(lambda leaf: leaf.reshape((1,) * number + leaf.shape), found)
