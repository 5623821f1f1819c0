"""Counting up to a limit, one bit for each value: every bit has few writers."""

import dataclasses

from ntkexec.errors import ProgramError
from ntkexec.language.builder import Builder
from ntkexec.language.logic import FALSE, TRUE, Sum
from ntkexec.language.values import Choice


@dataclasses.dataclass(frozen=True, eq=False)
class Counter:
    """A count from 0 to a limit, at which it stays.

    Args:
        p: the program that it is part of.
        value: the count, a choice; give it the initial value 0.
    """

    p: Builder
    value: Choice

    @property
    def limit(self) -> int:
        return len(self.value) - 1

    @property
    def full(self) -> Sum:
        """The condition that the limit is reached."""
        return self.value[self.limit]

    def advance(self, *, when: Sum = TRUE) -> None:
        """Where `when` holds and the limit is not reached, counts one more."""
        *lower, last = self.value.bits
        following = Choice((FALSE, *lower[:-1], lower[-1] | last))
        self.p.assign(self.value, following, when=when)

    def reset(self, *, when: Sum = TRUE) -> None:
        """Where `when` holds, begins again at 0."""
        self.p.assign(self.value, 0, when=when)


def counter(p: Builder, name: str, limit: int) -> Counter:
    """A field that counts to a limit of at least 1.

    For long counts take a word: `p.assign(x, x + 1, when=x < limit)`.
    """
    if limit < 1:
        raise ProgramError(f"counter {name!r} counts to at least 1, not to {limit}")
    return Counter(p, p.choice(name, limit + 1))
