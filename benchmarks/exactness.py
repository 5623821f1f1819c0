"""How many answers are wrong: every algorithm on every family of graphs, whole answers compared.

A graph with one wrong node is wrong. Bits count every bit of every node in every step, against the
program. `python -m benchmarks exactness` runs all families, in hours;
`python -m benchmarks.exactness` measures the lines that the table in docs/exactness.md lacks, and
writes each when it is known, so that it goes on where it was stopped.
"""

import argparse
import dataclasses
import functools
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import networkx as nx
import numpy as np

from ntkexec import ensemble, executor, graphs, pipeline
from ntkexec.ensemble import EnsembleConfig
from ntkexec.programs import Instance
from ntkexec.programs.graph import bellman_ford, bfs, bfs_queue, dfs, flooding
from ntkexec.runtime import files
from ntkexec.theory.certificate import Certificate

Case = tuple[nx.Graph, Any]
"""A graph and its source."""

# Random weights for Bellman-Ford.
WEIGHTS = (1, 9)
# Nodes of one batch, at most; a larger graph is a batch of its own.
BATCH_NODES = 30_000
# What the certificate allows for: probability of an error, in so many decided bits.
DELTA, DECISIONS = 1e-3, 10**9


def prepare(algorithm: str, batch: graphs.Graph, sources: list[int]) -> Instance:
    """The instance of an algorithm on a batch."""
    if algorithm == "flooding":
        return flooding.instance(batch, sources=sources, message=flooding.Message.parse("1011"))
    if algorithm == "dfs-forest":
        return dfs.forest_instance(batch)
    modules: dict[str, Any] = {
        "bfs": bfs,
        "bfs-queue": bfs_queue,
        "dfs": dfs,
        "bellman-ford": bellman_ford,
    }
    return modules[algorithm].instance(batch, sources=sources)


ALGORITHMS = ("flooding", "bfs", "bfs-queue", "dfs", "dfs-forest", "bellman-ford")


# Families.


def atlas() -> Iterator[Case]:
    """Every connected graph of up to seven nodes, from every source."""
    for graph in nx.graph_atlas_g()[1:]:
        if nx.is_connected(graph):
            yield from ((graph, source) for source in graph)


def random_graphs(number: int, max_nodes: int = 30, max_degree: int = 5) -> Iterator[Case]:
    """Random graphs of bounded degree, half of them connected, from a random source."""
    rng = np.random.default_rng(0)
    for index in range(number):
        num_nodes, degree = int(rng.integers(1, max_nodes + 1)), 2 + index % (max_degree - 1)
        graph = graphs.generators.samplers.random_bounded(
            num_nodes, degree, rng, connected=bool(index % 2)
        )
        yield graph, int(rng.integers(num_nodes))


def classical() -> Iterator[Case]:
    """Grids, paths, stars, complete graphs, trees, cliques with tails, from three sources each."""
    specs = (
        "grid:8x9",
        "path:40",
        "star:12",
        "complete:9",
        "cycle:25",
        "hypercube:4",
        "tree:n=60,seed=1",
    )
    found = [graphs.load(spec).to_networkx() for spec in specs]
    found += [nx.lollipop_graph(clique, 12) for clique in (4, 7, 10)]
    for graph in map(nx.convert_node_labels_to_integers, found):
        yield from ((graph, source) for source in (0, len(graph) // 2, len(graph) - 1))


def real() -> Iterator[Case]:
    """The social networks that come with networkx, from three sources each."""
    for name in ("karate", "les-miserables", "florentine", "davis"):
        graph = nx.convert_node_labels_to_integers(graphs.load(name).to_networkx())
        yield from ((graph, source) for source in (0, len(graph) // 2, len(graph) - 1))


def road(num_nodes: int = 2000) -> Iterator[Case]:
    """A planar graph like a road map: neighbours in a random triangulation, short edges only."""
    from scipy.spatial import Delaunay

    points = np.random.default_rng(0).random((num_nodes, 2))
    pairs = np.concatenate([Delaunay(points).simplices[:, p] for p in ([0, 1], [1, 2], [2, 0])])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    length = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    graph: nx.Graph = nx.empty_graph(num_nodes)
    # The shortest way to be connected, and the shorter half of the rest where there is room.
    weighted = nx.Graph()
    weighted.add_weighted_edges_from(
        (int(u), int(v), w) for (u, v), w in zip(pairs, length, strict=True)
    )
    graph.add_edges_from(nx.minimum_spanning_edges(weighted, data=False))
    for u, v in pairs[np.argsort(length)][: len(pairs) // 2].tolist():
        if max(graph.degree(u), graph.degree(v)) < 4:
            graph.add_edge(u, v)
    yield graph, 0


def sized(num_nodes: int, number: int = 100) -> Iterator[Case]:
    """Connected random graphs of one size and degree 4."""
    rng = np.random.default_rng(num_nodes)
    for _ in range(number):
        yield (
            graphs.generators.samplers.random_bounded(num_nodes, 4, rng, connected=True),
            int(rng.integers(num_nodes)),
        )


FAMILIES: dict[str, Callable[[], Iterator[Case]]] = {
    "atlas, all sources": atlas,
    "random, n <= 30, D <= 5": functools.partial(random_graphs, 10_000),
    "classical": classical,
    "real": real,
    "road": road,
    **{f"n = {n}": functools.partial(sized, n) for n in (16, 80, 160, 800, 1600)},
    "random, n <= 12, D <= 3": functools.partial(random_graphs, 200, 12, 3),
}
TRAINED = "random, n <= 12, D <= 3"


# Running.


def batches(cases: Iterator[Case], weighted: bool) -> Iterator[tuple[graphs.Graph, list[int]]]:
    """Batches of cases, and the sources as indices into them; with random weights if wanted."""
    rng = np.random.default_rng(1)
    parts: list[graphs.Graph] = []
    starts: list[int] = []

    def batch() -> tuple[graphs.Graph, list[int]]:
        joined = graphs.batch(parts)
        return joined, [p.start + s for p, s in zip(joined.node_ranges(), starts, strict=True)]

    for graph, source in cases:
        if weighted:
            graph = graph.copy()
            nx.set_edge_attributes(
                graph,
                {e: int(rng.integers(WEIGHTS[0], WEIGHTS[1] + 1)) for e in graph.edges},
                "weight",
            )
        # A graph without edges has no weights either.
        part = graphs.from_networkx(graph, weight="weight" if weighted and graph.edges else None)
        if weighted and not graph.edges:
            continue
        if parts and sum(p.num_nodes for p in parts) + part.num_nodes > BATCH_NODES:
            yield batch()
            parts.clear()
            starts.clear()
        parts.append(part)
        starts.append(source)
    if parts:
        yield batch()


@dataclasses.dataclass
class Tally:
    """What came out on a family."""

    graphs: int = 0
    nodes: int = 0
    wrong_graphs: int = 0
    wrong_bits: int = 0
    decided_bits: int = 0
    most_steps: int = 0
    most_matches: int = 0
    smallest_margin: float = float("inf")
    covered: bool = True


def judge(instance: Instance, engine: Any, certificate: Certificate, tally: Tally) -> None:
    """Executes an instance, compares the answers, and adds to the tally."""
    found = executor.execute(
        engine,
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps,
        until=instance.until,
        halt=instance.halt if instance.until == "halt" else None,
    )
    answer, expected = instance.decode(found.states), instance.reference()
    wrong = np.zeros(instance.graph.num_nodes, bool)
    for field, values in expected.items():
        wrong |= answer[field] != values
    parts = instance.graph.node_ranges()
    checked = found.verification
    assert checked is not None
    tally.graphs += len(parts)
    tally.nodes += instance.graph.num_nodes
    tally.wrong_graphs += sum(bool(wrong[part.start : part.stop].any()) for part in parts)
    tally.wrong_bits += checked.wrong_bits
    written = int((instance.program.num_writers > 0).sum())
    tally.decided_bits += written * instance.graph.num_nodes * found.steps
    tally.most_steps = max(tally.most_steps, found.steps)
    tally.most_matches = max(tally.most_matches, int(checked.largest_matches.max()))
    tally.smallest_margin = min(tally.smallest_margin, checked.smallest_margin)
    tally.covered &= certificate.covers(checked.largest_matches)


@functools.lru_cache(maxsize=32)
def engine_for(name: Any, program: Any, seed: int) -> tuple[Any, Certificate]:
    """The engine for a program; an ensemble as large as the certificate says."""
    certificate = pipeline.certify(program, delta=DELTA, num_decisions=DECISIONS)
    networks = None
    if name == "ensemble":
        config = EnsembleConfig(
            members=certificate.ensemble_size(delta=DELTA, num_decisions=DECISIONS),
            width=pipeline.default_width(certificate),
            seed=seed,
        )
        networks = ensemble.train(certificate.problem, config)
    return pipeline.make_engine(name, certificate, networks), certificate


def one(
    algorithm: str, family: str, cases: Iterator[Case], *, engine: str = "kernel", seed: int = 0
) -> dict[str, Any]:
    """A line of the table."""
    tally, start = Tally(), time.perf_counter()
    for batch, sources in batches(cases, weighted=algorithm == "bellman-ford"):
        instance = prepare(algorithm, batch, sources)
        judge(instance, *engine_for(engine, instance.program, seed), tally)
    head = {"algorithm": algorithm, "family": family, "engine": engine, "seed": seed}
    return head | dataclasses.asdict(tally) | {"seconds": time.perf_counter() - start}


@dataclasses.dataclass(frozen=True)
class Row:
    """What a line of the table measures."""

    algorithm: str
    family: str
    engine: str = "kernel"
    seed: int = 0

    @property
    def head(self) -> tuple[str, str, str]:
        """The first cells of its line."""
        engine = self.engine if self.engine == "kernel" else f"{self.engine}, seed {self.seed}"
        return self.algorithm, self.family, engine

    def measure(self) -> dict[str, Any]:
        """Runs every case of the family."""
        cases = FAMILIES[self.family]()
        return one(self.algorithm, self.family, cases, engine=self.engine, seed=self.seed)


def plan() -> list[Row]:
    """Every algorithm on every family with the kernel engine, then trained ensembles."""
    kernel = [
        Row(algorithm, family)
        for algorithm in ALGORITHMS
        for family in FAMILIES
        # The token passes the tree once for each of its levels: an hour and more.
        if family != TRAINED and (algorithm, family) != ("bfs-queue", "n = 1600")
    ]
    trained = [
        Row(algorithm, TRAINED, "ensemble", seed) for algorithm in ALGORITHMS for seed in range(3)
    ]
    return kernel + trained


def run() -> dict[str, Any]:
    """All lines of the table."""
    rows = []
    for row in plan():
        rows.append(row.measure())
        print(rows[-1], file=sys.stderr, flush=True)
    return {"rows": rows}


PAGE = pathlib.Path(__file__).parents[1] / "docs" / "exactness.md"
INTRODUCTION = """# How many answers are wrong

Written by `python -m benchmarks.exactness`. Every algorithm ran on every family of graphs; answers are
compared whole with a reference that is independent of the programs, so a graph with one wrong node
counts as wrong. *Bits* are all bits of all nodes in all steps, each compared with the program's own.
*Margin* is the smallest distance of a prediction to its threshold, *m* the most templates that any
learning problem matched at once; the certificate covers all of them, for all states. The kernel engine
is the mean of infinitely many infinitely wide networks; ensembles are trained, as large as their
certificate asks for, one for each seed.

Random graphs have sources and, for Bellman-Ford, weights from 1 to 9 at random; graphs without edges
are left out there. *Road* is a planar graph of 2,000 nodes with short edges; *real* are karate, les
misérables, the florentine families and davis' southern women; *classical* are grids, paths, stars,
complete graphs, trees, and cliques with tails. Graphs of one size are connected, of degree at most 4.
The search with a queue skips n = 1600.
"""
COLUMNS = (
    "algorithm",
    "graphs",
    "engine",
    "number",
    "nodes",
    "steps",
    "wrong",
    "wrong bits",
    "margin",
    "m",
)


def line(row: Row, result: dict[str, Any]) -> str:
    """A line of the table."""
    assert result["covered"]
    cells = [
        *row.head,
        f"{result['graphs']:,}",
        f"{result['nodes']:,}",
        f"{result['most_steps']:,}",
        result["wrong_graphs"],
        f"{result['wrong_bits']} of {result['decided_bits']:.2g}",
        f"{result['smallest_margin']:.3f}",
        result["most_matches"],
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def page(lines: dict[Row, str]) -> str:
    """The page of the documentation, with the lines that there are, in the order of the plan."""
    rows = plan()
    text = [
        INTRODUCTION,
        "| " + " | ".join(COLUMNS) + " |",
        "|" + " --- |" * len(COLUMNS),
        *(lines[row] for row in rows if row in lines),
    ]
    if missing := [row for row in rows if row not in lines]:
        names = "; ".join(", ".join(row.head) for row in missing)
        text += ["", f"Not recorded yet: {names}."]
    return "\n".join(text) + "\n"


def recorded(text: str) -> dict[Row, str]:
    """The lines of the table that a page has already."""
    by_head = {
        tuple(cell.strip() for cell in one.split("|")[1:4]): one
        for one in text.splitlines()
        if one.startswith("| ")
    }
    return {row: by_head[row.head] for row in plan() if row.head in by_head}


def main() -> None:
    """Measures the lines that the page lacks, and writes the page after each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exactness", description=__doc__)
    parser.add_argument("--anew", action="store_true", help="measure all lines again")
    parser.add_argument("--only", metavar="TEXT", default="", help="of lines that begin with this")
    options = parser.parse_args()
    lines = {} if options.anew else recorded(PAGE.read_text(encoding="utf-8"))
    todo = [row for row in plan() if row not in lines]
    for row in todo:
        if not ", ".join(row.head).startswith(options.only):
            continue
        result = row.measure()
        print(result, file=sys.stderr, flush=True)
        lines[row] = line(row, result)
        files.write(PAGE, page(lines).encode("utf-8"))
    files.write(PAGE, page(lines).encode("utf-8"))


if __name__ == "__main__":
    main()
