"""Multiplication of two l-bit numbers from 19 l - 21 examples, in 2 l + 1 steps.

Shift and add: `row` takes the next partial product, a shifted times a bit of b, and is added to a
sum kept as two numbers, `low` and `carry`, so that no carry ripples. When b is used up the same
step goes on adding the two. Every step is the same, so there is no clock.

What cannot occur is left out: row j is 0 below place j and above place j + l - 1, and when it
arrives nothing has reached that highest place yet.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from ntkexec.graphs import Graph
from ntkexec.language import Number, initial_states
from ntkexec.language.logic import FALSE
from ntkexec.program.program import Program
from ntkexec.programs.arithmetic import one_node
from ntkexec.programs.instance import Algorithm, Instance
from ntkexec.vocabulary import SUMMARIES

USAGE = "ntkexec run multiply 13 29 --bits 8"


@functools.cache
def program(*, bits: int) -> Program:
    """The program; its fields `a` and `b` hold the numbers, and in the end `low` the product.

    Raises:
        ProgramError: `bits` out of range.
    """
    one_node.check_bits("multiply", bits)
    p = one_node.OneNode("multiply")
    a = p.word("a", 2 * bits - 1)
    b = p.word("b", bits)
    row = p.word("row", 2 * bits - 1)
    low = p.word("low", 2 * bits)
    # Nothing carries into places 0 and 1, so bit i of the word stands at place i + 2.
    carry = p.word("carry", max(1, 2 * bits - 2), temporary=True)
    top = 2 * bits - 1
    with p.phase("shift and add"):
        p.assign(a, Number((FALSE, *a.bits[:-1])))
        p.assign(b, Number((*b.bits[1:], FALSE)))
        p.assign(row, a.where(b[0]))
        for place in range(2 * bits):
            x = low[place]
            y = carry[place - 2] if 2 <= place <= top and bits > 1 else FALSE
            z = row[place] if place < top else FALSE
            odd = (x & ~y) | (~x & y)
            if place == top:
                p.assign(low[place], x | y)  # set once: the product fits
            elif place in (0, top - 1):
                # Only one row reaches the lowest place, and only one the highest, when all is 0.
                p.assign(low[place], odd | z)
            else:
                p.assign(low[place], (odd & ~z) | (~odd & z))
            if place == top - 1 and bits > 1:
                p.assign(carry[place - 1], x & y)
            elif 1 <= place < top:
                p.assign(carry[place - 1], (x & y) | (x & z) | (y & z))
    return p.compile()


def num_steps(*, bits: int) -> int:
    """Steps until the product is there: a first row, l additions, l more to use the carries up.

    Row j is 0 below place j; so after it was added, no carry is left at places up to j.
    """
    return 2 * bits + 1


def prepare(
    graph: Graph,
    *,
    sizes: Mapping[str, int] | None = None,
    a: Sequence[int] | int | None = None,
    b: Sequence[int] | int | None = None,
    bits: int | None = None,
) -> Instance:
    """Multiplications side by side, one on each node.

    Args:
        graph: the nodes, without edges.
        sizes: sizes of the program, if they are given.
        a: the first factor of each node.
        b: the second.
        bits: length of the numbers; by default the least that fits.

    Raises:
        ProgramError: a number is missing or does not fit.
    """
    bits = one_node.bits_of("multiply", sizes, bits)
    bits, values = one_node.numbers("multiply", graph, bits, a=a, b=b)
    multiplier = program(bits=bits)
    return Instance(
        sizes={"bits": bits},
        program=multiplier,
        graph=graph,
        initial=initial_states(multiplier, graph.num_nodes, values),
        num_steps=num_steps(bits=bits),
        inputs={"bits": bits},
        decode=lambda states: {"product": multiplier.layout.unpack(states, strict=False)["low"]},
        reference=lambda: {"product": values["a"] * values["b"]},
        num_inputs=4**bits,
        equation=one_node.equation("product", "{a} x {b}", values),
    )


def operands(words: Sequence[str], bits: int | None) -> tuple[Graph, dict[str, Any]]:
    """A graph and inputs from the command line."""
    a, b = one_node.whole_numbers("multiply", words, 2, USAGE)
    return one_node.nodes([f"{a} * {b}"], label="multiply"), {"a": a, "b": b, "bits": bits}


ALGORITHM = Algorithm(
    name="multiply",
    summary=SUMMARIES["multiply"],
    sizing=one_node.sizes_of_words("multiply"),
    program=program,
    prepare=prepare,
    inputs=("a", "b", "bits"),
    operands=operands,
)
