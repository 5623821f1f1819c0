"""Unit propagation that may be undone, with what is already needed tried first."""

from collections.abc import Iterable

from ntkexec.recheck.theorem.circuit import Literal

# A clause's number, and where it is kept for one of its two watched literals: the other literal and the
# number if there are no more, else the number alone.
Binary = list[tuple[Literal, int]]


class Propagation:
    """Clauses, a partial assignment, and what follows by units.

    Two literals of a clause are watched: if one becomes false, another takes its place, or the last one
    is true. A clause with a false watched literal has a true one, unless a conflict was found. Moskewicz
    and others, Chaff (2001). Lists by literal have 2n + 1 entries, those of -l from the end.

    Args:
        num_variables: n.

    Attributes:
        clauses: by number; 0 is none. The watched literals of an attached one come first.
        needed: by number, whether a clause is one; these propagate before the others do.
        value: by literal, 1 if true, -1 if false, 0 if open.
        trail: literals that are true, in the order in which they became so.
        position: by variable, where it is in the trail.
        reason: by variable, the clause that made it so; 0 if it was assumed.
    """

    def __init__(self, num_variables: int) -> None:
        size = 2 * num_variables + 1
        self.clauses: list[list[Literal]] = [[]]
        self.needed = bytearray(1)
        self.value = [0] * size
        self.trail: list[Literal] = []
        self.position = [0] * (num_variables + 1)
        self.reason = [0] * (num_variables + 1)
        # First those of clauses that are not needed yet, then those of needed ones.
        self._binary: tuple[list[Binary], ...] = tuple([[] for _ in range(size)] for _ in "ab")
        self._long: tuple[list[list[int]], ...] = tuple([[] for _ in range(size)] for _ in "ab")

    def new(self, clause: Iterable[Literal]) -> int:
        """The number of a clause, which does not propagate yet."""
        self.clauses.append(list(dict.fromkeys(clause)))
        self.needed.append(0)
        return len(self.clauses) - 1

    def attach(self, number: int) -> None:
        """From now on the clause propagates; one of fewer than two literals needs not."""
        clause, kind = self.clauses[number], self.needed[number]
        if len(clause) < 2:
            return
        first, second = clause[:2]
        if len(clause) == 2:
            self._binary[kind][first].append((second, number))
            self._binary[kind][second].append((first, number))
        else:
            self._long[kind][first].append(number)
            self._long[kind][second].append(number)

    def detach(self, number: int) -> None:
        """From now on the clause does not propagate."""
        clause, kind = self.clauses[number], self.needed[number]
        if len(clause) < 2:
            return
        first, second = clause[:2]
        if len(clause) == 2:
            self._binary[kind][first].remove((second, number))
            self._binary[kind][second].remove((first, number))
        else:
            self._long[kind][first].remove(number)
            self._long[kind][second].remove(number)

    def watch_open(self, number: int) -> None:
        """Moves literals that are not false to the front, true ones first. For one not attached."""
        self.clauses[number].sort(key=lambda literal: -self.value[literal])

    def assign(self, literal: Literal, reason: int) -> None:
        """Makes an open literal true."""
        self.value[literal], self.value[-literal] = 1, -1
        self.reason[abs(literal)] = reason
        self.position[abs(literal)] = len(self.trail)
        self.trail.append(literal)

    def undo(self, length: int) -> None:
        """Takes back all of the trail from there on."""
        for literal in self.trail[length:]:
            self.value[literal] = self.value[-literal] = 0
        del self.trail[length:]

    def propagate(self, start: int) -> int:
        """What follows from the trail's literals from there on; a clause that is false then, or 0."""
        at = [start, start]
        trail, size = self.trail, len
        while True:
            if at[1] < size(trail):
                kind = 1
            elif at[0] < size(trail):
                kind = 0
            else:
                return 0
            false = -trail[at[kind]]
            at[kind] += 1
            conflict = self._visit(kind, false)
            if conflict:
                return conflict

    def _visit(self, kind: int, false: Literal) -> int:
        """Propagates over the clauses of a kind that watch a literal which became false."""
        value, trail, clauses = self.value, self.trail, self.clauses
        reason, position = self.reason, self.position
        for other, number in self._binary[kind][false]:
            known = value[other]
            if known > 0:
                continue
            if known < 0:
                return number
            value[other], value[-other] = 1, -1
            variable = other if other > 0 else -other
            reason[variable], position[variable] = number, len(trail)
            trail.append(other)
        lists = self._long[kind]
        watching = lists[false]
        if not watching:
            return 0
        kept: list[int] = []
        for place, number in enumerate(watching):
            clause = clauses[number]
            first = clause[0]
            if first == false:
                first = clause[0] = clause[1]
                clause[1] = false
            if value[first] > 0:
                kept.append(number)
                continue
            for j in range(2, len(clause)):
                other = clause[j]
                if value[other] >= 0:
                    clause[1], clause[j] = other, false
                    lists[other].append(number)
                    break
            else:
                kept.append(number)
                if value[first] < 0:
                    lists[false] = kept + watching[place + 1 :]
                    return number
                value[first], value[-first] = 1, -1
                variable = first if first > 0 else -first
                reason[variable], position[variable] = number, len(trail)
                trail.append(first)
        lists[false] = kept
        return 0
