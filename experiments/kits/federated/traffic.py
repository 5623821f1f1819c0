"""A ledger of what was sent: bytes and messages by hop, such as client to gateway; it computes nothing."""

import collections
import dataclasses
import numbers
from collections.abc import Callable
from typing import Any

from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Sent:
    """Something that went over a hop.

    Args:
        hop: whence and where to, such as "satellite to gateway".
        what: it was, such as "model".
        bytes: of all messages together.
        messages: how many there were.
    """

    hop: str
    what: str
    bytes: int
    messages: int = 1

    def __post_init__(self) -> None:
        if not self.hop.strip() or not self.what.strip():
            raise ExperimentError(f"what was sent has a name and a hop, not {self!r}")
        for name in ("bytes", "messages"):
            value = getattr(self, name)
            # NumPy's whole numbers are integral as well.
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
                raise ExperimentError(f"{name} over {self.hop} cannot be {value!r}")
            object.__setattr__(self, name, int(value))


@dataclasses.dataclass(frozen=True)
class Totals:
    """Sums of a ledger's entries.

    Args:
        bytes: in all.
        messages: in all.
    """

    bytes: int
    messages: int


@dataclasses.dataclass(frozen=True)
class Traffic:
    """Everything that was sent, in order; never changed, but added to.

    Example:
        ```python
        traffic = Traffic().plus("client to gateway", "model", 4 * 1000, messages=3)
        traffic.by_hop()["client to gateway"].bytes
        ```

    Args:
        entries: what was sent.
    """

    entries: tuple[Sent, ...] = ()

    def plus(self, hop: str, what: str, bytes: int, messages: int = 1) -> "Traffic":
        """This ledger and one entry more; `bytes` are those of all its messages."""
        return Traffic((*self.entries, Sent(hop, what, bytes, messages)))

    def __add__(self, other: "Traffic") -> "Traffic":
        """Both ledgers' entries."""
        return Traffic(self.entries + other.entries)

    @property
    def total(self) -> Totals:
        """Over all hops."""
        return Totals(sum(e.bytes for e in self.entries), sum(e.messages for e in self.entries))

    def by_hop(self) -> dict[str, Totals]:
        """Sums over each hop, in the order in which hops were first used."""
        return self._by(lambda entry: entry.hop)

    def by_what(self) -> dict[str, Totals]:
        """Sums of each kind of thing that was sent."""
        return self._by(lambda entry: entry.what)

    def to_data(self) -> dict[str, Any]:
        """Sums by hop, then by what was sent, as plain data for JSON."""
        found: dict[str, Any] = {}
        for hop in self.by_hop():
            part = Traffic(tuple(entry for entry in self.entries if entry.hop == hop))
            found[hop] = {name: dataclasses.asdict(one) for name, one in part.by_what().items()}
        return found

    def _by(self, name_of: Callable[[Sent], str]) -> dict[str, Totals]:
        bytes_of: dict[str, int] = collections.defaultdict(int)
        messages_of: dict[str, int] = collections.defaultdict(int)
        for entry in self.entries:
            bytes_of[name_of(entry)] += entry.bytes
            messages_of[name_of(entry)] += entry.messages
        return {name: Totals(bytes_of[name], messages_of[name]) for name in bytes_of}
