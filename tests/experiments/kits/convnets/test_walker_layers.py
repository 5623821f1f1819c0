"""Rows of the cost walker: their totals, their names, and inputs that are none."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from experiments.kits.convnets.walker import walk, walk_function
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


def test_what_is_no_array_is_refused_by_what_is_expected():
    model = nn.Dense(3)
    with pytest.raises(
        ExperimentError, match=r"input 1 is the shape \(1, 32, 32, 3\); .*Struct\(\(1"
    ):
        walk(model, (1, 32, 32, 3))
    with pytest.raises(ExperimentError, match=r"input 1 is the shape \(1, 4\)"):
        walk_function(lambda variables, x: x, {"params": {}}, [1, 4])
    with pytest.raises(ExperimentError, match=r"input 2 has a str; .* given by name"):
        walk(model, shape(1, 4), "train")

    class Pair(nn.Module):
        @nn.compact
        def __call__(self, pair, scale):
            return nn.Dense(3)(pair["x"]) * scale

    assert walk(Pair(), {"x": shape(2, 4), "y": None}, 0.5).multiplications == 24
