"""What is measured: programs and their search, modules without training, and populations of networks."""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import jax
import networkx as nx
import numpy as np

from experiments.graphs.symbolic_synthesis.controls import random_graph
from experiments.graphs.symbolic_synthesis.enumeration import Grammar, programs_by_length
from experiments.graphs.symbolic_synthesis.language import (
    PORTS,
    PRIMITIVES,
    Abstraction,
    Graph,
    Program,
    State,
    graph_of_program,
    interpret,
)
from experiments.graphs.symbolic_synthesis.matrices import matrices
from experiments.graphs.symbolic_synthesis.network import Encoder, GraphModule, padded, slices
from experiments.graphs.symbolic_synthesis.population import Task, population_fit
from experiments.graphs.symbolic_synthesis.rounds import PRIOR, Round, synthesise
from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.kits.costs import num_parameters
from experiments.kits.initialisation import initial_by_numpy

# So that random programs end, and some of them draw.
ODDS = {
    "identity": 0.5,
    "push": 2.0,
    "add": 2.0,
    "connect": 2.0,
    "next_port": 2.0,
    "func": 0.5,
    "if_positions_equal": 0.2,
}
LARGEST = {"max_nodes": 8, "max_edges": 9}
DIM = 64


@dataclasses.dataclass(frozen=True)
class SymbolicSynthesisConfig:
    """Sizes of all studies, for each seed.

    Args:
        programs: random ones that are run.
        expansions, turns: of the search.
        graphs: of the population, and as many random ones.
        runs: of each graph, with seeds of their own; as many runs without a graph in all.
        items: matrices to train on; the paper's 128.
        tests: matrices to test with; the paper's 1,200.
        epochs: the paper's 16.
        batch: the paper's 8.
        together: networks in one call of the compiled program.
    """

    programs: int = 10_000
    expansions: int = 10_000
    turns: int = 4
    graphs: int = 8
    runs: int = 3
    items: int = 128
    tests: int = 512
    epochs: int = 16
    batch: int = 8
    together: int = 8

    def __post_init__(self) -> None:
        check_types(self)
        require(self, programs=self.programs > 0, expansions=self.expansions >= 6000)
        require(self, turns=self.turns > 2, graphs=self.graphs > 1, runs=self.runs > 1)
        require(self, batch=self.batch > 0, items=self.items >= self.batch, tests=self.tests > 0)
        require(self, epochs=self.epochs > 0, together=self.together > 0)


class ProgramsResult(TypedDict):
    """Counted: states against the rules, drawings not connected, and how many were drawn on."""

    violations: int
    unconnected: int
    accepted: int
    most_nodes: int
    most_edges: int


def programs(config: SymbolicSynthesisConfig, trial: Trial) -> ProgramsResult:
    """Random programs: what the final states break, as networkx sees it."""
    found = {"violations": 0, "unconnected": 0, "accepted": 0, "most_nodes": 0, "most_edges": 0}
    generator = trial.generator
    for _ in range(config.programs):
        program = random_program(generator)
        state = interpret(program)
        graph = state.graph
        found["violations"] += _breaks_rules(state)
        found["unconnected"] += not nx.is_connected(graph.to_networkx())
        accepted = graph_of_program(program)
        if accepted is not None:
            found["violations"] += not nx.is_connected(accepted.to_networkx())
            found["accepted"] += 1
        found["most_nodes"] = max(found["most_nodes"], len(graph.nodes))
        found["most_edges"] = max(found["most_edges"], len(graph.edges))
    edge = interpret(Program.parse("push(add(connect(identity)))")).graph
    found["violations"] += edge != Graph((0, 1), ((2, 1, 0, 0),))
    return ProgramsResult(**found)  # type: ignore[typeddict-item] # spelt out above


def random_program(generator: np.random.Generator, *, most: int = 100) -> Program:
    """A program symbol by symbol by `ODDS`; once there are `most`, every argument is `identity`."""
    names = list(PRIMITIVES)
    odds = np.array([ODDS.get(name, 1.0) for name in names])
    drawn = iter(generator.choice(len(names), most, p=odds / odds.sum()))

    def term() -> Program:
        name = names[next(drawn, 0)]
        return Program(name, tuple(term() for _ in range(PRIMITIVES[name])))

    return term()


def _breaks_rules(state: State) -> bool:
    graph = state.graph
    ids = [*graph.nodes, *(edge[0] for edge in graph.edges)]
    taken = [(node, port) for _, u, v, port in graph.edges for node in (u, v)]
    parts = list(nx.connected_components(graph.to_networkx()))
    across = {
        (at, port): State(graph, at, port).across for _, u, v, port in graph.edges for at in (u, v)
    }
    return not (
        sorted(ids) == list(range(len(ids)))
        and len(set(taken)) == len(taken)
        and all(u != v and {u, v} <= set(graph.nodes) for _, u, v, _ in graph.edges)
        and all(across[other, port] == at for (at, port), other in across.items())
        and (len(parts) == 1 or (len(parts) == 2 and {state.cursor} in parts))
    )


class SearchResult(TypedDict):
    """Counted of the search: steps down in length, isomorphic pairs; of compression: graphs that changed.

    `by_turn` has new graphs, bits before and after compression, abstractions.
    """

    steps_down: int
    alike: int
    alike_without: int
    changed: int
    changed_without: int
    lengthened: int
    by_turn: list[list[float]]


def search(config: SymbolicSynthesisConfig, trial: Trial) -> SearchResult:
    """The search's order and its graphs, and what compression does to programs; nothing here is drawn."""
    turns = _turns(config)
    down = sum(a.bits > b.bits + 1e-9 for turn in turns for a, b in itertools.pairwise(turn.found))
    last = turns[-1]
    plain = itertools.islice(
        programs_by_length(Grammar.weighted(PRIOR), expansions=config.expansions), 200
    )
    # As it would be without comparing graphs: programs that end in different states.
    drawn = [each.graph for each in plain if len(each.graph.nodes) > 1 and not each.state.dangling]
    return {
        "steps_down": down,
        "alike": _isomorphic_pairs(last.graphs),
        "alike_without": _isomorphic_pairs(drawn),
        "changed": sum(_changed(turn, turn.library) for turn in turns),
        # Abstractions that stand for their arguments alone.
        "changed_without": sum(_changed(turn, _emptied(turn)) for turn in turns),
        "lengthened": sum(turn.after > turn.before for turn in turns),
        "by_turn": [
            [len(turn.found), turn.before, turn.after, len(turn.library)] for turn in turns
        ],
    }


@functools.cache
def _turns(config: SymbolicSynthesisConfig) -> tuple[Round, ...]:
    return synthesise(rounds=config.turns, expansions=config.expansions, **LARGEST)


def _isomorphic_pairs(graphs: Sequence[Graph]) -> int:
    drawn = [graph.to_networkx() for graph in graphs]
    return sum(nx.is_isomorphic(one, other) for one, other in itertools.combinations(drawn, 2))


def _changed(turn: Round, library: tuple[Abstraction, ...]) -> int:
    drawn = [graph_of_program(program, library=library) for program in turn.kept]
    return sum(
        graph is None or not nx.is_isomorphic(graph.to_networkx(), kept.to_networkx())
        for graph, kept in zip(drawn, turn.graphs, strict=True)
    )


def _emptied(turn: Round) -> tuple[Abstraction, ...]:
    return tuple(
        dataclasses.replace(each, body=Program("$0" if each.arity else "identity"))
        for each in turn.library
    )


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
        exact = {"dim": DIM, "num_nodes": len(graph.nodes), "num_edges": len(graph.edges)}
        small = padded(graph, dtype=np.float64, **exact)
        large = padded(graph, dim=DIM, num_nodes=9, num_edges=11, dtype=np.float64)
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


def population(config: SymbolicSynthesisConfig, trial: Trial) -> PopulationResult:
    """Networks of synthesised graphs, of random ones of equal size, and of none, each run its own seed."""
    generator = trial.generator
    graphs = _population(config, generator)
    randoms = [random_graph(generator, len(g.nodes), _links(g)) for g in graphs]
    drawn = matrices(generator, config.items + config.tests)
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
            sizes=(LARGEST["max_nodes"], LARGEST["max_edges"]),
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
    graphs = _turns(config)[-1].graphs
    places = generator.permutation(len(graphs))[: config.graphs]
    return [graphs[i] for i in sorted(places)]


def _links(graph: Graph) -> int:
    return graph.to_networkx().size()


STUDIES = Studies(
    configs={
        "quick": SymbolicSynthesisConfig(),
        "standard": SymbolicSynthesisConfig(
            expansions=100_000, turns=5, graphs=24, runs=4, tests=1200
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
        "population": population,
    },
    num_seeds=2,
    slow=("population",),
)  # fmt: skip
