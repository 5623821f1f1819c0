"""Graphs of operators from any JAX function, against parameters as published and reads by hand."""

import jax
import jax.numpy as jnp
import pytest

from experiments.systems.op_fusion.graph import Op, OpGraph, Read, Tensor
from experiments.systems.op_fusion.networks import NETWORKS, network
from experiments.systems.op_fusion.tracing import trace
from ntkexec.errors import ExperimentError

F32 = jnp.float32


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, F32)


@pytest.mark.parametrize("name", ["squeezenet", "resnet-18", "mobilenet-v2"])
def test_traced_networks_hold_the_published_parameters(name):
    made = network(name)
    assert made.parameters == NETWORKS[name][2]
    assert sum(op.weights for op in made.graph.ops) == made.parameters - made.scales


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_all_traced_networks_hold_the_published_parameters(name):
    made = network(name)
    assert made.parameters == NETWORKS[name][2]
    assert sum(op.weights for op in made.graph.ops) == made.parameters - made.scales


def test_a_convolution_is_traced_with_its_window_and_its_bias_folded():
    def function(w, x):
        y = jax.lax.conv_general_dilated(
            x,
            w["k"],
            (2, 1),
            ((1, 2), (0, 0)),
            rhs_dilation=(2, 1),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return jax.nn.relu(y * w["s"] + w["b"])

    weights = {"k": shape(3, 1, 4, 8), "s": shape(1, 1, 1, 8), "b": shape(1, 1, 1, 8)}
    graph = trace(function, weights, shape(1, 20, 10, 4))
    conv, relu = graph.ops
    assert conv.reads == (Read(-1, kernel=5, stride=2, padding=1),)
    assert (conv.weights, conv.filters) == (3 * 4 * 8 + 8, 8)
    assert conv.output == Tensor(10, 10 * 8)
    assert relu.kind == "relu"
    assert relu.weights == 0
    assert graph.outputs == {1}


def test_a_map_is_not_folded_where_the_convolution_is_read_twice():
    def function(w, x):
        y = x @ w["k"]
        return y + (y + w["b"])

    graph = trace(function, {"k": shape(4, 8), "b": shape(1, 8)}, shape(1, 4))
    assert [op.kind for op in graph.ops] == ["dense", "add", "add"]
    assert [op.weights for op in graph.ops] == [32, 8, 0]


def test_rows_survive_reshapes_that_keep_them_and_no_others():
    def keeps(w, x):
        return jnp.tanh(x).reshape(1, 6, 12).transpose(1, 0, 2) * 2.0

    def mixes(w, x):
        return jnp.sin(jnp.tanh(x).reshape(1, 3, 24))

    kept = trace(keeps, {}, shape(1, 6, 4, 3)).ops[1]
    mixed = trace(mixes, {}, shape(1, 6, 4, 3)).ops[1]
    assert kept.reads == (Read(0),)
    assert kept.output == Tensor(6, 12)
    assert mixed.reads == (Read(0, whole=True),)
    assert mixed.output.size == 72


def test_attention_reads_its_own_row_of_queries_and_all_keys():
    def attention(w, x):
        q, k, v = x @ w["q"], x @ w["k"], x @ w["v"]
        return jax.nn.softmax(q @ k.swapaxes(1, 2)) @ v

    weights = {name: shape(8, 8) for name in "qkv"}
    graph = trace(attention, weights, shape(1, 5, 8))
    dots = [op for op in graph.ops if op.kind == "dot"]
    assert [[read.whole for read in op.reads] for op in dots] == [[False, True], [False, True]]
    assert sum(op.weights for op in graph.ops) == 3 * 64


def test_loops_and_sorts_are_operators_that_need_everything():
    def function(w, x):
        x = jnp.sort(x, axis=1)
        return jax.lax.scan(lambda c, row: (c + row, c * w), jnp.zeros(3), x[0])[1]

    graph = trace(function, shape(3), shape(1, 7, 3))
    kinds = {op.kind: op for op in graph.ops}
    assert kinds["scan"].reads[0].whole
    assert kinds["sort"].reads[0].whole
    assert kinds["scan"].weights == 3


def test_operators_without_effect_vanish_and_a_constant_function_is_refused():
    graph = trace(lambda w, x: (jnp.sin(x), jnp.cos(x))[0], {}, shape(1, 4, 2))
    assert [op.kind for op in graph.ops] == ["sin"]
    with pytest.raises(ExperimentError, match="depends on its inputs"):
        trace(lambda w, x: w, shape(3), shape(1, 4))


def test_a_graph_out_of_order_is_refused():
    with pytest.raises(ExperimentError, match="operator 0"):
        OpGraph((Op("op", Tensor(1, 1), (Read(0),)),), (), frozenset())
