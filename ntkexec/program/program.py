"""Templates and programs: what a node's update must do, as data.

A template is a condition on some bits and the bits that it switches on; a program is a layout and
its templates. One step of a program is a sum of products: a bit of the next state is 1 if and
only if some matched template writes it.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Float

from ntkexec.errors import ProgramError
from ntkexec.program.layout import Layout


@dataclasses.dataclass(frozen=True)
class Template:
    """One training pair (a *local instruction* in the papers): condition and outputs.

    Args:
        condition: pairs (bit, required value), by increasing bit; other bits are free.
        outputs: the bits that it writes to 1, increasing.
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
        raise ProgramError(f"template {label!r} writes no bit")
    return Template(tuple(sorted(condition.items())), outputs, label)


@dataclasses.dataclass(frozen=True)
class Component:
    """A part of a program that can be learned alone: templates, and the bits they write."""

    templates: tuple[int, ...]
    bits: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Program:
    """A layout and all its templates: one algorithm for one node.

    Args:
        name: the algorithm; no part of the program's identity.
        layout: the fields of a node's state.
        templates: in the order of the training set; conditions are pairwise different.
        round_length: steps in a round, after which a quiet state repeats.
        halt: name of a flag that is set at every node when the program is over, if it has one; no
            part of its identity either.

    Raises:
        ProgramError: a bit outside the layout, a template that no valid state matches, or two
            templates with the same condition.
    """

    name: str = dataclasses.field(compare=False)
    layout: Layout
    templates: tuple[Template, ...]
    round_length: int = 1
    halt: str | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.templates:
            raise ProgramError(f"program {self.name!r} has no templates")
        if self.round_length < 1:
            raise ProgramError(f"a round takes at least one step, not {self.round_length}")
        num_bits = self.layout.num_bits
        first_with: dict[tuple[tuple[int, bool], ...], int] = {}
        for index, entry in enumerate(self.templates):
            for bit in (*(bit for bit, _ in entry.condition), *entry.outputs):
                if not 0 <= bit < num_bits:
                    raise ProgramError(
                        f"template {index} ({entry.label}) uses bit {bit}, but the layout has bits "
                        f"0 to {num_bits - 1}"
                    )
            self._check_satisfiable(index, entry)
            other = first_with.setdefault(entry.condition, index)
            if other != index:
                raise ProgramError(
                    f"templates {other} ({self.templates[other].label}) and {index} ({entry.label}) "
                    "have the same condition; write one template with both outputs"
                )

    @functools.cached_property
    def _groups(self) -> dict[int, list[tuple[int, int]]]:
        """By bit, of which groups of which invariants of the layout it is."""
        found: dict[int, list[tuple[int, int]]] = {}
        for number, invariant in enumerate(self.layout.invariants):
            for group, bits in enumerate(invariant.groups):
                for bit in bits:
                    found.setdefault(bit, []).append((number, group))
        return found

    def _check_satisfiable(self, index: int, entry: Template) -> None:
        occupied = {
            pair for bit, value in entry.condition if value for pair in self._groups.get(bit, ())
        }
        counts = Counter(number for number, _ in occupied)
        for number in sorted(counts):
            invariant = self.layout.invariants[number]
            if counts[number] > invariant.bound:
                raise ProgramError(
                    f"template {index} ({entry.label}) can never match: {invariant.reason}"
                )

    @property
    def num_templates(self) -> int:
        """n0 before padding."""
        return len(self.templates)

    @functools.cached_property
    def num_writers(self) -> np.ndarray:
        """w: for every bit, how many templates write it; shape (k,)."""
        written = itertools.chain.from_iterable(entry.outputs for entry in self.templates)
        return np.bincount(list(written), minlength=self.layout.num_bits)

    @property
    def num_nonzeros(self) -> int:
        """Conditions and outputs of all templates together, the size of the program as a matrix."""
        return sum(len(entry.condition) + len(entry.outputs) for entry in self.templates)

    def training_set(self) -> tuple[Float[np.ndarray, "n0 n0"], Float[np.ndarray, "n0 k"]]:
        """The standard basis vectors and the outputs that they must be mapped to, as float32."""
        targets = np.zeros((self.num_templates, self.layout.num_bits), np.float32)
        for row, entry in zip(targets, self.templates, strict=True):
            row[list(entry.outputs)] = 1
        return np.eye(self.num_templates, dtype=np.float32), targets

    @functools.cached_property
    def components(self) -> tuple[Component, ...]:
        """The connected components of the graph that joins templates to the bits they write.

        Each is a learning problem of its own: no template outside it writes any of its bits.
        Ordered by their first template.
        """
        parent = list(range(self.num_templates))

        def root(index: int) -> int:
            while parent[index] != index:
                parent[index] = parent[parent[index]]
                index = parent[index]
            return index

        first_writer: dict[int, int] = {}
        for index, entry in enumerate(self.templates):
            for bit in entry.outputs:
                low, high = sorted((root(index), root(first_writer.setdefault(bit, index))))
                parent[high] = low
        members: dict[int, list[int]] = {}
        for index in range(self.num_templates):
            members.setdefault(root(index), []).append(index)
        return tuple(
            Component(
                tuple(indices),
                tuple(sorted({bit for index in indices for bit in self.templates[index].outputs})),
            )
            for indices in members.values()
        )

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of layout, templates and round length: equal programs, and only they, agree."""
        content = {
            "layout": self.layout.to_json(),
            "templates": [
                [[(bit, bool(value)) for bit, value in entry.condition], entry.outputs]
                for entry in self.templates
            ],
            "round_length": self.round_length,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def describe(self, index: int) -> str:
        """One template in words: `receive: tick & inbox[2].full -> has`."""
        names, entry = self.layout.bit_names, self.templates[index]
        condition = " & ".join(
            ("" if value else "!") + names[bit] for bit, value in entry.condition
        )
        written = ", ".join(names[bit] for bit in entry.outputs)
        return f"{entry.label + ': ' if entry.label else ''}{condition or 'always'} -> {written}"

    def listing(self) -> str:
        """All templates, one a line, for whoever wants to check them by hand."""
        width = len(str(self.num_templates - 1))
        return "\n".join(f"{i:>{width}}  {self.describe(i)}" for i in range(self.num_templates))

    def __repr__(self) -> str:
        return (
            f"Program({self.name!r}, {self.num_templates} templates, {self.layout.num_bits} bits, "
            f"{len(self.components)} components, at most {self.num_writers.max()} writers a bit)"
        )
