"""Times as ratios against a rival on the same machine at the same time."""

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from experiments.harness.statistics import Estimate, bootstrap


def time_ratio(
    measured: Callable[[], Any],
    rival: Callable[[], Any],
    *,
    repeats: int,
    generator: np.random.Generator,
) -> Estimate:
    """Median of `measured`'s time over `rival`'s, taken in turns, so that a busy machine hits both.

    Args:
        measured, rival: compiled functions that return arrays; each is called once to warm up.
        repeats: pairs of calls.
        generator: for the order within pairs and the bootstrap.

    Returns:
        The median ratio with its bootstrap interval.
    """
    jax.block_until_ready((measured(), rival()))
    ratios = []
    for _ in range(repeats):
        seconds = {}
        for which in generator.permutation(2):
            start = time.perf_counter()
            jax.block_until_ready((measured, rival)[which]())
            seconds[int(which)] = time.perf_counter() - start
        ratios.append(seconds[0] / seconds[1])
    return bootstrap(ratios, lambda sample: float(np.median(sample)), generator=generator)
