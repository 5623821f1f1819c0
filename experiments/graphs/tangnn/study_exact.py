"""What is measured exactly: special cases, numbering of nodes, the auxiliary vector, reach and costs."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.graphs.tangnn.layers import TANGNNLayer
from experiments.graphs.tangnn.network import TANGNN, Variant, auxiliary_rules
from experiments.graphs.tangnn.selection import cosines, looked_away
from experiments.graphs.tangnn.study_config import TangnnConfig
from experiments.harness.study import Trial
from experiments.kits.costs import cost
from experiments.kits.graph.convert import from_edges
from experiments.kits.graph.equivariance import equivariance_error
from experiments.kits.graph.operators import dense, normalised
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.runtime.precision import float64

Deviations = dict[str, dict[str, float]]
"""Of each identity, relative to what is compared: "kept", and "broken" with a premise taken out."""
NODES, WIDTH, FEATURES = 24, 8, 6


def _drawn(generator: np.random.Generator) -> GraphsTuple:
    """A ring with eight chords, so that all have one shape, in float64."""
    ring = np.stack([np.arange(NODES), (np.arange(NODES) + 1) % NODES], 1)
    pairs = np.stack(np.triu_indices(NODES, 2), 1)[1:]
    chords = generator.choice(pairs[pairs.sum(1) != NODES - 1], 8, replace=False)
    edges = np.concatenate([ring, chords])
    return from_edges(edges, generator.normal(size=(NODES, FEATURES)))


@functools.cache
def _applied(model: TANGNN) -> Any:
    """Logits, and whether a selection of any layer was tied."""

    def apply(variables: Any, graph: GraphsTuple) -> tuple[jax.Array, list[Any]]:
        logits, told = model.apply(variables, graph, mutable=["intermediates"])
        flat, _ = jax.tree_util.tree_flatten_with_path(told)
        return logits, [leaf for path, leaf in flat if "tied" in jax.tree_util.keystr(path)]

    return jax.jit(apply)


@functools.cache
def _slopes(model: TANGNN) -> Any:
    def loss(params: Any, graph: GraphsTuple, target: Any) -> jax.Array:
        return jnp.square(model.apply({"params": params}, graph) - target).mean()

    return jax.jit(jax.grad(loss))


def _variables(model: Any, generator: np.random.Generator, *inputs: Any) -> Any:
    found = initial_by_numpy(model, generator, *inputs, rules=auxiliary_rules())
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), found)


def _apart(wanted: Any, found: Any) -> float:
    """The largest difference over the largest number."""
    wanted = np.asarray(wanted)
    return float(np.abs(wanted - np.asarray(found)).max() / np.abs(wanted).max())


def special_cases(config: TangnnConfig, trial: Trial) -> Deviations:
    """All nodes selected, none, a bias for the attended half, scores in other units; in float64."""
    generator = trial.generator
    graph = _drawn(generator)
    x, mean = np.asarray(graph.nodes), dense(normalised(graph, how="mean", self_loops=False))
    kept, broken = {}, {}
    with float64():
        layers = {m: TANGNNLayer(WIDTH, m, "random", heads=2) for m in (0, NODES - 1, NODES)}
        variables = _variables(layers[NODES], generator, x, graph)
        parts = variables["params"]
        found = {m: np.asarray(layer.apply(variables, x, graph)) for m, layer in layers.items()}
        wanted = _attention(x @ parts["rows"]["embed"]["kernel"], parts["attention"], heads=2).mean(
            0
        )
        kept["m = n is full attention"] = _apart(wanted, found[NODES][0, WIDTH:])
        broken["m = n is full attention"] = _apart(wanted, found[NODES - 1][0, WIDTH:])
        near = x
        for step in ("first", "second"):
            own, around = parts["near"][step]["own"], parts["near"][step]["around"]
            near = near @ own["kernel"] + own["bias"] + mean @ near @ around["kernel"]
            near = np.maximum(near, 0)
        sage = np.concatenate([near, np.zeros((NODES, WIDTH))], 1)
        kept["m = 0 is SAGE"] = _apart(sage, found[0])
        broken["m = 0 is SAGE"] = _apart(sage, found[NODES])
        constant = {**parts, "constant": found[NODES][0, WIDTH:]}
        fixed = layers[NODES].clone(attended=0.0, constant=1.0)
        for part, rows in ((kept, x), (broken, generator.normal(size=x.shape))):
            attended = layers[NODES].apply(variables, rows, graph)
            part["a bias in one graph"] = _apart(
                attended, fixed.apply({"params": constant}, rows, graph)
            )
        a = generator.normal(size=FEATURES)

        def scored(rows: Any, vector: Any) -> np.ndarray:
            return np.asarray(cosines(rows, vector))

        scores = scored(x, a)
        kept["units"] = _apart(scores, scored(3.7 * x, 0.013 * a))
        broken["units"] = _apart(scores, scored(3.7 * x, -0.013 * a))
    return {"kept": kept, "broken": broken}


def _attention(rows: np.ndarray, parts: Any, *, heads: int) -> np.ndarray:
    """The block of attention, node by node of one graph, in NumPy."""

    def linear(values: np.ndarray, name: str) -> np.ndarray:
        made: np.ndarray = values @ parts[name]["kernel"] + parts[name]["bias"]
        return made

    def norm(values: np.ndarray, name: str) -> np.ndarray:
        centred = values - values.mean(1, keepdims=True)
        scaled = centred / np.sqrt(centred.var(1, keepdims=True) + 1e-5)
        made: np.ndarray = scaled * parts[name]["scale"] + parts[name]["bias"]
        return made

    query, key, value = (
        linear(rows, name).reshape(len(rows), heads, -1) for name in ("query", "key", "value")
    )
    mixed = np.zeros_like(query)
    for head in range(heads):
        scores = query[:, head] @ key[:, head].T / np.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(1, keepdims=True))
        mixed[:, head] = shares / shares.sum(1, keepdims=True) @ value[:, head]
    rows = norm(rows + linear(mixed.reshape(len(rows), -1), "out"), "LayerNorm_0")
    inner = np.maximum(linear(rows, "wide"), 0)
    return norm(rows + linear(inner, "narrow"), "LayerNorm_1")


def numbering(config: TangnnConfig, trial: Trial) -> Deviations:
    """Whether logits of nodes follow when nodes are numbered otherwise: variants, and released scripts.

    Graphs with a tied selection are drawn anew; how many is recorded, in all.
    """
    generator, ties = trial.generator, 0
    found: Deviations = {"kept": {}, "broken": {}}
    variants: tuple[Variant, ...] = ("base", "FLC", "NAI", "public_tiled", "public_tiled_LC")
    with float64():
        for variant in variants:
            model = TANGNN(3, hidden=WIDTH, m=5, variant=variant)
            tied = True
            while tied:
                graph = _drawn(generator)
                variables = _variables(model, generator, graph)
                tied = any(map(bool, _applied(model)(variables, graph)[1]))
                ties += tied

            def logits(graph: GraphsTuple, model: TANGNN = model, given: Any = variables) -> Any:
                return _applied(model)(given, graph)[0]

            part = "broken" if variant.startswith("public") else "kept"
            found[part][variant] = equivariance_error(logits, graph, generator)
    return {**found, "ties": {"number": float(ties)}}


def auxiliary(config: TangnnConfig, trial: Trial) -> Deviations:
    """The gradient that reaches the auxiliary vector, and what looking away leaves along the mean."""
    generator = trial.generator
    graph = _drawn(generator)
    found: Deviations = {"kept": {}, "broken": {}}
    target = generator.normal(size=(NODES, 3))
    with float64():
        learn, hard = (TANGNN(3, hidden=WIDTH, m=5, mode=mode) for mode in ("learn", "random"))
        variables = _variables(learn, generator, graph)
        for part, model in (("kept", hard), ("broken", learn)):
            slopes = _slopes(model)(variables["params"], graph, target)
            sizes = [abs(slopes[f"layer_{i}"]["top"]["auxiliary"]).max() for i in (0, 1)]
            found[part]["gradient"] = float(max(sizes) if part == "kept" else min(sizes))
        a, mean = generator.normal(size=(2, FEATURES))
        length = float(np.linalg.norm(mean))
        turned = np.asarray(looked_away(a, mean))
    released = a - (a @ mean) * mean
    size = np.linalg.norm(released)
    found["kept"]["projection"] = float(abs(turned @ mean)) / length
    found["kept"]["length"] = abs(float(np.linalg.norm(turned)) - 1)
    closed = (a @ mean) * (1 - length**2) / size
    found["kept"]["released in closed form"] = abs(float(released @ mean / size - closed)) / length
    found["broken"]["projection"] = abs(float(released @ mean / size)) / length
    return found


@functools.cache
def _ranked(model: TANGNN) -> Any:
    def apply(variables: Any, attended: Any, graph: GraphsTuple, ranks: Any) -> Any:
        return model.clone(attended=attended).apply(variables, graph, ranks=ranks)

    return jax.jit(apply)


def reach(config: TangnnConfig, trial: Trial) -> Deviations:
    """How far outputs move, beyond four hops of a node whose feature is flipped, if it is selected or not."""
    generator, n = trial.generator, 30
    ring = np.stack([np.arange(n), (np.arange(n) + 1) % n], 1)
    x = generator.normal(size=(n, FEATURES))
    flipped = x.copy()
    flipped[0] *= -1
    far = np.minimum(np.arange(n), n - np.arange(n)) > 4
    places = {"selected": np.array([0, 12, 15]), "not selected": np.array([10, 12, 15])}
    found: Deviations = {"kept": {}, "broken": {}}
    with float64():
        graphs = [from_edges(ring, features) for features in (x, flipped)]
        model = TANGNN(3, hidden=WIDTH, m=3)
        variables = _variables(model, generator, graphs[0])

        def moved(place: str, attended: float = 1.0) -> float:
            ranks = np.zeros(n)
            ranks[places[place]] = 1
            one, other = (
                np.asarray(_ranked(model)(variables, attended, graph, ranks)) for graph in graphs
            )
            return float(abs(one - other)[far].max())

        found["kept"]["not selected"] = moved("not selected")
        found["kept"]["GraphSAGE"] = moved("selected", 0.0)
        found["broken"]["selected"] = moved("selected")
    return found


def costs(config: TangnnConfig, trial: Trial) -> dict[str, Any]:
    """Operations and memory of one pass by number of nodes, as XLA counts them; the same for all seeds."""
    return _costs(config.cost_nodes)


@functools.cache
def _costs(sizes: tuple[int, ...]) -> dict[str, Any]:
    models = {"top": 32, "full": None, "released LC": 32}
    operations: dict[str, list[float]] = {name: [] for name in models}
    memory: dict[str, list[int]] = {"top": [], "released LC": []}
    for n in sizes:
        edges = np.concatenate(
            [np.stack([np.arange(n), (np.arange(n) + k) % n], 1) for k in (1, 2)]
        )
        graph = from_edges(edges, np.zeros((n, 64), np.float32))
        for name, m in models.items():
            variant: Variant = "public_tiled_LC" if name.startswith("released") else "base"
            model = TANGNN(3, m=m or n, variant=variant)
            shapes = jax.eval_shape(functools.partial(model.init, jax.random.key(0)), graph)
            lowered = jax.jit(model.apply).lower(shapes, graph)
            operations[name].append(float((lowered.cost_analysis() or {})["flops"]))
            if name != "full" and n in (sizes[0], sizes[-1]):
                memory[name].append(cost(lowered.compile()).temporary_bytes)
    return {"nodes": list(sizes), "operations": operations, "memory": memory}
