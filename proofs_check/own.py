"""Statements that others make: in a file, in a module, in an installed package."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata

from ntkexec.check import Check, Measurement, Scale, stated_in
from ntkexec.cli import modules
from ntkexec.cli.own import of_the_user
from ntkexec.errors import NtkexecError, clean

GROUP = "ntkexec.checks"
"""Entry points of this group name a module of statements, or a statement, or a tuple of them."""


def from_modules(called: Iterable[str]) -> dict[str, tuple[Check[Scale], ...]]:
    """The statements of files or modules, by what the user wrote.

    Args:
        called: each a file of Python or a module's name.

    Raises:
        OwnCodeError: the user's code ends in an error, now or when a statement is measured.
        NtkexecError: there is no such module, it states nothing, or two statements share a name.
    """
    found: dict[str, tuple[Check[Scale], ...]] = {}
    owner: dict[str, str] = {}
    for one in called:
        found[one] = _shielded(one, stated_in(modules.load_module(one)))
        for check in found[one]:
            if check.name in owner:
                raise NtkexecError(
                    f"{clean(owner[check.name])} and {clean(one)} have two checks {check.name!r}; "
                    "statement(..., name=...) tells them apart"
                )
            owner[check.name] = one
    return found


def installed() -> dict[str, tuple[Check[Scale], ...]]:
    """The statements that installed packages bring, by the name of the entry point.

    Raises:
        OwnCodeError: such a package's code ends in an error.
        NtkexecError: it states nothing, or two entry points share a name.
    """
    found: dict[str, tuple[Check[Scale], ...]] = {}
    for entry in metadata.entry_points(group=GROUP):
        told = f"the entry point {entry.name} = {entry.value} of {GROUP}"
        if entry.name in found:
            raise NtkexecError(f"two entry points of {GROUP} are called {clean(entry.name)}")
        with of_the_user(told):
            loaded = entry.load()
        found[entry.name] = _shielded(told, stated_in(loaded))
    return found


def _shielded(source: str, stated: tuple[Check[Scale], ...]) -> tuple[Check[Scale], ...]:
    """The same statements; what goes wrong in them is told as an error of their code."""
    if not stated:
        raise NtkexecError(
            f"{clean(source)} holds no statement; `from ntkexec.check import statement` makes one of "
            "a function"
        )

    def shield(function: Callable[[Scale], Measurement]) -> Callable[[Scale], Measurement]:
        def measure(scale: Scale) -> Measurement:
            with of_the_user(source):
                return function(scale)

        return measure

    return tuple(
        dataclasses.replace(
            check,
            measure=shield(check.measure),
            broken=None if check.broken is None else shield(check.broken),
        )
        for check in stated
    )


def counter_cases(selected: Iterable[Check[Scale]]) -> tuple[Check[Scale], ...]:
    """For each statement the one whose measurement is the counter-case, which must fail."""

    def missing(_: Scale) -> Measurement:
        return Measurement(
            reason="it has no counter-case (`broken`), so nothing shows that it can fail"
        )

    return tuple(
        dataclasses.replace(
            check,
            claim=f"counter-case of: {check.claim}",
            measure=missing if check.broken is None else check.broken,
        )
        for check in selected
    )


def by_name(
    found: Mapping[str, tuple[Check[Scale], ...]],
) -> dict[str, Check[Scale]]:
    """All statements of several modules, by their names."""
    return {check.name: check for stated in found.values() for check in stated}
