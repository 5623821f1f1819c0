"""Templates and steps of the programs beside those of the public implementation.

`python -m benchmarks.sizes` writes the table to docs/sizes.md.
"""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np

from ntkexec import graphs
from ntkexec.programs.graph import bellman_ford, bfs, dfs
from ntkexec.runtime import files

DEGREES, WORDS, SEEDS = (2, 3, 4), (3, 4, 5, 6), range(5)
PAGE = pathlib.Path(__file__).parents[1] / "docs" / "sizes.md"


@dataclasses.dataclass(frozen=True)
class Public:
    """The public implementation of an algorithm, as formulas.

    Args:
        templates: of the degree D and the word length w, as many as its code generates.
        steps: of D, w, the nodes n, the edges, and the diameter d.

    Source: github.com/watcl-lab/exact_gnn; "Learning to Execute Graph Algorithms Exactly with Graph
        Neural Networks", arXiv:2601.23207. The templates were counted by running its generators:
        those of Bellman-Ford are fewer than a comment there says, those of DFS two more.
    """

    templates: Callable[[int, int], int]
    steps: Callable[[int, int, int, int, int], int]


PUBLIC = {
    "bfs": Public(
        lambda D, w: (
            24 * D**3 * w + 33 * D**2 * w + 65 * D * w + 57 * w + 6 * D**3 + 9 * D**2 + 17 * D + 15
        ),
        lambda D, w, n, edges, d: (
            n * ((d - 1) * (w + D**2 + 6) + 2 * D * w + D**2 + 2 * D + 5 * w + 13)
        ),
    ),
    "dfs": Public(
        lambda D, w: (
            18 * D**3 * w + 31 * D**2 * w + 49 * D * w + 51 * w + 6 * D**3 + 9 * D**2 + 20 * D + 16
        ),
        lambda D, w, n, edges, d: 2 * edges * (5 * w + D**2 + 3 * D + 12),
    ),
    "bellman-ford": Public(
        lambda D, w: 44 * D**2 * w + 33 * D * w + 100 * w + 5 * D**2 + 2 * D + 18,
        lambda D, w, n, edges, d: (
            n * (n - 1) * ((d - 1) * (2 * w + D**2 + 6) + D**2 + D * w + D + 7 * w + 16)
        ),
    ),
}
OURS: dict[str, Any] = {"bfs": bfs, "dfs": dfs, "bellman-ford": bellman_ford}


def sample(degree: int, word: int) -> list[nx.Graph]:
    """Connected random graphs of that degree, as large as the public programs take for a word.

    They give a graph of n nodes one bit more than n has; a node of the degree needs degree + 1.
    """
    num_nodes = max((1 << (word - 1)) - 1, degree + 1)
    found: list[nx.Graph] = []
    rng = np.random.default_rng((degree, word))
    while len(found) < len(SEEDS):
        graph = graphs.generators.samplers.random_bounded(num_nodes, degree, rng, connected=True)
        if max(dict(graph.degree).values()) == degree:
            found.append(graph)
    return found


def one(algorithm: str, degree: int, word: int) -> dict[str, Any]:
    """A line of the table: means over the sample, and the smallest ratio of steps in it."""
    ours, public = OURS[algorithm], PUBLIC[algorithm]
    steps, public_steps, ratios, colours = [], [], [], []
    for graph in sample(degree, word):
        loaded = graphs.from_networkx(graph)
        instance = ours.instance(loaded, sources=[0])
        size = (len(graph), graph.number_of_edges(), nx.diameter(graph))
        steps.append(instance.num_steps)
        public_steps.append(public.steps(degree, word, *size))
        ratios.append(public_steps[-1] / steps[-1])
        colours.append(loaded.num_colours)
    published = public.templates(degree, word)
    row: dict[str, Any] = {
        "program": algorithm,
        "D": degree,
        "l": word,
        "public_templates": published,
    }
    for name, slots in (("used", max(colours)), ("D^2+1", degree**2 + 1)):
        templates = ours.program(degree=degree, slots=slots, word=word).num_templates
        row[f"templates_{name}"] = templates
        row[f"fewer_{name}"] = published / templates
    return row | {
        "nodes": len(graph),
        "public_steps": float(np.mean(public_steps)),
        "steps": float(np.mean(steps)),
        "fewer_steps": min(ratios),
    }


def run() -> dict[str, Any]:
    """All programs, degrees and words."""
    cases = [(a, d, w) for a in OURS for d in DEGREES for w in WORDS]
    return {"rows": [one(*case) for case in cases]}


def page(rows: list[dict[str, Any]]) -> str:
    """The table as a page of the documentation."""
    lines = [INTRODUCTION, "| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    for row in rows:
        cells = [
            row["program"],
            row["D"],
            row["l"],
            f"{row['public_templates']:,}",
            f"{row['templates_used']:,} ({row['fewer_used']:.0f} x)",
            f"{row['templates_D^2+1']:,} ({row['fewer_D^2+1']:.0f} x)",
            row["nodes"],
            f"{row['public_steps']:,.0f}",
            f"{row['steps']:,.0f} ({row['fewer_steps']:.0f} x)",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


HEADINGS = (
    "program",
    "D",
    "l",
    "templates, public",
    "ours, slots used",
    "ours, D² + 1 slots",
    "nodes",
    "steps, public",
    "ours",
)
INTRODUCTION = """# Sizes of the programs

Written by `python -m benchmarks.sizes`. Templates and steps of the programs beside those of the
[public implementation](https://github.com/watcl-lab/exact_gnn) of the paper, which replays the sequential
textbook algorithms. D is the degree, l the bits of a word. Public templates are counted from what its
generators return, steps are its formulas. *Slots used* are the most colours that the two-hop colouring
needed on five random connected graphs of the degree; D² + 1 are always enough. Steps are means over these
graphs, the ratio in brackets is the smallest of the five. Ours are all steps of a run: until every node
knows that the search is over (DFS), n rounds without stopping early (Bellman-Ford).

The ratio of steps grows with the graph; what is small in the table is small for a reason. A hop of BFS
and a move of the token of DFS take two steps, since a node must decode from whose slot it was called
before it fills another's: in one step that would take slots² templates instead of slots. A round of
Bellman-Ford takes six steps more than it has bits. So on three nodes at a distance of two, BFS takes 5
steps where the public program takes 183, Bellman-Ford three rounds of 8, and 390. On paths and cycles
(D = 2) the public DFS takes 37 to 52 steps a move, ours two, and at the end two a hop, in which all nodes
learn that the search is over; the last answer is there after 4(n - 1) + 1 steps.
"""


def main() -> None:
    """Writes the page."""
    files.write(PAGE, page(run()["rows"]).encode("utf-8"))


if __name__ == "__main__":
    main()
