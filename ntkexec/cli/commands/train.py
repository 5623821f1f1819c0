"""`ntkexec train`: an ensemble for a program, stored to be run later."""

import json as encoder
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ntkexec.cli import options, own, sized
from ntkexec.cli.loading import load_graph
from ntkexec.errors import NtkexecError

if TYPE_CHECKING:
    from ntkexec.graphs import Graph
    from ntkexec.programs import Instance
    from ntkexec.vocabulary import SplitDegree

EXAMPLE = "ntkexec train flooding --degree 3 --word 4 --out flooding-d3"


def command(
    context: typer.Context,
    algorithm: options.Program,
    graph: Annotated[
        str | None,
        typer.Argument(help=options.GRAPH_HELP + " Gives the sizes; or give --degree and --word."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the ensemble; a killed training continues.")
    ] = ...,  # type: ignore[assignment]
    source: options.Source = None,
    message: options.Message = None,
    state: options.State = None,
    steps: options.Steps = None,
    degree: options.Degree = None,
    word: options.Word = None,
    slots: options.Slots = None,
    arrival_bits: options.ArrivalBits = None,
    depth_bits: options.DepthBits = None,
    kind: options.Kind = "factored",
    members: options.Members = None,
    width: options.Width = None,
    delta: options.Delta = 0.001,
    decisions: options.Decisions = 1_000_000,
    seed: options.Seed = 0,
    draw: options.Draw = "trained",
    descent: options.Descent = "auto",
    threshold: options.Threshold = "bit",
    weight_std: options.WeightStd = 1.0,
    bound: options.Bound = None,
    padding: options.Padding = "auto",
    split_degree: options.Split = "auto",
    self_loops: options.SelfLoops = "refuse",
    directed: options.Directed = None,
    weights: options.Weights = None,
    weight_scale: options.WeightScale = 1,
    universal: Annotated[
        bool,
        typer.Option(
            "--universal",
            help="Train the ensemble that comes with ntkexec for all graphs again (bfs-split, "
            "flooding-split, bellman-ford), certify every decision, and compare the weights.",
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Train an ensemble on a program's templates and store it, for 'run --ensemble'.

    Exit status: 0 when the ensemble is stored, 2 for bad input.
    """
    from ntkexec import ensemble, pipeline
    from ntkexec.cli import progress, text
    from ntkexec.ensemble import thresholds
    from ntkexec.programs import split_choice
    from ntkexec.result import certified_data, ensemble_data
    from ntkexec.runtime import files

    sizes: dict[str, Any] = {
        "degree": degree,
        "word": word,
        "slots": slots,
        "arrival_bits": arrival_bits,
        "depth_bits": depth_bits,
    }
    if universal:
        from ntkexec.cli.commands import train_universal

        train_universal.refuse_others(context)
        train_universal.train_again(algorithm, out, as_json=json)
        return
    reading: dict[str, Any] = {
        "self_loops": self_loops,
        "directed": directed,
        "weights": weights,
        "weight_scale": weight_scale,
    }
    loaded, mine = None, None
    if pipeline.is_shipped(algorithm):
        if state is not None or steps is not None:
            raise NtkexecError(f"--state and --steps are for programs of your own, not {algorithm}")
        loaded = None if graph is None else load_graph(algorithm, graph, **reading)
    else:
        mine = own.own_program(
            algorithm,
            graph,
            state=state,
            steps=steps,
            needed=False,
            **sizes,
            **reading,
            source=source,
            message=message,
        )
    most_matches, padded_with = options.parse_bound(bound), options.parse_padding(padding)
    split_at = options.parse_split_degree(split_degree)
    if mine is not None:
        split_choice.refuse_own(split_at)
    files.check_folder(out)
    instance: Instance | None = None
    built: dict[str, int] = {}
    name = algorithm
    with progress.bar() as show:
        if mine is not None:
            program, instance = mine.program, mine.instance
        elif loaded is None:
            least = split_at if isinstance(split_at, int) else None
            chosen, built, program = sized.of_sizes(algorithm, least, **sizes)
            name = chosen.name
        else:
            instance = _instance(
                algorithm, loaded, sizes, split_at, sources=source, message=message
            )
            built, program = dict(instance.sizes), instance.program
            if instance.split is not None:
                name = program.name
        certificate = pipeline.certify(
            program,
            instance=instance,
            kind=kind,
            threshold=threshold,
            weight_std=weight_std,
            draw=draw,
            bound=most_matches,
            padding=padded_with,
            delta=delta,
            num_decisions=decisions,
        )
        finite = pipeline.at_width(certificate, width, descent)
        config = pipeline.ensemble_config(
            finite, members=members, seed=seed, delta=delta, num_decisions=decisions
        )
        start = time.perf_counter()
        trained = ensemble.draw(
            certificate.problem,
            config,
            directory=out,
            sizes=built,
            thresholds=thresholds.running(certificate),
            convention=certificate.convention,
            report=progress.of_training(show),
        )
        seconds = time.perf_counter() - start
    odds = text.Odds(delta, decisions)
    if json:
        # Of split graphs another program can be trained than the one that was named.
        data = certified_data(name, built, certificate, finite, **odds._asdict())
        data |= {"ensemble": ensemble_data(trained, seconds), "folder": str(out)}
        print(encoder.dumps(data))
    else:
        print(text.trained(trained, seconds, out, built, finite, odds, instance=instance))


# Any: what an algorithm asks is of many types.
def _instance(
    algorithm: str,
    graph: "Graph",
    sizes: Mapping[str, int | None],
    split_degree: "SplitDegree",
    **inputs: Any,
) -> "Instance":
    """The algorithm on the graph, which gives the sizes; those that are given besides come first."""
    from ntkexec import pipeline
    from ntkexec.engines import find_engine

    given = {name: size for name, size in sizes.items() if size is not None}
    instance = pipeline.on_graph(
        algorithm,
        graph,
        split_degree=split_degree,
        seconds=find_engine("ensemble").seconds,
        **inputs,
    )
    if unknown := given.keys() - instance.sizes.keys():
        name = min(unknown)
        if name == "word" and "message_bits" in instance.sizes:
            raise NtkexecError("--word follows from the message where a graph is given")
        raise NtkexecError(
            f"{instance.program.name} has no {name.replace('_', ' ')}; "
            f"leave --{name.replace('_', '-')} out"
        )
    if not given:
        return instance
    most = None if instance.split is None else instance.split.most
    return pipeline.prepare(
        algorithm, graph, sizes={**instance.sizes, **given}, split_degree=most, **inputs
    )
