"""Traces of bandwidth, in an `.npz` archive or as text files, and bytes of the chunks of videos."""

import csv
import itertools
from pathlib import Path

import numpy as np

from experiments.data.formats import arrays
from experiments.data.traces import Trace, TraceSet, VideoSizes
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

PARTS = ("train", "valid", "test")


def read(path: Path, name: str, key: str = "") -> TraceSet:
    """Traces of an archive.

    Args:
        path: of it: `time_s` and `bandwidth_mbps` of all traces, `ptr` where each begins and ends,
            `names` and `split`, which is "train", "valid" or "test".
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit.
    """
    where = shown(path)
    found = arrays.members(path, ("time_s", "bandwidth_mbps", "ptr", "names", "split"))
    ptr = arrays.vector(found["ptr"], f"ptr in {where}")
    time, speed = (
        arrays.series(found[one], f"{one} in {where}") for one in ("time_s", "bandwidth_mbps")
    )
    if len(time) != len(speed):
        raise ExperimentError(f"{where} has {len(time)} times and {len(speed)} bandwidths")
    if len(ptr) < 2 or ptr[0] != 0 or ptr[-1] != len(time) or (ptr[1:] < ptr[:-1]).any():
        raise ExperimentError(f"ptr in {where} does not cut its {len(time)} times into traces")
    names, split = found["names"], found["split"]
    if any(one.shape != (len(ptr) - 1,) or one.dtype.kind != "U" for one in (names, split)):
        raise ExperimentError(f"{where} has not one name and one part for each of its traces")
    if odd := {*split.tolist()} - {*PARTS}:
        raise ExperimentError(f"{where} has the part {quoted(min(odd))}, not {', '.join(PARTS)}")
    made: dict[str, list[Trace]] = {part: [] for part in PARTS}
    for number, (begin, end) in enumerate(itertools.pairwise(ptr)):
        trace = Trace(str(names[number]), time[begin:end], speed[begin:end])
        made[str(split[number])].append(_fitting(trace, where))
    return TraceSet(name, *(tuple(made[part]) for part in PARTS))


def read_folder(path: Path, name: str, key: str = "") -> TraceSet:
    """Traces of a folder of text files: seconds and megabits a second on each line, as Pensieve cooks them.

    Raises:
        ExperimentError: names the file and the line that does not fit.
    """
    files = sorted(one for one in path.glob("*") if one.is_file()) if path.is_dir() else []
    if not files:
        raise ExperimentError(f"{shown(path)} is no folder with traces")
    return TraceSet(name, (), (), tuple(_cooked(file) for file in files))


def _cooked(path: Path) -> Trace:
    rows = []
    for number, line in enumerate(content(path).decode("utf-8", "replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            time, speed = map(float, line.split())
        except ValueError:
            raise ExperimentError(
                f"line {number} of {shown(path)} is no time and bandwidth: {quoted(line)}"
            ) from None
        rows.append((time, speed))
    both = np.array(rows, float).reshape(-1, 2)
    return _fitting(Trace(path.name, both[:, 0], both[:, 1]), shown(path))


def _fitting(trace: Trace, where: str) -> Trace:
    time, speed = trace.seconds, trace.megabits
    if len(time) < 2 or not np.isfinite([time, speed]).all() or (np.diff(time) <= 0).any():
        raise ExperimentError(f"times of the trace {quoted(trace.name)} in {where} do not grow")
    if speed.min() < 0 or not speed[1:].any():
        raise ExperimentError(f"the trace {quoted(trace.name)} in {where} carries nothing, or less")
    return trace


def read_videos(path: Path, name: str, key: str = "") -> tuple[VideoSizes, ...]:
    """Videos of a folder: `NAME_chunk_sizes_bytes.csv`, a column for each quality, a row for each chunk.

    A chunk may be smaller in a better quality, as encoders sometimes make them; a whole video may not,
    since then its qualities are out of order.

    Raises:
        ExperimentError: names the file and what in it does not fit.
    """
    ending = "_chunk_sizes_bytes.csv"
    files = sorted(path.glob(f"*{ending}")) if path.is_dir() else []
    if not files:
        raise ExperimentError(f"{shown(path)} is no folder with files *{ending}")
    return tuple(VideoSizes(file.name.removesuffix(ending), _sizes(file)) for file in files)


def read_qualities(path: Path, name: str, key: str = "") -> tuple[VideoSizes, ...]:
    """One video of a folder as Pensieve has it: `video_size_0` and so on, a chunk's bytes on each line.

    The qualities are in order as in `read_videos`.

    Raises:
        ExperimentError: names the file and what in it does not fit.
    """
    columns: list[np.ndarray] = []
    while (file := path / f"video_size_{len(columns)}").is_file():
        columns.append(_table([line.split()[:1] for line in _lines(file)], file)[:, 0])
    if not columns or len({len(one) for one in columns}) > 1:
        raise ExperimentError(
            f"{shown(path)} has not files video_size_0, ... with as many chunks each"
        )
    return (VideoSizes(name, _growing(np.stack(columns, 1), path)),)


def _sizes(path: Path) -> np.ndarray:
    try:
        rows = list(csv.reader(_lines(path)))
    except csv.Error as error:
        raise ExperimentError(f"cannot read {shown(path)}: {shown(error)}") from None
    if len(rows) < 2 or rows[0] != [f"q{number}" for number in range(len(rows[0]))]:
        raise ExperimentError(f"{shown(path)} has no heading q0, q1, ... with chunks below it")
    return _growing(_table(rows[1:], path), path)


def _growing(sizes: np.ndarray, path: Path) -> np.ndarray:
    totals = [sum(column) for column in sizes.T.tolist()]
    for quality, (worse, better) in enumerate(itertools.pairwise(totals), 1):
        if better <= worse:
            raise ExperimentError(
                f"the video in {shown(path)} has {better} bytes in quality {quality}, and {worse} in "
                "the worse one before it"
            )
    return sizes


def _lines(path: Path) -> list[str]:
    text = content(path).decode("utf-8", "replace")
    return [line for line in text.splitlines() if line.strip()]


def _table(rows: list[list[str]], path: Path) -> np.ndarray:
    if not rows:
        raise ExperimentError(f"{shown(path)} has no chunk")
    for number, row in enumerate(rows, 1):
        whole = all(one.isascii() and one.isdecimal() and 0 < len(one) < 16 for one in row)
        if len(row) != len(rows[0]) or not whole or not all(map(int, row)):
            raise ExperimentError(f"chunk {number} in {shown(path)} has no sizes: {quoted(row)}")
    return np.array(rows, np.int64)
