"""Programs of a node without neighbours: inputs side by side, as the nodes of a graph without edges."""

from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np

from ntkexec.errors import ProgramError
from ntkexec.graphs import Graph
from ntkexec.graphs.message_passing import graphs_tuple
from ntkexec.language import Builder

MAX_BITS = 30
"""Products of two numbers of so many bits fit in the words of a layout."""


class OneNode(Builder):
    """Collects the statements of a program that sends no messages; its node has no colour."""

    def __init__(self, name: str) -> None:
        super().__init__(name, slots=1, degree=0)
        # Nobody hears the node, so it needs no slot to write in, and no template to keep its colour.
        self._computation.clear()


def nodes(names: Sequence[Hashable], *, label: str) -> Graph:
    """A graph without edges: one node for every input.

    Args:
        names: of the nodes, in order.
        label: what to call the whole.
    """
    none = np.zeros(0, np.int32)
    return Graph(
        tuple=graphs_tuple(none, none, len(names)),
        names=tuple(names),
        colours=np.zeros(len(names), np.int32),
        num_colours=1,
        degree=0,
        directed=False,
        label=label,
    )


def check_bits(algorithm: str, bits: int) -> None:
    """Raises ProgramError unless there are 1 to MAX_BITS bits."""
    if not 1 <= bits <= MAX_BITS:
        raise ProgramError(f"{algorithm} takes numbers of 1 to {MAX_BITS} bits, not {bits}")


def numbers(
    algorithm: str, graph: Graph, bits: int | None, **given: Sequence[int] | int | None
) -> tuple[int, dict[str, np.ndarray]]:
    """Whole numbers, one for every node, and the bits of the largest.

    Args:
        algorithm: its name, for messages.
        graph: the nodes.
        bits: length of the numbers; by default the least that fits them all.
        given: by name, a number for each node, or one for all.

    Raises:
        ProgramError: a number that is missing, negative or too large; says what would fit.
    """
    arrays = {}
    for name, value in given.items():
        if value is None:
            raise ProgramError(f"{algorithm} needs {' and '.join(given)}; {name} is missing")
        array = np.asarray(value)
        if array.dtype.kind not in "iu":
            raise ProgramError(f"{algorithm} takes whole numbers, not {value!r} as {name}")
        if array.ndim and array.shape != (graph.num_nodes,):
            raise ProgramError(
                f"{algorithm} takes one {name} for each of {graph.num_nodes} nodes, got {array.shape}"
            )
        arrays[name] = np.broadcast_to(array, graph.num_nodes)
    largest = max(int(array.max()) for array in arrays.values())
    needed = max(1, largest.bit_length())
    bits = needed if bits is None else bits
    check_bits(algorithm, bits)
    for name, array in arrays.items():
        outside = (array < 0) | (array >= 1 << bits)
        if outside.any():
            value = int(array[outside][0])
            advice = "" if value < 0 else f"; {value.bit_length()} bits would hold it"
            raise ProgramError(
                f"{name} = {value} does not fit in {bits} bits without sign, 0 to {(1 << bits) - 1}"
                f"{advice}"
            )
    return bits, arrays


def equation(field: str, words: str, values: Mapping[str, np.ndarray]) -> tuple[str, str] | None:
    """What is computed, for `Instance.equation`; None where several nodes compute side by side.

    Args:
        field: of the answer.
        words: such as "{a} + {b}".
        values: the number at each node, by name.
    """
    if any(len(array) != 1 for array in values.values()):
        return None
    return field, words.format(**{name: int(array[0]) for name, array in values.items()})


def sizes_of_words(algorithm: str) -> Callable[..., dict[str, int]]:
    """Turns the sizes that users give into those of a program without a graph."""

    def sizes(
        *, degree: int | None = None, word: int | None = None, slots: int | None = None
    ) -> dict[str, int]:
        if degree or slots is not None:
            raise ProgramError(f"{algorithm} runs on one node; only --degree 0 and --word fit")
        if word is None:
            raise ProgramError(f"{algorithm} without numbers needs --word, their bits")
        return {"bits": word}

    return sizes


def bits_of(algorithm: str, sizes: Mapping[str, int] | None, bits: int | None) -> int | None:
    """The length of the numbers: as asked, or that of a program that is given.

    Raises:
        ProgramError: both, and they differ.
    """
    if not sizes:
        return bits
    if bits not in (None, sizes["bits"]):
        raise ProgramError(
            f"{algorithm} of {bits} bits was asked for; the program has {sizes['bits']}"
        )
    return sizes["bits"]


def first_of(algorithm: str, words: Sequence[str], usage: str) -> tuple[str, Sequence[str]]:
    """The word of the command line that must be there, and those that follow it.

    Raises:
        ProgramError: there is none.
    """
    if not words:
        raise ProgramError(f"{algorithm} needs its operands: {usage}")
    return words[0], words[1:]


def whole_numbers(algorithm: str, words: Sequence[str], count: int, usage: str) -> list[int]:
    """Words of the command line as numbers.

    Raises:
        ProgramError: another count, or what is no number.
    """
    if len(words) != count:
        raise ProgramError(f"{algorithm} takes {count} numbers, got {len(words)}: {usage}")
    for word in words:
        if not word.isdecimal():
            raise ProgramError(f"{algorithm} takes whole numbers from 0, not {word!r}: {usage}")
    return [int(word) for word in words]
