"""Every statement of the theory, found where it stands: a module with `CHECK` or `CHECKS`.

Beside them stand those that installed packages bring, and `named` chooses among them or among others.
"""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping

from ntkexec.check import Check, Outcome, Scale, carry_out
from ntkexec.errors import NtkexecError, did_you_mean
from proofs_check import own, statements


@functools.cache
def modules() -> Mapping[str, tuple[Check[Scale], ...]]:
    """The statements of every module, by the module's name, in alphabetical order; then installed ones.

    Raises:
        NtkexecError: two statements share a name, or an installed package's cannot be loaded.
    """
    found: dict[str, tuple[Check[Scale], ...]] = {}
    owner: dict[str, str] = {}
    for entry in pkgutil.iter_modules(statements.__path__):
        module = importlib.import_module(f"{statements.__name__}.{entry.name}")
        stated: tuple[Check[Scale], ...] = getattr(module, "CHECKS", ())
        if hasattr(module, "CHECK"):
            stated = (module.CHECK, *stated)
        for check in stated:
            if owner.setdefault(check.name, entry.name) != entry.name:
                raise NtkexecError(
                    f"{entry.name} and {owner[check.name]} both have a check {check.name!r}"
                )
        if stated:
            found[entry.name.replace("_", "-")] = stated
    for name, brought in own.installed().items():
        if name in found:
            raise NtkexecError(f"an installed package calls its checks {name!r}, as one of ours is")
        for check in brought:
            if owner.setdefault(check.name, name) != name:
                raise NtkexecError(
                    f"{name} and {owner[check.name]} both have a check {check.name!r}"
                )
        found[name] = brought
    return found


def checks() -> dict[str, Check[Scale]]:
    """All statements by name."""
    return {check.name: check for stated in modules().values() for check in stated}


def select(names: Iterable[str]) -> tuple[Check[Scale], ...]:
    """The statements of these names; the name of a module stands for all that it states.

    Args:
        names: none for all.

    Raises:
        NtkexecError: an unknown name; suggests the nearest.
    """
    return named(names, checks(), modules())


def named(
    names: Iterable[str],
    known: Mapping[str, Check[Scale]],
    groups: Mapping[str, tuple[Check[Scale], ...]],
) -> tuple[Check[Scale], ...]:
    """Those of known statements that names choose; see `select`.

    Args:
        names: of statements, or of groups; none for all.
        known: statements by name.
        groups: several of them by one name.

    Raises:
        NtkexecError: an unknown name; suggests the nearest.
    """
    chosen: dict[str, Check[Scale]] = {}
    for name in names:
        if name not in known and name not in groups:
            raise NtkexecError(
                f"no check {name!r}{did_you_mean(name, sorted({*known, *groups}))} "
                "(--list names all that there are)"
            )
        for check in groups.get(name) or (known[name],):
            chosen[check.name] = check
    return tuple(chosen.values()) or tuple(known.values())


def carry_out_all(
    selected: Iterable[Check[Scale]],
    scale: Scale,
    *,
    starting: Callable[[Check[Scale]], None] = lambda _: None,
) -> Iterator[Outcome]:
    """Carries out one check after another.

    Args:
        selected: what to check.
        scale: how much work to do.
        starting: called before each.
    """
    for check in selected:
        starting(check)
        yield carry_out(check, scale)
