"""Sizes of split graphs, and of the programs that run on them.

`python -m benchmarks.splitting` writes the table to docs/any-graph.md.
"""

import pathlib
from typing import Any

from ntkexec import graphs
from ntkexec.programs import inputs
from ntkexec.programs.graph import bfs, bfs_split
from ntkexec.runtime import files

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "any-graph.md"
BEGIN, END = "<!-- sizes: begin -->\n", "<!-- sizes: end -->\n"
GRAPHS = (
    "karate",
    "les-miserables",
    "star:100",
    "complete:50",
    "star:2391",
    "barabasi-albert:n=1000,m=2",
    "barabasi-albert:n=10000,m=2",
)
DEGREES = (3, 4)
COLUMNS = (
    *("graph", "nodes", "edges", "degree", "D", "executed nodes", "for an edge", "depth", "steps"),
    *("slots", "literals of bfs", "split"),
)


def row(graph: graphs.Graph, degree: int) -> dict[str, Any]:
    """A graph, what it is split into, and breadth-first search on either from the first node.

    Args:
        graph: any.
        degree: D.
    """
    parts = graphs.split(graph, degree)
    word = inputs.bits_for(inputs.rounds_needed(graph, [0]))
    depth_bits = inputs.bits_for(max(1, parts.depth))
    slots = parts.graph.num_colours
    program = bfs_split.program(degree=degree, slots=slots, word=word, depth_bits=depth_bits)
    return {
        "graph": f"`{graph.label}`",
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "degree": graph.degree,
        "D": degree,
        "executed nodes": parts.graph.num_nodes,
        "for an edge": parts.graph.num_nodes / graph.num_edges,
        "depth": parts.depth,
        "steps": 2 * parts.depth + 1,
        "slots": slots,
        "literals of bfs": bfs.num_literals(
            degree=graph.degree, slots=graph.num_colours, word=word
        ),
        "split": program.num_nonzeros,
    }


def run() -> dict[str, Any]:
    """The rows of the table."""
    return {"rows": [row(graphs.load(name), d) for name in GRAPHS for d in DEGREES]}


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as a table of the documentation."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    lines += ["| " + " | ".join(_cell(name, one[name]) for name in COLUMNS) + " |" for one in rows]
    return "\n".join(lines) + "\n"


def _cell(name: str, value: Any) -> str:
    if name == "graph":
        return str(value)
    return f"{value:.2f}" if isinstance(value, float) else f"{value:,}"


def main() -> None:
    """Writes the table into the page."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} needs the lines {BEGIN.strip()!r} and {END.strip()!r}, once")
    files.write(PAGE, (before + begin + table(run()["rows"]) + end + after).encode())


if __name__ == "__main__":
    main()
