"""Claims about the paper's own pictures, for those who have them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from experiments.harness import plots, statistics
from experiments.harness.experiment import NotMeasured, Records
from experiments.vision.lvlm_count.judging import EXACT, LEAST, PAPER, SIGN, Measure, claim
from experiments.vision.lvlm_count.pictures import ASKED, MANY, errors
from ntkexec.check import Check, Measurement


def _pictures(records: Records) -> list[Mapping[str, Any]]:
    # Each once, however many seeds drew it: nothing in its division is random.
    found = {row["picture"]: row for record in records for row in record["emoji"]["pictures"]}
    return list(found.values())


def _damage(*what: str) -> Measure:
    def measure(records: Records) -> Measurement:
        rows = _pictures(records)
        found = sum(row[name] for row in rows for name in what)
        details = {
            "pictures": len(rows),
            "parts": float(np.mean([row["parts"] for row in rows])),
            "largest part": max(row["largest"] for row in rows),
            "split by a grid": sum(row["split_by_grid"] for row in rows),
        }
        return Measurement(float(found), details=details)

    return measure


def _counted(share: float) -> Measure:
    """The mean relative error of counting the found icons, of which a share is kept."""

    def measure(records: Records) -> Measurement:
        rows = _pictures(records)
        off = np.array([abs(share * row["found"] - row["icons"]) / row["icons"] for row in rows])
        exact = float(np.mean([row["found"] == row["icons"] for row in rows]))
        draws = np.random.default_rng(0)
        found = statistics.bootstrap(
            off.tolist(), lambda sample: float(sample.mean()), generator=draws
        )
        return found.measurement(exact=exact, worst=float(off.max()))

    return measure


def _gain(dataset: str, spoilt: float = 0.0) -> Measure:
    """Mean absolute error of whole pictures minus that of divided ones, bootstrapped over questions."""

    def measure(records: Records) -> Measurement:
        direct, divided = (
            np.concatenate([errors(record[dataset], way) for record in records])
            for way in ("direct", "divided")
        )
        if len(direct) < 2:
            raise NotMeasured(f"fewer than two questions with {MANY} objects or more were asked")
        if spoilt:
            divided = direct + spoilt
        draws = np.random.default_rng(0)
        gain = statistics.bootstrap(
            (direct - divided).tolist(), lambda sample: float(sample.mean()), generator=draws
        )
        parts = {"whole picture": direct.tolist(), "divided": divided.tolist()}
        return gain.measurement(arms=statistics.arms(parts))

    return measure


_paper: Callable[[str], str] = f"{PAPER}, its main claim; {{}}".format

CHECKS: tuple[Check[Records], ...] = (
    claim(
        "emoji-division",
        "recursive division of Emoji-Count's pictures splits and touches no icon that was found",
        "icons in two parts, and their pixels on lines, over the pictures",
        0,
        EXACT,
        _damage("split", "on_lines"),
        _damage("split_by_grid"),
        source=f"{PAPER}, its motive for the division",
    ),
    claim(
        "emoji-masks",
        "on Emoji-Count, finding icons by colour and counting them, without any model, is right within "
        "5 % on average, all kinds together",
        "mean relative error over pictures; 95 % bootstrap interval over them",
        0.05,
        "chosen before the first picture was counted",
        _counted(1.0),
        _counted(0.5),
        source="the baseline that the paper's reviewers asked for",
    ),
    *(
        claim(
            f"{dataset}-model",
            f"a vision model errs less on {dataset} with division, from {MANY} objects on",
            "mean absolute error of whole pictures minus that of divided ones; 95 % bootstrap interval "
            "over questions",
            0,
            SIGN,
            _gain(dataset),
            _gain(dataset, 1.0),
            source=_paper(figures),
            plot=plots.arms(f"mean absolute error from {MANY} objects on"),
            **LEAST,
        )
        for dataset, figures in ASKED.items()
    ),
)
