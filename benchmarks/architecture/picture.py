"""The layers as a picture: rooms in rows, and lines from each to those that it rests on directly."""

import itertools
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

import networkx as nx

from benchmarks.architecture.layers import LAYERS

PICTURE = pathlib.Path(__file__).parents[2] / "docs" / "images" / "layers.svg"
ROW, BAND, BOX, GAP, MARGIN = 62, 50, 30, 18, 24
SWEEPS = 40
BANDS, INK, LINE = ("#eef1fa", "#f7f8fc"), "#1a237e", "#8c96c6"


class Passing(NamedTuple):
    """Where the line from a room to another passes a row."""

    above: str
    below: str
    row: int


Item = str | Passing


def levels(graph: nx.DiGraph) -> dict[str, int]:
    """The row of every room from the ground: in a layer, what rests on another lies above it."""
    found: dict[str, int] = {}
    for layer in LAYERS:
        ground = max(found.values(), default=-1) + 1
        steps = [*nx.topological_generations(graph.subgraph(layer).reverse())]
        # In the order of the layer, so that the picture is always the same.
        found |= {
            room: ground + i for room in layer for i, step in enumerate(steps) if room in step
        }
    return found


def routed(graph: nx.DiGraph, level: dict[str, int]) -> tuple[nx.DiGraph, list[list[Item]]]:
    """Lines cut where they pass a row, and what lies in every row."""
    lines = nx.DiGraph()
    lines.add_nodes_from(level)
    rows: list[list[Item]] = [[] for _ in range(max(level.values()) + 1)]
    for room, row in level.items():
        rows[row].append(room)
    for above, below in sorted(graph.edges):
        passed = [Passing(above, below, row) for row in range(level[above] - 1, level[below], -1)]
        for item in passed:
            rows[item.row].append(item)
        nx.add_path(lines, [above, *passed, below])
    return lines, rows


def places(lines: nx.DiGraph, rows: Sequence[list[Item]]) -> dict[Item, float]:
    """Where everything lies in its row: near what it is joined with, and apart from its neighbours."""
    where: dict[Item, float] = {}
    for row in rows:
        where |= {item: 100.0 * (i - len(row) / 2) for i, item in enumerate(row)}
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 else rows[::-1]:
            wanted = {}
            for item in row:
                joined = [*lines.predecessors(item), *lines.successors(item)] or [item]
                wanted[item] = sum(where[one] for one in joined) / len(joined)
            row.sort(key=lambda item: (wanted[item], str(item)))
            # Where it is narrow half of the way that it takes to the right, and half to the left.
            rightmost = _pushed(row, wanted, 1)
            leftmost = _pushed(row[::-1], wanted, -1)
            where |= {item: (leftmost[item] + rightmost[item]) / 2 for item in row}
    return where


def _pushed(row: Sequence[Item], wanted: Mapping[Item, float], sign: int) -> dict[Item, float]:
    """Places in the order of the row, each where it is wanted or as far on as those before it push."""
    found: dict[Item, float] = {}
    least = -math.inf
    for item, after in itertools.zip_longest(row, row[1:], fillvalue=row[-1]):
        found[item] = sign * max(sign * wanted[item], least)
        least = sign * found[item] + _apart(item, after)
    return found


def _apart(one: Item, other: Item) -> float:
    return (_width(one) + _width(other)) / 2 + GAP


def _width(item: Item) -> float:
    return 8.0 * len(item) + 22 if isinstance(item, str) else 2.0


def drawn(graph: nx.DiGraph) -> str:
    """The picture of a graph of rooms, as SVG."""
    graph = nx.transitive_reduction(graph)
    level = levels(graph)
    lines, rows = routed(graph, level)
    where = places(lines, rows)
    left = min(x - _width(item) / 2 for item, x in where.items()) - MARGIN
    width = max(x + _width(item) / 2 for item, x in where.items()) + MARGIN - left
    height = ROW * len(rows) + MARGIN
    at = {
        item: (where[item] - left, height - MARGIN / 2 - ROW * (number + 0.5))
        for number, row in enumerate(rows)
        for item in row
    }
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" font-family="sans-serif" font-size="14" role="img">',
        "<title>The layers of ntkexec: every line leads down, to what a room rests on</title>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
    ]
    for number, layer in enumerate(LAYERS):
        ys = [at[room][1] for room in layer]
        parts.append(
            f'<rect x="6" y="{min(ys) - BAND / 2:.0f}" width="{width - 12:.0f}" '
            f'height="{max(ys) - min(ys) + BAND:.0f}" rx="8" fill="{BANDS[number % 2]}"/>'
        )
    for one, other in lines.edges:
        (x, y), (to, end) = at[one], at[other]
        parts.append(
            f'<path d="M{x:.0f} {y:.0f}C{x:.0f} {(y + end) / 2:.0f} {to:.0f} {(y + end) / 2:.0f} '
            f'{to:.0f} {end:.0f}" fill="none" stroke="{LINE}" stroke-width="1.5"/>'
        )
    for room in level:
        x, y = at[room]
        wide = _width(room)
        parts += [
            f'<rect x="{x - wide / 2:.0f}" y="{y - BOX / 2:.0f}" width="{wide:.0f}" height="{BOX}" '
            f'rx="5" fill="#ffffff" stroke="{INK}"/>',
            f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle" fill="{INK}">{escape(room)}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
