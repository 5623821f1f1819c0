"""What is measured: division and faults on scenes, a counter that loses count, and Emoji-Count."""

import dataclasses
from collections.abc import Callable
from typing import TypedDict

import numpy as np

from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.vision.lvlm_count import clusters, study_emoji
from experiments.vision.lvlm_count.counting import crop, num_split, perfect_counts
from experiments.vision.lvlm_count.division import (
    Division,
    equal_division,
    object_aware_division,
    recursive_division,
)
from experiments.vision.lvlm_count.learned_counter import NUM_SCENES, NUM_STEPS, train_counter
from experiments.vision.lvlm_count.scenes import draw_scene
from experiments.vision.lvlm_count.segmentation import (
    Objects,
    background,
    dropped,
    halved,
    merged,
    segment_by_colour,
)
from experiments.vision.lvlm_count.transport import checked_address

GAPS = (3, 0)
"""Free pixels between objects: apart, and touching."""
SIZES = {"few": 12, "many": 48}
"""Objects of scenes in which clusters are counted."""
FAULTS = {"missed": dropped, "merged": merged, "halved": halved}
RATE, FAULTY = 0.2, 30
BANDS = {"1-5": (1, 5), "6-10": (6, 10), "11-20": (11, 20), "21-30": (21, 30), "31-45": (31, 45)}


@dataclasses.dataclass(frozen=True)
class LvlmCountConfig:
    """Sizes of all studies, for each seed.

    Args:
        scenes: divided and counted by a counter that never errs.
        fault_scenes: for each fault of a segmenter.
        training_scenes: of the learned counter.
        train_steps: of it.
        band_scenes: test scenes in each band of numbers of objects.
        folds: Emoji-Count is dealt to so many seeds in turn, which together count all of it.
        served_pictures: of a seed's fold, asked of the server on this machine.
        questions: of Emoji-Count, asked of a vision model; 0 for none.
        endpoint: address of that model's OpenAI-compatible server, up to /v1; empty for none.
        model: the server's name of it.
    """

    scenes: int = 16
    fault_scenes: int = 8
    training_scenes: int = NUM_SCENES
    train_steps: int = NUM_STEPS
    band_scenes: int = 12
    folds: int = 5
    served_pictures: int = 4
    questions: int = 100
    endpoint: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        check_types(self)
        least = {"questions": 0, "scenes": 2}
        counts = {
            f.name: getattr(self, f.name) >= least.get(f.name, 1)
            for f in dataclasses.fields(self)
            if f.type is int
        }
        require(self, **counts, model=bool(self.model) == bool(self.endpoint))
        if self.endpoint:
            # Before it is stored beside results.
            checked_address(self.endpoint)


class ScenesResult(TypedDict):
    """On scenes, with a counter that never errs."""

    wrong: dict[str, int]
    clusters: dict[str, float]
    parts: dict[str, float]
    faults: dict[str, dict[str, float]]


def on_scenes(config: LvlmCountConfig, trial: Trial) -> ScenesResult:
    """What each way of dividing loses and splits; how finely one level divides; what faults cost."""
    generator = trial.generator
    wrong = {"one level": 0, "recursive": 0, "straight": 0}
    for place in range(config.scenes):
        trial.report("scenes", place, config.scenes)
        number = int(generator.integers(10, 46))
        gap = GAPS[place % len(GAPS)]
        objects = draw_scene({"red": number}, generator=generator, gap=gap).objects
        one = object_aware_division(objects)
        ways = {
            "one level": one,
            "recursive": recursive_division(objects),
            "straight": equal_division(objects.shape, max(3, len(one.regions))),
        }
        for name, way in ways.items():
            wrong[name] += _wrong(objects, way)
    depths = {name: _depths(config.scenes, number, generator) for name, number in SIZES.items()}
    return {
        "wrong": wrong,
        "clusters": {name: row[0] for name, row in depths.items()},
        "parts": {name: row[1] for name, row in depths.items()},
        "faults": {
            fault: _faulty(config.fault_scenes, spoil, generator) for fault, spoil in FAULTS.items()
        },
    }


def _wrong(objects: Objects, way: Division) -> int:
    """Objects miscounted, objects in two parts, and object pixels in no part or on a line."""
    covered = np.sum(way.regions, axis=0)
    return (
        abs(sum(perfect_counts(objects, way.regions)) - int(objects.max()))
        + num_split(objects, way.regions)
        + int(((objects > 0) & (covered != 1)).sum())
        + sum(int((objects[tuple(path.T)] > 0).sum()) for path in way.paths)
    )


def _depths(scenes: int, number: int, generator: np.random.Generator) -> tuple[float, float]:
    """Mean clusters of one level, and mean parts of all levels, for so many objects."""
    rows = []
    for _ in range(max(2, scenes // 2)):
        objects = draw_scene({"red": number}, generator=generator, gap=2).objects
        found = clusters.cuts(clusters.sample(np.nonzero(objects)[1]))
        rows.append((len(found) + 1, len(recursive_division(objects).regions)))
    one, every = np.mean(rows, axis=0)
    return float(one), float(every)


def _faulty(
    scenes: int, spoil: Callable[..., Objects], generator: np.random.Generator
) -> dict[str, float]:
    """Mean absolute errors of a counter that never errs, by who says where to divide."""
    rows = []
    for _ in range(scenes):
        objects = draw_scene({"red": FAULTY}, generator=generator).objects
        seen = spoil(objects, RATE, generator)
        # Parts in which the segmenter found nothing are dropped, with the objects that it missed.
        way = recursive_division(seen)
        side = max(2, round(len(way.regions) ** 0.5))
        grid = equal_division(seen.shape, side, side)
        totals = {
            "aware": sum(perfect_counts(objects, way.regions)),
            "grid": sum(perfect_counts(objects, grid.regions)),
            "masks": len(np.unique(seen[seen > 0])),
        }
        rows.append({name: abs(total - FAULTY) for name, total in totals.items()})
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


class CounterResult(TypedDict):
    """Errors of the learned counter by band of numbers of objects and way of dividing."""

    absolute: dict[str, dict[str, float]]
    signed: dict[str, dict[str, float]]


def counter(config: LvlmCountConfig, trial: Trial) -> CounterResult:
    """Mean errors of the learned counter: of whole pictures, and divided in five ways."""
    learned = train_counter(
        num_scenes=config.training_scenes,
        num_steps=config.train_steps,
        key=trial.key,
        generator=trial.generator,
        report=trial.report,
        checkpoint=None if trial.folder is None else trial.folder / "counter.safetensors",
    )
    # Its own, so that a continued training sees the same test scenes.
    generator = np.random.default_rng([trial.seed, 1])
    result: CounterResult = {"absolute": {}, "signed": {}}
    for place, (band, (low, high)) in enumerate(BANDS.items()):
        trial.report("counting", place, len(BANDS))
        rows = []
        for _ in range(config.band_scenes):
            number = int(generator.integers(low, high + 1))
            image = draw_scene({"red": number}, generator=generator).image
            fill = background(image)
            crops = {
                name: [crop(image, part, fill) for part in way.regions]
                for name, way in _ways(image).items()
            }
            counts = iter(learned.count([one for found in crops.values() for one in found]))
            rows.append([sum(next(counts) for _ in found) - number for found in crops.values()])
        errors = dict(zip(crops, np.array(rows, float).T, strict=True))
        result["absolute"][band] = {name: float(np.abs(e).mean()) for name, e in errors.items()}
        result["signed"][band] = {name: float(e.mean()) for name, e in errors.items()}
    return result


def _ways(image: np.ndarray) -> dict[str, Division]:
    objects = segment_by_colour(image)
    one, every = object_aware_division(objects), recursive_division(objects)
    side = max(1, round(len(every.regions) ** 0.5))
    return {
        "whole": Division((np.ones(objects.shape, bool),)),
        "one level": one,
        "straight": equal_division(objects.shape, len(one.regions)),
        "recursive": every,
        "grid": equal_division(objects.shape, side, side),
    }


QUICK = LvlmCountConfig()
STANDARD = LvlmCountConfig(
    scenes=40,
    fault_scenes=20,
    training_scenes=5000,
    train_steps=4000,
    band_scenes=40,
    served_pictures=82,
    questions=415,
)
TINY = LvlmCountConfig(
    scenes=2,
    fault_scenes=1,
    training_scenes=20,
    train_steps=2,
    band_scenes=1,
    folds=41,
    served_pictures=1,
    questions=2,
)
STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "scenes": on_scenes,
        "counter": counter,
        "emoji": study_emoji.without_model,
        "served": study_emoji.through_server,
        "model": study_emoji.with_model,
    },
    slow=("counter",),
)
