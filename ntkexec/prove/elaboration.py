"""Proofs with hints from a solver's proof without: DRUP to LRAT, and only what is needed.

A solver writes down the clauses that it learns (and those that it forgets), each of which follows by unit
propagation; whoever checks that has to search. Here the search is done once. Forwards, units are
propagated until a clause is false. Backwards from there, each learned clause that turned out to be
needed is derived, and what its derivation rests on is needed too. Clauses that are needed already
propagate first, so that fewer become so. A literal that is true by units alone becomes a step of its
own, so that no later step repeats how it came about.

Source: Heule, Hunt, Wetzler, Trimming while checking clausal proofs (FMCAD 2013).
"""

from collections.abc import Iterable, Iterator

from ntkexec.errors import ProofError
from ntkexec.prove.propagation import Propagation
from ntkexec.recheck.theorem.circuit import Literal
from ntkexec.recheck.theorem.obligation import Formula

# What happened: a clause was learned, forgotten, or made a literal true that stays so.
LEARNED, FORGOTTEN, UNIT = range(3)


class NoPropagationError(ProofError):
    """A learned clause does not follow by unit propagation, so that LRAT without RAT cannot say it."""


def elaborate(formula: Formula, proof: Iterable[str]) -> str:
    """The proof in LRAT, as `recheck.theorem.lrat` reads it.

    Args:
        formula: has no model.
        proof: lines in DRUP, `d` before a clause that is forgotten.

    Raises:
        NoPropagationError: a step that is needed uses more than unit propagation.
        ProofError: the proof does not show that the formula has no model.
    """
    return _Elaboration(formula).text(proof)


def steps(proof: Iterable[str]) -> Iterator[tuple[bool, list[Literal]]]:
    """Each line's clause, and whether it is forgotten; comments are left out."""
    for line in proof:
        words = line.split()
        if words and words[0] != "c":
            forgotten = words[0] == "d"
            yield forgotten, [int(word) for word in words[forgotten:-1]]


class _Elaboration:
    """A formula's clauses, those learned and units, numbered as they came, and how they were derived."""

    def __init__(self, formula: Formula) -> None:
        self.state = Propagation(formula.num_variables)
        self.num_variables = formula.num_variables
        self.given = len(formula.clauses)
        self.events: list[tuple[int, int]] = []
        # By number of a unit or a needed clause.
        self.hints: dict[int, list[int]] = {}
        # By variable that is true or false by units: the clause that says so.
        self.unit = [0] * (formula.num_variables + 1)
        # Numbers of the attached clauses of these literals.
        self.known: dict[frozenset[Literal], list[int]] = {}
        for clause in formula.clauses:
            self.known.setdefault(frozenset(clause), []).append(self.state.new(clause))

    def text(self, proof: Iterable[str]) -> str:
        self.backwards(self.forwards(proof))
        numbers = range(self.given + 1, len(self.state.clauses))
        kept = [number for number in numbers if self.state.needed[number]]
        new = {number: self.given + 1 + place for place, number in enumerate(kept)}
        lines = []
        for number in kept:
            hints = [new.get(hint, hint) for hint in self.hints[number]]
            said = [new[number], *self.state.clauses[number], 0, *hints, 0]
            lines.append(" ".join(map(str, said)) + "\n")
        return "".join(lines)

    # Forwards.

    def forwards(self, proof: Iterable[str]) -> int:
        """Takes the steps until a clause is false by units alone, and returns its number."""
        state, conflict = self.state, 0
        for number in range(1, self.given + 1):
            state.attach(number)
            if len(state.clauses[number]) < 2:
                conflict = conflict or self.settle(number)
        conflict = conflict or self.spread(0)
        for forgotten, clause in steps(proof):
            if conflict:
                break
            if forgotten:
                numbers = self.known.get(frozenset(clause))
                if numbers:
                    self.events.append((FORGOTTEN, numbers[-1]))
                    state.detach(numbers.pop())
            else:
                conflict = self.learn(clause)
        if not conflict:
            raise ProofError("the proof does not derive the empty clause")
        return conflict

    def learn(self, clause: list[Literal]) -> int:
        """Adds a clause and what follows from it; a clause that is false then, or 0."""
        state = self.state
        if any(abs(literal) > self.num_variables for literal in clause):
            raise NoPropagationError("the proof names a variable that the formula does not have")
        number = state.new(clause)
        self.known.setdefault(frozenset(clause), []).append(number)
        self.events.append((LEARNED, number))
        state.watch_open(number)
        state.attach(number)
        start = len(state.trail)
        return self.settle(number) or self.spread(start)

    def settle(self, number: int) -> int:
        """Makes the last literal true of a clause whose others are false; itself if that one is too."""
        state = self.state
        clause = state.clauses[number]
        if not clause or state.value[clause[0]] < 0:
            return number
        if state.value[clause[0]] == 0 and (len(clause) < 2 or state.value[clause[1]] < 0):
            state.assign(clause[0], number)
            self.note(clause[0])
        return 0

    def spread(self, start: int) -> int:
        """Propagates from there on in the trail, whose literals stay true."""
        state, noted = self.state, len(self.state.trail)
        conflict = state.propagate(start)
        for literal in state.trail[noted:]:
            self.note(literal)
        return conflict

    def note(self, literal: Literal) -> None:
        """Gives a literal that stays true a clause that says so."""
        state, variable = self.state, abs(literal)
        reason = state.reason[variable]
        number = reason
        if len(state.clauses[reason]) > 1:
            number = state.new([literal])
            others = (abs(other) for other in state.clauses[reason] if other != literal)
            self.hints[number] = [*sorted(self.unit[other] for other in others), reason]
        self.unit[variable] = number
        self.events.append((UNIT, number))

    # Backwards.

    def backwards(self, conflict: int) -> None:
        """Derives what is needed, the empty clause first."""
        state = self.state
        if state.clauses[conflict] or conflict <= self.given:
            last = state.new([])
            state.needed[last] = 1
            self.rest(last, self.antecedents(conflict, len(state.trail)))
        else:
            state.needed[conflict] = 1
        for event, number in reversed(self.events):
            if event == UNIT:
                state.undo(len(state.trail) - 1)
                if state.needed[number] and number in self.hints:
                    self.rest(number, self.hints[number])
            elif event == FORGOTTEN:
                state.attach(number)
            else:
                state.detach(number)
                if state.needed[number]:
                    self.rest(number, self.derive(number))

    def rest(self, number: int, hints: list[int]) -> None:
        """Notes how a clause was derived: what it rests on is needed."""
        state = self.state
        self.hints[number] = hints
        for hint in hints:
            if not state.needed[hint]:
                # Units that were derived here, and clauses of one literal, are not attached.
                state.detach(hint)
                state.needed[hint] = 1
                state.attach(hint)

    def derive(self, number: int) -> list[int]:
        """The hints by which a clause follows from what is there."""
        state = self.state
        start = len(state.trail)
        for literal in state.clauses[number]:
            known = state.value[literal]
            if known > 0:
                state.undo(start)
                return [self.unit[abs(literal)]]
            if not known:
                state.assign(-literal, 0)
        conflict = state.propagate(start)
        if not conflict:
            raise NoPropagationError(f"{state.clauses[number]} does not follow by unit propagation")
        hints = self.antecedents(conflict, start)
        state.undo(start)
        return hints

    def antecedents(self, conflict: int, start: int) -> list[int]:
        """What a conflict rests on: units, then the reasons from there on in the trail, then itself."""
        state = self.state
        clauses, position, reason = state.clauses, state.position, state.reason
        units, places = [], []
        seen, stack = set(), [conflict]
        while stack:
            for literal in clauses[stack.pop()]:
                variable = abs(literal)
                if variable in seen:
                    continue
                seen.add(variable)
                if position[variable] < start:
                    units.append(self.unit[variable])
                elif reason[variable]:
                    places.append(position[variable])
                    stack.append(reason[variable])
        reasons = [reason[abs(state.trail[place])] for place in sorted(places)]
        return [*sorted(units), *reasons, conflict]
