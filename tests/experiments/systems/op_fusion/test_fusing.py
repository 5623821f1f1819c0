"""Plans of JAX functions: what they say, against costs by hand and all partitions; and refusals."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import pytest

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.exact import OutOfReachError
from experiments.systems.op_fusion.fusing import fuse
from experiments.systems.op_fusion.graph import as_group
from experiments.systems.op_fusion.search import SEARCHES
from experiments.systems.op_fusion.selectors import SPLITTERS
from experiments.systems.op_fusion.tracing import trace
from ntkexec.errors import ExperimentError


def shape(*sizes, dtype="float32"):
    return jax.ShapeDtypeStruct(sizes, dtype)


def block(w, x):
    """A transformer block without heads."""
    normal = jax.nn.standardize(x)
    q, k, v = (normal @ w[name] for name in "qkv")
    x = x + jax.nn.softmax(q @ k.swapaxes(1, 2)) @ v
    return x + jax.nn.gelu(x @ w["up"]) @ w["down"]


WEIGHTS = {**{name: shape(32, 32) for name in "qkv"}, "up": shape(32, 64), "down": shape(64, 32)}
X = shape(1, 64, 32)


def test_two_maps_are_fused_if_the_buffer_holds_both_and_not_one_byte_less():
    def two(w, x):
        return jnp.tanh(x @ w["a"]) @ w["b"]

    weights = {"a": shape(8, 16), "b": shape(16, 4)}
    # Three operators on rows of 8, 16, 16, 4 numbers; a row of each tensor is on chip.
    memory = 4 * (8 * 16 + 16 * 4 + 8 + 16 + 16 + 4)
    apart = 4 * (8 * 16 + 5 * (8 + 16) + 2 * 5 * 16 + 16 * 4 + 5 * (16 + 4))
    plan = fuse(two, weights, shape(1, 5, 8), buffer=memory + 1)
    (group,) = plan.groups
    assert (group.operators, group.kinds) == ((0, 1, 2), ("dense", "tanh", "dense"))
    assert group.memory == memory
    assert (plan.before, plan.after) == (apart, 4 * (8 * 16 + 5 * 8 + 16 * 4 + 5 * 4))
    assert plan.after == plan.optimum
    assert plan.valid
    assert plan.saving == 1 - plan.after / apart
    split = fuse(two, weights, shape(1, 5, 8), buffer=memory)
    (border,) = split.borders
    assert len(split.groups) == 2
    assert border.memory == memory
    assert border.saving == split.after - plan.after
    assert f"{memory:,} bytes, which do not fit" in border.reason
    # Halves of the numbers' size halve everything.
    half = jax.tree.map(lambda leaf: shape(*leaf.shape, dtype="bfloat16"), weights)
    small = fuse(two, half, shape(1, 5, 8, dtype="bfloat16"), buffer=memory // 2 + 1)
    assert (2 * small.after, 2 * small.before) == (plan.after, plan.before)


@pytest.mark.parametrize("search", SEARCHES)
def test_every_search_and_way_to_name_edges_gives_a_valid_plan_no_better_than_the_optimum(search):
    best = fuse(block, WEIGHTS, X, buffer=16 * 1024)
    assert (best.search, best.explainer) == ("exact", "none")
    for explainer in SPLITTERS:
        plan = fuse(
            block, WEIGHTS, X, buffer=16 * 1024, search=search, explainer=explainer, plans=20
        )
        assert plan.valid
        assert plan.optimum == best.after <= plan.after < plan.before
        assert all(group.reason for group in plan.groups)


def test_the_order_of_groups_can_be_executed_and_no_pair_of_the_optimum_could_be_merged_for_less():
    plan = fuse(block, WEIGHTS, X, buffer=16 * 1024)
    place = {v: at for at, group in enumerate(plan.groups) for v in group.operators}
    assert all(place[u] <= place[v] for u, v in plan.graph.edges if u in place and v in place)
    cost = CostModel(plan.graph, "lbdf", plan.buffer, element_bytes=4)
    for border in plan.borders:
        one, other = (as_group(plan.groups[at].operators) for at in border.groups)
        assert border.memory == cost(one | other).memory
        fits = "would fit" in border.reason
        assert not fits or border.saving == 0


def test_a_plan_says_itself_in_words_and_as_data():
    plan = fuse(block, WEIGHTS, X, buffer=16 * 1024)
    text = str(plan)
    for said in (f"DRAM {plan.after:,} bytes", "valid: yes", "dot", "0|1: "):
        assert said in text
    found = json.loads(json.dumps(plan.to_data()))
    assert found["after"] == plan.after == sum(group["dram"] for group in found["groups"])
    assert found["valid"]
    broken = dataclasses.replace(plan, problem="the groups wait for each other in a circle")
    assert not broken.valid
    assert "valid: the groups wait" in str(broken)


def test_weights_are_the_first_of_several_arguments_or_those_that_are_named():
    def late(x, w):
        return jnp.tanh(x @ w)

    expected = trace(lambda w, x: jnp.tanh(x @ w), shape(8, 8), shape(1, 5, 8))
    plan = fuse(late, shape(1, 5, 8), shape(8, 8), buffer=10_000, weights=[1])
    assert plan.graph == expected
    closed_over = jnp.ones((8, 8))
    closed = fuse(lambda x: jnp.tanh(x @ closed_over), shape(1, 5, 8), buffer=10_000)
    assert closed.graph == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"search": "greedy"}, "search cannot be 'greedy', but best, exact, random"),
        ({"explainer": "shap"}, "explainer cannot be 'shap', but none, all edges"),
        ({"fusion": "row"}, "no fusion type 'row'"),
        ({"buffer": -3}, "a buffer of -3 bytes"),
        ({"buffer": 4}, "4 bytes holds no operator: the smallest needs more than"),
        ({"buffer": "64 KB"}, "a number of bytes, and '64 KB' is none"),
        ({"plans": 0}, "cannot look at 0 plans"),
        ({"plans": 2.5}, "cannot look at 2.5 plans"),
        ({"weights": [2]}, "argument 2 cannot be weights: there are 2 arguments"),
        ({"element_bytes": 0}, "a number cannot have 0 bytes"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(options, said):
    with pytest.raises(ExperimentError, match=said):
        fuse(block, WEIGHTS, X, **{"buffer": 16 * 1024, **options})


@pytest.mark.slow
def test_many_parallel_branches_are_searched_and_the_exact_search_says_that_it_cannot():
    def wide(x):
        return sum(jnp.tanh(x * float(i)) for i in range(1, 20))

    plan = fuse(wide, shape(1, 4, 2), buffer=10_000, plans=3)
    assert (plan.search, plan.optimum, plan.valid) == ("local", None, True)
    assert "optimum out of reach" in str(plan)
    with pytest.raises(OutOfReachError, match="parallel branches"):
        fuse(wide, shape(1, 4, 2), buffer=10_000, search="exact")
