"""Claims about the division itself, with a counter that never errs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.harness import statistics
from experiments.harness.experiment import Records
from experiments.vision.lvlm_count.judging import (
    EXACT,
    LEAST,
    OVER_SEEDS,
    PAPER,
    Measure,
    claim,
)
from ntkexec.check import Check, Measurement


def _scenes(records: Records) -> list[Mapping[str, Any]]:
    return [row for record in records for row in record["division"]["scenes"]]


def _wrong(*ways: str) -> Measure:
    def measure(records: Records) -> Measurement:
        found = [row[way] for row in _scenes(records) for way in ways]
        wrong = sum(
            abs(way["total"] - way["objects"]) + way["split"] + way["lost_pixels"] for way in found
        )
        return Measurement(wrong, details={"divisions": len(found)})

    return measure


def _touched(*ways: str) -> Measure:
    return lambda records: Measurement(
        sum(row[way]["touched"] for row in _scenes(records) for way in ways)
    )


def _overcount(way: str) -> Measure:
    def measure(records: Records) -> Measurement:
        extra = [
            float(np.mean([s[way]["total"] - s[way]["objects"] for s in r["division"]["scenes"]]))
            for r in records
        ]
        return statistics.mean(extra).measurement()

    return measure


def _fragments(records: Records, share: float = 1.0) -> Measurement:
    rows = [row["straight"] for row in _scenes(records)]
    off = [abs(r["total"] - r["objects"] - share * r["extra_fragments"]) for r in rows]
    return Measurement(max(off))


def _line(records: Records, factor: float = 1.0) -> Measurement:
    extra = np.array([n for record in records for n in record["line"]["extra"]])
    expected = factor * records[0]["line"]["expected"]
    error = extra.std(ddof=1) / len(extra) ** 0.5
    details = {"mean": float(extra.mean()), "expected": expected}
    return Measurement(float(abs(extra.mean() - expected) / error), details=details)


def _grids(records: Records) -> list[Mapping[str, int]]:
    return [row for record in records for row in record["paths"]["grids"]]


def _invalid(what: str) -> Measure:
    return lambda records: Measurement(sum(row[what] for row in _grids(records)))


def _longer(way: str) -> Measure:
    return lambda records: Measurement(
        max(max(row[way], row["compiled"]) - row["none"] for row in _grids(records))
    )


def _share_longer(way: str) -> Measure:
    def measure(records: Records) -> Measurement:
        rows = _grids(records)
        longer = sum(row[way] > row["none"] for row in rows)
        return statistics.proportion(longer, len(rows)).measurement()

    return measure


def _expanded(way: str) -> Measure:
    def measure(records: Records) -> Measurement:
        ratios = [
            float(np.mean([row[way] / row["none"] for row in record["paths"]["expanded"]]))
            for record in records
        ]
        return statistics.mean(ratios).measurement()

    return measure


def _shift(what: str) -> Measure:
    return lambda records: Measurement(max(r["shift"][what] for r in records))


def _bandwidth(what: str) -> Measure:
    return lambda records: Measurement(max(abs(r["shift"][what] - 0.1725) for r in records))


def _growth(what: str) -> Measure:
    def measure(records: Records) -> Measurement:
        few, many = ([r["shift"][what][i] for r in records] for i in (0, 1))
        arms = statistics.arms({"12 objects": few, "48 objects": many})
        return statistics.difference(many, few).measurement(arms=arms)

    return measure


def _largest(way: str) -> Measure:
    return lambda records: Measurement(max(row[way]["largest"] for row in _scenes(records)))


def _kinds(total: str) -> Measure:
    return lambda records: Measurement(
        max(abs(s[total] - s["objects"]) for r in records for s in r["kinds"]["scenes"])
    )


CHECKS: tuple[Check[Records], ...] = (
    claim(
        "exact-division",
        "object-aware division, one level or recursive, loses, splits and duplicates no object",
        "objects miscounted by an oracle, objects in two parts and object pixels in none, over scenes "
        "of 10 to 45 objects, apart or touching",
        0,
        EXACT,
        _wrong("one level", "recursive"),
        _wrong("straight"),
        source=f"{PAPER}, its motive for the division; proof in this folder's README",
    ),
    claim(
        "free-lines",
        "no pixel of a dividing line lies on an object",
        "pixels of all lines on objects",
        0,
        EXACT,
        _touched("one level", "recursive"),
        _touched("straight"),
    ),
    claim(
        "straight-cuts",
        "equal straight cuts into as many parts make an oracle count at least one object too many",
        f"mean extra count per scene; {OVER_SEEDS}",
        1,
        "one whole object",
        _overcount("straight"),
        _overcount("one level"),
        source=f"{PAPER}, its objection to naive division",
        **LEAST,
    ),
    claim(
        "fragments",
        "the extra count of straight cuts is the sum of every object's fragments minus one",
        "largest deviation over scenes",
        0,
        EXACT,
        _fragments,
        lambda records: _fragments(records, 0.5),
    ),
    claim(
        "one-line",
        "a line through n independent discs of d columns in w costs n (d - 1) / (w - d + 1) on average",
        "deviation of the mean over scenes and seeds, in standard errors",
        3,
        "three standard errors; wrong alarms in 0.3 % of runs",
        _line,
        lambda records: _line(records, 2.0),
    ),
    claim(
        "valid-paths",
        "paths on random obstacles begin and end where asked, step as a king, and use free pixels",
        "violations on grids of 40 x 40 with 35 % obstacles",
        0,
        EXACT,
        _invalid("invalid"),
        _invalid("line"),
    ),
    claim(
        "shortest",
        "the compiled search and A* with the Chebyshev distance find paths as short as Dijkstra's",
        "largest excess in steps on grids of 40 x 40 with 35 % obstacles",
        0,
        EXACT,
        _longer("chebyshev"),
        _longer("manhattan"),
    ),
    claim(
        "manhattan",
        "A* with the Manhattan distance, as in the public code, often finds longer ones",
        "share of these grids; exact 95 % interval",
        0.3,
        "a third, well below a first trial's 60 %",
        _share_longer("manhattan"),
        _share_longer("chebyshev"),
        **LEAST,
    ),
    claim(
        "a-star-work",
        "A* expands at most 0.7 of Dijkstra's pixels on scenes",
        f"mean ratio of expanded pixels, 30 objects; {OVER_SEEDS}",
        0.7,
        "a first trial, without our order among equal pixels, found 0.43",
        _expanded("chebyshev"),
        _expanded("none"),
    ),
    claim(
        "mean-shift",
        "the vectorised mean shift finds the modes of its definition",
        "largest distance between kept modes and the definition's, beyond merging, in bandwidths",
        1e-9,
        "float64 rounding",
        _shift("deviation"),
        _shift("deviation_wide"),
    ),
    claim(
        "bandwidth",
        "for evenly spread objects the bandwidth is 0.1725 of the width",
        "deviation for 1,000 even points",
        0.002,
        "1,000 points stand for infinitely many",
        _bandwidth("bandwidth"),
        _bandwidth("bandwidth_half"),
    ),
    claim(
        "saturation",
        "so one level's clusters do not grow with the number of objects",
        f"clusters for 48 objects minus those for 12; {OVER_SEEDS}",
        0.5,
        "half a cluster, where the objects quadruple",
        _growth("clusters"),
        _growth("leaves"),
    ),
    claim(
        "leaf-cap",
        "recursion leaves at most 10 objects in every part",
        "largest part over scenes of 10 to 45 objects",
        10,
        "the cap",
        _largest("recursive"),
        _largest("one level"),
    ),
    claim(
        "two-kinds",
        "with two kinds in a picture, the sum over parts is of the asked kind alone",
        "largest deviation of the oracle's sum",
        0,
        EXACT,
        _kinds("total"),
        _kinds("all_kinds"),
    ),
)
