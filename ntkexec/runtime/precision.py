"""The one switch to float64, scoped to a block."""

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Runs the block in float64 and gives the caller's setting back, also after an exception."""
    with jax.enable_x64(True):
        yield
