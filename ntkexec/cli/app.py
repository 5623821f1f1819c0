"""Commands and their options; what they do is in `ntkexec.cli.actions`."""

import enum
import importlib.util
import logging
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Annotated

import typer

from ntkexec.cli import experiment
from ntkexec.cli.algorithms import algorithms
from ntkexec.cli.check import check
from ntkexec.cli.complexity import Draw, complexity
from ntkexec.errors import NtkexecError
from ntkexec.vocabulary import Convention

app = typer.Typer(
    name="ntkexec",
    help="Execute graph algorithms exactly with networks trained on a node's local instructions.",
    epilog="Example: ntkexec run flooding karate",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def options(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Say on stderr what is done and how long it took."),
    ] = False,
) -> None:
    """Execute graph algorithms exactly with networks trained on a node's local instructions."""
    compile_sooner(os.environ)
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    log = logging.getLogger("ntkexec")
    log.setLevel(level)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("ntkexec: %(message)s"))
    log.handlers = [handler]


def compile_sooner(environment: MutableMapping[str, str]) -> None:
    """Asks XLA to optimise at level 2, not 3, where there is a CPU alone and the user names no level.

    It has effect before JAX starts. Level 3 spends a second and more on each loop of random numbers,
    for code that is no faster: docs/decisions/compilation.md.
    """
    flags = environment.get("XLA_FLAGS", "")
    if "xla_backend_optimization_level" in flags or importlib.util.find_spec("jax_plugins"):
        return
    environment["XLA_FLAGS"] = f"{flags} --xla_backend_optimization_level=2".strip()


# The same words as in the library, spelt out here because importing it would import JAX.
class Engine(enum.StrEnum):
    ensemble = "ensemble"
    ensemble_memo = "ensemble-memo"
    kernel = "kernel"
    kernel_packed = "kernel-packed"
    oracle = "oracle"
    linear = "linear"
    boolean = "boolean"


class Kind(enum.StrEnum):
    factored = "factored"
    joint = "joint"


class Descent(enum.StrEnum):
    auto = "auto"
    plain = "plain"
    heavy_ball = "heavy-ball"
    whitened = "whitened"


class Until(enum.StrEnum):
    steps = "steps"
    fixed_point = "fixed-point"
    halt = "halt"


class Ties(enum.StrEnum):
    clrs = "clrs"
    fifo = "fifo"


class SelfLoops(enum.StrEnum):
    refuse = "refuse"
    drop = "drop"


# For the shell's completion, which cannot wait for JAX.
ALGORITHM_NAMES = [
    "flooding",
    "bfs",
    "bfs-queue",
    "dfs",
    "dfs-forest",
    "bellman-ford",
    "leader-election",
    "components",
    "spanning-tree",
    "bipartite",
    "eccentricity",
    "neighbourhood-size",
    "triangles",
    "greedy-colouring",
    "independent-set",
    "cole-vishkin",
    "rule-110",
    "life",
    "permute",
    "add",
    "multiply",
    "sbn",
]


def _algorithms_that_begin(incomplete: str) -> list[str]:
    return [name for name in ALGORITHM_NAMES if name.startswith(incomplete)]


Algorithm = Annotated[
    str,
    typer.Argument(
        help="bfs, dfs, add, ...; 'ntkexec algorithms' lists them all.",
        autocompletion=_algorithms_that_begin,
    ),
]
GRAPH_HELP = "A generator (karate, grid:8x8, random-regular:n=100,d=3,seed=0, ...) or a graph file."
SourceOption = Annotated[
    list[str] | None,
    typer.Option(help="Where it starts, by default the first node; repeat for several."),
]
MessageOption = Annotated[
    str | None, typer.Option(help="For flooding: a string of 0s and 1s, 1011 by default.")
]
KindOption = Annotated[
    Kind,
    typer.Option("--ensemble-kind", help="Networks for each bit, or for all templates together."),
]
DeltaOption = Annotated[float, typer.Option(help="Probability of any wrong bit to allow for.")]
MembersOption = Annotated[
    int | None, typer.Option(help="Networks per learning problem; by default what --delta needs.")
]
WidthOption = Annotated[int | None, typer.Option(help="Hidden units of a network.")]
DrawOption = Annotated[
    Draw,
    typer.Option(
        help="Networks trained by gradient descent (from two opposite halves: antisymmetric), "
        "linearised at their initial weights and trained to the end, or of infinite width."
    ),
]
DescentOption = Annotated[
    Descent,
    typer.Option(
        help="How trained networks descend: plain gradient descent, with momentum, on a loss that "
        "is whitened by the known spectrum, or on that loss without overshoot (auto)."
    ),
]
SeedOption = Annotated[int, typer.Option(help="Seed of the initial weights.")]
ThresholdOption = Annotated[
    Convention,
    typer.Option(
        help="Where outputs become bits: by bit and matches, which needs no padding; one threshold "
        "shared by all bits at each number of matches; or zero, as in the paper."
    ),
]
WeightStdOption = Annotated[
    float, typer.Option(help="Standard deviation of the weights at initialisation.")
]
BoundOption = Annotated[
    str | None,
    typer.Option(
        help="What bounds the matches: 'states' (all valid states), 'graph' (those that occur on "
        "GRAPH) or a number. Default: states, or graph for a joint ensemble on a graph."
    ),
]
PaddingOption = Annotated[
    str, typer.Option(help="Padding templates per network, or 'auto' for what is cheapest.")
]
SelfLoopsOption = Annotated[
    SelfLoops, typer.Option(help="What to do with edges from a node to itself.")
]
WeightsOption = Annotated[
    str | None,
    typer.Option(metavar="ATTR", help="For bellman-ford: edge attribute with the weights."),
]
WeightScaleOption = Annotated[
    int,
    typer.Option(
        help="With --weights: what they are multiplied by to be whole, 10 for one decimal; distances "
        "come out multiplied."
    ),
]
DirectedOption = Annotated[
    bool | None,
    typer.Option(
        "--directed/--undirected",
        help="How to read an edge list or a matrix; lists are undirected by default, and a matrix is "
        "if it is symmetric.",
        show_default=False,
    ),
]
DegreeOption = Annotated[int | None, typer.Option(help="Refuse graphs with a larger degree.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
SlotsOption = Annotated[
    int | None, typer.Option(help="Colours; D^2 + 1 by default, always enough.")
]
ArrivalOption = Annotated[
    int | None, typer.Option(help="For flooding: bits of the arrival time, 4 by default.")
]
DecisionsOption = Annotated[
    int, typer.Option(help="Bits decided in the runs to come, for the ensemble's size.")
]


@app.command(epilog="Example: ntkexec run flooding karate --source 0 --message 1011")
def run(
    algorithm: Algorithm,
    graph: Annotated[str, typer.Argument(help=GRAPH_HELP + " In arithmetic, the first operand.")],
    operands: Annotated[
        list[str] | None,
        typer.Argument(
            help="In arithmetic what follows: run add 13 29; run multiply 13 29; "
            "run permute 10110 4 2 0 1 3; run sbn PROGRAM.txt a=5."
        ),
    ] = None,
    bits: Annotated[int | None, typer.Option(help="In arithmetic: length of the numbers.")] = None,
    source: SourceOption = None,
    message: MessageOption = None,
    engine: Annotated[
        Engine, typer.Option(help="How the learned update is evaluated.")
    ] = Engine.ensemble,
    kind: KindOption = Kind.factored,
    members: MembersOption = None,
    width: WidthOption = None,
    delta: DeltaOption = 0.001,
    seed: SeedOption = 0,
    draw: DrawOption = Draw.trained,
    descent: DescentOption = Descent.auto,
    threshold: Annotated[
        Convention | None,
        typer.Option(help="As for 'certify': bit by default, or the trained ensemble's."),
    ] = None,
    weight_std: Annotated[
        float | None,
        typer.Option(help="Standard deviation of the initial weights: 1, or the ensemble's."),
    ] = None,
    bound: BoundOption = None,
    padding: PaddingOption = "auto",
    ensemble: Annotated[
        Path | None, typer.Option(help="Folder of a trained ensemble to use; see 'ntkexec train'.")
    ] = None,
    until: Annotated[
        Until | None,
        typer.Option(
            help="When to stop: after all steps, when a round changes nothing, or when every node "
            "knows that it is over. By default what suits the algorithm."
        ),
    ] = None,
    weights: WeightsOption = None,
    ties: Annotated[
        Ties | None,
        typer.Option(
            help="Which of several parents bfs takes: the smallest neighbour on the previous level "
            "(clrs), or the first in the queue (fifo, the algorithm bfs-queue)."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page that shows the run, step by step.")
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(help="For life, rule-110 and neighbourhood-size: generations, or hops."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the margins of all steps into this file.")
    ] = None,
    verify: Annotated[
        bool, typer.Option(help="Compare every step with the program itself.")
    ] = True,
    degree: DegreeOption = None,
    self_loops: SelfLoopsOption = SelfLoops.refuse,
    directed: DirectedOption = None,
    weight_scale: WeightScaleOption = 1,
    json: JsonOption = False,
) -> None:
    """Execute an algorithm on a graph with a learned update, and judge the answer.

    Exit status: 0 if every node's answer equals the reference, 1 if not, 2 for bad input.
    """
    from ntkexec.cli import actions

    if ties is not None:
        algorithm = actions.with_ties(algorithm, ties.value)
    exact = actions.run(
        algorithm,
        [graph, *(operands or ())],
        bits=bits,
        degree=degree,
        self_loops=self_loops.value,
        directed=directed,
        weight_scale=weight_scale,
        weights=weights,
        as_json=json,
        sources=source,
        message=message,
        rounds=rounds,
        engine=engine.value,
        kind=kind.value,
        members=members,
        width=width,
        delta=delta,
        seed=seed,
        draw=draw.value,
        descent=descent.value,
        threshold=threshold,
        weight_std=weight_std,
        bound=actions.parse_bound(bound),
        padding=actions.parse_padding(padding),
        trained=ensemble,
        until=None if until is None else until.value,
        verify=verify,
        html=html,
        plot=plot,
    )
    raise typer.Exit(0 if exact else 1)


@app.command(epilog="Example: ntkexec certify flooding --degree 3 --word 4 --ensemble-kind joint")
def certify(
    algorithm: Algorithm,
    degree: Annotated[int | None, typer.Option(help="Most neighbours of a node, D.")] = None,
    word: Annotated[
        int | None, typer.Option(help="Bits of a word: flooding's message, a distance.")
    ] = None,
    ensemble: Annotated[
        Path | None,
        typer.Option(help="Folder of a trained ensemble: certify all decisions of its networks."),
    ] = None,
    graph: Annotated[
        str | None,
        typer.Option(help="With --ensemble: only the decisions that occur on this graph."),
    ] = None,
    source: SourceOption = None,
    message: MessageOption = None,
    all_states: Annotated[
        bool,
        typer.Option("--all-states", help="With --ensemble: also states that no step leads to."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="With --ensemble: a file for 'python -m ntkexec.recheck'.")
    ] = None,
    slots: SlotsOption = None,
    arrival_bits: ArrivalOption = None,
    kind: KindOption = Kind.factored,
    threshold: ThresholdOption = "bit",
    weight_std: WeightStdOption = 1.0,
    draw: DrawOption = Draw.trained,
    width: WidthOption = None,
    descent: DescentOption = Descent.auto,
    bound: BoundOption = None,
    padding: PaddingOption = "0",
    delta: DeltaOption = 0.001,
    decisions: DecisionsOption = 1_000_000,
    plot: Annotated[
        Path | None, typer.Option(help="Draw what interference asks for against what it may be.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Certify a program without running it: matches, margins, thresholds, ensemble size, width.

    With --ensemble: certify trained networks, decision by decision, on every graph.

    Exit status: 0 if certified, 1 if not, 2 for bad input.
    """
    if ensemble is not None:
        from ntkexec.cli import complete

        if not (degree is word is slots is arrival_bits is bound is None):
            raise NtkexecError("an ensemble has its sizes; --ensemble goes without others")
        exact = complete.certify(
            algorithm,
            ensemble,
            graph=graph,
            all_states=all_states,
            out=out,
            as_json=json,
            sources=source,
            message=message,
        )
        raise typer.Exit(0 if exact else 1)
    if graph is not None or all_states or out is not None:
        raise NtkexecError("--graph, --all-states and --out go with --ensemble")
    if source or message is not None:
        raise NtkexecError("--source and --message go with --ensemble and --graph")
    from ntkexec.cli import actions

    certified = actions.certify(
        algorithm,
        {"degree": degree, "word": word, "slots": slots, "arrival_bits": arrival_bits},
        plot=plot,
        as_json=json,
        kind=kind.value,
        threshold=threshold,
        weight_std=weight_std,
        draw=draw.value,
        width=width,
        descent=descent.value,
        bound=actions.parse_bound(bound),
        padding=actions.parse_padding(padding),
        delta=delta,
        num_decisions=decisions,
    )
    raise typer.Exit(0 if certified else 1)


@app.command(epilog="Example: ntkexec show bfs --degree 3 --word 4 --templates")
def show(
    algorithm: Algorithm,
    degree: Annotated[int | None, typer.Option(help="Most neighbours of a node, D.")] = None,
    word: Annotated[
        int | None, typer.Option(help="Bits of a word: flooding's message, a distance.")
    ] = None,
    slots: SlotsOption = None,
    arrival_bits: ArrivalOption = None,
    templates: Annotated[bool, typer.Option("--templates", help="List every template.")] = False,
    json: JsonOption = False,
) -> None:
    """Show a program: its sizes, its fields, and its templates with the lines they come from."""
    from ntkexec.cli import actions

    sizes = {"degree": degree, "word": word, "slots": slots, "arrival_bits": arrival_bits}
    actions.show(algorithm, sizes, templates=templates, as_json=json)


@app.command(epilog="Example: ntkexec train flooding --degree 3 --word 4 --out flooding-d3")
def train(
    algorithm: Algorithm,
    graph: Annotated[
        str | None,
        typer.Argument(help=GRAPH_HELP + " Gives the sizes; or give --degree and --word."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the ensemble; a killed training continues.")
    ] = ...,  # type: ignore[assignment]
    source: SourceOption = None,
    message: MessageOption = None,
    degree: Annotated[int | None, typer.Option(help="Most neighbours of a node, D.")] = None,
    word: Annotated[
        int | None, typer.Option(help="Bits of a word: flooding's message, a distance.")
    ] = None,
    slots: SlotsOption = None,
    arrival_bits: ArrivalOption = None,
    kind: KindOption = Kind.factored,
    members: MembersOption = None,
    width: WidthOption = None,
    delta: DeltaOption = 0.001,
    decisions: DecisionsOption = 1_000_000,
    seed: SeedOption = 0,
    draw: DrawOption = Draw.trained,
    descent: DescentOption = Descent.auto,
    threshold: ThresholdOption = "bit",
    weight_std: WeightStdOption = 1.0,
    bound: BoundOption = None,
    padding: PaddingOption = "auto",
    self_loops: SelfLoopsOption = SelfLoops.refuse,
    directed: DirectedOption = None,
    weights: WeightsOption = None,
    weight_scale: WeightScaleOption = 1,
    json: JsonOption = False,
) -> None:
    """Train an ensemble on a program's templates and store it, for 'run --ensemble'.

    Exit status: 0 when the ensemble is stored, 2 for bad input.
    """
    from ntkexec.cli import actions

    sizes = {"degree": degree, "word": word, "slots": slots, "arrival_bits": arrival_bits}
    loaded = None
    if graph is not None:
        loaded = actions.load_graph(
            algorithm,
            graph,
            self_loops=self_loops.value,
            directed=directed,
            weights=weights,
            weight_scale=weight_scale,
        )
    actions.train(
        algorithm,
        loaded,
        sizes,
        out,
        as_json=json,
        sources=source,
        message=message,
        kind=kind.value,
        members=members,
        width=width,
        delta=delta,
        num_decisions=decisions,
        seed=seed,
        draw=draw.value,
        descent=descent.value,
        threshold=threshold,
        weight_std=weight_std,
        bound=actions.parse_bound(bound),
        padding=actions.parse_padding(padding),
    )


app.command(epilog="Example: ntkexec algorithms")(algorithms)
app.command(epilog="Example: ntkexec check padding --json")(check)
app.command(
    epilog="Example: ntkexec complexity flooding --degree 2 --word 1..3 --plot complexity.png"
)(complexity)
app.add_typer(experiment.app, name="experiment", epilog="Example: ntkexec experiment list")
