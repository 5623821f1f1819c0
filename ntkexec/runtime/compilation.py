"""Ahead-of-time compilation that is timed apart from the run and done once per shape."""

import time
from collections.abc import Callable
from typing import Any

import jax

from ntkexec.errors import NtkexecError
from ntkexec.runtime import stages
from ntkexec.runtime.memory import MEMORY_VARIABLE, max_memory

# What is said of functions while they run.
RUNNING = {"_run": "executing", "_train": "training"}

# Compiled functions by function, static options, pytree structure and array shapes.
_compiled: dict[Any, Any] = {}


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
    leaves, structure = jax.tree.flatten(args)
    shapes = tuple(str(jax.typeof(leaf)) for leaf in leaves)
    key = (function, tuple(sorted(static.items())), structure, shapes)
    compiled, compile_seconds = _compiled.get(key), 0.0
    if compiled is None:
        start = time.perf_counter()
        jitted = jax.jit(function, static_argnames=tuple(static))
        with stages.stage("compiling"):
            compiled = jitted.lower(*args, **static).compile()
        _check_memory(compiled)
        _compiled[key] = compiled
        compile_seconds = time.perf_counter() - start
    start = time.perf_counter()
    with stages.stage(RUNNING.get(function.__name__, "computing")):
        result = jax.block_until_ready(compiled(*args))
    return result, compile_seconds, time.perf_counter() - start


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
