"""Ratios of times."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.timing import time_ratio


def test_more_work_takes_a_larger_share_of_time():
    small, large = jnp.ones((8, 8)), jnp.ones((600, 600))
    product = jax.jit(lambda a: a @ a @ a)
    found = time_ratio(
        lambda: product(large),
        lambda: product(small),
        repeats=9,
        generator=np.random.default_rng(0),
    )
    # 400,000 times the work; a loaded machine does not turn that round.
    assert found.value > 1
    assert found.low <= found.value <= found.high
