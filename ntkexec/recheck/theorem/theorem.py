"""What a theorem consists of."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..program import Program
from .obligation import Obligation


class Theorem(NamedTuple):
    """A statement about a program, and what must be shown for it.

    Args:
        name: of the statement, such as `bfs`.
        sizes: of the program.
        sentence: what is claimed, in words and symbols.
        scope: for which graphs, inputs and sizes.
        prose: what no proof here covers and a reader has to believe, one sentence each.
        obligations: how to build each, by name, in the order in which they are read.
    """

    name: str
    sizes: Mapping[str, int]
    sentence: str
    scope: tuple[str, ...]
    prose: tuple[str, ...]
    obligations: Mapping[str, Callable[[], Obligation]]


# A program, its sizes, and a specification as data where a statement takes one.
Statement = Callable[[Program, Mapping[str, int], Any], Theorem]

# Holds for every statement about message passing.
SEMANTICS = (
    "The executor computes what `after_step` says: every bit is the learned decision for the templates that"
    " match, and message bits are summed over a node and its in-neighbours; where no two of them set a"
    " bit, the sum is their union.",
)
COLOURING = (
    "The colours are a two-hop colouring: within a node and its in-neighbours they differ. The loader"
    " checks this for every graph.",
)
# Holds for programs of one node.
ALONE = (
    "The executor computes what `after_step` says: every bit is the learned decision for the templates that"
    " match. A node without neighbours hears nobody.",
)
