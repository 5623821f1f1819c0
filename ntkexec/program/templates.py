"""Templates: a condition on some bits and the bits that it switches on."""

import dataclasses
from collections.abc import Iterable, Mapping

from ntkexec.errors import ProgramError


@dataclasses.dataclass(frozen=True)
class Template:
    """One training pair (a *local instruction* in the papers): condition and outputs.

    Args:
        condition: pairs (bit, required value), by increasing bit; other bits are free.
        outputs: the bits that it writes to 1, increasing; none for one that only raises n0 and m.
        label: what it is for, for people; no part of its identity.
    """

    condition: tuple[tuple[int, bool], ...]
    outputs: tuple[int, ...]
    label: str = dataclasses.field(default="", compare=False)

    def __post_init__(self) -> None:
        bits = [bit for bit, _ in self.condition]
        if bits != sorted(set(bits)) or list(self.outputs) != sorted(set(self.outputs)):
            raise ProgramError(f"template {self.label!r} is not in canonical form; use template()")


def template(
    when: Mapping[int, int | bool] | Iterable[tuple[int, int | bool]],
    then: Iterable[int],
    label: str = "",
) -> Template:
    """A template in canonical form.

    Args:
        when: required values by bit, as a mapping or as pairs (repeated pairs are merged).
        then: the bits written to 1; at least one.
        label: what it is for.

    Raises:
        ProgramError: a bit is required to be both 0 and 1, a value is not a bit, or nothing is
            written.
    """
    pairs = list(when.items() if isinstance(when, Mapping) else when)
    condition: dict[int, bool] = {}
    for bit, value in ((int(bit), value) for bit, value in pairs):
        if value not in (0, 1):
            raise ProgramError(f"template {label!r} requires bit {bit} to be {value!r}, not 0 or 1")
        if condition.setdefault(bit, bool(value)) != bool(value):
            raise ProgramError(f"template {label!r} requires bit {bit} to be both 0 and 1")
    outputs = tuple(sorted({int(bit) for bit in then}))
    if not outputs:
        raise ProgramError(
            f"template {label!r} writes no bit; Program.from_arrays takes those that are meant so"
        )
    return Template(tuple(sorted(condition.items())), outputs, label)
