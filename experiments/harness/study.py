"""What measures: studies, what each is given for one seed, and what they leave behind.

A *study* is a function `(config, trial) -> result`, where the result is a mapping that JSON can hold.
It runs once for each seed. The results of all studies under one seed are a `Record`, and the claims
take all records. So measuring, which is slow and stored, knows nothing of judging, which is neither.
"""

import dataclasses
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import jax
import numpy as np

from experiments.data import room
from experiments.files.storage import plain, read_sealed, write_sealed
from experiments.files.words import quoted
from ntkexec.check import Scale
from ntkexec.errors import ExperimentError

Config = TypeVar("Config")
Result = Mapping[str, Any]


class NotMeasured(Exception):
    """A study or a claim cannot measure here, and says why; it is a verdict, not a mistake."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """One study under one seed: its randomness, its data, where it may write, and whom it tells.

    Args:
        study: name of the study.
        seed: of the record.
        report: told about progress as (what, done, total).
        folder: for checkpoints, which make a killed study continue; none in memory-only runs.
        data: folder with real data sets; none if the user gave none.
    """

    study: str
    seed: int
    report: Callable[[str, int, int], None] = lambda what, done, total: None
    folder: Path | None = None
    data: Path | None = None

    @property
    def key(self) -> jax.Array:
        """A key for this study and seed alone."""
        return jax.random.fold_in(jax.random.key(self.seed), zlib.crc32(self.study.encode()))

    @property
    def generator(self) -> np.random.Generator:
        """NumPy's randomness for this study and seed alone."""
        return np.random.default_rng([self.seed, zlib.crc32(self.study.encode())])

    def kept(self, name: str, make: Callable[[], Result]) -> Result:
        """A part of a long study's result: read from the folder if it is there, else made and kept.

        Args:
            name: of the part, one for each; it becomes a file's name.
            make: measures it, from the study's configuration and seed alone: what it draws must not
                depend on which other parts were made in the same run.
        """
        if self.folder is None:
            return make()
        path = self.folder / f"{name.replace(' ', '-')}.json"
        if read_sealed(path, part=name) is None:
            write_sealed(path, {"part": name, "result": plain(make())})
        # What was just measured and what was read must not differ.
        stored = read_sealed(path, part=name) or {}
        return checked_result(stored.get("result"), path)

    def load(self, name: str) -> Any:
        """A real data set, as `experiments.data.load` gives it.

        Raises:
            NotMeasured: if the user gave no data, or has not this set. Nothing stands in for it.
            ExperimentError: if it is there and damaged.
        """
        try:
            return room.load(name, self.data)
        except room.DataMissingError as reason:
            raise NotMeasured(str(reason)) from None

    def dataset(self, name: str) -> Path:
        """Where a real data set lies, for a study that reads it part by part.

        Raises:
            NotMeasured: as for `load`.
        """
        try:
            return room.find(name, self.data)
        except room.DataMissingError as reason:
            raise NotMeasured(str(reason)) from None


def checked_result(found: Any, path: Path) -> Result:
    """What a study returned, as it was stored.

    Raises:
        ExperimentError: names the file, if that is no mapping.
    """
    if not isinstance(found, dict):
        raise ExperimentError(
            f"{path} holds no result, but {quoted(found)}; delete it to measure anew"
        )
    return found


@dataclasses.dataclass(frozen=True)
class Record:
    """What all studies measured under one seed; indexed by the name of a study.

    Args:
        seed: of every random choice in it.
        results: by study.
        missing: by study, why it was not measured.
    """

    seed: int
    results: Mapping[str, Result]
    missing: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __getitem__(self, study: str) -> Result:
        """The result of a study.

        Raises:
            NotMeasured: with the study's reason.
        """
        if study not in self.results:
            raise NotMeasured(self.missing.get(study, f"the study {study} was not run"))
        return self.results[study]

    def changed(self, study: str, **values: Any) -> "Record":
        """The record with other values in one study's result, as broken twins of claims need it."""
        result = {**self[study], **values}
        return dataclasses.replace(self, results={**self.results, study: result})

    def to_data(self) -> dict[str, Any]:
        """The record as plain data, for JSON."""
        return dataclasses.asdict(self)


Records = Sequence[Record]
Study = Callable[[Any, Trial], Result]


@dataclasses.dataclass(frozen=True)
class Studies(Generic[Config]):
    """Everything that a port measures.

    Args:
        configs: for every scale. A configuration is a frozen dataclass of numbers and words that
            checks itself in `__post_init__`; the claims are the same at every scale.
        tiny: a configuration that takes seconds, to test that everything runs, not what holds.
        functions: the studies by name, in the order in which they run.
        num_seeds: where nobody asks for another number.
        slow: those that take seconds even when tiny, to compile; only the slow tests run them.
    """

    configs: Mapping[Scale, Config]
    tiny: Config
    functions: Mapping[str, Study]
    num_seeds: int = 5
    slow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.functions:
            raise ExperimentError("a port without studies measures nothing")
        if unknown := set(self.slow) - set(self.functions):
            raise ExperimentError(f"there is no study {min(unknown)!r} to be slow")

    def config(self, scale: Scale) -> Config:
        """The configuration for a scale.

        Raises:
            ExperimentError: names the scales that there are.
        """
        if scale not in self.configs:
            raise ExperimentError(
                f"there is no scale {scale!r} here, but {', '.join(self.configs)}"
            )
        return self.configs[scale]
