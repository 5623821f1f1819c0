"""Ahead-of-time compilation that is timed apart from the run and done once per shape."""

import time
from collections.abc import Callable
from typing import Any

import jax

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
    leaves, structure = jax.tree.flatten(args)
    shapes = tuple(str(jax.typeof(leaf)) for leaf in leaves)
    key = (function, tuple(sorted(static.items())), structure, shapes)
    start = time.perf_counter()
    compiled = _compiled.get(key)
    if compiled is None:
        jitted = jax.jit(function, static_argnames=tuple(static))
        compiled = _compiled[key] = jitted.lower(*args, **static).compile()
    compiled_at = time.perf_counter()
    result = jax.block_until_ready(compiled(*args))
    ended_at = time.perf_counter()
    return result, compiled_at - start, ended_at - compiled_at


def clear() -> None:
    """Forgets all compiled functions, so that the next calls compile again."""
    _compiled.clear()
    jax.clear_caches()
