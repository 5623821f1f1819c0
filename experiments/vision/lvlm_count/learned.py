"""Studies of counters that err: simulated ones and the learned one."""

from typing import Any

import numpy as np

from experiments.harness.experiment import Trial
from experiments.vision.lvlm_count.config import LvlmCountConfig
from experiments.vision.lvlm_count.counters import picture_of, saturating, train_counter, weber
from experiments.vision.lvlm_count.divide import Division, object_aware, recursive, straight
from experiments.vision.lvlm_count.scenes import scene
from experiments.vision.lvlm_count.segment import background, by_colour

BANDS = {"1-5": (1, 5), "6-10": (6, 10), "11-20": (11, 20), "21-30": (21, 30), "31-45": (31, 45)}


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
