"""The page of the documentation that says how many answers are wrong: docs/exactness.md."""

import pathlib
from typing import Any

from benchmarks.families import Row, plan

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
The search with a queue skips n = 1600. Programs on [split graphs](any-graph.md) ran on trees of degree
3, for families with nodes of more neighbours; *nodes* are those of the graphs, *bits* those of the trees.
Their lines have a threshold for each bit, as is the default today. The others were measured with
thresholds that all bits share, by which the kernel's margin is half as large.
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
