"""The layers of the house, as data, and what would break them."""

from collections.abc import Iterable, Iterator

import networkx as nx

from benchmarks.architecture.imports import Import

# From the ground up, in each layer from left to right: a room imports only what comes before it.
LAYERS = (
    ("errors", "vocabulary"),
    ("_neural_tangents", "runtime", "program"),
    ("graphs", "language"),
    ("theory",),
    ("executor", "ensemble"),
    ("engines",),
    ("programs",),
    ("recheck", "complete"),
    ("certifying", "universal"),
    ("summary", "result", "pipeline"),
    ("check", "report", "testing", "prove", "complexity", "plots"),
    ("networkx_backend", "cli"),
)
# After them: the names that a user meets, and the packages that stand beside the house.
PACKAGES = ("ntkexec", "proofs_check", "experiments", "benchmarks")
# Imports nothing of ours.
ALONE = "recheck"
# The one place that names what stands beside, whose commands are loaded when they are asked for.
MOUNTED = (
    ("ntkexec.cli.app", "experiments.command"),
    ("ntkexec.cli.app", "proofs_check.command"),
)

ROOMS = tuple(name for layer in LAYERS for name in layer)
_HEIGHTS = {name: height for height, name in enumerate((*ROOMS, *PACKAGES))}


def room_of(module: str) -> str:
    """The folder or module of `ntkexec` that a module belongs to, or else its package.

    `ntkexec` itself and `python -m ntkexec` are the package: they lie above the layers.
    """
    package, *inner = module.split(".")
    return inner[0] if package == "ntkexec" and inner not in ([], ["__main__"]) else package


def upward(imports: Iterable[Import]) -> Iterator[str]:
    """A sentence for each import of what comes later, or into or out of a room without a layer."""
    for importer, imported, line in imports:
        if (importer, imported) in MOUNTED:
            continue
        below, above = room_of(importer), room_of(imported)
        homeless = {below, above} - _HEIGHTS.keys()
        if homeless or _HEIGHTS[below] < _HEIGHTS[above]:
            why = f"{min(homeless)} has no layer" if homeless else f"{above} lies above {below}"
            yield f"{importer}, line {line}, imports {imported}: {why}"
        elif below == ALONE != above:
            yield f"{importer}, line {line}, imports {imported}: {ALONE} stands alone"


def room_graph(imports: Iterable[Import]) -> nx.DiGraph:
    """Which room imports from which, in the direction that is allowed."""
    graph = nx.DiGraph()
    graph.add_nodes_from(ROOMS)
    for importer, imported, _ in imports:
        above, below = room_of(importer), room_of(imported)
        if above in graph and below in graph and _HEIGHTS[above] > _HEIGHTS[below]:
            graph.add_edge(above, below)
    return graph


def circles(graph: nx.DiGraph) -> list[list[str]]:
    """The nodes of every circle, or of several that hang together."""
    return sorted(sorted(c) for c in nx.strongly_connected_components(graph) if len(c) > 1)
