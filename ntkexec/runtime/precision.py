"""The one switch to float64, scoped to a block."""

import contextlib
from collections.abc import Iterator

import jax
import jax.experimental

# Where JAX keeps the switch: since 0.8 among its own names.
_HOME = jax if hasattr(jax, "enable_x64") else jax.experimental


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Runs the block in float64 and gives the caller's setting back, also after an exception."""
    with _HOME.enable_x64(True):
        yield
