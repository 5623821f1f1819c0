"""The cost walker: what a person counts, what XLA counts, and what is refused."""

import json
import math
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from experiments.kits.convnets import walker
from experiments.kits.convnets.operations import Convolution
from experiments.kits.convnets.walker import walk, walk_function
from experiments.kits.convnets.xla import layer_by_xla, multiplications_by_xla
from ntkexec.errors import ExperimentError


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def function(run, *shapes, **variables):
    return walk_function(run, {"params": variables}, *(shape(*each) for each in shapes))


class Block(nn.Module):
    @nn.compact
    def __call__(self, x):
        y = nn.Conv(8, (3, 3), use_bias=False, name="conv")(x)
        y = nn.BatchNorm(use_running_average=True, name="norm")(y)
        return nn.relu(x + y), None


class Small(nn.Module):
    """A stem, three equal blocks in a scan, a depthwise convolution, a pool, a classifier."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(8, (3, 3), strides=2, name="stem")(x)
        options = {"variable_axes": {"params": 0, "batch_stats": 0}, "split_rngs": {"params": True}}
        x, _ = nn.scan(nn.remat(Block), length=3, **options)(name="stack")(x)
        x = nn.Conv(8, (5, 5), feature_group_count=8, padding="VALID", name="depthwise")(x)
        x = nn.max_pool(x, (2, 2), (2, 2))
        return nn.Dense(5, name="head")(x.mean((1, 2)))


def test_a_small_net_is_counted_as_a_person_counts_it():
    found = walk(Small(), shape(1, 16, 16, 3))
    rows = {layer.path: layer for layer in found.layers}
    assert [layer.path for layer in found.layers] == [
        "stem", "stack/conv", "stack/norm", "depthwise", "", "head"
    ]  # fmt: skip
    stem, conv, depthwise, head = (rows[n] for n in ("stem", "stack/conv", "depthwise", "head"))
    assert (stem.inputs, stem.outputs, stem.kernel) == (
        ((1, 16, 16, 3),),
        ((1, 8, 8, 8),),
        (3, 3, 3, 8),
    )
    assert (stem.parameters, stem.multiplications) == (27 * 8 + 8, 64 * 27 * 8)
    assert stem.memory_access == 16 * 16 * 3 + 27 * 8 + 64 * 8
    assert (conv.times, conv.parameters, conv.multiplications) == (3, 3 * 576, 3 * 64 * 576)
    assert conv.memory_access == 3 * (2 * 512 + 576)
    assert (rows["stack/norm"].kind, rows["stack/norm"].parameters) == ("other", 3 * 16)
    assert (depthwise.groups, depthwise.multiplications) == (8, 16 * 25 * 8)
    assert (depthwise.parameters, depthwise.memory_access) == (208, 64 * 8 + 25 * 8 + 16 * 8)
    assert (rows[""].kind, rows[""].memory_access) == ("pool", 16 * 8 + 4 * 8)
    assert (head.multiplications, head.in_features, head.out_features) == (40, 8, 5)
    assert found.parameters == sum(layer.parameters for layer in found.layers) == 2253
    assert found.statistics == 3 * 16
    assert found.multiplications == 13824 + 3 * 36864 + 3200 + 40 == multiplications_by_xla(found)
    assert found.memory_access == 1496 + 4800 + 840 + 160 + 53
    # The picture beside the stem's result; in the scan twice 8 x 8 x 8.
    assert found.live_activations == 16 * 16 * 3 + 512
    assert [layer.path for layer in found.of("product", "pool")] == ["", "head"]
    assert json.loads(json.dumps(found.to_data()))["multiplications"] == found.multiplications
    assert re.search(r"stack/conv \(3 times\) .* 1,728 +110,592 +4,800\n", found.table())


CONVOLUTIONS = {
    "1x1": (nn.Conv(7, (1, 1)), (2, 9, 9, 5), 2 * 81 * 5 * 7),
    "strided, odd": (nn.Conv(6, (3, 3), strides=2), (1, 15, 13, 4), 8 * 7 * 9 * 4 * 6),
    "stem of ResNet": (
        nn.Conv(64, (7, 7), strides=2, padding=3), (1, 224, 224, 3), 112 * 112 * 49 * 3 * 64
    ),
    "beyond float32": (nn.Conv(67, (3, 3)), (3, 225, 223, 33), 3 * 225 * 223 * 9 * 33 * 67),
    "beyond float32, grouped": (
        nn.Conv(1028, (5, 5), feature_group_count=257), (1, 57, 57, 257), 57 * 57 * 25 * 1028
    ),
    "dilated": (nn.Conv(3, (3, 3), kernel_dilation=2, padding="VALID"), (1, 9, 9, 2), 25 * 9 * 6),
    "groups of four": (
        nn.Conv(12, (3, 3), feature_group_count=4), (1, 7, 7, 16), 49 * 9 * 4 * 12
    ),
    "depthwise": (nn.Conv(6, (5, 5), feature_group_count=6), (1, 7, 7, 6), 49 * 25 * 6),
    "asymmetric, circular": (nn.Conv(5, (1, 5), padding="CIRCULAR"), (1, 6, 7, 3), 42 * 5 * 15),
    "sequence": (nn.Conv(4, (3,), padding="CAUSAL"), (2, 10, 3), 2 * 10 * 3 * 12),
    "volume": (nn.Conv(2, (3, 3, 3), strides=(1, 2, 1)), (1, 4, 4, 4, 3), 32 * 27 * 6),
    # Every element of the input meets every tap, also those whose result is cropped.
    "transposed": (nn.ConvTranspose(4, (4, 4), strides=(2, 2)), (1, 5, 5, 3), 25 * 16 * 12),
    "transposed, valid": (
        nn.ConvTranspose(4, (3, 3), strides=(3, 3), padding="VALID"), (1, 5, 5, 3), 25 * 9 * 12
    ),
}  # fmt: skip


@pytest.mark.parametrize(("model", "given", "count"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolutions_are_counted_by_both_routes(model, given, count):
    found = walk(model, shape(*given))
    (layer,) = found.layers
    assert layer.kind == "convolution"
    assert layer.multiplications == count == layer_by_xla(layer)
    assert layer.parameters == found.parameters == math.prod(layer.kernel) + layer.out_features


def test_xla_counts_no_padding_unless_it_comes_padded():
    found = walk(nn.Conv(4, (3, 3), strides=2, use_bias=False), shape(1, 6, 5, 2))
    # At 6 pixels padded by 0 and 1 the last of 3 windows misses a tap; at 5, by 1 and 1, two do.
    assert multiplications_by_xla(found, padded=False) == (9 - 1) * (9 - 2) * 8
    assert multiplications_by_xla(found) == found.multiplications == 81 * 8


class Embedded(nn.Module):
    """Tokens, a compiled layer, layers side by side, and the embedding used again."""

    @nn.compact
    def __call__(self, tokens):
        embed = nn.Embed(11, 8)
        x = nn.jit(nn.Dense)(8)(nn.LayerNorm()(embed(tokens)))
        options = {"variable_axes": {"params": 0}, "split_rngs": {"params": True}}
        x = nn.vmap(nn.Dense, in_axes=1, out_axes=1, **options)(8)(x)
        return embed.attend(x)


MODELS = {
    # Four gates from both, and two products of the cell's sum; 5 steps.
    "LSTM": (nn.RNN(nn.LSTMCell(6)), shape(2, 5, 3), 5 * 2 * (4 * 6 * (3 + 6) + 2 * 6)),
    "convolutional LSTM": (
        nn.RNN(nn.ConvLSTMCell(4, (3, 3))), shape(2, 3, 6, 6, 2), 3 * 72 * (9 * 6 * 16 + 2 * 4),
    ),
    "embedding": (Embedded(), jax.ShapeDtypeStruct((2, 5), jnp.int32), 10 * (64 + 64 + 88)),
    "half precision": (
        nn.Conv(8, (3, 3), dtype=jnp.bfloat16, mask=jnp.ones((3, 3, 3, 8))), shape(1, 6, 6, 3), 36 * 216,
    ),
    "normalised": (nn.WeightNorm(nn.Dense(5)), shape(2, 3), 30),
}  # fmt: skip


@pytest.mark.parametrize(("model", "given", "count"), MODELS.values(), ids=MODELS)
def test_other_models_are_counted_by_both_routes_and_layers_hold_all_parameters(
    model, given, count
):
    found = walk(model, given)
    assert found.multiplications == count == multiplications_by_xla(found)
    assert sum(layer.parameters for layer in found.layers) == found.parameters


def test_a_dilated_and_strided_input_is_counted_pair_by_pair():
    def run(variables, x):
        return lax.conv_general_dilated(
            x, variables["params"]["k"], (2,), [(1, 2)], lhs_dilation=(3,), rhs_dilation=(2,),
            dimension_numbers=("NWC", "WIO", "NWC"),
        )  # fmt: skip

    found = function(run, (1, 5, 2), k=shape(3, 2, 4))
    assert found.multiplications == multiplications_by_xla(found) > 0


def test_the_gradient_of_a_convolution_is_two_more():
    def run(variables, x):
        def loss(variables, x):
            kernel = variables["params"]["k"]
            y = lax.conv_general_dilated(
                x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"),
                feature_group_count=3,
            )  # fmt: skip
            return (y**2).sum()

        return jax.grad(loss, (0, 1))(variables, x)

    found = function(run, (4, 8, 8, 6), k=shape(3, 3, 2, 9))
    forward = 4 * 36 * 9 * 2 * 9
    assert found.layers[0].multiplications == forward
    by_kernel = next(a for a in found.layers if a.operation.batch_groups > 1)
    assert by_kernel.multiplications == forward
    assert len(found.layers) == 3
    assert found.multiplications == multiplications_by_xla(found)


def test_attention_and_einsums_are_counted():
    found = walk(nn.MultiHeadDotProductAttention(4), shape(2, 10, 16), shape(2, 7, 16))
    queries, keys = 2 * 10 * 16 * 16, 2 * 7 * 16 * 16
    scores = 2 * 10 * 7 * 16
    assert found.multiplications == 2 * queries + 2 * keys + 2 * scores
    assert found.multiplications == multiplications_by_xla(found)
    inner = [layer for layer in found.layers if not layer.kernel]
    assert [layer.path for layer in inner] == ["...qhd,...khd->...hqk", "...hqk,...khd->...qhd"]
    assert inner[0].memory_access == 2 * (10 + 7) * 16 + 2 * 4 * 10 * 7
    wide = function(lambda v, a, b: jnp.einsum("bij,bkj->bik", a, b), (3, 999, 333), (3, 777, 333))
    assert wide.multiplications == 3 * 999 * 777 * 333 == multiplications_by_xla(wide)


def test_the_kernel_on_the_left_of_an_einsum_is_the_kernel():
    def run(variables, x):
        return jnp.einsum("oc,bc->bo", variables["params"]["w"], x)

    (layer,) = function(run, (2, 3), w=shape(5, 3)).layers
    assert (layer.kernel, layer.in_features, layer.out_features) == ((5, 3), 3, 5)


def test_loops_count_by_their_length_and_branches_by_the_dearest():
    def run(variables, x):
        w = variables["params"]["w"]

        def twice(x, _):
            return x @ w, None

        x = lax.fori_loop(0, 5, lambda i, x: x @ w, x)
        x = lax.scan(
            lambda x, _: (lax.scan(lambda x, _: (x @ w, None), x, length=2)[0], None), x, length=3
        )[0]
        return lax.cond(x.sum() > 0, lambda x: x, lambda x: jax.jit(lambda x: x @ w @ w)(x), x)

    found = function(run, (2, 4), w=shape(4, 4))
    assert [layer.times for layer in found.layers] == [5, 6, 1, 1]
    assert found.multiplications == 32 * (5 + 6 + 2)
    # Used again and again, counted once.
    assert sum(layer.parameters for layer in found.layers) == found.parameters == 16


def test_all_that_a_branch_could_read_is_counted_and_decides_what_depends_on_the_inputs():
    def run(variables, x):
        gate, cheap, dear, v = (variables["params"][name] for name in "gcdv")
        y = x @ cheap
        x = lax.cond((x @ gate).sum() > 0, lambda x, y: y, lambda x, y: x @ dear @ dear, x, y)
        return x @ lax.cond(x.sum() > 0, lambda: v, lambda: 2 * v)

    squares = {name: shape(4, 4) for name in "gcdv"}
    found = function(run, (2, 4), **squares)
    assert [layer.multiplications for layer in found.of("product")] == [32] * 5
    # Which of two kernels it is depends on the inputs.
    assert [layer.kernel for layer in found.of("product")] == [(4, 4)] * 4 + [()]
    assert sum(layer.parameters for layer in found.layers) == found.parameters == 64

    def chosen(variables, x):
        return lax.cond(
            x[0, 0] > 0, lambda x, y: y, lambda x, y: x @ variables["params"]["w"], x, x
        )

    # Arguments of branches are no copies: only the product stands beside them.
    assert function(chosen, (2, 4), w=shape(4, 4)).live_activations == 16


def test_what_no_output_needs_is_not_counted_but_its_parameters_are():
    class Dead(nn.Module):
        @nn.compact
        def __call__(self, x):
            nn.Dense(7, name="unused")(x)
            return nn.Dense(3, name="used")(x)

    found = walk(Dead(), shape(1, 4))
    assert (found.multiplications, found.parameters) == (12, 35 + 15)
    assert {layer.path: layer.kind for layer in found.layers} == {
        "used": "product",
        "unused": "other",
    }


def test_live_activations_by_hand():
    def dense(variables, x):  # concatenation stands beside its parts
        for _ in range(2):
            x = jnp.concatenate([x, x[:, :2] @ variables["params"]["w"]], 1)
        return x

    # 4 and a product of 4 with its cut of 2; 8 beside 4 and 4; then 12 beside 8 and 4.
    assert function(dense, (1, 4), w=shape(2, 4)).live_activations == 24
    chain = function(
        lambda v, x: jnp.tanh(jnp.exp(x) * 2 + v["params"]["b"]), (3, 5), b=shape(1, 5)
    )
    assert chain.live_activations == 15
    kept = function(lambda v, x: x + jnp.exp(x) @ v["params"]["w"], (2, 3), w=shape(3, 3))
    assert kept.live_activations == 18
    # Doubled inputs double what lives; variables do not count.
    found = [walk(Small(), shape(n, 16, 16, 3)).live_activations for n in (1, 2)]
    assert found[1] == 2 * found[0]


def test_as_many_products_as_the_lowered_model_has():
    attention = nn.MultiHeadDotProductAttention(2)
    for model, x in ((attention, shape(1, 6, 8)), (Small(), shape(1, 16, 16, 3))):
        variables = jax.eval_shape(model.init, jax.random.key(0), x)
        text = jax.jit(model.apply).lower(variables, x).as_text()
        lowered = len(re.findall(r"stablehlo\.(?:convolution|dot_general)\b", text))
        assert lowered == len(walk(model, x).of("convolution", "product"))


def test_what_cannot_be_counted_is_refused():
    def looped(variables, x):
        return lax.while_loop(lambda x: x.sum() < 1, lambda x: x @ variables["params"]["w"], x)

    with pytest.raises(ExperimentError, match=r"inside of 'while'.*lax\.scan"):
        function(looped, (2, 4), w=shape(4, 4))

    def ragged(variables, x, sizes):
        return lax.ragged_dot(x, variables["params"]["w"], sizes)

    sizes = jax.ShapeDtypeStruct((2,), jnp.int32)
    with pytest.raises(ExperimentError, match="ragged_dot"):
        walk_function(ragged, {"params": {"w": shape(2, 4, 4)}}, shape(6, 4), sizes)
    with pytest.raises(ExperimentError, match=r"not function; .* walk_function"):
        walk(lambda x: x, shape(1))
    with pytest.raises(ExperimentError, match="'conv', but convolution"):
        walk(nn.Dense(3), shape(1, 2)).of("conv")
    huge = Convolution((1, 9000, 9000, 1), (3, 3, 1, 1), (1, 9000, 9000, 1), (1, 1), ((1, 1), (1, 1)),
                       (1, 1), (1, 1), ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2)), 1, 1)  # fmt: skip
    with pytest.raises(ExperimentError, match="smaller picture"):
        layer_by_xla(walker.Layer("", "convolution", (), (), operation=huge))


def test_training_mode_dropout_and_other_streams_of_randomness():
    class Noisy(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            x = nn.BatchNorm(use_running_average=not train)(nn.Dense(4)(x))
            x = nn.Dropout(0.5, deterministic=not train)(x)
            return x + jax.random.normal(self.make_rng("noise"), x.shape)

    for train in (False, True):
        found = walk(Noisy(), shape(2, 3), streams=("params", "dropout", "noise"), train=train)
        assert (found.multiplications, found.parameters, found.statistics) == (24, 24, 8)


def test_the_example_of_the_docstring_runs(capsys):
    code = re.findall(r"^    (.*)$", walker.__doc__, re.MULTILINE)
    exec("\n".join(code), {})
    # 16 x 16 of 27 terms, and of 72.
    assert (
        capsys.readouterr().out.splitlines()[-1] == f"{256 * 27 * 8 + 256 * 72 * 16} [5336, 7296]"
    )


def test_inputs_are_not_computed_with():
    # A model for which arrays would not fit into memory.
    found = walk(nn.Dense(10**6), shape(10**6, 10**6))
    assert found.multiplications == 10**18
    assert isinstance(found.layers[0].multiplications, int)
    assert np.prod([10.0**6] * 3) == found.multiplications
