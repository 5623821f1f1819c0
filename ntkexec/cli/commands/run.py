"""`ntkexec run`: an algorithm on a graph, executed and judged."""

import json as encoder
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from ntkexec import vocabulary
from ntkexec.cli import headings, options, own
from ntkexec.cli.loading import load_graph
from ntkexec.errors import NtkexecError

EXAMPLE = "ntkexec run flooding karate --source 0 --message 1011"


def command(
    algorithm: options.Program,
    graph: Annotated[
        str | None,
        typer.Argument(
            metavar="GRAPH", help=options.GRAPH_HELP + " In arithmetic, the first operand."
        ),
    ] = None,
    operands: Annotated[
        list[str] | None,
        typer.Argument(
            help="In arithmetic what follows: run add 13 29; run multiply 13 29; "
            "run permute 10110 4 2 0 1 3; run sbn PROGRAM.txt a=5."
        ),
    ] = None,
    bits: Annotated[int | None, typer.Option(help="In arithmetic: length of the numbers.")] = None,
    source: options.Source = None,
    message: options.Message = None,
    state: options.State = None,
    steps: options.Steps = None,
    engine: Annotated[
        vocabulary.EngineChoice,
        typer.Option(
            help="How the learned update is evaluated. auto: trained networks at every node (ensemble), or "
            "where that takes long once at every set of matches (ensemble-memo, which decides the same)."
        ),
    ] = "auto",
    kind: options.Kind = "factored",
    members: options.Members = None,
    width: options.Width = None,
    delta: options.Delta = 0.001,
    seed: options.Seed = 0,
    draw: options.Draw = "trained",
    descent: options.Descent = "auto",
    threshold: Annotated[
        vocabulary.Convention | None,
        typer.Option(
            help="As for 'certify': bit by default, or the trained ensemble's.",
            rich_help_panel=headings.EXPERT,
        ),
    ] = None,
    weight_std: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation of the initial weights: 1, or the ensemble's.",
            rich_help_panel=headings.EXPERT,
        ),
    ] = None,
    bound: options.Bound = None,
    padding: options.Padding = "auto",
    ensemble: Annotated[
        Path | None, typer.Option(help="Folder of a trained ensemble to use; see 'ntkexec train'.")
    ] = None,
    universal: Annotated[
        bool,
        typer.Option(
            help="Use networks that come with ntkexec where they serve the program and the graph, and "
            "no other networks are asked for. Their complete certificate is checked again first."
        ),
    ] = True,
    until: Annotated[
        vocabulary.Until | None,
        typer.Option(
            help="When to stop: after all steps, when a round changes nothing, or when every node "
            "knows that it is over. By default what suits the algorithm."
        ),
    ] = None,
    weights: options.Weights = None,
    ties: Annotated[
        vocabulary.Ties | None,
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
    verify_with: Annotated[
        vocabulary.VerifyWith | None,
        typer.Option(
            help="What a packed engine is compared with at every step: the plain engine and the program, by "
            "default, or the program alone, which is faster and gives no margins. Others calculate every "
            "mean anyway, and are compared with the program.",
            show_default=False,
        ),
    ] = None,
    degree: Annotated[
        int | None,
        typer.Option(help="Refuse graphs with a larger degree.", rich_help_panel=headings.READING),
    ] = None,
    word: Annotated[
        int | None,
        typer.Option(
            help="For your own function that asks for it: bits of a word.",
            rich_help_panel=headings.OWN,
        ),
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option(
            help="The same: colours, by default those of the graph.", rich_help_panel=headings.OWN
        ),
    ] = None,
    split_degree: options.Split = "auto",
    self_loops: options.SelfLoops = "refuse",
    directed: options.Directed = None,
    weight_scale: options.WeightScale = 1,
    json: options.Json = False,
) -> None:
    """Execute a program on a graph with a learned update, and judge the answer.

    Exit status: 0 if every node's answer equals the reference (of your own program without one: the
    program's own execution), 1 if not, 2 for bad input.
    """
    from ntkexec import pipeline
    from ntkexec.cli import progress
    from ntkexec.runtime import settings

    if ties is not None and pipeline.is_shipped(algorithm):
        algorithm = with_ties(algorithm, ties)
    most_matches, padded_with = options.parse_bound(bound), options.parse_padding(padding)
    split_at = options.parse_split_degree(split_degree)
    compared = _comparing(engine, verify, verify_with, traced=html is not None or plot is not None)
    if html is not None:
        from ntkexec.runtime import files

        files.check_target(html)
    if plot is not None:
        from ntkexec.plots import style

        style.check_target(plot)
    reading: dict[str, Any] = {
        "self_loops": self_loops,
        "directed": directed,
        "weights": weights,
        "weight_scale": weight_scale,
    }
    # Any: what an algorithm asks is of many types.
    inputs: dict[str, Any] = {}
    subject: Any = algorithm
    where: Any = None
    if pipeline.is_shipped(algorithm):
        for name, value in (("state", state), ("steps", steps), ("word", word), ("slots", slots)):
            if value is not None:
                pipeline.find_algorithm(algorithm)
                raise NtkexecError(f"--{name} is for programs of your own, not for {algorithm}")
        inputs = {"sources": source, "message": message, "rounds": rounds}
        where, asked = _graph_and_operands(
            algorithm, graph, operands, bits, degree=degree, **reading
        )
        inputs |= asked
    else:
        subject = own.own_program(
            algorithm,
            graph,
            state=state,
            steps=steps,
            until=until,
            needed=True,
            degree=degree,
            word=word,
            slots=slots,
            largest=degree,
            **reading,
            source=source,
            message=message,
            rounds=rounds,
            bits=bits,
            ties=ties,
        ).instance
        if operands:
            raise NtkexecError(f"{algorithm} takes one graph; {operands[0]!r} goes with arithmetic")
    with progress.bar() as show:
        result = pipeline.run(
            subject,
            where,
            split_degree=split_at,
            # With what is compared says which engine: with the plain one only if that is the one.
            engine="ensemble" if engine == "auto" and verify_with is not None else engine,
            kind=kind,
            members=members,
            width=width,
            delta=delta,
            seed=seed,
            draw=draw,
            descent=descent,
            threshold=threshold,
            weight_std=weight_std,
            bound=most_matches,
            padding=padded_with,
            trained=ensemble,
            universal=universal,
            remembered=settings.known_cache_folder(os.environ),
            until=until,
            verify=compared,
            trace=html is not None or plot is not None,
            report=progress.of_training(show),
            **inputs,
        )
    # The answer first: it must not be lost with a file that cannot be written.
    print(encoder.dumps(result.to_data()) if json else result, flush=True)
    if html is not None or plot is not None:
        _write_files(result, html, plot)
    raise typer.Exit(0 if result.exact else 1)


# Any: a result, whose class need not be imported for its type.
def _write_files(result: Any, html: Path | None, plot: Path | None) -> None:
    """The page and the figure, as far as they are asked for."""
    from ntkexec import report
    from ntkexec.plots import margins, style

    if html is not None:
        report.save(result, html)
    if plot is not None:
        style.save(margins.plot(report.margins(result)), plot)


def _comparing(
    engine: vocabulary.EngineChoice,
    verify: bool,
    verify_with: vocabulary.VerifyWith | None,
    *,
    traced: bool,
) -> vocabulary.Verify:
    """What every step is compared with, as `ntkexec.run` takes it.

    Raises:
        NtkexecError: nothing is to be compared, or a page or a figure needs margins that are not calculated.
    """
    if verify_with is not None and not verify:
        raise NtkexecError("--no-verify compares no step; --verify-with goes without it")
    if verify_with != "program":
        return verify
    from ntkexec.engines.registry import find_engine

    if traced and engine != "auto" and find_engine(engine).packed:
        raise NtkexecError(
            f"--html and --plot show margins, which {engine} with --verify-with program does not "
            "calculate; --verify-with engine does"
        )
    return "program"


# Any: what a graph is read with, and what an algorithm asks.
def _graph_and_operands(
    algorithm: str,
    graph: str | None,
    operands: list[str] | None,
    bits: int | None,
    **reading: Any,
) -> tuple[Any, dict[str, Any]]:
    """Where a shipped algorithm runs, and in arithmetic its operands as inputs."""
    from ntkexec import pipeline

    chosen = pipeline.find_algorithm(algorithm)
    if chosen.operands is not None:
        words = () if graph is None else (graph, *(operands or ()))
        return chosen.operands(words, bits)
    if operands or bits is not None:
        what = repr(operands[0]) if operands else f"--bits {bits}"
        raise NtkexecError(f"{algorithm} takes one graph; {what} goes with arithmetic")
    if graph is None:
        raise NtkexecError(f"{algorithm} needs a graph: ntkexec run {algorithm} {chosen.example}")
    return load_graph(algorithm, graph, **reading), {}


def with_ties(algorithm: str, ties: vocabulary.Ties) -> str:
    """The algorithm that breaks ties as it is asked to; see docs/ties.md.

    Raises:
        NtkexecError: the algorithm has one convention only, and this is not it.
    """
    from ntkexec import pipeline

    by_ties = {("bfs", "fifo"): "bfs-queue", ("bfs-queue", "clrs"): "bfs"}
    pipeline.find_algorithm(algorithm)
    if algorithm not in ("bfs", "bfs-queue") and ties != "clrs":
        raise NtkexecError(f"{algorithm} breaks ties by identifier (clrs) only; {ties} is for bfs")
    return by_ties.get((algorithm, ties), algorithm)
