"""Programs: what a node's update must do, as data.

A template is a condition on some bits and the bits that it switches on; a program is a layout and
its templates. One step of a program is a sum of products: a bit of the next state is 1 if and
only if some matched template writes it.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int8
from numpy.typing import ArrayLike

from ntkexec.errors import ProgramError
from ntkexec.program.arrays import as_matrices, parse_rows, raw_layout
from ntkexec.program.invariants import Invariants, kept_by
from ntkexec.program.layout import Layout
from ntkexec.program.limits import MOST_STEPS
from ntkexec.program.templates import Template
from ntkexec.runtime.tables import as_html

SHOWN_IN_NOTEBOOKS = 12
"""Templates, of many."""


@dataclasses.dataclass(frozen=True)
class Program:
    """A layout and all its templates: one algorithm for one node.

    Args:
        name: the algorithm; no part of the program's identity.
        layout: the fields of a node's state.
        templates: in the order of the training set. Some may write nothing, and several may have the
            same condition: they change no step, but count in n0 and in m, and so in every margin.
        round_length: steps in a round, after which a quiet state repeats.
        halt: name of a flag that is set at every node when the program is over, if it has one; no
            part of its identity either.

    Raises:
        ProgramError: a bit outside the layout, a template that no valid state matches, or no
            template that writes anything.
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
        if self.round_length > MOST_STEPS:
            raise ProgramError(f"a round takes at most {MOST_STEPS:,} steps, which can be counted")
        num_bits = self.layout.num_bits
        for index, entry in enumerate(self.templates):
            for bit in (*(bit for bit, _ in entry.condition), *entry.outputs):
                if not 0 <= bit < num_bits:
                    raise ProgramError(
                        f"template {index} ({entry.label}) uses bit {bit}, but the layout has bits "
                        f"0 to {num_bits - 1}"
                    )
            broken = self.layout.invariants.broken_by(
                bit for bit, value in entry.condition if value
            )
            if broken:
                raise ProgramError(
                    f"template {index} ({entry.label}) can never match: {broken.reason}"
                )
        if not any(entry.outputs for entry in self.templates):
            raise ProgramError(f"no template of program {self.name!r} writes a bit")

    @classmethod
    def from_arrays(
        cls,
        conditions: ArrayLike,
        targets: ArrayLike,
        *,
        message_start: int,
        name: str = "raw",
        round_length: int = 1,
        labels: Sequence[str] | None = None,
    ) -> "Program":
        """A program from raw templates: a training set as it stands in a paper.

        Args:
            conditions: (n0, K), by template and bit 0, 1, or free, -1 among whole numbers and nan
                among floats.
            targets: (n0, K), 1 where a template writes the bit, else 0.
            message_start: bits from here on are exchanged with the neighbours; K where none are.
            name: what to call it.
            round_length: steps in a round, after which a quiet state repeats.
            labels: by template what it is for, for people.

        Returns:
            A program of two fields without a meaning, `state` and `inbox`.

        Raises:
            ProgramError: a value that is none of these, by its row and column, matrices of other
                shapes, or no template that writes anything.

        Example:
            >>> Program.from_arrays([[0, -1], [1, 1]], [[0, 1], [1, 0]], message_start=1).describe(0)
            '!state[0] -> inbox[0]'
        """
        num_bits, templates = parse_rows(conditions, targets, labels)
        return cls(name, raw_layout(num_bits, message_start), templates, round_length)

    def to_arrays(self) -> tuple[Int8[np.ndarray, "n0 k"], Bool[np.ndarray, "n0 k"]]:
        """Conditions and targets by template and bit, as `from_arrays` takes them."""
        return as_matrices(self.templates, self.layout.num_bits)

    @property
    def num_templates(self) -> int:
        """n0 before padding."""
        return len(self.templates)

    @functools.cached_property
    def writers(self) -> tuple[tuple[int, ...], ...]:
        """For every bit, the templates that write it, increasing."""
        writers: list[list[int]] = [[] for _ in range(self.layout.num_bits)]
        for index, entry in enumerate(self.templates):
            for bit in entry.outputs:
                writers[bit].append(index)
        return tuple(map(tuple, writers))

    @functools.cached_property
    def num_writers(self) -> np.ndarray:
        """w: for every bit, how many templates write it; shape (k,)."""
        return np.array([len(templates) for templates in self.writers])

    @functools.cached_property
    def idle(self) -> tuple[int, ...]:
        """Templates that write nothing; they match nevertheless."""
        return tuple(i for i, entry in enumerate(self.templates) if not entry.outputs)

    @functools.cached_property
    def repeated(self) -> tuple[int, ...]:
        """Templates with the condition of one before them; they match whenever that one does."""
        conditions = [entry.condition for entry in self.templates]
        first = {condition: i for i, condition in reversed([*enumerate(conditions)])}
        return tuple(i for i, condition in enumerate(conditions) if first[condition] != i)

    @property
    def remarks(self) -> str:
        """How many templates write nothing, and how many repeat a condition; empty for none."""
        found = (
            (len(self.idle), "write", "nothing"),
            (len(self.repeated), "repeat", "a condition"),
        )
        return ", ".join(
            f"{count} {verb if count > 1 else verb + 's'} {what}"
            for count, verb, what in found
            if count
        )

    @property
    def num_nonzeros(self) -> int:
        """Conditions and outputs of all templates together, the size of the program as a matrix."""
        return sum(len(entry.condition) + len(entry.outputs) for entry in self.templates)

    @functools.cached_property
    def kept_invariants(self) -> Invariants:
        """What the layout promises and every step preserves, see `invariants.kept_by`."""
        layout = self.layout
        return kept_by(self.templates, self.writers, layout.invariants, layout.num_computation_bits)

    def training_set(self) -> tuple[Float[np.ndarray, "n0 n0"], Float[np.ndarray, "n0 k"]]:
        """The standard basis vectors and the outputs that they must be mapped to, as float32."""
        targets = np.zeros((self.num_templates, self.layout.num_bits), np.float32)
        for row, entry in zip(targets, self.templates, strict=True):
            row[list(entry.outputs)] = 1
        return np.eye(self.num_templates, dtype=np.float32), targets

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
        written = ", ".join(names[bit] for bit in entry.outputs) or "nothing"
        return f"{entry.label + ': ' if entry.label else ''}{condition or 'always'} -> {written}"

    def listing(self) -> str:
        """All templates, one a line, for whoever wants to check them by hand."""
        width = len(str(self.num_templates - 1))
        return "\n".join(f"{i:>{width}}  {self.describe(i)}" for i in range(self.num_templates))

    def _sizes(self) -> list[tuple[str, str]]:
        """Its sizes, as names and values for a table."""
        layout = self.layout
        most = int(np.argmax(self.num_writers))
        return [
            (
                "templates",
                f"{self.num_templates}, with {self.num_nonzeros:,} conditions and outputs"
                + (f"; {self.remarks}" if self.remarks else ""),
            ),
            ("state", f"{layout.num_bits} bits, {layout.num_message_bits} of them messages"),
            ("steps", f"{self.round_length} a round"),
            (
                "writers w",
                f"at most {self.num_writers[most]} for one bit, first {layout.bit_names[most]}",
            ),
        ]

    def _repr_html_(self) -> str:
        shown = self.templates[:SHOWN_IN_NOTEBOOKS]
        missing = self.num_templates - len(shown)
        more = f"<p>... and {missing} more: <code>program.listing()</code></p>" if missing else ""
        return (
            as_html(self._sizes(), title=self.name)
            + as_html(self.layout.rows(), head=("field", "kind", "bits", "exchanged"))
            + as_html(((self.describe(index),) for index in range(len(shown))), head=("template",))
            + more
        )

    def __repr__(self) -> str:
        more = f" ({self.remarks})" if self.remarks else ""
        return (
            f"Program({self.name!r}, {self.num_templates} templates{more}, {self.layout.num_bits} bits, "
            f"at most {self.num_writers.max()} writers a bit)"
        )
