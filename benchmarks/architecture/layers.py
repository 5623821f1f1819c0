"""The layers of the house, as data, and what would break them."""

from collections.abc import Iterable, Iterator

import networkx as nx

from benchmarks.architecture.imports import Import

# From the ground up. What shares a layer may import one another, but not in a circle.
LAYERS = (
    ("errors", "vocabulary"),
    ("_neural_tangents", "runtime", "program"),
    ("graphs", "language"),
    ("theory",),
    ("executor", "ensemble"),
    ("engines",),
    ("programs",),
    ("summary", "result", "certifying", "pipeline"),
    ("testing", "complete", "recheck", "complexity", "report", "plots", "check"),
    ("cli",),
)
# Above them: the names that a user meets, and the packages that stand beside.
PACKAGES = ("ntkexec", "proofs_check", "experiments", "benchmarks")
# Imports nothing of ours.
ALONE = "recheck"

_HEIGHTS = {
    name: height for height, layer in enumerate((*LAYERS, *zip(PACKAGES))) for name in layer
}


def room_of(module: str) -> str:
    """The folder or module of `ntkexec` that a module belongs to, or else its package.

    `ntkexec` itself and `python -m ntkexec` are the package: they lie above the layers.
    """
    package, *inner = module.split(".")
    return inner[0] if package == "ntkexec" and inner not in ([], ["__main__"]) else package


def upward(imports: Iterable[Import]) -> Iterator[str]:
    """A sentence for each import from a higher layer, or into or out of a room without one."""
    for importer, imported, line in imports:
        below, above = room_of(importer), room_of(imported)
        homeless = {below, above} - _HEIGHTS.keys()
        if homeless or _HEIGHTS[below] < _HEIGHTS[above]:
            why = f"{min(homeless)} has no layer" if homeless else f"{above} lies above {below}"
            yield f"{importer}, line {line}, imports {imported}: {why}"
        elif below == ALONE != above:
            yield f"{importer}, line {line}, imports {imported}: {ALONE} stands alone"


def room_graph(imports: Iterable[Import]) -> nx.DiGraph:
    """Which room imports from which."""
    graph = nx.DiGraph()
    pairs = ((room_of(importer), room_of(imported)) for importer, imported, _ in imports)
    graph.add_edges_from((below, above) for below, above in pairs if below != above)
    return graph


def circles(graph: nx.DiGraph) -> list[list[str]]:
    """The nodes of every circle, or of several that hang together."""
    return sorted(sorted(c) for c in nx.strongly_connected_components(graph) if len(c) > 1)
