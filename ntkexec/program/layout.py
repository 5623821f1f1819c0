"""Layouts: named fields of a node's state, and the bit columns that hold them.

A state is a row of bits, computation bits first, message bits after them. Computation bits stay
with the node; message bits are exchanged with the neighbours after every step.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from ntkexec.errors import LayoutError
from ntkexec.program.fields import (
    Bits,
    Code,
    Field,
    Flag,
    Leaf,
    OneHot,
    Table,
    check_names,
    field_data,
)
from ntkexec.program.invariants import AtMost, Invariants


class _Columns(NamedTuple):
    """Where one path lives: columns of shape (bits,) or, inside a table, (slots, bits)."""

    leaf: Leaf
    columns: Int[np.ndarray, "..."]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Named fields of a node's state, as columns of bits.

    Args:
        computation: fields that stay with the node.
        messages: fields that are summed over the closed neighbourhood after every step.

    Raises:
        LayoutError: two fields share a name, or a name is not an identifier.
    """

    computation: tuple[Field, ...]
    messages: tuple[Field, ...] = ()

    def __post_init__(self) -> None:
        check_names([field.name for field in self.computation + self.messages])

    @property
    def num_computation_bits(self) -> int:
        return sum(field.num_bits for field in self.computation)

    @property
    def num_message_bits(self) -> int:
        return sum(field.num_bits for field in self.messages)

    @property
    def num_bits(self) -> int:
        """K, the length of a state."""
        return self.num_computation_bits + self.num_message_bits

    @functools.cached_property
    def _paths(self) -> dict[str, _Columns]:
        paths, start = {}, 0
        for field in self.computation + self.messages:
            if isinstance(field, Table):
                table = start + np.arange(field.num_bits).reshape(field.slots, -1)
                offset = 0
                for leaf in field.fields:
                    columns = table[:, offset : offset + leaf.num_bits]
                    paths[f"{field.name}.{leaf.name}"] = _Columns(leaf, columns)
                    offset += leaf.num_bits
            else:
                paths[field.name] = _Columns(field, start + np.arange(field.num_bits))
            start += field.num_bits
        return paths

    @property
    def paths(self) -> tuple[str, ...]:
        """The names of all fields, those inside a table as `table.field`."""
        return tuple(self._paths)

    @property
    def leaves(self) -> dict[str, Leaf]:
        """The fields by path."""
        return {path: leaf for path, (leaf, _) in self._paths.items()}

    def _find(self, path: str) -> _Columns:
        try:
            return self._paths[path]
        except KeyError:
            raise LayoutError(
                f"no field {path!r}; the layout has {', '.join(self._paths)}"
            ) from None

    def bits(self, path: str, *, slot: int | None = None) -> tuple[int, ...]:
        """The columns of a field, lowest bit (or first choice) first.

        Args:
            path: field name, or `table.field`.
            slot: which slot, for a field inside a table and only there.

        Raises:
            LayoutError: unknown field, missing, superfluous or too large slot.
        """
        columns = self._find(path).columns
        if columns.ndim == 1:
            if slot is not None:
                raise LayoutError(f"field {path!r} has no slots, but slot {slot} was asked for")
            return tuple(columns.tolist())
        if slot is None or not 0 <= slot < len(columns):
            raise LayoutError(f"field {path!r} has slots 0 to {len(columns) - 1}, not {slot}")
        return tuple(columns[slot].tolist())

    def bit(self, path: str, index: int = 0, *, slot: int | None = None) -> int:
        """One column of a field: bit `index` of a word, choice `index` of a one-hot field."""
        columns = self.bits(path, slot=slot)
        if not 0 <= index < len(columns):
            raise LayoutError(f"field {path!r} has bits 0 to {len(columns) - 1}, not {index}")
        return columns[index]

    @functools.cached_property
    def bit_names(self) -> tuple[str, ...]:
        """A readable name for every column, such as `inbox[2].message[0]`."""
        names = [""] * self.num_bits
        for path, (leaf, columns) in self._paths.items():
            table, _, leaf_name = path.rpartition(".")
            for position, column in np.ndenumerate(columns):
                name = f"{table}[{position[0]}].{leaf_name}" if table else leaf_name
                single = isinstance(leaf, Flag)
                names[column] = name if single else f"{name}[{position[-1]}]"
        return tuple(names)

    @functools.cached_property
    def invariants(self) -> Invariants:
        """What the fields promise of every valid state: one-hot fields and occupied slots."""
        promised = [
            AtMost(1, tuple((column,) for column in row), f"{path} is one-hot")
            for path, (leaf, columns) in self._paths.items()
            if isinstance(leaf, OneHot)
            for row in columns.reshape(-1, leaf.num_bits).tolist()
        ]
        for table in self.computation + self.messages:
            if not isinstance(table, Table) or table.occupied is None:
                continue
            if table.occupied < table.slots:
                slots = np.concatenate(
                    [self._paths[f"{table.name}.{leaf.name}"].columns for leaf in table.fields],
                    axis=1,
                )
                reason = f"at most {table.occupied} slots of {table.name} are occupied"
                promised.append(AtMost(table.occupied, tuple(map(tuple, slots.tolist())), reason))
        return Invariants(promised)

    def shape(self, path: str, num_nodes: int) -> tuple[int, ...]:
        """That of a field's values: (n,), or (n, slots) inside a table; for `Bits` one axis more."""
        leaf, columns = self._find(path)
        return (num_nodes, *(columns.shape if isinstance(leaf, Bits) else columns.shape[:-1]))

    def pack(self, num_nodes: int, values: Mapping[str, object]) -> Bool[np.ndarray, "n k"]:
        """The states of `num_nodes` nodes.

        Args:
            num_nodes: number of rows.
            values: by path, anything that broadcasts to shape (n,), or to (n, slots) inside a
                table; for `Bits`, with their number as one more axis. Flags and bits may be floats
                0.0 and 1.0. A field that is left out is all zeros.

        Raises:
            LayoutError: unknown field, wrong shape, not whole numbers, or a value out of range.
        """
        # Bit-major in memory, as the executors need it.
        rows = np.zeros((self.num_bits, num_nodes), bool)
        for path, value in values.items():
            leaf, columns = self._find(path)
            shape = self.shape(path, num_nodes)
            if isinstance(value, np.ma.MaskedArray):
                raise LayoutError(f"values of field {path!r} are masked; fill in what is hidden")
            array = np.asarray(value)
            fractions = array.dtype.kind == "f" and isinstance(leaf, Flag | Bits)
            if array.dtype.kind not in "biu" and not fractions:
                raise LayoutError(f"field {path!r} takes whole numbers, got {array.dtype} values")
            try:
                spread = np.broadcast_to(array, shape)
            except ValueError:
                raise LayoutError(
                    f"field {path!r} takes shape {shape}, got {array.shape}"
                ) from None
            low, high = leaf.value_range
            fits = array.size == 0 or (low <= array.min() and array.max() <= high)
            if fractions or not fits:
                outside = (array < low) | (array > high)
                if fractions:
                    outside = (array != low) & (array != high)
                fits = not outside.any()
            if not fits:
                where = tuple(int(i) for i in np.argwhere(np.broadcast_to(outside, shape))[0])
                raise LayoutError(
                    f"value {spread[where].item()} of {path!r} at node {where[0]} does not fit: "
                    f"a {leaf.kind} of {leaf.num_bits} bit{'s' * (leaf.num_bits != 1)} holds {low} to {high}"
                )
            bits = np.broadcast_to(leaf.encode(array), (num_nodes, *columns.shape))
            rows[columns] = np.moveaxis(bits, 0, -1)
        return rows.T

    def unpack(
        self,
        states: Bool[np.ndarray, "n k"],
        *,
        strict: bool = True,
        paths: Sequence[str] | None = None,
    ) -> dict[str, np.ndarray]:
        """The values of every field: arrays of shape (n,), or (n, slots) inside a table.

        Those of `Bits` are truth values, with the bits as one more axis.

        Args:
            states: of any nodes.
            strict: refuse states with a choice that is none. A run that went wrong can end in
                such states; its answer is read with False, and has `INVALID` there.
            paths: of which fields; by default all.

        Raises:
            LayoutError: unknown field, wrong number of bits; if strict, a one-hot field with several
                bits set or a code above its size.
        """
        states = np.asarray(states, bool)
        if states.ndim != 2 or states.shape[1] != self.num_bits:
            raise LayoutError(f"states of {self.num_bits} bits expected, got shape {states.shape}")
        values = {}
        for path in self.paths if paths is None else paths:
            leaf, columns = self._find(path)
            # Read off bit by bit, as states lie in memory.
            values[path] = leaf.decode(np.moveaxis(states.T[columns], -1, 0))
            if strict and isinstance(leaf, OneHot | Code):
                leaf.check(values[path])
        return values

    def rows(self) -> list[tuple[str, str, str, str]]:
        """For a table: each field with its slots, its kind, its bits, and whether it is exchanged."""
        return [
            (
                f"{field.name}[{field.slots}].{leaf.name}"
                if isinstance(field, Table)
                else leaf.name,
                leaf.kind,
                str(leaf.num_bits),
                "yes" if index >= len(self.computation) else "no",
            )
            for index, field in enumerate(self.computation + self.messages)
            for leaf in (field.fields if isinstance(field, Table) else (field,))
        ]

    def to_json(self) -> str:
        """A canonical text of the layout, the basis of stable hashes."""
        rooms = {"computation": self.computation, "messages": self.messages}
        return json.dumps(
            {room: [field_data(field) for field in fields] for room, fields in rooms.items()},
            sort_keys=True,
        )
