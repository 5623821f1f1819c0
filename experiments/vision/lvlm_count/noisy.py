"""A study of segmenters that err: they miss objects, take two for one, or one for two."""

from typing import Any

import numpy as np

from experiments.harness.experiment import Trial
from experiments.vision.lvlm_count.config import LvlmCountConfig
from experiments.vision.lvlm_count.divide import recursive, straight
from experiments.vision.lvlm_count.pipeline import oracle
from experiments.vision.lvlm_count.scenes import scene
from experiments.vision.lvlm_count.segment import dropped, halved, merged

RATES = (0.0, 0.1, 0.2, 0.4)
NUMBER = 30
FAULTS = {"missed": dropped, "merged": merged, "halved": halved}


def noise(config: LvlmCountConfig, trial: Trial) -> dict[str, Any]:
    """Mean errors of a perfect counter on divisions by a segmenter that errs, by fault and rate."""
    generator = trial.generator
    found: dict[str, dict[str, list[float]]] = {}
    for place, (fault, spoil) in enumerate(FAULTS.items()):
        trial.report(fault, place, len(FAULTS))
        errors: dict[str, list[float]] = {"aware": [], "straight": [], "masks": []}
        for rate in RATES:
            rows = []
            for _ in range(config.noise_scenes):
                made = scene({"red": NUMBER}, generator=generator)
                seen = spoil(made.objects, rate, generator)
                way = recursive(seen)
                # Parts without a found object are dropped by the division, missed objects or not.
                side = max(2, round(len(way.regions) ** 0.5))
                grid = straight(seen.shape, side, side)
                rows.append(
                    (
                        abs(sum(oracle(made.objects, way.regions)) - NUMBER),
                        abs(sum(oracle(made.objects, grid.regions)) - NUMBER),
                        abs(len(np.unique(seen[seen > 0])) - NUMBER),
                    )
                )
            for name, value in zip(errors, np.mean(rows, axis=0), strict=True):
                errors[name].append(float(value))
        found[fault] = errors
    return {"rates": RATES, "errors": found}
