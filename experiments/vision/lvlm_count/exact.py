"""Studies of the division itself, with a counter that never errs."""

from typing import Any

import numpy as np
from scipy import ndimage

from experiments.harness.experiment import Trial
from experiments.vision.lvlm_count import clusters
from experiments.vision.lvlm_count.config import LvlmCountConfig
from experiments.vision.lvlm_count.divide import Division, object_aware, recursive, straight
from experiments.vision.lvlm_count.paths import Grid, a_star
from experiments.vision.lvlm_count.pipeline import oracle, split
from experiments.vision.lvlm_count.scenes import discs, scene

GAPS = {"apart": 3, "touching": 0}


def division(config: LvlmCountConfig, trial: Trial) -> dict[str, Any]:
    """For scenes of 10 to 45 objects, what each way of dividing loses, splits and counts."""
    generator = trial.generator
    rows = []
    for i in range(config.scenes):
        trial.report("scenes", i, config.scenes)
        made = scene(
            {"red": int(generator.integers(10, 46))},
            generator=generator,
            gap=list(GAPS.values())[i % len(GAPS)],
        )
        one = object_aware(made.objects)
        ways = {
            "one level": one,
            "recursive": recursive(made.objects),
            "straight": straight(made.objects.shape, max(3, len(one.regions))),
        }
        rows.append({name: _judged(made.objects, way) for name, way in ways.items()})
    return {"scenes": rows}


def _judged(objects: np.ndarray, way: Division) -> dict[str, Any]:
    counts = oracle(objects, way.regions)
    covered = np.sum(way.regions, axis=0)
    # Independent of the oracle: an object's parts, one for each region's label under it.
    labels = np.sum([(i + 1) * part.astype(int) for i, part in enumerate(way.regions)], axis=0)
    number = int(objects.max())
    fragments = [len(set(labels[objects == name].tolist())) for name in range(1, number + 1)]
    return {
        "objects": number,
        "total": sum(counts),
        "split": split(objects, way.regions),
        "lost_pixels": int(((objects > 0) & (covered != 1)).sum()),
        "extra_fragments": int(np.sum(np.array(fragments) - 1)),
        "largest": max(counts),
        "parts": len(counts),
        "touched": sum(int((objects[tuple(path.T)] > 0).sum()) for path in way.paths),
    }


def line(config: LvlmCountConfig, trial: Trial) -> dict[str, Any]:
    """Extra counts of one straight cut through independent discs that may overlap."""
    number, diameter, size = 30, 13, 128
    generator, cuts = trial.generator, []
    for _ in range(10 * config.scenes):
        masks = discs(number, diameter=diameter, size=size, generator=generator)
        at = int(generator.integers(diameter, size - diameter + 1))
        both = masks[:, :, :at].any((1, 2)) & masks[:, :, at:].any((1, 2))
        cuts.append(int(both.sum()))
    # d columns have d - 1 borders within, and the disc has size - d + 1 places.
    return {"extra": cuts, "expected": number * (diameter - 1) / (size - diameter + 1)}


def paths(config: LvlmCountConfig, trial: Trial) -> dict[str, Any]:
    """Lengths on random obstacles, and pixels expanded on scenes, by algorithm."""
    generator = trial.generator
    grids = []
    for _ in range(config.grids):
        free = generator.random((40, 40)) >= 0.35
        free[[0, -1]] = free[:, [0, -1]] = True
        start, end = (0, int(generator.integers(1, 39))), (39, int(generator.integers(1, 39)))
        path = Grid(free).path(start, end)
        right = np.array_equal(path[[0, -1]], [start, end])
        steps = np.abs(np.diff(path, axis=0)).max(1, initial=0)
        row = {
            "compiled": len(path) - 1,
            "invalid": int((~free[tuple(path.T)]).sum() + (steps != 1).sum() + (not right)),
            "line": int((~free[:, start[1]]).sum()),
        }
        for heuristic in ("none", "chebyshev", "manhattan"):
            row[heuristic] = a_star(free, start, end, heuristic=heuristic)[0]
        grids.append(row)
    expanded = []
    for i in range(max(2, config.grids // 4)):
        trial.report("scenes", i, config.grids // 4)
        made = scene({"red": 30}, generator=generator)
        free = np.pad(made.objects == 0, 1, constant_values=True)
        at = int(generator.integers(50, 140))
        ends = ((0, at), (free.shape[0] - 1, at))
        expanded.append({h: a_star(free, *ends, heuristic=h)[1] for h in ("none", "chebyshev")})
    return {"grids": grids, "expanded": expanded}


def _slow_modes(points: np.ndarray, width: float) -> np.ndarray:
    """Mean shift as its definition says it, point by point."""
    found = []
    for start in points:
        at = float(start)
        for _ in range(300):
            mean = float(np.mean([p for p in points if abs(p - at) <= width]))
            rest, at = abs(mean - at) <= clusters.TOLERANCE * width, mean
            if rest:
                break
        found.append(at)
    return np.array(found)


def shift(config: LvlmCountConfig, trial: Trial) -> dict[str, Any]:
    """Mean shift against its definition; its bandwidth and its clusters on even scenes."""
    generator = trial.generator
    off: list[float] = []
    off_wide: list[float] = []
    for _ in range(config.samples):
        points = generator.uniform(0, 192, size=int(generator.integers(20, 60))).round(3)
        width = clusters.bandwidth(points)
        slow = _slow_modes(points, width)
        for factor, into in ((1.0, off), (2.0, off_wide)):
            kept = clusters.modes(points, factor * width)
            # Each kept mode is one of the definition's, and none of these is far from all kept.
            near = np.abs(kept[:, None] - slow[None, :])
            into.append(float(max(near.min(1).max(), near.min(0).max() - width)) / width)
    even = np.arange(1000) / 999
    found: dict[str, list[float]] = {"clusters": [], "leaves": []}
    for number in (12, 48):
        totals = []
        for _ in range(max(2, config.scenes // 2)):
            made = scene({"red": number}, generator=generator, gap=2)
            columns = np.nonzero(made.objects)[1]
            division = recursive(made.objects)
            totals.append((len(clusters.cuts(clusters.sample(columns))) + 1, len(division.regions)))
        for name, values in zip(found, np.mean(totals, axis=0), strict=True):
            found[name].append(float(values))
    return {
        "deviation": max(off),
        "deviation_wide": max(off_wide),
        "bandwidth": clusters.bandwidth(even),
        "bandwidth_half": clusters.bandwidth(even, quantile=0.5),
        **found,
    }


def kinds(config: LvlmCountConfig, trial: Trial) -> dict[str, Any]:
    """Two kinds in one picture: the division sees one of them, and its sum is of that one."""
    generator, rows = trial.generator, []
    for _ in range(config.scenes):
        counts = {"red": int(generator.integers(8, 20)), "blue": 15}
        made = scene(counts, generator=generator)
        target = made.of("red")
        parts = recursive(target, cap=6).regions
        labels, _ = ndimage.label(target > 0)
        rows.append(
            {
                "objects": counts["red"],
                "total": sum(oracle(target, parts)),
                "labels": int(labels.max()),
                "all_kinds": sum(oracle(made.objects, parts)),
            }
        )
    return {"scenes": rows}
