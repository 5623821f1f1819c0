"""Configurations: frozen dataclasses whose fields can be set by words from a command line."""

import dataclasses
import json
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from experiments.files.words import quoted
from ntkexec.errors import ExperimentError

Config = TypeVar("Config")
MOST = 2**31 - 1
"""The largest whole number of a configuration: sizes and steps are counted in 32 bits."""
LARGEST = 1e300
"""The largest other number; nan and infinity are not below it."""


def changed(config: Config, changes: Iterable[str]) -> Config:
    """The configuration with fields set by `FIELD=VALUE`, in JSON or as a bare word.

    Raises:
        ExperimentError: for an unknown field or a value of another type; the configuration's own
            check follows.
    """
    kinds = _kinds(config)
    values: dict[str, Any] = {}
    for change in changes:
        name, equals, word = change.partition("=")
        if not equals or name not in kinds:
            # A value may be the address of a server; no message repeats what could be its password.
            raise ExperimentError(
                f"{quoted(change, secret=True)} sets no field; the fields are {', '.join(kinds)}"
            )
        values[name] = _parsed(word, kinds[name])
        _check(values[name], kinds[name], name, word)
    return dataclasses.replace(config, **values)  # type: ignore[type-var]


def _parsed(word: str, kind: Any) -> Any:
    """A word as JSON where that has the field's type, else as it stands."""
    try:
        value = json.loads(word)
    except (ValueError, RecursionError):
        return word
    if kind is str:
        # A model may be called 4, or true.
        return value if isinstance(value, str) else word
    return _cast(value, kind)


def _cast(value: Any, kind: Any) -> Any:
    """JSON's lists as tuples, and its whole numbers as others, where that is the kind."""
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_cast(entry, typing.get_args(kind)[0]) for entry in value)
    if kind is float and type(value) is int and abs(value) <= LARGEST:
        return float(value)
    return value


def check_types(config: Any) -> None:
    """Refuses a configuration one of whose fields has another type than it is declared with.

    To be called before the conditions of `require`, which compare.

    Raises:
        ExperimentError: with the field and its value; also for a number that is not finite or beyond
            32 bits, and for a text that no terminal could show.
    """
    for name, kind in _kinds(config).items():
        _check(getattr(config, name), kind, name)


def _kinds(config: Any) -> Mapping[str, Any]:
    hints = typing.get_type_hints(type(config))
    return {field.name: hints[field.name] for field in dataclasses.fields(config)}


def _check(value: Any, kind: Any, name: str, word: str | None = None) -> None:
    if wanted := _unfit(value, kind):
        said = quoted(value if word is None else word, secret=True)
        raise ExperimentError(f"{name} is {wanted}; {said} is none")


def _unfit(value: Any, kind: Any) -> str:
    """What a value of the kind is, if this is none; empty if it is one."""
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        name = f"a list, each of which is {_WORDS.get(inner, inner)}"
        fits = isinstance(value, tuple) and not any(_unfit(entry, inner) for entry in value)
        return "" if fits else name
    fits = {
        bool: type(value) is bool,
        int: type(value) is int and abs(value) <= MOST,
        float: type(value) in (int, float) and abs(value) <= LARGEST,
        str: type(value) is str and value.isprintable(),
    }.get(kind, True)
    return "" if fits else _WORDS[kind]


_WORDS = {
    bool: "true or false",
    int: f"a whole number up to {MOST}",
    float: "a finite number",
    str: "printable text",
}


def require(config: Any, **conditions: bool) -> None:
    """Refuses a configuration whose named field breaks its condition.

    Raises:
        ExperimentError: with the field and its value.
    """
    for name, holds in conditions.items():
        if not holds:
            said = quoted(getattr(config, name), secret=True)
            raise ExperimentError(f"{type(config).__name__}: {name} cannot be {said}")
