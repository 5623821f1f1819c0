"""Jobs of a cluster as graphs of stages, with how long their tasks were seen to take."""

import collections
import dataclasses
import graphlib
import json
from pathlib import Path
from typing import Any

from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

SIZES = (2, 20, 100)
"""Gigabytes of the data that the queries ran over."""
WAVES = ("fresh_durations", "first_wave", "rest_wave")
LONGEST = 10**9
"""Milliseconds of a task, some eleven days."""
Durations = dict[int, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class JobStage:
    """Tasks that are alike, and their durations in milliseconds by the number of executors at the job.

    Args:
        fresh: of tasks that an executor began with when it came to the job.
        first: of an executor's first task of this stage, those of `fresh` among them.
        rest: of its further ones. All three have the same numbers of executors as keys.
    """

    fresh: Durations
    first: Durations
    rest: Durations

    @property
    def num_tasks(self) -> int:
        """Of the run with the file's first number of executors, as the public code counts them."""
        level = next(iter(self.first))
        return len(self.first[level]) + len(self.rest[level])


@dataclasses.dataclass(frozen=True)
class JobGraph:
    """A query.

    Args:
        query: its number.
        gigabytes: it ran over.
        stages: of tasks.
        parents: of each stage: those that must have finished before it starts; without cycles.
    """

    query: int
    gigabytes: int
    stages: tuple[JobStage, ...]
    parents: tuple[tuple[int, ...], ...]

    @property
    def num_tasks(self) -> int:
        return sum(stage.num_tasks for stage in self.stages)


@dataclasses.dataclass(frozen=True)
class JobGraphSet:
    """Queries over data of several sizes.

    Args:
        name: of the set.
        graphs: by size, then by number.
    """

    name: str
    graphs: tuple[JobGraph, ...]


def read(path: Path, name: str, key: str = "") -> JobGraphSet:
    """All queries of a folder's `NAME_2g.json`, `NAME_20g.json` and `NAME_100g.json`.

    Args:
        path: of the folder.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file, the query, and what in it does not fit.

    Source: Mao et al., Decima, SIGCOMM 2019, arXiv:1810.01963; its public data.
    """
    graphs = []
    for size in SIZES:
        file = path / f"{name}_{size}g.json"
        here = []
        for query, fields in _object(file).items():
            try:
                here.append(_graph(_number(query), size, fields))
            except ValueError as error:
                raise ExperimentError(
                    f"query {quoted(query, 40)} of {shown(file)}: {error}"
                ) from None
        graphs += sorted(here, key=lambda graph: graph.query)
    return JobGraphSet(name, tuple(graphs))


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(content(path), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ExperimentError):
            raise
        raise ExperimentError(f"{shown(path)} is no JSON: {shown(error)}") from error
    if not isinstance(found, dict) or not found:
        raise ExperimentError(f"{shown(path)} holds no queries, but {quoted(found, 60)}")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different; of equal ones, JSON's reader would keep the last."""
    made = dict(pairs)
    if len(made) < len(pairs):
        number = collections.Counter(name for name, _ in pairs)
        twice = max(number, key=number.__getitem__)
        raise ValueError(f"the name {quoted(twice, 40)} is there twice in one object")
    return made


def _graph(query: int, size: int, fields: Any) -> JobGraph:
    if not isinstance(fields, dict) or not isinstance(fields.get("stages"), dict):
        raise ValueError(f"it has no stages, but {quoted(fields, 60)}")
    stages, edges = fields["stages"], fields.get("edges")
    number = fields.get("n_stages")
    # Counted before it is compared: a file can say any number.
    counted = type(number) is int and 0 < number == len(stages)
    if not counted or list(stages) != [str(i) for i in range(len(stages))]:
        raise ValueError(
            f"its stages are not numbered from 0 to {quoted(number, 20)}: {quoted(list(stages), 60)}"
        )
    # Dictionaries, that a parent is looked up at once, in the order of the file.
    parents: list[dict[int, None]] = [{} for _ in stages]
    if not isinstance(edges, list):
        raise ValueError(f"its edges are no list: {quoted(edges, 60)}")
    for edge in edges:
        if not isinstance(edge, list) or len(edge) != 2 or not all(type(i) is int for i in edge):
            raise ValueError(f"{quoted(edge, 60)} is no edge from a stage to a stage")
        parent, child = edge
        if not (0 <= parent < number and 0 <= child < number) or parent in parents[child]:
            raise ValueError(f"the edge {edge} is there twice, or names none of {number} stages")
        parents[child][parent] = None
    try:
        graphlib.TopologicalSorter(dict(enumerate(parents))).prepare()
    except graphlib.CycleError as error:
        cycle = sorted({*error.args[1]})
        raise ValueError(f"its stages {quoted(cycle, 60)} wait for each other") from None
    made = tuple(_stage(i, stages[str(i)]) for i in range(len(stages)))
    return JobGraph(query, size, made, tuple(map(tuple, parents)))


def _stage(number: int, fields: Any) -> JobStage:
    if not isinstance(fields, dict) or not all(isinstance(fields.get(w), dict) for w in WAVES):
        raise ValueError(f"stage {number} lacks one of {', '.join(WAVES)}")
    waves = []
    for wave in WAVES:
        levels: Durations = {}
        for level, listed in fields[wave].items():
            if not isinstance(listed, list) or not all(
                type(one) is int and 0 < one <= LONGEST for one in listed
            ):
                raise ValueError(
                    f"{wave} of stage {number} with {quoted(level, 20)} executors are no milliseconds "
                    f"from 1 to {LONGEST}: {quoted(listed, 60)}"
                )
            levels[_number(level)] = tuple(listed)
        waves.append(levels)
    made = JobStage(*waves)
    if not made.first or not (made.first.keys() == made.fresh.keys() == made.rest.keys()):
        raise ValueError(f"the waves of stage {number} are not of the same numbers of executors")
    if lacking := [level for level, listed in made.first.items() if not listed]:
        raise ValueError(f"stage {number} has no first wave with {lacking[0]} executors")
    return made


def _number(text: str) -> int:
    """As it is written in one way alone, so that no two names are one number."""
    if not (text.isascii() and text.isdigit() and len(text) < 7 and text[0] != "0"):
        raise ValueError(f"{quoted(text, 40)} is no number above 0 without leading zeros")
    return int(text)
