"""`ntkexec certify`: a program for every graph of its sizes, or a trained ensemble's networks."""

import json as encoder
from pathlib import Path
from typing import Annotated, Any

import typer

from ntkexec.cli import options, own, sized
from ntkexec.errors import NtkexecError

EXAMPLE = "ntkexec certify flooding --degree 3 --word 4 --ensemble-kind joint"


def command(
    algorithm: options.Program,
    where: options.GraphOfOwn = None,
    degree: options.Degree = None,
    word: options.Word = None,
    ensemble: Annotated[
        Path | None,
        typer.Option(help="Folder of a trained ensemble: certify all decisions of its networks."),
    ] = None,
    graph: Annotated[
        str | None,
        typer.Option(
            help="With --ensemble: only the decisions that occur on this graph. For your own program "
            "the same as GRAPH."
        ),
    ] = None,
    source: options.Source = None,
    message: options.Message = None,
    state: options.State = None,
    steps: options.Steps = None,
    all_states: Annotated[
        bool,
        typer.Option("--all-states", help="With --ensemble: also states that no step leads to."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="With --ensemble: a file for 'python -m ntkexec.recheck'.")
    ] = None,
    slots: options.Slots = None,
    split_degree: options.SplitAt = None,
    arrival_bits: options.ArrivalBits = None,
    depth_bits: options.DepthBits = None,
    kind: options.Kind = "factored",
    threshold: options.Threshold = "bit",
    weight_std: options.WeightStd = 1.0,
    draw: options.Draw = "trained",
    width: options.Width = None,
    descent: options.Descent = "auto",
    depth: options.Depth = 1,
    trained: options.TrainedLayers = "ntk",
    activation: options.Activation = "relu",
    bias_std: options.BiasStd = 0.0,
    bound: options.Bound = None,
    padding: options.Padding = "0",
    delta: options.Delta = 0.001,
    decisions: options.Decisions = 1_000_000,
    plot: Annotated[
        Path | None, typer.Option(help="Draw what interference asks for against what it may be.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Certify a program without running it: matches, margins, thresholds, ensemble size, width.

    With --ensemble: certify trained networks, decision by decision, on every graph.

    Exit status: 0 if certified, 1 if not, 2 for bad input.
    """
    from ntkexec import pipeline
    from ntkexec.theory.dot_product import DotProductKernel

    kernel = DotProductKernel(depth, trained, activation, bias_std)
    shipped, mine = pipeline.is_shipped(algorithm), None
    own_sizes: dict[str, Any] = {"degree": degree, "word": word, "slots": slots}
    if shipped:
        options.refuse_graph(algorithm, where)
        if state is not None or steps is not None:
            raise NtkexecError(f"--state and --steps are for programs of your own, not {algorithm}")
    else:
        from ntkexec.programs import split_choice

        split_choice.refuse_own(split_degree)
        if graph is not None and where is not None:
            raise NtkexecError("GRAPH and --graph are the same; give one of them")
        if all_states and (state is not None or steps is not None):
            raise NtkexecError("--all-states goes without --state and --steps, of an execution")
        mine = own.own_program(
            algorithm,
            where if graph is None else graph,
            state=state,
            steps=steps,
            needed=ensemble is not None and (where is not None or graph is not None),
            **own_sizes,
            arrival_bits=arrival_bits,
            depth_bits=depth_bits,
            source=source,
            message=message,
        )
    if ensemble is not None:
        from ntkexec.cli.commands import certify_ensemble

        kernel.require_run("a trained ensemble")
        fixed = (
            arrival_bits,
            depth_bits,
            bound,
            split_degree,
            *(own_sizes.values() if shipped else ()),
        )
        if any(value is not None for value in fixed):
            raise NtkexecError("an ensemble has its sizes; --ensemble goes without others")
        exact = certify_ensemble.certify_networks(
            algorithm,
            ensemble,
            mine=mine,
            graph=graph,
            all_states=all_states,
            out=out,
            as_json=json,
            sources=source,
            message=message,
        )
        raise typer.Exit(0 if exact else 1)
    if (shipped and graph is not None) or all_states or out is not None:
        raise NtkexecError("--graph, --all-states and --out go with --ensemble")
    if source or message is not None:
        raise NtkexecError("--source and --message go with --ensemble and --graph")
    from ntkexec.cli import progress, text
    from ntkexec.plots import certificate as certificate_plot
    from ntkexec.plots import style
    from ntkexec.result import certified_data
    from ntkexec.theory.interference import interference_curves

    most_matches, padded_with = options.parse_bound(bound), options.parse_padding(padding)
    if plot is not None:
        style.check_target(plot)
    with progress.bar():
        name, sizes = algorithm, dict[str, int]()
        if mine is None:
            chosen, sizes, program = sized.of_sizes(
                algorithm,
                split_degree,
                **own_sizes,
                arrival_bits=arrival_bits,
                depth_bits=depth_bits,
            )
            name = chosen.name
        else:
            program = mine.program
        certificate = pipeline.certify(
            program,
            instance=None if mine is None else mine.instance,
            kind=kind,
            threshold=threshold,
            weight_std=weight_std,
            draw=draw,
            bound=most_matches,
            padding=padded_with,
            delta=delta,
            num_decisions=decisions,
            kernel=kernel,
        )
        limit = draw == "gaussian" or not kernel.runs
        finite = None if limit else pipeline.at_width(certificate, width, descent)
    if plot is not None:
        style.save(certificate_plot.plot(interference_curves(certificate)), plot)
    odds = text.Odds(delta, decisions)
    if json:
        print(encoder.dumps(certified_data(name, sizes, certificate, finite, **odds._asdict())))
    else:
        print(text.certificate(certificate, finite, odds))
    eaten = finite is not None and finite.covered and not finite.holds
    raise typer.Exit(0 if certificate.certified and not eaten else 1)
