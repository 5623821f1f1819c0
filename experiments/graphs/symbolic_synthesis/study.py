"""What is measured of networks: modules without training, and populations; programs are beside this."""

from collections.abc import Mapping
from typing import Any, TypedDict

import jax
import numpy as np

from experiments.graphs.symbolic_synthesis.controls import random_graph
from experiments.graphs.symbolic_synthesis.language import PORTS, Graph
from experiments.graphs.symbolic_synthesis.matrices import drawn_matrices
from experiments.graphs.symbolic_synthesis.network import Encoder, GraphModule, padded, slices
from experiments.graphs.symbolic_synthesis.population import Task, population_fit
from experiments.graphs.symbolic_synthesis.study_programs import (
    LARGEST,
    SymbolicSynthesisConfig,
    programs,
    search,
    turns_of,
)
from experiments.harness.study import Studies, Trial
from experiments.kits.costs import num_parameters
from experiments.kits.initialisation import initial_by_numpy

DIM = 64


class ModulesResult(TypedDict):
    """Deviations of slices from the vector, of layers from the dense formula, of padding; parameters."""

    slices: float
    released_slices: float
    dense: float
    padding: float
    unmasked: float
    parameters: list[int]


def modules(config: SymbolicSynthesisConfig, trial: Trial) -> ModulesResult:
    """Untrained modules in float64 on the population's graphs."""
    generator = trial.generator
    graphs = _population(config, generator)
    model = GraphModule()
    x = generator.normal(size=(3, DIM))
    worst = dict.fromkeys(("slices", "released_slices", "dense", "padding", "unmasked"), 0.0)
    parameters = []
    for graph in graphs:
        small, large = (
            padded(graph, dim=DIM, num_nodes=n, num_edges=e, dtype=np.float64)
            for n, e in ((len(graph.nodes), len(graph.edges)), (9, 11))
        )
        variables = initial_by_numpy(model, generator, x.astype(np.float32), small)
        parameters.append(num_parameters(variables))
        with jax.enable_x64(True):
            params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables)
            alone, among = (np.asarray(model.apply(params, x, g)) for g in (small, large))
            blind = large._replace(mask=np.ones_like(large.mask))  # type: ignore[arg-type]
            unmasked = np.asarray(model.apply(params, x, blind))
        formula = dense_formula(params["params"], x, graph)
        size = np.abs(formula).max()
        deviations = {
            "slices": _missing(x[0], graph, released=False),
            "released_slices": _missing(x[0], graph, released=True),
            "dense": np.abs(alone - formula).max() / size,
            "padding": np.abs(among - alone).max() / size,
            "unmasked": np.abs(unmasked - alone).max() / size,
        }
        worst = {name: max(worst[name], float(value)) for name, value in deviations.items()}
    return ModulesResult(**worst, parameters=parameters)  # type: ignore[typeddict-item] # as above


def _missing(x: np.ndarray, graph: Graph, *, released: bool) -> float:
    """The part of a vector that no element of the graph reads, or the deviation of what they do read."""
    parts = slices(DIM, graph.num_elements + released * len(graph.edges))[: graph.num_elements]
    joined = np.concatenate([x[part] for part in parts])
    whole = np.concatenate([joined, np.zeros(DIM - len(joined))])
    return float(np.linalg.norm(whole - x) / np.linalg.norm(x))


def dense_formula(
    params: Mapping[str, Any], x: np.ndarray, graph: Graph, *, depth: int = 3
) -> np.ndarray:
    """Outputs by an adjacency tensor: for each pair of nodes and port, whether and by which edge."""
    dim = x.shape[1]
    size = np.arange(dim)
    parts = slices(dim, graph.num_elements)
    tiled = {i: x[:, part.start + size % (part.stop - part.start)] for i, part in enumerate(parts)}
    rates = 10_000.0 ** -np.linspace(0, 1, dim // 4)

    def code(number: int, port: int) -> np.ndarray:
        waves = [wave(value * rates) for value in (number, port) for wave in (np.sin, np.cos)]
        return np.concatenate(waves)

    h = np.stack([tiled[node] + code(node, 0) for node in graph.nodes], axis=1)
    at = {node: i for i, node in enumerate(graph.nodes)}
    adjacency = np.zeros((len(at), len(at), PORTS))
    edges = np.zeros((len(x), len(at), len(at), PORTS, dim))
    for number, u, v, port in graph.edges:
        for i, j in ((at[u], at[v]), (at[v], at[u])):
            adjacency[i, j, port] = 1
            edges[:, i, j, port] = tiled[number] + code(number, port + 1)
    for layer in range(depth):
        sent = np.maximum(h[:, None, :, None] + edges, 0)
        h = h + np.einsum("ijp,bijpd->bid", adjacency, sent)
        h = h @ params[f"layer_{layer}"]["kernel"] + params[f"layer_{layer}"]["bias"]
    found: np.ndarray = h.mean(1) @ params["out"]["kernel"] + params["out"]["bias"]
    return found


class PopulationResult(TypedDict):
    """Accuracies, a row a graph and a column a run: (train, test) of graphs, random ones, none."""

    train: list[list[float]]
    test: list[list[float]]
    random_train: list[list[float]]
    random_test: list[list[float]]
    plain_train: list[float]
    plain_test: list[float]
    sizes: list[list[int]]


def trained_networks(config: SymbolicSynthesisConfig, trial: Trial) -> PopulationResult:
    """Networks of synthesised graphs, of random ones of equal size, and of none, each run its own seed."""
    generator = trial.generator
    graphs = _population(config, generator)
    randoms = [random_graph(generator, len(g.nodes), _links(g)) for g in graphs]
    drawn = drawn_matrices(generator, config.items + config.tests)
    labels = drawn.labels.astype(np.float32)
    cut = config.items
    task = Task(drawn.images[:cut], labels[:cut], drawn.images[cut:], labels[cut:])
    kinds: list[list[Graph | None]] = [[*graphs], [*randoms], [None] * len(graphs)]
    members = [graph for kind in kinds for graph in kind for _ in range(config.runs)]
    seeds = generator.integers(2**63, size=len(members))
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for start in range(0, len(members), config.together):
        trial.report("networks", start, len(members))
        some = slice(start, start + config.together)
        fitted = population_fit(
            Encoder(DIM),
            members[some],
            task,
            generators=[np.random.default_rng(int(seed)) for seed in seeds[some]],
            epochs=config.epochs,
            batch=config.batch,
            together=config.together,
            sizes=LARGEST,
        )
        parts.append((fitted.train, fitted.test))
    train, test = (
        np.concatenate(column).reshape(3, config.graphs, config.runs).astype(float)
        for column in zip(*parts, strict=True)
    )
    return {
        "train": train[0].tolist(),
        "test": test[0].tolist(),
        "random_train": train[1].tolist(),
        "random_test": test[1].tolist(),
        "plain_train": train[2].ravel().tolist(),
        "plain_test": test[2].ravel().tolist(),
        "sizes": [[len(g.nodes), len(g.edges)] for g in graphs],
    }


def _population(config: SymbolicSynthesisConfig, generator: np.random.Generator) -> list[Graph]:
    """As many graphs as are asked for, drawn among all that the search has found."""
    graphs = turns_of(config)[-1].graphs
    places = generator.permutation(len(graphs))[: config.graphs]
    return [graphs[i] for i in sorted(places)]


def _links(graph: Graph) -> int:
    return graph.to_networkx().size()


STUDIES = Studies(
    configs={
        "quick": SymbolicSynthesisConfig(),
        "standard": SymbolicSynthesisConfig(
            expansions=100_000, turns=5, graphs=24, runs=4, tests=1200, epochs=40
        ),
    },
    tiny=SymbolicSynthesisConfig(
        programs=300, expansions=6000, turns=3, graphs=3, runs=2, items=16, tests=32, epochs=2,
        together=6,
    ),
    functions={
        "programs": programs,
        "search": search,
        "modules": modules,
        "population": trained_networks,
    },
    num_seeds=2,
    slow=("population",),
)  # fmt: skip
