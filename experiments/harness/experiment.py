"""What an experiment is: a paper, configurations, studies that measure, and checks that judge.

A *study* is a function `(config, trial) -> result`, where the result is a mapping that JSON can hold.
It runs once for each seed. The results of all studies under one seed are a `Record`, and the checks
take all records. So measuring, which is slow and stored, knows nothing of judging, which is neither.
"""

import dataclasses
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import jax
import numpy as np

from experiments.files.storage import plain, read_sealed, write_sealed
from experiments.files.words import quoted
from ntkexec.check import Check, Scale
from ntkexec.errors import ExperimentError

Config = TypeVar("Config")
Result = Mapping[str, Any]
DATA_VARIABLE = "NTKEXEC_DATA"


class NotMeasured(Exception):
    """A study or a check cannot measure here, and says why; it is a verdict, not a mistake."""


@dataclasses.dataclass(frozen=True)
class Paper:
    """Where an experiment comes from.

    Args:
        title: in full.
        authors: family names, or the first few and "et al.".
        year: of the version that is ported.
        venue: conference or journal; empty for a preprint.
        arxiv: the number, without a version; empty if there is none.
    """

    title: str
    authors: str
    year: int
    venue: str = ""
    arxiv: str = ""

    def __str__(self) -> str:
        where = ", ".join(
            part for part in (self.venue, self.arxiv and f"arXiv:{self.arxiv}") if part
        )
        return f"{self.authors}: {self.title} ({where or 'preprint'}, {self.year})"


@dataclasses.dataclass(frozen=True)
class Trial:
    """One study under one seed: its randomness, where it may write, and whom it tells.

    Args:
        study: name of the study.
        seed: of the record.
        report: told about progress as (what, done, total).
        folder: for checkpoints, which make a killed study continue; none in memory-only runs.
        data: folder with real data sets, one subfolder each; none if the user gave none.
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

    def dataset(self, name: str) -> Path:
        """The folder of a real data set.

        Raises:
            NotMeasured: if the user gave no data, or has not this one. Nothing stands in for it.
        """
        if self.data is None:
            raise NotMeasured(
                f"needs the data set {name}: give the folder that holds {name}/ with --data or "
                f"{DATA_VARIABLE}"
            )
        if not (self.data / name).is_dir():
            raise NotMeasured(
                f"needs the data set {name}, and there is no folder {self.data / name}"
            )
        return self.data / name


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
        """The record with other values in one study's result, as broken twins of checks need it."""
        result = {**self[study], **values}
        return dataclasses.replace(self, results={**self.results, study: result})

    def to_data(self) -> dict[str, Any]:
        """The record as plain data, for JSON."""
        return dataclasses.asdict(self)


Records = Sequence[Record]
Study = Callable[[Any, Trial], Result]


class Applied(Protocol):
    """What came of a method on a user's data: its text for a terminal is `str` of it."""

    def to_data(self) -> dict[str, Any]: ...


@dataclasses.dataclass(frozen=True)
class Application:
    """A method for a user's own data, from the command line.

    Args:
        options: what each option is, by name without dashes; each takes one word.
        function: takes the given options, a folder that it may keep files in, and whom to tell about
            progress as (what, done, total).
    """

    options: Mapping[str, str]
    function: Callable[[Mapping[str, str], Path, Callable[[str, int, int], None]], Applied]

    def parsed(self, words: Sequence[str]) -> dict[str, str]:
        """Options by name from `--name value` and `--name=value`.

        Raises:
            ExperimentError: for an unknown option, one that is given twice, or one without a value.
        """
        found: dict[str, str] = {}
        rest = list(words)
        while rest:
            word = rest.pop(0)
            name, equals, value = word.removeprefix("--").partition("=")
            if not word.startswith("--") or name not in self.options:
                known = ", ".join(f"--{option}" for option in self.options)
                raise ExperimentError(f"{word!r} is no option here; there are {known}")
            if name in found or not (equals or rest):
                raise ExperimentError(f"--{name} needs one value")
            found[name] = value if equals else rest.pop(0)
        return found


@dataclasses.dataclass(frozen=True)
class Experiment(Generic[Config]):
    """A paper's port, and what is claimed, measured and judged of it.

    Args:
        slug: its name on the command line; the folder is the same with underscores.
        title: one line for lists.
        paper: the reference.
        configs: for every scale. A configuration is a frozen dataclass of numbers and words that
            checks itself in `__post_init__`; the claims are the same at every scale.
        tiny: a configuration that takes seconds, to test that everything runs, not what holds.
        studies: by name, in the order in which they run.
        checks: over the records of all seeds.
        num_seeds: where nobody asks for another number.
        slow_studies: those that take seconds even when tiny, to compile; only the slow tests run them.
        application: the method on a user's data, where there is one.
    """

    slug: str
    title: str
    paper: Paper
    configs: Mapping[Scale, Config]
    tiny: Config
    studies: Mapping[str, Study]
    checks: tuple[Check[Records], ...]
    num_seeds: int = 5
    slow_studies: tuple[str, ...] = ()
    application: Application | None = None

    def __post_init__(self) -> None:
        names = [check.name for check in self.checks]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ExperimentError(f"{self.slug}: two checks are called {min(twice)!r}")
        if not self.studies or not self.checks:
            raise ExperimentError(f"{self.slug}: an experiment needs a study and a check")
        if unknown := set(self.slow_studies) - set(self.studies):
            raise ExperimentError(f"{self.slug}: there is no study {min(unknown)!r} to be slow")

    def config(self, scale: Scale) -> Config:
        """The configuration for a scale."""
        if scale not in self.configs:
            raise ExperimentError(
                f"{self.slug} has no scale {scale!r}; it has {', '.join(self.configs)}"
            )
        return self.configs[scale]
