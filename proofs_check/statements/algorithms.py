"""The programs compute what their names say: on all small graphs, and on random ones."""

import functools
from collections.abc import Iterator

import networkx as nx
import numpy as np

from ntkexec import executor, graphs, pipeline
from ntkexec.check import Check, Measurement, Scale
from ntkexec.programs.graph import bellman_ford, bfs, dfs, flooding
from ntkexec.programs.instance import Instance

LARGEST: dict[Scale, int] = {"quick": 4, "standard": 6, "full": 7}


def cases(scale: Scale) -> Iterator[tuple[nx.Graph, int]]:
    """Every connected graph up to a size from every source, and random ones from one."""
    for graph in nx.graph_atlas_g()[1:]:
        if len(graph) <= LARGEST[scale] and nx.is_connected(graph):
            yield from ((graph, source) for source in graph)
    rng = np.random.default_rng(8)
    for _ in range({"quick": 20, "standard": 200, "full": 2000}[scale]):
        size = int(rng.integers(2, 20))
        yield (
            graphs.generators.samplers.random_bounded(size, 4, rng, connected=True),
            int(rng.integers(size)),
        )


@functools.cache
def instances(scale: Scale) -> dict[str, Instance]:
    """All cases as one batch for each algorithm; Bellman-Ford with weights from -1 to 3."""
    some = list(cases(scale))
    batch = graphs.batch([graphs.from_networkx(graph) for graph, _ in some])
    sources = [
        part.start + source for part, (_, source) in zip(batch.node_ranges(), some, strict=True)
    ]
    rng = np.random.default_rng(9)
    weighted = []
    for graph, _ in some:
        arcs = nx.DiGraph(graph)
        for *_, data in arcs.edges(data=True):
            data["weight"] = int(rng.integers(-1, 4))
        weighted.append(graphs.from_networkx(arcs, weight="weight"))
    message = flooding.Message.parse("1011")
    return {
        "flooding": flooding.instance(batch, sources=sources, message=message),
        "bfs": bfs.instance(batch, sources=sources),
        "dfs": dfs.instance(batch, sources=sources),
        "bellman-ford": bellman_ford.instance(graphs.batch(weighted), sources=sources),
    }


def measure(scale: Scale, drop: int = 0) -> Measurement:
    """Nodes whose answer differs from the reference, all four programs, by the kernel engine.

    Args:
        scale: which graphs.
        drop: steps left out at the end, for counter-cases.
    """
    wrong, nodes = 0, 0
    for instance in instances(scale).values():
        certificate = pipeline.certify(instance.program, num_decisions=1)
        execution = executor.execute(
            pipeline.make_engine("kernel", certificate),
            instance.program,
            instance.graphs,
            num_steps=instance.num_steps - drop,
            verify=False,
        )
        answer, expected = instance.decode(execution.states), instance.reference()
        differs = [np.asarray(answer[field]) != expected[field] for field in expected]
        wrong += int(np.any(differs, axis=0).sum())
        nodes += instance.graph.num_nodes
    return Measurement(wrong, details={"nodes": nodes})


CHECK = Check(
    name="algorithms",
    claim="flooding, BFS, DFS and Bellman-Ford, executed in the mean, equal networkx at every node",
    source="references in ntkexec.programs.reference; on every graph, not only these: docs/theorems.md",
    how="nodes that differ: all connected graphs up to 4 (quick), 6 or 7 nodes from every source",
    bound=0,
    bound_from="the claim is exact",
    measure=measure,
    broken=functools.partial(measure, drop=4),
)
