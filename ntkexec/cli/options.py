"""Options and arguments that several commands share, and what their words stand for."""

from pathlib import Path
from typing import Annotated

import typer

from ntkexec import vocabulary
from ntkexec.cli import headings
from ntkexec.errors import NtkexecError, shown

MAX_BOUND = 2**31 - 1
MAX_PADDING = 2**24
"""Above it float32, in which a network is scaled by its number of inputs, cannot count them."""


def _algorithms_that_begin(incomplete: str) -> list[str]:
    return [name for name in vocabulary.ALGORITHM_NAMES if name.startswith(incomplete)]


Algorithm = Annotated[
    str,
    typer.Argument(
        help="bfs, dfs, add, ...; 'ntkexec algorithms' lists them all.",
        autocompletion=_algorithms_that_begin,
    ),
]
Program = Annotated[
    str,
    typer.Argument(
        metavar="PROGRAM",
        help="bfs, dfs, add, ... ('ntkexec algorithms' lists them all); or your own: FILE.npz or "
        "FILE.json of raw templates, or module:function.",
        autocompletion=_algorithms_that_begin,
    ),
]
GRAPH_HELP = "A generator (karate, grid:8x8, random-regular:n=100,d=3,seed=0, ...) or a graph file."

# What an algorithm is given.
Source = Annotated[
    list[str] | None,
    typer.Option(help="Where it starts, by default the first node; repeat for several."),
]
Message = Annotated[
    str | None, typer.Option(help="For flooding: a string of 0s and 1s, 1011 by default.")
]

# What a program of one's own is given.
State = Annotated[
    Path | None,
    typer.Option(
        help="For your own program: FILE.npz with the states to start from, an array of a row for each "
        "node and a column for each bit, or values by field.",
        rich_help_panel=headings.OWN,
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        help="For your own program: steps, or with --until the most of them.",
        rich_help_panel=headings.OWN,
    ),
]
GraphOfOwn = Annotated[
    str | None,
    typer.Argument(metavar="GRAPH", help="For your own program: " + GRAPH_HELP),
]

# How a graph is read.
SelfLoops = Annotated[
    vocabulary.SelfLoops,
    typer.Option(
        help="What to do with edges from a node to itself.", rich_help_panel=headings.READING
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="ATTR",
        help="For bellman-ford: edge attribute with the weights.",
        rich_help_panel=headings.READING,
    ),
]
WeightScale = Annotated[
    int,
    typer.Option(
        help="With --weights: what they are multiplied by to be whole, 10 for one decimal; distances "
        "come out multiplied.",
        rich_help_panel=headings.READING,
    ),
]
Directed = Annotated[
    bool | None,
    typer.Option(
        "--directed/--undirected",
        help="How to read an edge list or a matrix; lists are undirected by default, and a matrix is "
        "if it is symmetric.",
        show_default=False,
        rich_help_panel=headings.READING,
    ),
]

Split = Annotated[
    str,
    typer.Option(
        "--split-degree",
        metavar="auto|none|D",
        help="Run on the graph whose nodes of more than D neighbours (D at least 3) are split into trees of "
        "nodes that have at most D. By default where an estimate says that it saves time.",
        rich_help_panel=headings.READING,
    ),
]

SplitAt = Annotated[
    int | None,
    typer.Option(
        "--split-degree",
        metavar="D",
        help="Without a graph: the program for all graphs whose nodes of more than D neighbours (D at "
        "least 3) are split into trees.",
    ),
]

# Sizes of a program.
Degree = Annotated[int | None, typer.Option(help="Most neighbours of a node, D.")]
Word = Annotated[int | None, typer.Option(help="Bits of a word: flooding's message, a distance.")]
Slots = Annotated[int | None, typer.Option(help="Colours; D^2 + 1 by default, always enough.")]
ArrivalBits = Annotated[
    int | None, typer.Option(help="For flooding: bits of the arrival time, 4 by default.")
]
DepthBits = Annotated[
    int | None,
    typer.Option(
        help="For programs of split graphs, such as bfs-split: bits of what counts the depth of the trees, "
        "5 by default."
    ),
]

# Networks.
Kind = Annotated[
    vocabulary.Kind,
    typer.Option(
        "--ensemble-kind",
        help="Networks for each bit, or for all templates together.",
        rich_help_panel=headings.EXPERT,
    ),
]
Members = Annotated[
    int | None,
    typer.Option(
        help="Networks per learning problem; by default what --delta needs.",
        rich_help_panel=headings.EXPERT,
    ),
]
Width = Annotated[
    int | None, typer.Option(help="Hidden units of a network.", rich_help_panel=headings.EXPERT)
]
Seed = Annotated[
    int, typer.Option(help="Seed of the initial weights.", rich_help_panel=headings.EXPERT)
]
Draw = Annotated[
    vocabulary.Draw,
    typer.Option(
        help="Networks trained by gradient descent (from two opposite halves: antisymmetric), "
        "linearised at their initial weights and trained to the end, or of infinite width.",
        rich_help_panel=headings.EXPERT,
    ),
]
Descent = Annotated[
    vocabulary.Descent,
    typer.Option(
        help="How trained networks descend: plain gradient descent, with momentum, on a loss that "
        "is whitened by the known spectrum, or on that loss without overshoot (auto).",
        rich_help_panel=headings.EXPERT,
    ),
]
WeightStd = Annotated[
    float,
    typer.Option(
        help="Standard deviation of the weights at initialisation.", rich_help_panel=headings.EXPERT
    ),
]

# Kernels of other networks, which are certified and not run.
Depth = Annotated[
    int,
    typer.Option(
        help="Hidden layers. Networks that run have one; others are only certified.",
        rich_help_panel=headings.EXPERT,
    ),
]
TrainedLayers = Annotated[
    vocabulary.TrainedLayers,
    typer.Option(
        "--kernel",
        help="What learns: all layers (ntk), or, in the limit alone, the last (nngp).",
        rich_help_panel=headings.EXPERT,
    ),
]
Activation = Annotated[
    vocabulary.Activation,
    typer.Option(
        help="Of hidden units. Networks that run have relu; others are only certified.",
        rich_help_panel=headings.EXPERT,
    ),
]
BiasStd = Annotated[
    float,
    typer.Option(
        help="Standard deviation of biases, where an input of norm 1 gives the first layer a standard "
        "deviation of 1. Networks that run have none; others are only certified.",
        rich_help_panel=headings.EXPERT,
    ),
]

# Certificates.
Threshold = Annotated[
    vocabulary.Convention,
    typer.Option(
        help="Where outputs become bits: by bit and matches, which needs no padding; one threshold "
        "shared by all bits at each number of matches; or zero, as in the paper.",
        rich_help_panel=headings.EXPERT,
    ),
]
Bound = Annotated[
    str | None,
    typer.Option(
        help="What bounds the matches: 'states' (all valid states), 'graph' (those that occur on "
        "GRAPH) or a number. Default: states, or graph for a joint ensemble on a graph.",
        rich_help_panel=headings.EXPERT,
    ),
]
Padding = Annotated[
    str,
    typer.Option(
        help="Padding templates per network, or 'auto' for what is cheapest.",
        rich_help_panel=headings.EXPERT,
    ),
]
Delta = Annotated[
    float,
    typer.Option(
        help="Probability of any wrong bit to allow for.", rich_help_panel=headings.EXPERT
    ),
]
Decisions = Annotated[
    int,
    typer.Option(
        help="Bits decided in the runs to come, for the ensemble's size.",
        rich_help_panel=headings.EXPERT,
    ),
]

# What is printed.
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


def parse_bound(bound: str | None) -> str | int | None:
    """A bound on matches: a word, or a number.

    Raises:
        NtkexecError: a number that no number of matches can reach.
    """
    if bound is None or not bound.isdecimal():
        return bound
    if len(bound) > len(str(MAX_BOUND)) or int(bound) > MAX_BOUND:
        raise NtkexecError(f"a bound on the matches is at most {MAX_BOUND}, not {bound}")
    return int(bound)


def parse_padding(padding: str) -> vocabulary.Padding:
    """A number of padding templates, or `auto`.

    Raises:
        NtkexecError: another word, or a number that float32 cannot count to.
    """
    if padding == "auto":
        return "auto"
    if not padding.isdecimal():
        raise NtkexecError(f"padding is a number of templates or 'auto', not {padding!r}")
    if len(padding) > len(str(MAX_PADDING)) or int(padding) > MAX_PADDING:
        raise NtkexecError(f"padding is at most {MAX_PADDING} templates a network, not {padding}")
    return int(padding)


def parse_split_degree(text: str) -> vocabulary.SplitDegree:
    """A degree to split at, None for `none`, or `auto`.

    Raises:
        NtkexecError: another word, or a number below 3.
    """
    if text == "auto":
        return "auto"
    if text == "none":
        return None
    if not text.isdecimal() or len(text) > len(str(MAX_BOUND)) or not 3 <= int(text) <= MAX_BOUND:
        raise NtkexecError(
            "--split-degree is auto, none, or a number of neighbours from 3 on (with 2 no tree has a "
            f"branch), not {shown(text)}"
        )
    return int(text)


def refuse_graph(algorithm: str, graph: str | None) -> None:
    """Raises NtkexecError if there is a graph, which a shipped algorithm has no use for."""
    if graph is not None:
        raise NtkexecError(
            f"{algorithm} is built for all graphs of --degree and --word; {graph!r} is not needed"
        )
