"""Where viewers of 360-degree videos looked: head traces in one NumPy archive."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from experiments.data.formats.arrays import members, series, table, vector
from experiments.data.formats.formula_graphs import parts
from experiments.files.words import shown
from ntkexec.errors import ExperimentError

LARGEST = (180.0, 90.0, 180.0)
"""Degrees of roll, pitch and yaw."""
STILL = 0.5
"""Share of a trace's steps that may take no time: recordings repeat some samples' times, and where more do,
the times were stored in numbers too coarse for them."""


@dataclasses.dataclass(frozen=True, eq=False)
class HeadTrace:
    """One viewer of one video.

    Args:
        video, user: their numbers in the public files.
        seconds: of each sample; they do not decrease, and stand still at half of the steps at most.
        degrees: roll, pitch and yaw, of which yaw jumps by 360 where it passes behind the viewer.
    """

    video: int
    user: int
    seconds: Float64[np.ndarray, "n"]
    degrees: Float32[np.ndarray, "n 3"]


@dataclasses.dataclass(frozen=True, eq=False)
class ViewportSet:
    """Head traces.

    Args:
        name: of the set.
        traces: at most one of each video and viewer.
    """

    name: str
    traces: tuple[HeadTrace, ...]


def read(path: Path, name: str, key: str = "") -> ViewportSet:
    """Traces out of an archive of all samples and where each trace begins.

    Args:
        path: of the archive, with `time_s`, `angles_deg` of shape (n, 3), `ptr`, and for each trace its
            `video` and `user`.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit.

    Source: Jin et al., 2022, and Wu et al., 2017, as prepared by Wu et al., NetLLM, SIGCOMM 2024.
    """
    where = shown(path)
    found = members(path, ("time_s", "angles_deg", "ptr", "video", "user"))
    video, user = (vector(found[who], f"{who} in {where}") for who in ("video", "user"))
    if not len(video) or len(user) != len(video):
        raise ExperimentError(f"{where} has {len(video)} videos and {len(user)} users of traces")
    degrees = table(found["angles_deg"], f"angles_deg in {where}")
    if degrees.shape[1] != 3 or (np.abs(degrees) > np.array([LARGEST], np.float32)).any():
        raise ExperimentError(
            f"angles_deg in {where} are no roll, pitch and yaw within {LARGEST} degrees"
        )
    seconds = series(found["time_s"], f"time_s in {where}", length=len(degrees))
    of_trace = parts(found["ptr"], len(video), len(degrees), f"ptr in {where}")
    seen: set[tuple[int, int]] = set()
    for i, (part, who) in enumerate(zip(of_trace, zip(video, user, strict=True), strict=True)):
        steps = np.diff(seconds[part])
        if part.stop == part.start or (steps < 0).any():
            raise ExperimentError(f"trace {i} in {where} is empty, or its time runs backwards")
        if (still := int((steps == 0).sum())) and still > STILL * len(steps):
            raise ExperimentError(
                f"the time of trace {i} in {where} stands still at {still} of {len(steps)} steps"
            )
        if who in seen:
            raise ExperimentError(
                f"{where} has two traces of user {who[1]} watching video {who[0]}"
            )
        seen.add(who)
    traces = tuple(
        HeadTrace(int(video[i]), int(user[i]), seconds[part], degrees[part])
        for i, part in enumerate(of_trace)
    )
    return ViewportSet(name, traces)
