"""Costs: multiplications counted, times as ratios."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.kits import costs


def generator():
    return np.random.default_rng(0)


def test_flops_of_a_product_are_counted():
    product = jax.jit(lambda a, b: a @ b).lower(jnp.ones((16, 32)), jnp.ones((32, 8)))
    found = costs.cost(product.compile())
    assert found.flops == 2 * 16 * 32 * 8
    assert found.accessed_bytes >= 4 * (16 * 32 + 32 * 8 + 16 * 8)
    tree = {"a": jnp.ones((2, 3)), "b": jnp.ones(4, jnp.int8)}
    assert (costs.num_parameters(tree), costs.num_bytes(tree)) == (10, 28)


def test_more_work_takes_a_larger_share_of_time():
    small, large = jnp.ones((8, 8)), jnp.ones((600, 600))
    product = jax.jit(lambda a: a @ a @ a)
    found = costs.time_ratio(
        lambda: product(large), lambda: product(small), repeats=9, generator=generator()
    )
    # 400,000 times the work; a loaded machine does not turn that round.
    assert found.value > 1
    assert found.low <= found.value <= found.high
