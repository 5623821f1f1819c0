"""The space is counted and numbered exactly; weights are inherited by the rule and by no other."""

import itertools

import jax
import numpy as np
import pytest

from experiments.graphs.auto_gnn import ArchitectureSpace, Layer, build, inherit, transferable
from experiments.graphs.auto_gnn.space import OPTIONS
from experiments.kits.graph.convert import from_edges
from ntkexec.errors import ExperimentError

SPACE = ArchitectureSpace()
RING = np.stack(
    [
        np.arange(6),
        (np.arange(6) + 1) % 6,
    ],
    1,
)
GRAPH = from_edges(RING, np.ones((6, 5), np.float32))
BASE = Layer(8, "gat", 2, "sum", "identity", "relu")


def test_layers_and_architectures_are_counted_and_numbered_exactly():
    assert SPACE.per_layer == ArchitectureSpace(1).size == 14_112
    assert SPACE.size == 199_148_544 == 14_112**2
    assert ArchitectureSpace(3).size == 14_112**3
    generator = np.random.default_rng(0)
    for number in [0, SPACE.size - 1, *generator.integers(SPACE.size, size=2000).tolist()]:
        architecture = SPACE.decode(number)
        assert SPACE.encode(architecture) == number
        assert all(
            choice in OPTIONS[k] for layer in architecture for k, choice in layer._asdict().items()
        )
    one = ArchitectureSpace(1)
    assert len({one.decode(number) for number in range(one.size)}) == one.size
    assert SPACE.architecture(SPACE.candidate((BASE, BASE))) == (BASE, BASE)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ArchitectureSpace(0), "got 0 layers"),
        (lambda: ArchitectureSpace(options={"heads": (1,)}), "chosen by heads"),
        (lambda: ArchitectureSpace(options={**OPTIONS, "attention": ("gat", "dot")}), "not 'dot'"),
        (lambda: SPACE.encode((BASE,)), "takes 6 decisions"),
        (lambda: build((), 3), "without layers"),
        (lambda: build((BASE._replace(hidden=256, heads=32),), 3), "layer 0 is 32 heads of 256"),
    ],
)
def test_what_is_no_architecture_is_refused(call, words):
    with pytest.raises(ExperimentError, match=words):
        call()


def params(architecture, batch_norm=False):
    model = build(architecture, 3, batch_norm=batch_norm)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), GRAPH))
    return shapes["params"]


def brute(old, new):
    """By the definition: shapes written out by hand from the choices, not read off the network."""

    def shapes(architecture, place):
        layer, width = architecture[place], 5
        for before in architecture[:place]:
            width = before.hidden * before.heads
        last = place == len(architecture) - 1
        inner = 3 if last else layer.hidden
        joined = inner if last else inner * layer.heads
        found = [("value", width, inner * layer.heads), ("bias", joined)]
        matrix, vector = (width, inner * layer.heads), (layer.heads, inner)
        found += {
            "const": [],
            "gcn": [],
            "gat": [("left", vector), ("right", vector)],
            "sym-gat": [("left", vector), ("right", vector)],
            "cos": [("left", matrix), ("right", matrix)],
            "linear": [("left", matrix)],
            "gene-linear": [("left", matrix), ("right", matrix), ("mixer", vector)],
        }[layer.attention]
        return found + ([("mlp", joined)] if layer.combine == "mlp" else [])

    return [
        old[place].attention == new[place].attention
        and old[place].activation == new[place].activation
        and shapes(old, place) == shapes(new, place)
        for place in range(len(new))
    ]


def test_a_layer_is_inherited_if_shapes_attention_and_activation_are_the_same():
    changes = [{}, {"hidden": 4}, {"heads": 4}, {"hidden": 4, "heads": 4}, {"aggregate": "max"},
               {"combine": "mlp"}, {"activation": "elu"}, {"attention": "sym-gat"},
               {"attention": "cos"}, {"attention": "gcn"}]  # fmt: skip
    pool = [(BASE._replace(**change), BASE) for change in changes]
    pool += [(BASE, BASE._replace(**change)) for change in changes[1:]]
    known = {architecture: params(architecture) for architecture in pool}
    decided = set()
    for old, new in itertools.product(pool, pool):
        told = transferable(old, new, known[old], known[new])
        assert [each.inherited for each in told] == brute(old, new), (old, new)
        decided |= {(each.inherited, each.reason.partition(" ")[0]) for each in told}
    assert {reason for _, reason in decided} >= {"all", "attention", "activation", "value/kernel"}


def test_an_offspring_like_its_ancestor_inherits_all_but_connections_and_hears_why():
    one, other = params((BASE, BASE), batch_norm=True), params((BASE, BASE), batch_norm=True)
    taken, told = inherit((BASE, BASE), (BASE, BASE), one, other)
    decided = {each.part: each for each in told}
    assert {part: each.inherited for part, each in decided.items()} == {
        "layer_0": True, "layer_1": True, "norm_0": False,
    }  # fmt: skip
    assert taken["layer_0"] is one["layer_0"]
    assert taken["norm_0"] is other["norm_0"]
    assert "never inherited" in decided["norm_0"].reason
    narrow = (BASE._replace(hidden=4), BASE)
    reasons = [each.reason for each in transferable((BASE, BASE), narrow, one, params(narrow))]
    assert "attention was (2, 8) and is (2, 4)" in reasons
    with pytest.raises(ExperimentError, match="'head_0' is no part"):
        transferable((BASE,), (BASE,), {}, {"head_0": {}})
    for old, new in (((BASE,), (BASE, BASE)), ((BASE, BASE), (BASE,))):
        with pytest.raises(ExperimentError, match=f"have {len(new)} and {len(old)} layers"):
            transferable(old, new, params(old), params(new))
