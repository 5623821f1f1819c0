"""The collectives of a compiled program, how often each runs, and the bytes that it moves.

Convention: a collective is as cheap as it can be without knowing the values. What a device keeps
for itself costs nothing. Of E elements of a device's operand, in a group of g devices,

- all-gather: everybody gets everybody's: (g-1) E received and sent;
- all-to-all and reduce-scatter: a g-th for each other: (g-1) E/g;
- all-reduce: a reduce-scatter into pieces as equal as whole elements allow, then an all-gather of
  them: 2 (g-1) E/g where g divides E, else what the device with a largest piece has;
- collective-permute: E, where a source is not its own target;
- collective-broadcast: E received, by its root (g-1) E sent.

Bytes are of the busiest device, for one run of the collective, in the types that the program names:
on CPUs, for example, XLA has bfloat16 summed as float32.
"""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ntkexec.errors import ExperimentError

KINDS = (
    "all-gather",
    "all-reduce",
    "all-to-all",
    "collective-broadcast",
    "collective-permute",
    "reduce-scatter",
)
UNKNOWN = ("ragged-all-to-all", "send", "recv")
"""What moves bytes that a program's text does not tell."""


class Compiled(Protocol):
    """What `jax.jit(f).lower(...).compile()` gives."""

    def as_text(self) -> Any: ...


@dataclasses.dataclass(frozen=True)
class Collective:
    """One collective of a program.

    Args:
        name: in the program's text.
        kind: one of `KINDS`.
        dtype: of the elements, as XLA writes it, such as f32.
        shape: of the operand on one device.
        group: devices that take part together; of a permutation, all of them.
        pairs: of a permutation, how many devices send to another.
        times: that it runs: the product of the trip counts of the loops around it.
    """

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    group: int
    pairs: int
    times: int

    @property
    def operand_bytes(self) -> int:
        """Of one device's operand."""
        return math.prod(self.shape) * _item_bytes(self.dtype)

    @property
    def bytes_received(self) -> int:
        """By the busiest device, in one run."""
        elements, others = math.prod(self.shape), self.group - 1
        found = {
            "all-gather": others * elements,
            "all-reduce": _all_reduced(elements, self.group),
            "all-to-all": others * elements // self.group,
            "collective-broadcast": elements if others else 0,
            "collective-permute": elements if self.pairs else 0,
            "reduce-scatter": others * elements // self.group,
        }
        return found[self.kind] * _item_bytes(self.dtype)

    @property
    def bytes_sent(self) -> int:
        """By the busiest device, in one run."""
        if self.kind == "collective-broadcast":
            return (self.group - 1) * self.bytes_received
        return self.bytes_received


def collectives_of(compiled: Compiled | str) -> tuple[Collective, ...]:
    """The collectives of a compiled program, each with how often it runs.

    Args:
        compiled: the program, or its text (`compiled.as_text()`).

    Raises:
        ExperimentError: a collective lies in a loop whose trip count the program does not know, or in a
            branch; or it is of a kind, or has groups, that tell nothing of bytes. It is named.
    """
    text = compiled if isinstance(compiled, str) else str(compiled.as_text())
    program = _parsed(text)
    found: list[Collective] = []
    _collect(program, program.entry, 1, found)
    return tuple(found)


def total_bytes(collectives: Iterable[Collective]) -> dict[str, int]:
    """The bytes that the busiest device receives in a whole run of a program, by kind."""
    found: dict[str, int] = {}
    for one in collectives:
        found[one.kind] = found.get(one.kind, 0) + one.times * one.bytes_received
    return found


def _all_reduced(elements: int, group: int) -> int:
    if group == 1:
        return 0
    piece = -(-elements // group)
    return (group - 1) * piece + elements - piece


def _item_bytes(dtype: str) -> int:
    bits = re.match(r"[a-z]+(\d+)", dtype)
    return -(-int(bits[1]) // 8) if bits else 1  # pred


# A program's text.


@dataclasses.dataclass(frozen=True)
class _Instruction:
    name: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    opcode: str
    operands: tuple[str, ...]
    attributes: str


@dataclasses.dataclass(frozen=True)
class _Program:
    entry: str
    computations: Mapping[str, tuple[_Instruction, ...]]
    devices: int


_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (.*)$")
_OPCODE = re.compile(r"(?:^|\s)([a-z][a-z0-9\-]*)\(")
_SHAPE = re.compile(r"([a-z]+\d*[a-z0-9]*)\[([\d,<=]*)\]")
_CALLED = re.compile(
    r"(?:to_apply|calls|body|condition|true_computation|false_computation)=%?([\w.\-]+)"
    r"|(?:branch_computations|called_computations)=\{([^}]*)\}"
)
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


def _parsed(text: str) -> _Program:
    header = text.partition("\n")[0]
    if not header.startswith("HloModule"):
        raise ExperimentError("the text of a compiled program begins with HloModule")
    counts = re.findall(r"(?:num_partitions|replica_count)=(\d+)", header)
    computations: dict[str, list[_Instruction]] = {}
    entry = now = ""
    for line in text.splitlines():
        if begun := _COMPUTATION.match(line):
            now = begun[2]
            computations[now] = []
            entry = now if begun[1] else entry
        elif now and (found := _INSTRUCTION.match(line)):
            computations[now].append(_instruction(found[1], found[2]))
    if not entry:
        raise ExperimentError("the text of a compiled program has no entry")
    return _Program(
        entry, {name: tuple(one) for name, one in computations.items()}, math.prod(map(int, counts))
    )


def _instruction(name: str, said: str) -> _Instruction:
    opcode = _OPCODE.search(said)
    if opcode is None:
        raise ExperimentError(f"{name} is no instruction of a program: {said[:80]}")
    shapes = tuple(
        (dtype, tuple(int(size.strip("<=")) for size in sizes.split(",") if size))
        for dtype, sizes in _SHAPE.findall(said[: opcode.start(1)])
    )
    end, depth = opcode.end(), 1
    while depth and end < len(said):
        depth += {"(": 1, ")": -1}.get(said[end], 0)
        end += 1
    operands = tuple(re.findall(r"%([\w.\-]+)", said[opcode.end() : end]))
    return _Instruction(name, shapes, opcode[1], operands, said[end:])


def _collect(program: _Program, name: str, times: int, found: list[Collective]) -> None:
    """The collectives of a computation that runs some times, and of those that it calls."""
    instructions = program.computations[name]
    for one in instructions:
        kind = one.opcode.removesuffix("-start")
        if kind in KINDS:
            found += _collectives(program, instructions, one, kind, times)
            continue
        if kind in UNKNOWN:
            raise ExperimentError(f"{one.name} moves bytes that no text tells: {one.opcode}")
        parts = [part for pair in _CALLED.findall(one.attributes) for part in pair if part]
        called = [part for words in parts for part in re.findall(r"[\w.\-]+", words)]
        if one.opcode == "while":
            _collect_loop(program, one, times, found)
        elif one.opcode == "conditional":
            _refuse(program, called, f"{one.name} decides while it runs whether")
        else:
            for inner in called:
                _collect(program, inner, times, found)


def _collect_loop(
    program: _Program, loop: _Instruction, times: int, found: list[Collective]
) -> None:
    trips = _TRIPS.search(loop.attributes)
    # The condition is asked once more than the body runs.
    for part, more in (("condition", 1), ("body", 0)):
        name = re.search(rf"{part}=%?([\w.\-]+)", loop.attributes)
        assert name is not None
        if trips is None:
            _refuse(
                program, [name[1]], f"{loop.name} is a loop without a known trip count in which"
            )
        else:
            _collect(program, name[1], times * (int(trips[1]) + more), found)


def _refuse(program: _Program, names: list[str], why: str) -> None:
    found: list[Collective] = []
    for name in names:
        _collect(program, name, 1, found)
    if found:
        raise ExperimentError(f"{why} {found[0].name} ({found[0].kind}) runs; bytes are not known")


def _collectives(
    program: _Program,
    instructions: tuple[_Instruction, ...],
    one: _Instruction,
    kind: str,
    times: int,
) -> list[Collective]:
    """One for each operand; of an all-to-all, whose operands are the parts for each device, one."""
    shapes = {other.name: other.shapes for other in instructions}
    operands = [shape for name in one.operands for shape in shapes[name]]
    group, pairs = program.devices, 0
    if kind == "collective-permute":
        operands = _permuted(one, operands)
        said = re.search(r"source_target_pairs=\{((?:\{\d+,\d+\},?)*)\}", one.attributes)
        if said is None:
            raise ExperimentError(f"{one.name} is a permutation without pairs")
        pairs = sum(a != b for a, b in re.findall(r"\{(\d+),(\d+)\}", said[1]))
    else:
        group = _group(one, program.devices)
    if kind == "all-to-all" and len(operands) > 1:
        dtype, shape = operands[0]
        operands = [(dtype, (len(operands), *shape))]
    return [
        Collective(one.name, kind, dtype, shape, group, pairs, times) for dtype, shape in operands
    ]


def _permuted(
    one: _Instruction, operands: list[tuple[str, tuple[int, ...]]]
) -> list[tuple[str, tuple[int, ...]]]:
    """What a permutation sends: its operand, or all of several where as many come out of it.

    An asynchronous one names what goes in and what comes out, and then buffers of its own.
    """
    count = len(operands)
    results = list(one.shapes[count:] if one.opcode.endswith("-start") else one.shapes)
    if count > 1 and results[:count] != operands:
        raise ExperimentError(
            f"{one.name} permutes {count} operands, of which this cannot tell what is sent"
        )
    return operands


def _group(one: _Instruction, devices: int) -> int:
    """How many devices take part together: `{{0,1},{2,3}}`, `[2,2]<=[4]`, or all where none are said."""
    said = re.search(r"replica_groups=(\{(?:\{[\d,]*\},?)*\}|\[[\d,]+\]<=)", one.attributes)
    if said is None and "replica_groups=" in one.attributes:
        raise ExperimentError(f"{one.name} has groups that this cannot read: {one.attributes[:80]}")
    if said is None or said[1] == "{}":
        return devices
    if said[1].startswith("["):
        return int(said[1].strip("[]<=").split(",")[-1])
    sizes = {len(group.split(",")) for group in re.findall(r"\{([\d,]+)\}", said[1])}
    if len(sizes) != 1:
        raise ExperimentError(f"{one.name} has groups of several sizes: {said[1][:80]}")
    return sizes.pop()
