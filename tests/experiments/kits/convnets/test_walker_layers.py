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


class Encoder(nn.Module):
    def setup(self):
        self.c = nn.Dense(4)

    def encode(self, x):
        return nn.max_pool(self.c(x), (2,), (2,))

    def __call__(self, x):
        return self.encode(x)


class Named(nn.Module):
    """Scopes that say more than the tree of parameters: methods, lifted modules, cells, wrappers."""

    @nn.compact
    def __call__(self, x):
        x = nn.vmap(nn.Dense, variable_axes={"params": 0}, split_rngs={"params": True})(4)(x)
        x = nn.RNN(nn.SimpleCell(4))(nn.SelfAttention(2)(x))
        return nn.WeightNorm(nn.Dense(4))(Encoder(name="encoder").encode(x))


@pytest.mark.filterwarnings("ignore:SelfAttention will be deprecated")
def test_paths_are_the_keys_of_the_tree_of_parameters():
    own = walk(Encoder(), shape(1, 4, 4))
    assert [(layer.path, layer.kind) for layer in own.layers] == [("c", "product"), ("", "pool")]
    found = walk(Named(), shape(2, 4, 4))
    attention = "SelfAttention_0"
    assert [layer.path for layer in found.of("product")] == [
        "VmapDense_0",
        *(f"{attention}/{each}" for each in ("query", "key", "value")),
        f"{attention}/...qhd,...khd->...hqk",
        f"{attention}/...hqk,...khd->...qhd",
        f"{attention}/out",
        "SimpleCell_0/i",
        "SimpleCell_0/h",
        "encoder/c",
        "Dense_0",
    ]
    assert [layer.path for layer in found.of("pool")] == ["encoder"]


def test_a_module_within_another_of_its_name_keeps_both():
    class Within(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3, name="a")(x)

    class Twice(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Within(name="a")(nn.Dense(4, name="Twice")(x))

    variables = jax.eval_shape(Twice().init, jax.random.key(0), shape(1, 2))
    paths = jax.tree_util.tree_flatten_with_path(variables["params"])[0]
    keys = {jax.tree_util.keystr(path[:-1], simple=True, separator="/") for path, _ in paths}
    assert {layer.path for layer in walk(Twice(), shape(1, 2)).layers} == keys


def test_a_sum_is_named_by_its_terms_and_not_by_what_is_added_after():
    class Gated(nn.Module):
        @nn.compact
        def __call__(self, x):
            norm = nn.BatchNorm(use_running_average=True, name="norm")
            return norm(x[:, :2] * x[:, 1:3] + x[:, 2:4] * x[:, 3:5])

    assert [layer.path for layer in walk(Gated(), shape(1, 5)).of("sum")] == [""]
