"""Costs: parameters and multiplications counted."""

import jax
import jax.numpy as jnp

from experiments.kits import costs


def test_flops_of_a_product_are_counted():
    product = jax.jit(lambda a, b: a @ b).lower(jnp.ones((16, 32)), jnp.ones((32, 8)))
    found = costs.cost(product.compile())
    assert found.flops == 2 * 16 * 32 * 8
    assert found.accessed_bytes >= 4 * (16 * 32 + 32 * 8 + 16 * 8)
    tree = {"a": jnp.ones((2, 3)), "b": jnp.ones(4, jnp.int8)}
    assert (costs.num_parameters(tree), costs.num_bytes(tree)) == (10, 28)
