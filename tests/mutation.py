"""Programs with one thing wrong, and whether anything notices.

A mutant differs from its program in one literal, one output, or lacks a template. It is noticed if the
answer changes on some graph. Of those that are not, most cannot be: no state that ever occurs tells
them from the program. The rest change states that do occur, but nothing that the answer depends on.
"""

import dataclasses

import numpy as np

from ntkexec.errors import LayoutError, ProgramError
from ntkexec.template import Program, template


@dataclasses.dataclass(frozen=True)
class Mutant:
    """The program with one change: a literal flipped or dropped, an output left out or moved."""

    change: str
    bit: str
    index: int
    condition: dict
    outputs: tuple

    def __str__(self):
        return f"{self.change} {self.bit} in template {self.index}"

    def of(self, program):
        """The mutant as a program; None if it is none."""
        changed = (template(self.condition, self.outputs),) if self.outputs else ()
        before, after = program.templates[: self.index], program.templates[self.index + 1 :]
        try:
            return Program("mutant", program.layout, (*before, *changed, *after), 1)
        except ProgramError:
            return None


def mutants(program):
    """All mutants of a program."""
    names = program.layout.bit_names
    for index, entry in enumerate(program.templates):
        condition = dict(entry.condition)
        for bit, value in entry.condition:
            others = {b: v for b, v in condition.items() if b != bit}
            yield Mutant("flip", names[bit], index, others | {bit: not value}, entry.outputs)
            yield Mutant("drop", names[bit], index, others, entry.outputs)
        for bit in entry.outputs:
            others = tuple(b for b in entry.outputs if b != bit)
            moved = (*others, (bit + 1) % len(names))
            yield Mutant("leave out", names[bit], index, condition, others)
            yield Mutant("move", names[bit], index, condition, moved)


def sample(program, number, seed=0):
    """That many mutants, or all if there are fewer."""
    every = list(mutants(program))
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(every), min(number, len(every)), replace=False)
    return [every[index] for index in sorted(chosen)]


def matrices(program):
    """By template, which bits must be 0, which must be 1, and which it sets."""
    k = program.layout.num_bits
    must = np.zeros((2, program.num_templates, k), np.float32)
    outputs = np.zeros((program.num_templates, k), np.float32)
    for index, one in enumerate(program.templates):
        for bit, value in one.condition:
            must[int(value), index, bit] = 1
        outputs[index, list(one.outputs)] = 1
    return must, outputs


def states_of(program, instance, num_steps):
    """The states before every step and after the last, by a plain matrix product.

    Nothing of the library's executor is used here; also where messages meet, their union counts.
    """
    (zeros, ones), outputs = matrices(program)
    senders, receivers = instance.graph.tuple.senders, instance.graph.tuple.receivers
    states, first = instance.initial, program.layout.num_computation_bits
    yield states
    for _ in range(num_steps):
        states = np.concatenate([states, ~states], axis=1).astype(np.float32)
        broken = states @ np.concatenate([zeros, ones], axis=1).T
        states = (broken == 0).astype(np.float32) @ outputs > 0
        sent = states[:, first:]
        heard = sent.copy()
        np.logical_or.at(heard, receivers, sent[senders])
        states = np.concatenate([states[:, :first], heard], axis=1)
        yield states


def is_right(program, instance, reference, num_steps):
    """Whether the answer after that many steps is the reference's."""
    *_, states = states_of(program, instance, num_steps)
    try:
        answer = instance.decode(states)
    except LayoutError:  # several choices at once
        return False
    return all(np.array_equal(answer[field], values) for field, values in reference.items())


def reachable(program, instance, num_steps):
    """All different states that occur; shape (states, k)."""
    return np.unique(np.concatenate(list(states_of(program, instance, num_steps))), axis=0)


def changes_a_decision(mutant, program, states):
    """Whether some state tells the mutant from the program."""
    broken = mutant.of(program)
    return broken is None or bool((decide(program, states) != decide(broken, states)).any())


def decide(program, states):
    (zeros, ones), outputs = matrices(program)
    both = np.concatenate([states, ~states], axis=1).astype(np.float32)
    broken = both @ np.concatenate([zeros, ones], axis=1).T
    return (broken == 0).astype(np.float32) @ outputs > 0
