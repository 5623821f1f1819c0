"""Rows of the cost walker: their totals, their names, and inputs that are none."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from experiments.kits.convnets.walker import walk
from experiments.kits.convnets.walks import MULTIPLYING
from ntkexec.errors import ExperimentError


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def test_totals_are_of_all_rows_also_of_pools():
    class Pooled(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3, name="head")(nn.max_pool(x, (2, 2), (2, 2)))

    found = walk(Pooled(), shape(1, 4, 4, 2))
    pool, head = 32 + 8, 8 + 6 + 12
    assert found.memory_access == pool + head == found.to_data()["memory_access"]
    rows = [line.split()[-1] for line in found.table().splitlines()[1:-1]]
    assert rows == ["40", "26", "66"]
    assert found.memory_access_of(*MULTIPLYING) == found.memory_access_of("product") == head
    assert found.memory_access_of("pool") == pool
    with pytest.raises(ExperimentError, match="'conv', but convolution"):
        found.memory_access_of("conv")
    alone = walk(nn.Sequential([lambda x: nn.avg_pool(x, (2, 2), (2, 2))]), shape(1, 4, 4, 2))
    assert (alone.memory_access, alone.multiplications) == (pool, 0)
