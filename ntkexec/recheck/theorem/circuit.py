"""Circuits of gates over Boolean variables, and their clauses.

A literal is a variable's number, or minus it where the variable is to be false; variable 1 is true.
Equal gates are one gate, so that a specification and a program that compute a value alike share it.
Vectors of bits have their lowest bit first. Tseitin, On the complexity of derivation in propositional
calculus (1968): a gate is a new variable and the clauses that define it, in both directions.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..reading import need

Literal = int
Bits = list[Literal]
TRUE, FALSE = 1, -1
# Many times what the largest theorems take, and still in memory.
MOST_VARIABLES = 1 << 22


class Gate(NamedTuple):
    """The conjunction of literals, or the difference of two.

    Args:
        kind: `and` or `xor`.
        inputs: literals of variables that are older than the gate.
    """

    kind: str
    inputs: tuple[Literal, ...]

    def clauses(self, output: Literal) -> list[list[Literal]]:
        """What says that `output` is the gate's value."""
        if self.kind == "and":
            return [[-output, a] for a in self.inputs] + [[output, *(-a for a in self.inputs)]]
        a, b = self.inputs
        return [[-output, a, b], [-output, -a, -b], [output, -a, b], [output, a, -b]]


class Circuit:
    """Free variables, which stand for anything, and gates over them.

    Attributes:
        num_variables: the constant, free variables and gates, numbered from 1.
        gates: by variable; what is neither here nor the constant is free.
    """

    def __init__(self) -> None:
        self.num_variables = TRUE
        self.gates: dict[Literal, Gate] = {}
        self._known: dict[Gate, Literal] = {}

    def variable(self) -> Literal:
        """A free variable.

        Raises:
            Rejected: there are too many; sizes are not to be trusted.
        """
        need(self.num_variables < MOST_VARIABLES, f"more than {MOST_VARIABLES:,} gates")
        self.num_variables += 1
        return self.num_variables

    def variables(self, count: int) -> Bits:
        """So many free variables."""
        return [self.variable() for _ in range(count)]

    def _gate(self, kind: str, inputs: Iterable[Literal]) -> Literal:
        gate = Gate(kind, tuple(inputs))
        if gate not in self._known:
            self._known[gate] = self.variable()
            self.gates[self.num_variables] = gate
        return self._known[gate]

    def all(self, literals: Iterable[Literal]) -> Literal:
        """Whether all are true."""
        distinct = set(literals) - {TRUE}
        if FALSE in distinct or any(-one in distinct for one in distinct):
            return FALSE
        if len(distinct) < 2:
            return distinct.pop() if distinct else TRUE
        return self._gate("and", sorted(distinct))

    def any(self, literals: Iterable[Literal]) -> Literal:
        """Whether one is true."""
        return -self.all(-one for one in literals)

    def xor(self, a: Literal, b: Literal) -> Literal:
        """Whether exactly one is true."""
        if abs(a) == abs(b):
            return FALSE if a == b else TRUE
        if TRUE in (abs(a), abs(b)):
            other = b if abs(a) == TRUE else a
            return other if FALSE in (a, b) else -other
        output = self._gate("xor", sorted((abs(a), abs(b))))
        return output if (a < 0) == (b < 0) else -output

    def iff(self, a: Literal, b: Literal) -> Literal:
        """Whether both are alike."""
        return -self.xor(a, b)

    def implies(self, a: Literal, b: Literal) -> Literal:
        return self.any([-a, b])

    def choose(self, condition: Literal, a: Literal, b: Literal) -> Literal:
        """`a` if the condition is true, else `b`."""
        return self.any([self.all([condition, a]), self.all([-condition, b])])

    def at_most_one(self, literals: Sequence[Literal]) -> Literal:
        """Whether no two are true."""
        pairs = [(a, b) for i, a in enumerate(literals) for b in literals[:i]]
        return self.all(-self.all(pair) for pair in pairs)

    # Vectors of bits.

    def number(self, value: int, width: int) -> Bits:
        """A constant.

        Raises:
            ValueError: it does not fit.
        """
        if not 0 <= value < 1 << width:
            raise ValueError(f"{value} does not fit into {width} bits")
        return [TRUE if value >> bit & 1 else FALSE for bit in range(width)]

    def add(self, x: Bits, y: Bits, carry: Literal = FALSE) -> Bits:
        """The sum modulo 2^width."""
        out = []
        for a, b in zip(x, y, strict=True):
            out.append(self.xor(self.xor(a, b), carry))
            carry = self.any([self.all([a, b]), self.all([a, carry]), self.all([b, carry])])
        return out

    def increment(self, x: Bits) -> Bits:
        """x + 1 modulo 2^width."""
        return self.add(x, self.number(0, len(x)), TRUE)

    def less(self, x: Bits, y: Bits) -> Literal:
        """x < y, both without a sign."""
        less = FALSE
        for a, b in zip(x, y, strict=True):
            less = self.any([self.all([-a, b]), self.all([self.iff(a, b), less])])
        return less

    def at_most(self, x: Bits, y: Bits) -> Literal:
        """x <= y, both without a sign."""
        return -self.less(y, x)

    def equal(self, x: Bits, y: Bits) -> Literal:
        return self.all(self.iff(a, b) for a, b in zip(x, y, strict=True))

    def equals(self, x: Bits, value: int) -> Literal:
        """Whether x is this constant."""
        return self.equal(x, self.number(value, len(x)))

    def select(self, condition: Literal, x: Bits, y: Bits) -> Bits:
        """x if the condition is true, else y."""
        return [self.choose(condition, a, b) for a, b in zip(x, y, strict=True)]

    def where(self, condition: Literal, x: Bits) -> Bits:
        """x if the condition is true, else 0."""
        return [self.all([condition, a]) for a in x]

    # What comes out.

    def cone(self, roots: Iterable[Literal]) -> list[Literal]:
        """The variables that the roots depend on, in order, the constant among them."""
        needed, stack = {TRUE}, [abs(root) for root in roots]
        while stack:
            variable = stack.pop()
            if variable not in needed:
                needed.add(variable)
                if variable in self.gates:
                    stack += [abs(literal) for literal in self.gates[variable].inputs]
        return sorted(needed)

    def values(self, free: Mapping[Literal, bool]) -> list[bool]:
        """The value of every variable, by number; index 0 is no variable.

        Args:
            free: values of the free variables; those that are missing are false.
        """
        values = [False] * (self.num_variables + 1)
        values[TRUE] = True
        for variable in range(TRUE + 1, self.num_variables + 1):
            gate = self.gates.get(variable)
            if gate is None:
                values[variable] = bool(free.get(variable, False))
            else:
                inputs = [values[abs(one)] == (one > 0) for one in gate.inputs]
                values[variable] = all(inputs) if gate.kind == "and" else inputs[0] != inputs[1]
        return values
