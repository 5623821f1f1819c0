"""Programs with one thing wrong, all run at once, and whether anything notices.

A mutant differs from its program in one literal or one output. What it does is computed without the
library's executor, and for all mutants of a program together: bit m of a machine word belongs to
mutant m, so one bitwise operation serves 64 of them. At place 0 runs the program as it is.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from ntkexec.errors import LayoutError
from ntkexec.graphs import Graph
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.programs import Instance

ALL, NONE = ~np.uint64(0), np.uint64(0)


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change: a literal flipped or dropped, an output left out or moved to the next bit."""

    change: str
    index: int
    bit: int

    def describe(self, program: Program) -> str:
        """What is changed, and the template in words: `drop tick: tick & has -> inbox[2].full`."""
        whole = program.describe(self.index)
        return f"{self.change} {program.layout.bit_names[self.bit]}: {whole.rsplit(': ', 1)[-1]}"

    def of(self, program: Program) -> Program:
        """The mutant as a program.

        Raises:
            ProgramError: it is none; two templates have the same condition, or one never matches.
        """
        entry = program.templates[self.index]
        condition, outputs = dict(entry.condition), set(entry.outputs)
        if self.change == "flip":
            condition[self.bit] = not condition[self.bit]
        elif self.change == "drop":
            del condition[self.bit]
        else:
            outputs.remove(self.bit)
        if self.change == "move":
            outputs.add((self.bit + 1) % program.layout.num_bits)
        changed = (template(condition, outputs, entry.label),) if outputs else ()
        before, after = program.templates[: self.index], program.templates[self.index + 1 :]
        return Program(program.name, program.layout, (*before, *changed, *after))


def mutants(program: Program) -> list[Mutant]:
    """All of them, in the order of the templates."""
    found = []
    for index, entry in enumerate(program.templates):
        for bit, _ in entry.condition:
            found += [Mutant("flip", index, bit), Mutant("drop", index, bit)]
        for bit in entry.outputs:
            found += [Mutant("leave out", index, bit), Mutant("move", index, bit)]
    return found


class Family:
    """A program and some of its mutants; their states have shape (bits, nodes, words)."""

    def __init__(self, program: Program, members: Iterable[Mutant]) -> None:
        self.program, self.members = program, tuple(members)
        self.size = 1 + len(self.members)
        self.words = -(-self.size // 64)
        places: dict[int, list[int]] = {}
        for place, mutant in enumerate(self.members, start=1):
            places.setdefault(mutant.index, []).append(place)
        # By template the words of its mutants, and by change and bit which mutants they are.
        self.windows = {i: slice(p[0] // 64, p[-1] // 64 + 1) for i, p in places.items()}
        self.masks = {i: self._masks(p, self.windows[i]) for i, p in places.items()}

    def _masks(self, places: Sequence[int], window: slice) -> dict[tuple[str, int], np.ndarray]:
        found = {}
        for place in places:
            mutant, mask = self.members[place - 1], np.zeros(self.words, np.uint64)
            mask[place // 64] = np.uint64(1) << np.uint64(place % 64)
            found[mutant.change, mutant.bit] = mask[window]
        return found

    def pack(self, states: np.ndarray) -> np.ndarray:
        """States of all members, (members, nodes, bits), or of one for all, (nodes, bits)."""
        if states.ndim == 2:
            packed = np.where(states.T[:, :, None], ALL, NONE)
            return np.repeat(packed, self.words, axis=2)
        spare = 64 * self.words - self.size
        padded = np.pad(states.transpose(2, 1, 0), ((0, 0), (0, 0), (0, spare)))
        return np.packbits(padded, axis=2, bitorder="little").view("<u8")

    def unpack(self, packed: np.ndarray, place: int) -> np.ndarray:
        """The states of the member at a place, (nodes, bits)."""
        word = packed[:, :, place // 64]
        return (word >> np.uint64(place % 64) & np.uint64(1)).T == 1

    def places(self, mask: np.ndarray) -> list[int]:
        """The places that a mask of shape (words,) has."""
        bits = np.unpackbits(mask.astype("<u8").view(np.uint8), bitorder="little")
        return np.flatnonzero(bits[: self.size]).tolist()

    def decide(self, states: np.ndarray) -> np.ndarray:
        """What the nodes write, before messages are exchanged."""
        inverse, after = ~states, np.zeros_like(states)
        product = np.empty(states.shape[1:], np.uint64)
        for index, entry in enumerate(self.program.templates):
            literals = [
                (bit, (states if value else inverse)[bit]) for bit, value in entry.condition
            ]
            product[...] = ALL
            for _, literal in literals:
                np.bitwise_and(product, literal, out=product)
            if index not in self.windows:
                for bit in entry.outputs:
                    after[bit] |= product
                continue
            window, masks = self.windows[index], self.masks[index]
            changed = np.full_like(product[:, window], ALL)
            for bit, literal in literals:
                flipped = literal[:, window] ^ masks.get(("flip", bit), NONE)
                changed &= flipped | masks.get(("drop", bit), NONE)
            product[:, window] = changed
            for bit in entry.outputs:
                moves = masks.get(("move", bit), NONE)
                product[:, window] = changed & ~(masks.get(("leave out", bit), NONE) | moves)
                after[bit] |= product
                after[(bit + 1) % len(after)][:, window] |= changed & moves
        return after

    def step(self, senders: np.ndarray, states: np.ndarray) -> np.ndarray:
        """A whole step; where messages meet, their union counts.

        Args:
            senders: for every node whom it hears, as `padded_senders` has them.
            states: before the step.
        """
        after = self.decide(states)
        sent = after[self.program.layout.num_computation_bits :]
        sent[...] = np.bitwise_or.reduce([sent, *(sent[:, heard] for heard in senders.T)])
        return after


def padded_senders(graph: Graph) -> np.ndarray:
    """Whom every node hears, itself where there is nobody more; shape (nodes, degree)."""
    heard: list[list[int]] = [[] for _ in range(graph.num_nodes)]
    for sender, receiver in zip(graph.tuple.senders, graph.tuple.receivers, strict=True):
        heard[int(receiver)].append(int(sender))
    most = max(map(len, heard))
    return np.array([found + [v] * (most - len(found)) for v, found in enumerate(heard)], int)


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """An execution on a batch of small graphs, and what must be true of it when.

    Args:
        instance: the execution.
        moments: steps after which answers are looked at, in increasing order.
        ready: by node, the step from which on its answer must be the reference's; shape (nodes,).
        halts: groups of nodes, and the step after which all of a group have set the flag
            `instance.halt` for the first time, and keep it; None if that never happens.
    """

    instance: Instance
    moments: tuple[int, ...]
    ready: np.ndarray
    halts: tuple[tuple[np.ndarray, int | None], ...] = ()

    def unnoticed(self, program: Program, members: Iterable[Mutant]) -> list[Mutant | None]:
        """Who does what must be true; first None, for the program itself, if it does."""
        senders, expected = padded_senders(self.instance.graph), self.instance.reference()
        family, step = Family(program, members), 0
        states = family.pack(self.instance.initial)
        is_right = True
        for moment in self.moments:
            wrong = self._halts_wrongly(family, states, step)
            while step < moment:
                states, step = family.step(senders, states), step + 1
                wrong |= self._halts_wrongly(family, states, step)
            rows = {place: family.unpack(states, place) for place in family.places(~wrong)}
            ready = self.ready <= step
            right = [place for place, row in rows.items() if self._answers(row, expected, ready)]
            is_right = is_right and 0 in right
            # Who has been noticed is left behind.
            kept = [0, *(place for place in right if place > 0)]
            rows.setdefault(0, family.unpack(states, 0))
            family = Family(program, (family.members[place - 1] for place in kept[1:]))
            states = family.pack(np.stack([rows[place] for place in kept]))
        return [None] * is_right + list(family.members)

    def _halts_wrongly(self, family: Family, states: np.ndarray, step: int) -> np.ndarray:
        wrong = np.zeros(family.words, np.uint64)
        for nodes, due in self.halts:
            flag = states[family.program.layout.bit(str(self.instance.halt))]
            done = np.bitwise_and.reduce(flag[nodes], axis=0)
            wrong |= ~done if due is not None and step >= due else done
        return wrong

    def _answers(
        self, states: np.ndarray, expected: Mapping[str, np.ndarray], ready: np.ndarray
    ) -> bool:
        try:
            # Several choices at once, also where no answer reads them.
            self.instance.program.layout.unpack(states)
        except LayoutError:
            return False
        answer = self.instance.decode(states)
        return all(np.array_equal(answer[f][ready], expected[f][ready]) for f in expected)


def states_of(program: Program, instance: Instance, num_steps: int) -> Iterator[np.ndarray]:
    """The states before every step and after the last."""
    senders, alone = padded_senders(instance.graph), Family(program, [])
    states = alone.pack(instance.initial)
    yield instance.initial
    for _ in range(num_steps):
        states = alone.step(senders, states)
        yield alone.unpack(states, 0)


def reachable(program: Program, runs: Iterable[tuple[Instance, int]]) -> np.ndarray:
    """All different states that occur in the runs; shape (states, bits)."""
    every = [
        np.packbits(states, axis=1)
        for one, steps in runs
        for states in states_of(program, one, steps)
    ]
    packed = np.concatenate(every)
    padded = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    words = np.ascontiguousarray(padded).view(np.uint64)
    _, first = np.unique(words, axis=0, return_index=True)
    return np.unpackbits(packed[first], axis=1, count=program.layout.num_bits) == 1


def indistinguishable(
    program: Program, members: Iterable[Mutant], states: np.ndarray, chunk: int = 4096
) -> list[Mutant]:
    """The mutants that decide as the program does in all of the states."""
    family = Family(program, members)
    differs = np.zeros(family.words, np.uint64)
    for start in range(0, len(states), chunk):
        after = family.decide(family.pack(states[start : start + chunk]))
        right = np.where(after[:, :, :1] & np.uint64(1), ALL, NONE)
        differs |= np.bitwise_or.reduce(after ^ right, axis=(0, 1))
    return [family.members[place - 1] for place in family.places(~differs) if place > 0]


def same_after_rounds(
    program: Program, members: Iterable[Mutant], instance: Instance, num_steps: int
) -> list[Mutant]:
    """The mutants whose states, all bits of them, are the program's whenever a round has ended."""
    family, senders = Family(program, members), padded_senders(instance.graph)
    states, differs = family.pack(instance.initial), np.zeros(family.words, np.uint64)
    for step in range(1, num_steps + 1):
        states = family.step(senders, states)
        if step % program.round_length == 0:
            right = np.where(states[:, :, :1] & np.uint64(1), ALL, NONE)
            differs |= np.bitwise_or.reduce(states ^ right, axis=(0, 1))
    return [family.members[place - 1] for place in family.places(~differs) if place > 0]
