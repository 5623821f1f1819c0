"""Any permutation of k bits from k examples: one template moves each bit."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ntkexec.errors import ProgramError
from ntkexec.graphs import Graph
from ntkexec.program.fields import MAX_WORD_BITS, Word
from ntkexec.program.layout import Layout
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.programs.arithmetic import one_node
from ntkexec.programs.instance import Algorithm, Instance
from ntkexec.vocabulary import SUMMARIES

USAGE = "ntkexec run permute 10110 4 2 0 1 3"


def rank(permutation: Sequence[int]) -> int:
    """The number of a permutation of 0 to k - 1 in the order of dictionaries, from 0.

    Raises:
        ProgramError: not a permutation; names what is missing.
    """
    missing = sorted(set(range(len(permutation))) - set(permutation))
    if missing:
        raise ProgramError(
            f"{' '.join(map(str, permutation))} is no permutation of 0 to {len(permutation) - 1}; "
            f"{missing[0]} is missing"
        )
    left, number = sorted(permutation), 0
    for place in permutation:
        number = number * len(left) + left.index(place)
        left.remove(place)
    return number


def permutation_of(number: int, bits: int) -> tuple[int, ...]:
    """The permutation of a rank."""
    digits = []
    for base in range(1, bits + 1):
        number, digit = divmod(number, base)
        digits.append(digit)
    left = list(range(bits))
    return tuple(left.pop(digit) for digit in reversed(digits))


@functools.cache
def program(*, bits: int, permutation: int) -> Program:
    """The program: bit i moves to place p(i), in one step.

    Args:
        bits: k.
        permutation: the rank of p.

    Raises:
        ProgramError: `bits` or the rank out of range.
    """
    if not 1 <= bits <= MAX_WORD_BITS:
        raise ProgramError(f"permute takes 1 to {MAX_WORD_BITS} bits, not {bits}")
    if not 0 <= permutation < math.factorial(bits):
        raise ProgramError(
            f"{bits} bits have the permutations 0 to {math.factorial(bits) - 1}, not {permutation}"
        )
    layout = Layout((Word("bits", bits),))
    moves = permutation_of(permutation, bits)
    templates = [template({place: 1}, [to], "move") for place, to in enumerate(moves)]
    return Program("permute", layout, tuple(templates))


def prepare(
    graph: Graph,
    *,
    sizes: Mapping[str, int] | None = None,
    values: Sequence[int] | int | None = None,
    permutation: Sequence[int] | None = None,
) -> Instance:
    """One permutation on many strings of bits, one on each node.

    Args:
        graph: the nodes, without edges.
        sizes: sizes of the program, if they are given.
        values: the strings as numbers, the first bit the lowest.
        permutation: to which place each bit moves.

    Raises:
        ProgramError: not a permutation, or a value is missing or does not fit.
    """
    if permutation is not None:
        own = {"bits": len(permutation), "permutation": rank(permutation)}
        if sizes and dict(sizes) != own:
            raise ProgramError("permute: the program was built for another permutation")
    elif sizes:
        own = dict(sizes)
    else:
        raise ProgramError("permute needs a permutation, such as [2, 0, 1]")
    mover = program(**own)
    bits, given = one_node.numbers("permute", graph, own["bits"], values=values)
    moves = np.array(permutation_of(own["permutation"], bits))

    def expected() -> dict[str, np.ndarray]:
        digits = given["values"][:, None] >> np.arange(bits) & 1
        return {"permuted": (digits << moves).sum(1)}

    def shown(value: int) -> str:
        return f"{value:0{bits}b}"[::-1]

    return Instance(
        sizes=own,
        program=mover,
        graph=graph,
        initial=mover.layout.pack(graph.num_nodes, {"bits": given["values"]}),
        num_steps=1,
        inputs={"permutation": moves.tolist()},
        decode=lambda states: {"permuted": mover.layout.unpack(states, strict=False)["bits"]},
        reference=expected,
        formats={"permuted": shown},
        num_inputs=2**bits,
        equation=("permuted", f"{shown(int(given['values'][0]))} permuted")
        if graph.num_nodes == 1
        else None,
    )


def operands(words: Sequence[str], bits: int | None) -> tuple[Graph, dict[str, Any]]:
    """A graph and inputs from the command line: a string of bits, and where each goes."""
    text, places = one_node.first_of("permute", words, USAGE)
    if not text or set(text) - set("01"):
        raise ProgramError(f"permute takes a string of 0s and 1s, not {text!r}: {USAGE}")
    if bits not in (None, len(text)):
        raise ProgramError(f"{text} has {len(text)} bits, not {bits}")
    moves = one_node.whole_numbers("permute", places, len(text), USAGE)
    graph = one_node.nodes([text], label="permute")
    return graph, {"values": int(text[::-1], 2), "permutation": moves}


def sizes(**given: int) -> dict[str, int]:
    """The sizes without a permutation: the one that turns the bits round stands for all."""
    bits = one_node.sizes_of_words("permute")(**given)["bits"]
    return {"bits": bits, "permutation": math.factorial(bits) - 1}


ALGORITHM = Algorithm(
    name="permute",
    summary=SUMMARIES["permute"],
    sizing=sizes,
    program=program,
    prepare=prepare,
    inputs=("values", "permutation"),
    operands=operands,
)
