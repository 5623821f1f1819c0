"""What the packed engines are to reach, judged by what was measured."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

# Any: what benchmarks measured, as plain data.
Results = Mapping[str, Any]


class Aim(NamedTuple):
    """A figure and where it should lie.

    what: in words.
    figure: takes it from the results.
    least: it should not be less.
    most: nor more.
    """

    what: str
    figure: Callable[[Results], float]
    least: float = -math.inf
    most: float = math.inf


def _largest(family: str, key: str) -> Callable[[Results], float]:
    def figure(results: Results) -> float:
        rows = [row for row in results["scale"]["rows"] if row["graph"] == family]
        return float(max(rows, key=lambda row: row["nodes"])[key])

    return figure


def _slope(benchmark: str, key: str) -> Callable[[Results], float]:
    return lambda results: float(results[benchmark][key])


AIMS = (
    Aim("search on the largest grid, times networkx", _largest("grid", "times_networkx"), most=1),
    Aim(
        "search on the largest random regular graph, times SciPy",
        _largest("random-regular", "times_scipy"),
        most=1,
    ),
    Aim(
        "batch, dictionaries to answers: graphs a second, times networkx",
        lambda results: float(results["batch"]["share_of_networkx"]),
        least=1,
    ),
    *(
        Aim(
            f"memory of a search, {family}: times the rows that {which}",
            _largest(family, key),
            most=4,
        )
        for family in ("random-regular", "grid")
        for which, key in (
            ("it begins with", "memory_to_first_state"),
            ("it holds between rounds", "memory_to_state"),
        )
    ),
    Aim(
        "every step compared with the program, times the search alone",
        lambda results: float(max(row["times_alone"] for row in results["verify"]["rows"])),
        most=3,
    ),
    *(
        Aim(f"exponent of cost in {what}", _slope(benchmark, key), least=0.9, most=1.1)
        for what, benchmark, key in (
            ("nodes, random regular graphs from 10^4 on", "scale", "slope_random-regular"),
            ("nodes, grids from 10^4 on", "scale", "slope_grid"),
            ("nonzeros of the program", "work", "slope_large"),
            ("members", "members", "slope"),
        )
    ),
)


def judged(results: Results) -> dict[str, Any]:
    """Every aim beside what was measured, as the benchmarks' other tables."""
    rows = []
    for aim in AIMS:
        figure = aim.figure(results)
        bounds = [
            f"{word} {bound:g}"
            for word, bound in (("at least", aim.least), ("at most", aim.most))
            if math.isfinite(bound)
        ]
        reached = "reached" if aim.least <= figure <= aim.most else "missed"
        rows.append(
            {"aim": aim.what, "should be": ", ".join(bounds), "is": figure, "verdict": reached}
        )
    return {"rows": rows}
