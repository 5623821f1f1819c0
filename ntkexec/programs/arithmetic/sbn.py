"""A machine with one instruction, subtract and branch if negative, on one node.

The node's state holds the program, which is data: the same templates run every program that fits.
A cycle fetches an instruction, decodes its addresses, reads two cells, subtracts bit by bit, and
writes: a word of w bits takes w + 4 steps.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from ntkexec.errors import ProgramError
from ntkexec.graphs import Graph
from ntkexec.language import Choice, Number, Word, any_of, either, idioms, initial_states
from ntkexec.language.logic import FALSE
from ntkexec.program import limits
from ntkexec.program.program import Program
from ntkexec.programs.arithmetic import assembly, one_node
from ntkexec.programs.arithmetic.assembly import Assembly
from ntkexec.programs.inputs import bits_for, sizes_for
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.programs.reference import sbn as reference
from ntkexec.vocabulary import SUMMARIES

MAX_CYCLES = 100_000
MAX_CHOICES = 2000
"""Instructions, and cells: the machine chooses one, and any two choices are proven to exclude each
other, which takes a minute then."""
USAGE = "ntkexec run sbn PROGRAM.txt [CELL=NUMBER ...]"


@functools.cache
def program(*, word: int, cells: int, code: int) -> Program:
    """The machine.

    Args:
        word: bits of a cell, in two's complement.
        cells: of the memory.
        code: instructions of a program.

    Raises:
        ProgramError: a size below 1, or a program beyond `limits`.
    """
    for size, what in ((code, "instructions"), (cells, "cells")):
        if size > MAX_CHOICES:
            raise ProgramError(f"sbn takes at most {MAX_CHOICES:,} {what}, not {size:,}")
    limits.check_program("sbn", num_literals, code=code, cells=cells, word=word)
    address, place = bits_for(cells - 1), bits_for(code)
    p = one_node.OneNode("sbn")
    program_counter = p.choice("counter", code + 1)
    halted = program_counter[code]
    instructions = p.table("code", code, Word("a", address), Word("b", address), Word("aim", place))
    memory = p.table("memory", cells, Word("value", word, signed=True))
    registers = {
        name: p.word(f"fetched_{name}", bits, temporary=True)
        for name, bits in (("a", address), ("b", address), ("aim", place))
    }
    from_a = p.choice("from_a", cells, temporary=True)
    from_b = p.choice("from_b", cells)
    aim = p.choice("aim", code + 1)
    a = p.word("a", word)
    # The complement of b: since b - a = not (not b + a), adding will do.
    not_b = p.word("not_b", word)

    with p.phase("fetch"):
        for name, register in registers.items():
            fetched = [
                getattr(one, name).where(program_counter[i]) for i, one in enumerate(instructions)
            ]
            p.assign(register, either(fetched))
    with p.phase("decode"):
        # A halted machine selects no cell, so it reads 0 and writes nothing.
        for choice, name in ((from_a, "a"), (from_b, "b"), (aim, "aim")):
            for value in range(len(choice)):
                p.assign(choice[value], (registers[name] == value) & ~halted)
    with p.phase("read"):
        p.assign(a, either([one.value.where(from_a[i]) for i, one in enumerate(memory)]))
        for bit in range(word):
            zeros = (~one.value[bit] & from_b[i] for i, one in enumerate(memory))
            p.assign(not_b[bit], any_of(zeros))
    idioms.add(p, [not_b], [(not_b, a)], name="subtract")
    with p.phase("write"):
        difference = Number(tuple(~bit for bit in not_b))
        for i, one in enumerate(memory):
            p.assign(one.value, difference, when=from_b[i])
        negative = difference[word - 1]
        p.assign(program_counter, aim, when=negative & ~halted)
        following = Choice((FALSE, *program_counter.bits[:-1]))
        p.assign(program_counter, following, when=~negative & ~halted)
    return p.compile()


def steps_per_cycle(*, word: int) -> int:
    """Fetch, decode, read, a step for every bit, write."""
    return word + 4


def num_literals(*, word: int, cells: int, code: int) -> int:
    """Conditions and outputs of all templates of `program`, as a formula."""
    address, place = bits_for(cells - 1), bits_for(code)
    instructions = code * (12 * address + 7 * place + 19)
    memory = cells * (19 * word + 2 * address + 9)
    return instructions + memory + 41 * word + place - 1


def prepare(
    graph: Graph,
    *,
    sizes: Mapping[str, int] | None = None,
    programs: Sequence[Assembly] | Assembly | None = None,
    bits: int | None = None,
) -> Instance:
    """SBN programs side by side, one on each node; they may differ.

    Args:
        graph: the nodes, without edges.
        sizes: sizes of the machine, if they are given; by default the least that fit.
        programs: one for every node, or one for all.
        bits: of a cell; by default the least that hold every number that occurs.

    Raises:
        ProgramError: no program, one that does not halt, or one that does not fit the machine.
    """
    if programs is None:
        raise ProgramError(f"sbn needs a program: {USAGE}")
    given = [programs] * graph.num_nodes if isinstance(programs, Assembly) else list(programs)
    if len(given) != graph.num_nodes:
        raise ProgramError(f"sbn: {len(given)} programs for {graph.num_nodes} nodes")
    runs = [_carried_out(one) for one in given]
    needed = {
        "word": max(_signed_bits(min(0, run.low), run.high) for run in runs),
        "cells": max(len(one.cells) for one in given),
        "code": max(len(one.code) for one in given),
    }
    if bits is not None and not sizes:
        sizes = needed | {"word": bits}
    sizes = sizes_for(graph, needed, sizes)
    machine = program(**sizes)
    memory = np.zeros((graph.num_nodes, sizes["cells"]), int)
    code = np.zeros((graph.num_nodes, sizes["code"], 3), int)
    # A program ends where the code ends, so that running past its end halts; it may begin later.
    start = np.array([sizes["code"] - len(one.code) for one in given])
    for row, one in enumerate(given):
        memory[row, : len(one.cells)] = list(one.cells.values())
        code[row, start[row] :] = one.code
        code[row, start[row] :, 2] += start[row]
    values = {
        "counter": start,
        "code.a": code[:, :, 0],
        "code.b": code[:, :, 1],
        "code.aim": code[:, :, 2],
        "memory.value": memory,
    }
    names = list(given[0].cells)
    if any(list(one.cells) != names for one in given):
        names = [f"cell{place}" for place in range(sizes["cells"])]

    def answer(states: Bool[np.ndarray, "n k"]) -> Answer:
        found = machine.layout.unpack(states, strict=False)["memory.value"]
        return {name: found[:, place] for place, name in enumerate(names)}

    def expected() -> Answer:
        table = np.zeros((graph.num_nodes, sizes["cells"]), int)
        for row, run in enumerate(runs):
            table[row, : len(run.memory)] = run.memory
        return {name: table[:, place] for place, name in enumerate(names)}

    cycles = max(run.cycles for run in runs)
    return Instance(
        sizes=sizes,
        program=machine,
        graph=graph,
        initial=initial_states(machine, graph.num_nodes, values),
        num_steps=cycles * steps_per_cycle(word=sizes["word"]),
        inputs={"program": given[0].name, "cycles": cycles},
        decode=answer,
        reference=expected,
        signed=frozenset(names),
        num_inputs=1 << (sizes["word"] * sizes["cells"]),
        equation=(given[0].answer, given[0].name)
        if graph.num_nodes == 1 and given[0].answer is not None
        else None,
    )


def _carried_out(one: Assembly) -> reference.Run:
    run = reference.run(one.code, list(one.cells.values()), max_cycles=MAX_CYCLES)
    if run.place < len(one.code):
        raise ProgramError(
            f"{one.name} has not halted after {MAX_CYCLES:,} cycles; it is at line "
            f"{one.lines[run.place]} of its text"
        )
    return run


def _signed_bits(low: int, high: int) -> int:
    return 1 + max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0)


def operands(words: Sequence[str], bits: int | None) -> tuple[Graph, dict[str, Any]]:
    """A graph and inputs from the command line: a program, and numbers for its cells."""
    spec, changes = one_node.first_of("sbn", words, USAGE)
    cells = {}
    for change in changes:
        cell, equals, number = change.partition("=")
        if not equals or not number.lstrip("+-").isdecimal():
            raise ProgramError(f"sbn takes CELL=NUMBER, not {change!r}: {USAGE}")
        cells[cell] = int(number)
    one = assembly.load(spec).with_cells(cells)
    return one_node.nodes([one.name], label="sbn"), {"programs": one, "bits": bits}


DEFAULT_CELLS, DEFAULT_CODE = 16, 64


def machine_sizes(**given: int) -> dict[str, int]:
    """The sizes of a machine without a program."""
    bits = one_node.sizes_of_words("sbn")(**given)["bits"]
    return {"word": bits, "cells": DEFAULT_CELLS, "code": DEFAULT_CODE}


ALGORITHM = Algorithm(
    name="sbn",
    summary=SUMMARIES["sbn"],
    sizing=machine_sizes,
    program=program,
    prepare=prepare,
    inputs=("programs", "bits"),
    operands=operands,
)
