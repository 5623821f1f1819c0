"""Ahead-of-time compilation that is timed apart from the run and done once per shape."""

import functools
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import jax

from ntkexec.errors import NtkexecError
from ntkexec.runtime import stages
from ntkexec.runtime.memory import MEMORY_VARIABLE, max_memory

# What is said of functions while they run.
RUNNING = {"_run": "executing", "_train": "training"}

MAX_COMPILED = 256
"""Compiled functions that are kept; the one that was not called for longest makes room.

A long execution on packed states calls a few dozen in turn.
"""

# Settings of JAX on which compiled code depends, or where it runs.
SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision", "jax_default_device")

# The least recently called first.
_compiled: dict[Hashable, Any] = {}


def call(function: Callable[..., Any], *args: Any, **static: Any) -> tuple[Any, float, float]:
    """Compiles and calls `function(*args, **static)`, and waits for its result.

    Args:
        function: a jittable function; it must be a module-level one, since it is part of the key.
        args: pytrees of arrays.
        static: hashable options that are baked into the compiled code.

    Returns:
        The result, the seconds spent on compiling (0 if done before), and those spent running.
    """
    if jax.config.jax_disable_jit:  # type: ignore[attr-defined]
        start = time.perf_counter()
        result = jax.block_until_ready(function(*args, **static))
        return result, 0.0, time.perf_counter() - start
    key = _key(function, args, static)
    compiled, compile_seconds = _compiled.pop(key, None), 0.0
    if compiled is None:
        start = time.perf_counter()
        # Not `static_argnames`: JAX 0.6 takes 2 and 2.0 for the same option.
        jitted = jax.jit(functools.partial(function, **static))
        with stages.stage("compiling"):
            compiled = jitted.lower(*args).compile()
        _check_memory(compiled)
        compile_seconds = time.perf_counter() - start
    _compiled[key] = compiled
    while len(_compiled) > MAX_COMPILED:
        del _compiled[next(iter(_compiled))]
    start = time.perf_counter()
    with stages.stage(RUNNING.get(function.__name__, "computing")):
        result = jax.block_until_ready(compiled(*args))
    return result, compile_seconds, time.perf_counter() - start


def _key(
    function: Callable[..., Any], args: tuple[Any, ...], static: Mapping[str, Any]
) -> Hashable:
    """All that compiled code depends on: equal keys may share it, and others may not."""
    leaves, structure = jax.tree.flatten(args)
    settings = tuple(getattr(jax.config, name) for name in SETTINGS)
    options = tuple((name, type(value), value) for name, value in sorted(static.items()))
    return function, options, structure, tuple(map(_kind, leaves)), settings


def _kind(leaf: Any) -> Hashable:
    """Shape, dtype and weak type of a leaf, and where it must stay: None if anywhere will do."""
    committed = isinstance(leaf, jax.Array) and leaf.committed
    return jax.typeof(leaf), leaf.sharding if committed else None


# Any: JAX has no public type for compiled code.
def _check_memory(compiled: Any) -> None:
    """Raises NtkexecError if compiled code needs more memory than there is, before it runs."""
    wanted, device = compiled.memory_analysis(), jax.local_devices()[0]
    if wanted is None:  # not every device says
        return
    stats = device.memory_stats() or {}
    there = min(max_memory(), stats.get("bytes_limit", 1 << 62))
    needed = wanted.temp_size_in_bytes + wanted.output_size_in_bytes + wanted.argument_size_in_bytes
    if needed > there:
        raise NtkexecError(
            f"this takes {needed / 1e9:,.3g} GB on one {device.platform}, and there are "
            f"{there / 1e9:,.3g} GB ({MEMORY_VARIABLE} sets another limit); a smaller graph, width "
            "or degree would fit"
        )


def clear() -> None:
    """Forgets all compiled functions, so that the next calls compile again."""
    _compiled.clear()
    jax.clear_caches()
