"""All claims of the LVLM-Count experiment."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from experiments.experiment import Records
from experiments.shared import plots, statistics
from ntkexec.check import Check, Measurement

PAPER = "Fetrat Qharabagh et al., arXiv:2412.00686"
OURS = "derived in this folder's README"
SIGN = "the claim is a sign; the whole interval must lie on its side"
EXACT = "the claim is exact"
MANY = ("21-30", "31-45")
Measure = Callable[[Records], Measurement]


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


def _weber(power: str) -> Measure:
    """The largest relative deviation of the spread from m^-1/2, over parts and the seeds' mean."""

    def measure(records: Records) -> Measurement:
        parts = np.array(records[0]["simulated"]["parts"], float)
        spreads = np.mean([r["simulated"]["spreads"][power] for r in records], axis=0)
        details = {"x": parts.tolist(), "lines": {"spread": spreads.tolist()}}
        return Measurement(float(np.abs(spreads * parts**0.5 - 1).max()), details=details)

    return measure


def _saturating(part: slice) -> Measure:
    return lambda records: Measurement(
        max(error for r in records for error in r["simulated"]["saturating"][part])
    )


def _errors(record: Any, way: str, bands: tuple[str, ...]) -> np.ndarray:
    return np.concatenate([record["counter"]["bands"][band][way] for band in bands])


def _mae(record: Any, way: str, bands: tuple[str, ...]) -> float:
    return float(np.abs(_errors(record, way, bands)).mean())


def _in_range(way: str) -> Measure:
    def measure(records: Records) -> Measurement:
        found = [_mae(record, way, ("1-5", "6-10")) for record in records]
        return statistics.mean(found).measurement()

    return measure


def _degradation(high: str) -> Measure:
    def measure(records: Records) -> Measurement:
        bands = tuple(records[0]["counter"]["bands"])
        rows = {band: [_mae(r, "direct", (band,)) for r in records] for band in bands}
        return statistics.difference(rows[high], rows["6-10"]).measurement(
            arms=statistics.arms(rows)
        )

    return measure


def _gain(way: str) -> Measure:
    """The share of the direct count's mean absolute error at 21 to 45 objects that goes."""

    def measure(records: Records) -> Measurement:
        gains = [1 - _mae(r, way, MANY) / max(_mae(r, "direct", MANY), 1e-9) for r in records]
        ways = ("direct", "one level", "recursive", "straight", "grid")
        arms = statistics.arms({w: [_mae(r, w, MANY) for r in records] for w in ways})
        return statistics.mean(gains).measurement(arms=arms)

    return measure


def _undivided(band: str) -> Measure:
    return lambda records: Measurement(
        max(parts for r in records for parts in r["counter"]["bands"][band]["parts"]) - 1
    )


def _bias(naive: str) -> Measure:
    def measure(records: Records) -> Measurement:
        bands = ("11-20", *MANY)
        both = [
            [float(_errors(r, way, bands).mean()) for r in records] for way in (naive, "one level")
        ]
        arms = {
            f"{what}, {way}": [f(r, way) for r in records]
            for way in ("straight", "one level")
            for what, f in (
                ("signed", lambda r, w: float(_errors(r, w, bands).mean())),
                ("absolute", lambda r, w: _mae(r, w, bands)),
            )
        }
        found = statistics.difference(both[0], both[1])
        return found.measurement(arms=statistics.arms(arms))

    return measure


def _noise(naive: str) -> Measure:
    def measure(records: Records) -> Measurement:
        place = list(records[0]["noise"]["rates"]).index(0.2)
        pairs = [[r["noise"]["errors"][name][place] for r in records] for name in (naive, "aware")]
        errors = {
            name: np.mean([r["noise"]["errors"][name] for r in records], axis=0).tolist()
            for name in records[0]["noise"]["errors"]
        }
        return statistics.difference(pairs[0], pairs[1]).measurement(
            x=list(records[0]["noise"]["rates"]), lines=errors
        )

    return measure


def _check(
    name: str,
    claim: str,
    how: str,
    bound: float,
    bound_from: str,
    measure: Measure,
    broken: Measure,
    **more: Any,
) -> Check[Records]:
    more = {"source": OURS, **more}
    return Check(
        name=name,
        claim=claim,
        how=how,
        bound=bound,
        bound_from=bound_from,
        measure=measure,
        broken=broken,
        **more,
    )


LEAST: dict[str, Any] = {"relation": "at least"}
OVER_SEEDS = "95 % t interval over seeds"

CHECKS: tuple[Check[Records], ...] = (
    _check(
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
    _check(
        "free-lines",
        "no pixel of a dividing line lies on an object",
        "pixels of all lines on objects",
        0,
        EXACT,
        _touched("one level", "recursive"),
        _touched("straight"),
    ),
    _check(
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
    _check(
        "fragments",
        "the extra count of straight cuts is the sum of every object's fragments minus one",
        "largest deviation over scenes",
        0,
        EXACT,
        _fragments,
        lambda records: _fragments(records, 0.5),
    ),
    _check(
        "one-line",
        "a line through n independent discs of d columns in w costs n (d - 1) / (w - d + 1) on average",
        "deviation of the mean over scenes and seeds, in standard errors",
        3,
        "three standard errors; wrong alarms in 0.3 % of runs",
        _line,
        lambda records: _line(records, 2.0),
    ),
    _check(
        "valid-paths",
        "paths on random obstacles begin and end where asked, step as a king, and use free pixels",
        "violations on grids of 40 x 40 with 35 % obstacles",
        0,
        EXACT,
        _invalid("invalid"),
        _invalid("line"),
    ),
    _check(
        "shortest",
        "the compiled search and A* with the Chebyshev distance find paths as short as Dijkstra's",
        "largest excess in steps on grids of 40 x 40 with 35 % obstacles",
        0,
        EXACT,
        _longer("chebyshev"),
        _longer("manhattan"),
    ),
    _check(
        "manhattan",
        "A* with the Manhattan distance, as in the public code, often finds longer ones",
        "share of these grids; exact 95 % interval",
        0.3,
        "a third, well below a first trial's 60 %",
        _share_longer("manhattan"),
        _share_longer("chebyshev"),
        **LEAST,
    ),
    _check(
        "a-star-work",
        "A* expands at most 0.7 of Dijkstra's pixels on scenes",
        f"mean ratio of expanded pixels, 30 objects; {OVER_SEEDS}",
        0.7,
        "a first trial, without our order among equal pixels, found 0.43",
        _expanded("chebyshev"),
        _expanded("none"),
    ),
    _check(
        "mean-shift",
        "the vectorised mean shift finds the modes of its definition",
        "largest distance between kept modes and the definition's, beyond merging, in bandwidths",
        1e-9,
        "float64 rounding",
        _shift("deviation"),
        _shift("deviation_wide"),
    ),
    _check(
        "bandwidth",
        "for evenly spread objects the bandwidth is 0.1725 of the width",
        "deviation for 1,000 even points",
        0.002,
        "1,000 points stand for infinitely many",
        _bandwidth("bandwidth"),
        _bandwidth("bandwidth_half"),
    ),
    _check(
        "saturation",
        "so one level's clusters do not grow with the number of objects",
        f"clusters for 48 objects minus those for 12; {OVER_SEEDS}",
        0.5,
        "half a cluster, where the objects quadruple",
        _growth("clusters"),
        _growth("leaves"),
    ),
    _check(
        "leaf-cap",
        "recursion leaves at most 10 objects in every part",
        "largest part over scenes of 10 to 45 objects",
        10,
        "the cap",
        _largest("recursive"),
        _largest("one level"),
    ),
    _check(
        "two-kinds",
        "with two kinds in a picture, the sum over parts is of the asked kind alone",
        "largest deviation of the oracle's sum",
        0,
        EXACT,
        _kinds("total"),
        _kinds("all_kinds"),
    ),
    _check(
        "weber",
        "for a counter with Weber's error, m parts leave m^-1/2 of the spread",
        "largest relative deviation, m up to 16, simulated",
        0.1,
        "several standard errors of the simulation",
        _weber("1.0"),
        _weber("0.5"),
    ),
    _check(
        "saturating-counter",
        "a counter that stops at 15 is exact once no part has more",
        "largest error for 48 objects in 4 or more equal parts, simulated",
        0,
        EXACT,
        _saturating(slice(2, None)),
        _saturating(slice(0, 1)),
    ),
    _check(
        "in-range",
        "the learned counter errs by at most 1.5 on up to 10 objects",
        f"mean absolute error; {OVER_SEEDS}",
        1.5,
        "what makes it a counter; always 0 would err by 5.5",
        _in_range("direct"),
        _in_range("objects"),
    ),
    _check(
        "degradation",
        "it errs by at least 5 more on 31 to 45 objects than on 6 to 10",
        f"difference of mean absolute errors; {OVER_SEEDS}",
        5,
        "a sixth of the objects; without it the counter is no stand-in",
        _degradation("31-45"),
        _degradation("6-10"),
        source=f"{PAPER}, its first observation, for a stand-in",
        plot=plots.arms("mean absolute error"),
        **LEAST,
    ),
    *(
        _check(
            name,
            f"{text} saves at least {bound:.0%} of its error on 21 to 45 objects",
            f"share of the mean absolute error, segmented by colour; {OVER_SEEDS}",
            bound,
            "about two thirds of what a first trial found",
            _gain(way),
            _gain("direct"),
            source=f"{PAPER}, its main claim, for a stand-in",
            plot=plots.arms("mean absolute error, 21 to 45 objects"),
            **LEAST,
        )
        for name, way, text, bound in (
            ("one-level-helps", "one level", "one level of division", 0.4),
            ("recursion-helps", "recursive", "recursive division", 0.7),
        )
    ),
    _check(
        "few-undivided",
        "up to five objects are not divided",
        "largest number of parts, minus 1",
        0,
        EXACT,
        _undivided("1-5"),
        _undivided("31-45"),
    ),
    _check(
        "naive-bias",
        "straight cuts count more than object-aware ones with as many parts (signed error)",
        f"difference of mean signed errors, 11 to 45 objects; {OVER_SEEDS}",
        0,
        SIGN,
        _bias("straight"),
        _bias("one level"),
        source=f"{PAPER}, its objection to naive division, for a stand-in",
        plot=plots.arms("error of the count"),
        **LEAST,
    ),
    _check(
        "missed-objects",
        "with a fifth of the objects missed by the segmenter, object-aware division still costs an "
        "oracle less than a grid",
        f"grid's mean absolute error minus the division's, 30 objects; {OVER_SEEDS}",
        0,
        SIGN,
        _noise("straight"),
        _noise("aware"),
        plot=plots.lines("share of missed objects", "mean absolute error of an oracle"),
        **LEAST,
    ),
)
