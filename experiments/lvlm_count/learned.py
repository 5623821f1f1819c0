"""Studies of counters that err: simulated ones, the learned one, and a segmenter that misses."""

from typing import Any

import numpy as np

from experiments.experiment import Trial
from experiments.lvlm_count.config import LvlmCountConfig
from experiments.lvlm_count.counters import picture_of, saturating, train_counter, weber
from experiments.lvlm_count.divide import Division, object_aware, recursive, straight
from experiments.lvlm_count.pipeline import oracle
from experiments.lvlm_count.scenes import scene
from experiments.lvlm_count.segment import background, by_colour, dropped

BANDS = {"1-5": (1, 5), "6-10": (6, 10), "11-20": (11, 20), "21-30": (21, 30), "31-45": (31, 45)}
RATES = (0.0, 0.1, 0.2, 0.4)


def simulated(config: LvlmCountConfig, trial: Trial) -> dict[str, Any]:
    """Deviations of sums over equal parts, over that of the whole, by the power of the noise."""
    generator = trial.generator
    number, parts = 48, (1, 2, 4, 8, 16)
    spreads: dict[str, list[float]] = {}
    for power in (1.0, 0.5, 0.25):
        deviations = []
        for m in parts:
            numbers = np.full((config.draws, m), number / m)
            sums = weber(numbers, spread=0.1, power=power, generator=generator).sum(1)
            deviations.append(float(sums.std()))
        spreads[str(power)] = [d / deviations[0] for d in deviations]
    errors = [abs(float(saturating(np.full(m, number // m)).sum()) - number) for m in parts]
    return {"parts": parts, "spreads": spreads, "saturating": errors}


def counter(config: LvlmCountConfig, trial: Trial) -> dict[str, Any]:
    """Signed errors of the learned counter by band and by how the picture is divided."""
    generator = trial.generator
    learned = train_counter(
        num_scenes=config.training_scenes,
        num_steps=config.train_steps,
        key=trial.key,
        generator=generator,
        report=trial.report,
        checkpoint=None if trial.folder is None else trial.folder / "counter.safetensors",
    )
    # Its own, so that a continued training sees the same test scenes.
    generator = np.random.default_rng([trial.seed, 1])
    bands: dict[str, dict[str, list[int]]] = {}
    for i, (name, (low, high)) in enumerate(BANDS.items()):
        trial.report("counting", i, len(BANDS))
        rows = []
        for _ in range(config.band_scenes):
            number = int(generator.integers(low, high + 1))
            made = scene({"red": number}, generator=generator)
            objects = by_colour(made.image)
            one, all_levels = object_aware(objects), recursive(objects)
            side = max(1, round(len(all_levels.regions) ** 0.5))
            ways = {
                "direct": Division((np.ones(objects.shape, bool),)),
                "one level": one,
                "straight": straight(objects.shape, len(one.regions)),
                "recursive": all_levels,
                "grid": straight(objects.shape, side, side),
            }
            fill = background(made.image)
            row = {"objects": number, "parts": len(one.regions)}
            for way, found in ways.items():
                pictures = [picture_of(made.image, part, fill) for part in found.regions]
                row[way] = sum(learned.count(pictures)) - number
            rows.append(row)
        bands[name] = {column: [row[column] for row in rows] for column in rows[0]}
    return {"bands": bands}


def noise(config: LvlmCountConfig, trial: Trial) -> dict[str, Any]:
    """Mean errors of a perfect counter on divisions by a segmenter that misses objects."""
    generator = trial.generator
    found: dict[str, list[float]] = {"aware": [], "straight": [], "masks": []}
    for rate in RATES:
        rows = []
        for _ in range(config.noise_scenes):
            made = scene({"red": 30}, generator=generator)
            seen = dropped(made.objects, rate, generator)
            way = recursive(seen)
            # Parts without a found object are dropped by the division, missed objects or not.
            side = max(2, round(len(way.regions) ** 0.5))
            rows.append(
                (
                    abs(sum(oracle(made.objects, way.regions)) - 30),
                    abs(sum(oracle(made.objects, straight(seen.shape, side, side).regions)) - 30),
                    30 - len(np.unique(seen[seen > 0])),
                )
            )
        for name, value in zip(found, np.mean(rows, axis=0), strict=True):
            found[name].append(float(value))
    return {"rates": RATES, "errors": found}
