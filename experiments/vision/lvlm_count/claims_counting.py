"""Claims about counters that err: simulated ones, the learned one, and a segmenter that misses."""

from typing import Any

import numpy as np

from experiments.harness import plots, statistics
from experiments.harness.experiment import Records
from experiments.vision.lvlm_count.judging import (
    EXACT,
    LEAST,
    OVER_SEEDS,
    PAPER,
    SIGN,
    Measure,
    claim,
)
from experiments.vision.lvlm_count.noisy import FAULTS
from ntkexec.check import Check, Measurement

MANY = ("21-30", "31-45")


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
        bands = ("1-5", "6-10")
        finest = 1 / len(_errors(records[0], way, bands))
        found = [_mae(record, way, bands) for record in records]
        return statistics.mean(found, resolution=finest).measurement()

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


def _noise(fault: str, naive: str) -> Measure:
    """By how much a naive way errs more than the division, at a rate of a fifth."""

    def measure(records: Records) -> Measurement:
        place = list(records[0]["noise"]["rates"]).index(0.2)
        errors = [record["noise"]["errors"][fault] for record in records]
        pairs = [[e[name][place] for e in errors] for name in (naive, "aware")]
        lines = {name: np.mean([e[name] for e in errors], axis=0).tolist() for name in errors[0]}
        return statistics.difference(pairs[0], pairs[1]).measurement(
            x=list(records[0]["noise"]["rates"]), lines=lines
        )

    return measure


CHECKS: tuple[Check[Records], ...] = (
    claim(
        "weber",
        "for a counter with Weber's error, m parts leave m^-1/2 of the spread",
        "largest relative deviation, m up to 16, simulated",
        0.1,
        "several standard errors of the simulation",
        _weber("1.0"),
        _weber("0.5"),
    ),
    claim(
        "saturating-counter",
        "a counter that stops at 15 is exact once no part has more",
        "largest error for 48 objects in 4 or more equal parts, simulated",
        0,
        EXACT,
        _saturating(slice(2, None)),
        _saturating(slice(0, 1)),
    ),
    claim(
        "in-range",
        "the learned counter errs by at most 1.5 on up to 10 objects",
        f"mean absolute error; {OVER_SEEDS}",
        1.5,
        "what makes it a counter; always 0 would err by 5.5",
        _in_range("direct"),
        _in_range("objects"),
    ),
    claim(
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
        claim(
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
    claim(
        "few-undivided",
        "up to five objects are not divided",
        "largest number of parts, minus 1",
        0,
        EXACT,
        _undivided("1-5"),
        _undivided("31-45"),
    ),
    claim(
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
    *(
        claim(
            f"{fault}-objects",
            f"with a fifth of the objects {fault} by the segmenter, object-aware division still costs an "
            "oracle less than a grid",
            f"grid's mean absolute error minus the division's, 30 objects; {OVER_SEEDS}",
            0,
            SIGN,
            _noise(fault, "straight"),
            _noise(fault, "aware"),
            plot=plots.lines(f"share of {fault} objects", "mean absolute error of an oracle"),
            **LEAST,
        )
        for fault in FAULTS
    ),
)
