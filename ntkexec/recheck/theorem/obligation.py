"""Obligations: assumptions that must imply conclusions, as clauses that must have no model."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from .circuit import TRUE, Bits, Circuit, Literal


class Formula(NamedTuple):
    """A conjunction of clauses over variables 1 to num_variables."""

    num_variables: int
    clauses: list[list[Literal]]

    def dimacs(self) -> str:
        """The formula in the format that every solver and checker reads."""
        lines = [" ".join(map(str, [*clause, 0])) for clause in self.clauses]
        return "\n".join([f"p cnf {self.num_variables} {len(lines)}", *lines, ""])

    @property
    def sha256(self) -> str:
        """Of its DIMACS text."""
        return hashlib.sha256(self.dimacs().encode()).hexdigest()


class Obligation:
    """A circuit, what is assumed of it, and what is to be shown, in parts.

    A part is what is shown at once: one formula, one proof. Formulas hold the cone of the assumptions
    and of their part only, renumbered, so that they depend on nothing else.

    Args:
        name: short, of letters, digits and hyphens, once in a theorem.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.circuit = Circuit()
        self.assumptions: list[tuple[Literal, str]] = []
        self.conclusions: list[tuple[Literal, str]] = []
        self.inputs: dict[str, Bits] = {}

    def input(self, name: str, width: int) -> Bits:
        """Free variables under a name, by which a witness gives them a value."""
        if name in self.inputs:
            raise ValueError(f"two inputs of the name {name!r}")
        self.inputs[name] = self.circuit.variables(width)
        return self.inputs[name]

    def assume(self, literal: Literal, why: str) -> None:
        """Something that holds, and for what reason."""
        self.assumptions.append((literal, why))

    def conclude(self, literal: Literal, part: str) -> None:
        """Something to be shown, as belonging to a part."""
        self.conclusions.append((literal, part))

    @property
    def parts(self) -> list[str]:
        """The names of the parts, in order; parts that hold by construction too."""
        return list(dict.fromkeys(part for _, part in self.conclusions))

    def formula(self, part: str | None) -> Formula:
        """What has no model if the assumptions imply the part.

        Args:
            part: which; None for the assumptions alone, which must have a model.
        """
        circuit = self.circuit
        roots = [literal for literal, _ in self.assumptions]
        goals = [literal for literal, own in self.conclusions if own == part]
        cone = circuit.cone([*roots, *goals])
        new = {variable: number for number, variable in enumerate(cone, 1)}
        clauses: list[list[Literal]] = [[TRUE]]
        for variable in cone:
            if variable in circuit.gates:
                clauses += circuit.gates[variable].clauses(variable)
        clauses += [[root] for root in roots if root != TRUE]
        if part is not None:
            clauses.append([-goal for goal in goals])
        renamed = [[new[abs(one)] * (1 if one > 0 else -1) for one in own] for own in clauses]
        return Formula(len(cone), renamed)

    def failing(self, witness: Mapping[str, int]) -> list[str]:
        """The reasons of the assumptions that a witness breaks; none if it is an instance.

        Args:
            witness: a number for every input by name, lowest bit first; missing ones are 0.

        Raises:
            ValueError: a name that no input has, or a number that does not fit.
        """
        free: dict[Literal, bool] = {}
        for name, value in witness.items():
            if name not in self.inputs:
                raise ValueError(f"no input {name!r}")
            bits = self.inputs[name]
            if not 0 <= value < 1 << len(bits):
                raise ValueError(f"{value} is no value of {name}, {len(bits)} bits")
            free |= {bit: bool(value >> i & 1) for i, bit in enumerate(bits)}
        values = self.circuit.values(free)
        return [why for one, why in self.assumptions if values[abs(one)] != (one > 0)]
