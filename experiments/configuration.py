"""Configurations: frozen dataclasses whose fields can be set by words from a command line."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any, TypeVar

from ntkexec.errors import ExperimentError

Config = TypeVar("Config")


def changed(config: Config, changes: Iterable[str]) -> Config:
    """The configuration with fields set by `FIELD=VALUE`, in JSON or as a bare word.

    Raises:
        ExperimentError: for an unknown field or a value of another type; the configuration's own
            check follows.
    """
    known = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for change in changes:
        name, equals, word = change.partition("=")
        if not equals or name not in known:
            raise ExperimentError(f"{change!r} sets no field; the fields are {', '.join(known)}")
        values[name] = _parsed(word, known[name], name)
    return dataclasses.replace(config, **values)  # type: ignore[type-var]


def _parsed(word: str, old: Any, name: str) -> Any:
    try:
        value = json.loads(word)
    except ValueError:
        value = word
    if isinstance(old, tuple) and isinstance(value, list):
        return tuple(value)
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(old):
        raise ExperimentError(f"{name} is {old!r}, a {type(old).__name__}; {word!r} is none")
    return value


def require(config: Any, **conditions: bool) -> None:
    """Refuses a configuration whose named field breaks its condition.

    Raises:
        ExperimentError: with the field and its value.
    """
    for name, holds in conditions.items():
        if not holds:
            raise ExperimentError(
                f"{type(config).__name__}: {name} cannot be {getattr(config, name)!r}"
            )
