"""Timing and memory, the same way for every benchmark."""

import os
import pathlib
import platform
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def seconds(function: Callable[[], Any], *, repeat: int) -> float:
    """Median time of a call, after one to warm up; results are waited for."""
    jax.block_until_ready(function())
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_memory() -> int:
    """Bytes of memory that this process has ever held at once."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        # Not getrusage, which on Linux starts from the parent's peak.
        line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    # macOS counts in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine() -> dict[str, Any]:
    """What a figure depends on."""
    return {
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The exponent of a power law fitted to times: the slope on logarithmic axes."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


# Far larger than any cache.
STREAM_BYTES = 256 << 20


def bandwidth() -> dict[str, float]:
    """Bytes a second that a copy of a large array moves, reading and writing, as in STREAM."""
    source = np.ones(STREAM_BYTES // 4, np.uint32)
    target = np.empty_like(source)
    on_device = jnp.asarray(source)
    flip = jax.jit(jnp.invert)
    return {
        "numpy_copy": 2 * STREAM_BYTES / seconds(lambda: np.copyto(target, source), repeat=5),
        "jax_copy": 2 * STREAM_BYTES / seconds(lambda: flip(on_device), repeat=5),
    }
