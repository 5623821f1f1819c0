"""Addition of two l-bit numbers from 3 l + 2 examples.

In a step x becomes x XOR y, and y what is carried, (x AND y) shifted: their sum stays, and after
l + 1 steps no carry is left. Every step is the same, so there is no clock.
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

USAGE = "ntkexec run add 13 29 --bits 8"


@functools.cache
def program(*, bits: int) -> Program:
    """The program; its fields `x` and `y` hold the numbers, and in the end `x` the sum.

    Raises:
        ProgramError: `bits` out of range.
    """
    one_node.check_bits("add", bits)
    p = one_node.OneNode("add")
    x = p.word("x", bits + 1)
    y = p.word("y", bits + 1)
    with p.phase("carry on"):
        p.assign(x, Number(tuple((a & ~b) | (~a & b) for a, b in zip(x, y, strict=True))))
        # The highest bits are never both 1, since the sum fits.
        carried = [a & b for a, b in zip(x.bits[:-1], y.bits[:-1], strict=True)]
        p.assign(y, Number((FALSE, *carried)))
    return p.compile()


def num_steps(*, bits: int) -> int:
    """Steps until the sum is there; after step t the t lowest bits carry nothing."""
    return bits + 1


def prepare(
    graph: Graph,
    *,
    sizes: Mapping[str, int] | None = None,
    a: Sequence[int] | int | None = None,
    b: Sequence[int] | int | None = None,
    bits: int | None = None,
) -> Instance:
    """Additions side by side, one on each node.

    Args:
        graph: the nodes, without edges.
        sizes: sizes of the program, if they are given.
        a: the first summand of each node.
        b: the second.
        bits: length of the numbers; by default the least that fits.

    Raises:
        ProgramError: a number is missing or does not fit.
    """
    bits = one_node.bits_of("add", sizes, bits)
    bits, values = one_node.numbers("add", graph, bits, a=a, b=b)
    adder = program(bits=bits)
    return Instance(
        sizes={"bits": bits},
        program=adder,
        graph=graph,
        initial=initial_states(adder, graph.num_nodes, {"x": values["a"], "y": values["b"]}),
        num_steps=num_steps(bits=bits),
        inputs={"bits": bits},
        decode=lambda states: {"sum": adder.layout.unpack(states, strict=False)["x"]},
        reference=lambda: {"sum": values["a"] + values["b"]},
        num_inputs=4**bits,
        equation=one_node.equation("sum", "{a} + {b}", values),
    )


def operands(words: Sequence[str], bits: int | None) -> tuple[Graph, dict[str, Any]]:
    """A graph and inputs from the command line."""
    a, b = one_node.whole_numbers("add", words, 2, USAGE)
    return one_node.nodes([f"{a} + {b}"], label="add"), {"a": a, "b": b, "bits": bits}


ALGORITHM = Algorithm(
    name="add",
    summary=SUMMARIES["add"],
    sizing=one_node.sizes_of_words("add"),
    program=program,
    prepare=prepare,
    inputs=("a", "b", "bits"),
    operands=operands,
)
