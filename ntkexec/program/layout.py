"""Layouts: named fields of a node's state, and the bit columns that hold them.

A state is a row of bits, computation bits first, message bits after them. Computation bits stay
with the node; message bits are exchanged with the neighbours after every step.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Int

from ntkexec.errors import LayoutError

# Words become int64 on the host; one bit is left for the sign and one for sums of two words.
MAX_WORD_BITS = 62
# What is read where bits hold no value of their field: no algorithm's answer is this number.
INVALID = -(2**63) + 1


@dataclasses.dataclass(frozen=True)
class Flag:
    """One bit, read as a bool."""

    name: str
    kind: ClassVar[Literal["flag"]] = "flag"

    @property
    def num_bits(self) -> int:
        return 1

    def encode(self, values: np.ndarray) -> np.ndarray:
        return values[..., None].astype(bool)

    def decode(self, bits: np.ndarray) -> np.ndarray:
        return bits[..., 0]

    @property
    def value_range(self) -> tuple[int, int]:
        return 0, 1


@dataclasses.dataclass(frozen=True)
class Word:
    """An integer of `num_bits` bits, lowest bit first; two's complement where signed."""

    name: str
    num_bits: int
    signed: bool = False
    kind: ClassVar[Literal["word"]] = "word"

    def __post_init__(self) -> None:
        if not 1 <= self.num_bits <= MAX_WORD_BITS:
            raise LayoutError(
                f"word {self.name!r} has {self.num_bits} bits; 1 to {MAX_WORD_BITS} fit"
            )

    def encode(self, values: np.ndarray) -> np.ndarray:
        return (values[..., None].astype(np.int64) >> np.arange(self.num_bits)) & 1 == 1

    def decode(self, bits: np.ndarray) -> np.ndarray:
        weights = np.int64(1) << np.arange(self.num_bits, dtype=np.int64)
        if self.signed:
            weights[-1] *= -1
        return bits.astype(np.int64) @ weights

    @property
    def value_range(self) -> tuple[int, int]:
        half = 1 << (self.num_bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)


@dataclasses.dataclass(frozen=True)
class OneHot:
    """A choice among `num_bits` values, one bit each; -1 stands for none of them.

    Several bits set are no choice; they are read as `INVALID`.
    """

    name: str
    num_bits: int
    kind: ClassVar[Literal["one-hot"]] = "one-hot"

    def __post_init__(self) -> None:
        if self.num_bits < 1:
            raise LayoutError(
                f"one-hot {self.name!r} has {self.num_bits} values; it needs at least 1"
            )

    def encode(self, values: np.ndarray) -> np.ndarray:
        return values[..., None] == np.arange(self.num_bits)

    def decode(self, bits: np.ndarray) -> np.ndarray:
        found = np.where(bits.any(-1), bits.argmax(-1), -1)
        return np.where(bits.sum(-1) > 1, INVALID, found)

    def check(self, values: np.ndarray) -> None:
        """Raises LayoutError if any decoded value is `INVALID`."""
        if (values == INVALID).any():
            raise LayoutError(f"one-hot {self.name!r} has several bits set")

    @property
    def value_range(self) -> tuple[int, int]:
        return -1, self.num_bits - 1


@dataclasses.dataclass(frozen=True)
class Code:
    """A choice among `size` values in binary, one more than its index; 0, or -1 when read, is none.

    For choices that never change: it takes fewer bits, each of which a template must keep, than one
    bit for each value. To read it takes a product of all its bits.
    """

    name: str
    size: int
    kind: ClassVar[Literal["code"]] = "code"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise LayoutError(f"code {self.name!r} has {self.size} values; it needs at least 1")

    @property
    def num_bits(self) -> int:
        return self.size.bit_length()

    def encode(self, values: np.ndarray) -> np.ndarray:
        return (values[..., None].astype(np.int64) + 1 >> np.arange(self.num_bits)) & 1 == 1

    def decode(self, bits: np.ndarray) -> np.ndarray:
        found = bits @ (np.int64(1) << np.arange(self.num_bits, dtype=np.int64))
        return np.where(found > self.size, INVALID, found - 1)

    def check(self, values: np.ndarray) -> None:
        """Raises LayoutError if any decoded value is `INVALID`."""
        if (values == INVALID).any():
            raise LayoutError(
                f"code {self.name!r} has {self.size} values, its bits hold a larger one"
            )

    @property
    def value_range(self) -> tuple[int, int]:
        return -1, self.size - 1


Leaf = Flag | Word | OneHot | Code


@dataclasses.dataclass(frozen=True)
class Table:
    """The same fields once for every slot, that is, for every colour of the two-hop colouring.

    Args:
        name: prefix of the fields' paths, as in `inbox.full`.
        slots: number of slots.
        fields: what each slot holds.
        occupied: at how many slots at most any bit can be set at once (a node of degree D hears
            from D + 1 slots), or None if unbounded.
    """

    name: str
    slots: int
    fields: tuple[Leaf, ...]
    occupied: int | None = None
    kind: ClassVar[Literal["table"]] = "table"

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise LayoutError(f"table {self.name!r} has {self.slots} slots; it needs at least 1")
        if not self.fields:
            raise LayoutError(f"table {self.name!r} has no fields")
        _check_names([field.name for field in self.fields])
        if self.occupied is not None and self.occupied < 1:
            raise LayoutError(
                f"table {self.name!r} lets {self.occupied} slots be occupied; at least 1"
            )

    @property
    def num_bits(self) -> int:
        return self.slots * sum(field.num_bits for field in self.fields)


Field = Leaf | Table


@dataclasses.dataclass(frozen=True)
class AtMost:
    """An invariant of valid states: at most `bound` of the `groups` of bits hold any 1."""

    bound: int
    groups: tuple[tuple[int, ...], ...]
    reason: str


@dataclasses.dataclass(frozen=True)
class _Columns:
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
        _check_names([field.name for field in self.computation + self.messages])

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
        return {path: found.leaf for path, found in self._paths.items()}

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
        for path, found in self._paths.items():
            table, _, leaf_name = path.rpartition(".")
            for position, column in np.ndenumerate(found.columns):
                name = f"{table}[{position[0]}].{leaf_name}" if table else leaf_name
                single = isinstance(found.leaf, Flag)
                names[column] = name if single else f"{name}[{position[-1]}]"
        return tuple(names)

    @functools.cached_property
    def invariants(self) -> tuple[AtMost, ...]:
        """What the fields promise of every valid state: one-hot fields and occupied slots."""
        found = []
        for path, entry in self._paths.items():
            if isinstance(entry.leaf, OneHot):
                rows = entry.columns.reshape(-1, entry.leaf.num_bits)
                found += [
                    AtMost(1, tuple((c,) for c in row), f"{path} is one-hot")
                    for row in rows.tolist()
                ]
        for field in self.computation + self.messages:
            if (
                isinstance(field, Table)
                and field.occupied is not None
                and field.occupied < field.slots
            ):
                slots = np.concatenate(
                    [self._paths[f"{field.name}.{leaf.name}"].columns for leaf in field.fields],
                    axis=1,
                )
                reason = f"at most {field.occupied} slots of {field.name} are occupied"
                found.append(AtMost(field.occupied, tuple(map(tuple, slots.tolist())), reason))
        return tuple(found)

    def pack(self, num_nodes: int, values: Mapping[str, object]) -> Bool[np.ndarray, "n k"]:
        """The states of `num_nodes` nodes.

        Args:
            num_nodes: number of rows.
            values: by path, anything that broadcasts to shape (n,), or to (n, slots) inside a
                table. A field that is left out is all zeros.

        Raises:
            LayoutError: unknown field, wrong shape, not whole numbers, or a value out of range.
        """
        states = np.zeros((num_nodes, self.num_bits), bool)
        for path, value in values.items():
            found = self._find(path)
            shape = (num_nodes, *found.columns.shape[:-1])
            array = np.asarray(value)
            if array.dtype.kind not in "biu":
                raise LayoutError(f"field {path!r} takes whole numbers, got {array.dtype} values")
            try:
                array = np.broadcast_to(array, shape)
            except ValueError:
                raise LayoutError(
                    f"field {path!r} takes shape {shape}, got {array.shape}"
                ) from None
            low, high = found.leaf.value_range
            outside = (array < low) | (array > high)
            if outside.any():
                where = tuple(int(i) for i in np.argwhere(outside)[0])
                raise LayoutError(
                    f"value {int(array[where])} of {path!r} at node {where[0]} does not fit: "
                    f"a {found.leaf.kind} of {found.leaf.num_bits} bits holds {low} to {high}"
                )
            states[:, found.columns.reshape(-1)] = found.leaf.encode(array).reshape(
                num_nodes, found.columns.size
            )
        return states

    def unpack(
        self, states: Bool[np.ndarray, "n k"], *, strict: bool = True
    ) -> dict[str, np.ndarray]:
        """The values of every field: arrays of shape (n,), or (n, slots) inside a table.

        Args:
            states: of any nodes.
            strict: refuse states with a choice that is none. A run that went wrong can end in
                such states; its answer is read with False, and has `INVALID` there.

        Raises:
            LayoutError: wrong number of bits; if strict, a one-hot field with several bits set or
                a code above its size.
        """
        states = np.asarray(states, bool)
        if states.ndim != 2 or states.shape[1] != self.num_bits:
            raise LayoutError(f"states of {self.num_bits} bits expected, got shape {states.shape}")
        values = {
            path: found.leaf.decode(states[:, found.columns]) for path, found in self._paths.items()
        }
        if strict:
            for path, found in self._paths.items():
                if isinstance(found.leaf, OneHot | Code):
                    found.leaf.check(values[path])
        return values

    def to_json(self) -> str:
        """A canonical text of the layout, the basis of stable hashes."""
        rooms = {"computation": self.computation, "messages": self.messages}
        return json.dumps(
            {room: [_field_data(field) for field in fields] for room, fields in rooms.items()},
            sort_keys=True,
        )


def _check_names(names: Sequence[str]) -> None:
    """Raises LayoutError unless the names are different identifiers."""
    for index, name in enumerate(names):
        if not name.isidentifier():
            raise LayoutError(f"field name {name!r} is not an identifier")
        if name in names[:index]:
            raise LayoutError(f"field {name!r} is declared twice")


def _field_data(field: Field) -> dict[str, object]:
    data: dict[str, object] = {"kind": field.kind, "name": field.name}
    if isinstance(field, Table):
        inner = [_field_data(leaf) for leaf in field.fields]
        return data | {"slots": field.slots, "occupied": field.occupied, "fields": inner}
    if isinstance(field, Word):
        data["signed"] = field.signed
    if isinstance(field, Code):
        return data | {"size": field.size}
    return data | {"bits": field.num_bits}
