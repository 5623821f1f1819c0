"""A port as an experiment: what is known of it, what it measures, what it claims."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from experiments.harness.about import About
from experiments.harness.claim import Claim
from experiments.harness.study import Studies
from ntkexec.errors import ExperimentError

Config = TypeVar("Config")


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
    """A port, loaded.

    Args:
        about: what is known of it without loading.
        studies: what it measures.
        claims: over the records of all seeds.
        application: the method on a user's data, where there is one.
    """

    about: About
    studies: Studies[Config]
    claims: tuple[Claim, ...]
    application: Application | None = None

    def __post_init__(self) -> None:
        names = [claim.name for claim in self.claims]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ExperimentError(f"{self.slug}: two claims are called {min(twice)!r}")
        if not self.claims:
            raise ExperimentError(f"{self.slug}: a port without claims cannot be wrong")
        if other := set(names) ^ set(self.about.expected):
            raise ExperimentError(
                f"{self.slug}: about.toml and the claims differ in {min(other)!r}; [expected] names "
                "every claim, and no other"
            )

    @property
    def slug(self) -> str:
        """The name on the command line."""
        return self.about.slug
