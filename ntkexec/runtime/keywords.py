"""Frozen configurations whose fields a function takes as loose keywords too.

A field, its default and its documentation stand once, in the configuration; users write
`run("bfs", graph, width=4096)` and need not know which configuration has it.
"""

import dataclasses
import functools
import inspect
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Configuration = TypeVar("Configuration", bound="DataclassInstance")
Function = TypeVar("Function", bound=Callable[..., Any])


# Any, here and below: the values of fields.
def taken(loose: dict[str, Any], given: Configuration) -> Configuration:
    """A configuration with those of its fields that are given loosely, which `loose` loses."""
    names = [field.name for field in dataclasses.fields(given) if field.name in loose]
    return dataclasses.replace(given, **{name: loose.pop(name) for name in names})


def asked(given: "DataclassInstance") -> dict[str, Any]:
    """The fields of a configuration that are not at their defaults."""
    return {
        field.name: value
        for field in dataclasses.fields(given)
        if (value := getattr(given, field.name)) != field.default
    }


def shows_fields_of(*configurations: "type[DataclassInstance]") -> Callable[[Function], Function]:
    """Lets `help` and notebooks show fields among the keywords of a function that takes them loosely."""

    def shown(function: Function) -> Function:
        signature = inspect.signature(function)
        *own, rest = signature.parameters.values()
        fields = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=field.type,
            )
            for configuration in configurations
            for field in dataclasses.fields(configuration)
        ]
        function.__signature__ = signature.replace(parameters=[*own, *fields, rest])  # type: ignore[attr-defined]
        return function

    return shown


def renamed(**old: str) -> Callable[[Function], Function]:
    """Lets a function take keywords by their former names, with a DeprecationWarning.

    Args:
        old: by its former name, the name of a parameter.
    """

    def taking(function: Function) -> Function:
        @functools.wraps(function)
        def call(*arguments: Any, **given: Any) -> Any:
            for former, name in old.items():
                if former not in given or name in given:
                    continue
                told = f"{former}= of {function.__name__} is called {name}= now"
                warnings.warn(told, DeprecationWarning, stacklevel=2)
                given[name] = given.pop(former)
            return function(*arguments, **given)

        return call  # type: ignore[return-value]

    return taking
