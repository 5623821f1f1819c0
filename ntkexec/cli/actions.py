"""What the commands do. Results go to stdout, progress and everything else to stderr."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ntkexec import ensemble, graphs, pipeline, report, summary
from ntkexec.cli import text
from ntkexec.cli.progress import stages_shown
from ntkexec.ensemble import Progress, thresholds
from ntkexec.errors import NtkexecError
from ntkexec.graphs import Graph
from ntkexec.plots import certificate as certificate_plot
from ntkexec.plots import margins as margins_plot
from ntkexec.plots import style
from ntkexec.program.problem import LearningProblem
from ntkexec.programs.sizes import sizes_of
from ntkexec.result import certificate_data, ensemble_data, finite_width_data, program_data
from ntkexec.runtime import compilation, files, stages
from ntkexec.theory.interference import interference_curves

MAX_BOUND = 2**31 - 1
MAX_PADDING = 2**24
"""Above it float32, in which a network is scaled by its number of inputs, cannot count them."""


def load_graph(
    algorithm: str,
    spec: str,
    *,
    degree: int | None = None,
    self_loops: str = "refuse",
    directed: bool | None = None,
    weights: str | None = None,
    weight_scale: int = 1,
) -> Graph:
    """A graph for an algorithm, as given on the command line."""
    if weights is not None and not pipeline.find_algorithm(algorithm).weighted:
        raise NtkexecError(f"{algorithm} reads no weights; --weights {weights} goes without")
    return graphs.load(
        spec,
        degree=degree,
        self_loops=self_loops,
        directed=directed,
        weight=weights,
        weight_scale=weight_scale,
    )


def with_ties(algorithm: str, ties: str) -> str:
    """The algorithm that breaks ties as it is asked to; see docs/ties.md.

    Raises:
        NtkexecError: the algorithm has one convention only, and this is not it.
    """
    by_ties = {("bfs", "fifo"): "bfs-queue", ("bfs-queue", "clrs"): "bfs"}
    pipeline.find_algorithm(algorithm)
    if algorithm not in ("bfs", "bfs-queue") and ties != "clrs":
        raise NtkexecError(f"{algorithm} breaks ties by identifier (clrs) only; {ties} is for bfs")
    return by_ties.get((algorithm, ties), algorithm)


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


def parse_padding(padding: str) -> int | Literal["auto"]:
    """A number of padding templates, or `auto`."""
    if padding == "auto":
        return "auto"
    if not padding.isdecimal():
        raise NtkexecError(f"padding is a number of templates or 'auto', not {padding!r}")
    if len(padding) > len(str(MAX_PADDING)) or int(padding) > MAX_PADDING:
        raise NtkexecError(f"padding is at most {MAX_PADDING} templates a network, not {padding}")
    return int(padding)


@contextlib.contextmanager
def training_bar() -> Iterator[Callable[[Progress], None]]:
    """Progress on stderr: of training from its first word on, of other stages once they take long."""
    with stages_shown() as bar:
        task = bar.add_task("training", total=None, visible=False)

        def report(progress: Progress) -> None:
            done, total = progress.done, progress.total
            title = f"training: {done:,} of {total:,} networks"
            bar.update(task, description=title, completed=done, total=total, visible=done < total)

        yield report


def run(
    algorithm: str,
    words: Sequence[str],
    *,
    bits: int | None,
    degree: int | None,
    self_loops: str,
    directed: bool | None,
    weights: str | None,
    weight_scale: int,
    as_json: bool,
    html: Path | None,
    plot: Path | None,
    **options: Any,
) -> bool:
    """Executes, prints, and says whether the answer was exact."""
    if html is not None:
        files.check_target(html)
    if plot is not None:
        style.check_target(plot)
    compilation.keep_on_disk(compilation.cache_folder(os.environ))
    found = pipeline.find_algorithm(algorithm)
    if found.operands is not None:
        graph, asked = found.operands(words, bits)
        options |= asked
    elif len(words) > 1 or bits is not None:
        what = f"--bits {bits}" if len(words) == 1 else repr(words[1])
        raise NtkexecError(f"{algorithm} takes one graph; {what} goes with arithmetic")
    else:
        graph = load_graph(
            algorithm,
            words[0],
            degree=degree,
            self_loops=self_loops,
            directed=directed,
            weights=weights,
            weight_scale=weight_scale,
        )
    traced = html is not None or plot is not None
    with training_bar() as told:
        result = pipeline.run(algorithm, graph, report=told, trace=traced, **options)
    # The answer first: it must not be lost with a file that cannot be written.
    print(json.dumps(result.to_data()) if as_json else result, flush=True)
    if html is not None:
        report.save(result, html)
    if plot is not None:
        style.save(margins_plot.plot(report.margins(result)), plot)
    return result.exact


def certify(
    algorithm: str,
    sizes: Mapping[str, int | None],
    *,
    as_json: bool,
    plot: Path | None,
    width: int | None,
    descent: ensemble.Descent,
    **options: Any,
) -> bool:
    """Prints a certificate, and says whether it holds."""
    if plot is not None:
        style.check_target(plot)
    found = pipeline.find_algorithm(algorithm)
    parameters = found.sizes(**sizes)
    limit = options["draw"] == "gaussian"
    with stages_shown():
        certificate = pipeline.certify(found.program(**parameters), **options)
        finite = None if limit else pipeline.at_width(certificate, width, descent)
    if plot is not None:
        style.save(certificate_plot.plot(interference_curves(certificate)), plot)
    delta, num_decisions = options["delta"], options["num_decisions"]
    if as_json:
        data = {
            "algorithm": algorithm,
            "parameters": parameters,
            "program": program_data(certificate.problem.program, certificate.problem),
            "certificate": certificate_data(certificate, delta=delta, num_decisions=num_decisions),
            "finite_width": None if finite is None else finite_width_data(finite),
        }
        print(json.dumps(data))
    else:
        print(text.certificate(certificate, finite, delta=delta, num_decisions=num_decisions))
    eaten = finite is not None and finite.covered and not finite.holds
    return certificate.certified and not eaten


def show(
    algorithm: str, sizes: Mapping[str, int | None], *, templates: bool, as_json: bool
) -> None:
    """Prints a program."""
    found = pipeline.find_algorithm(algorithm)
    parameters = found.sizes(**sizes)
    with stages_shown(), stages.stage(f"counting the matches of {algorithm}"):
        program = found.program(**parameters)
        counts = sizes_of(program)
    if as_json:
        data = {
            "algorithm": algorithm,
            "parameters": parameters,
            "program": program_data(program, LearningProblem(program)),
            "steps_a_round": program.round_length,
            "nonzeros": program.num_nonzeros,
            "report": counts.to_data(),
        }
        if templates:
            data["templates"] = [program.describe(i) for i in range(program.num_templates)]
        print(json.dumps(data))
    else:
        print(text.program(program, counts, found.summary, parameters, templates=templates))


def train(
    algorithm: str,
    graph: Graph | None,
    sizes: Mapping[str, int | None],
    out: Path,
    *,
    as_json: bool,
    members: int | None,
    width: int | None,
    seed: int,
    delta: float,
    num_decisions: int,
    draw: ensemble.Draw,
    descent: ensemble.Descent,
    sources: list[str] | None,
    message: str | None,
    **options: Any,
) -> None:
    """Trains, stores, and prints what was stored."""
    files.check_folder(out)
    compilation.keep_on_disk(compilation.cache_folder(os.environ))
    found = pipeline.find_algorithm(algorithm)
    instance = None
    if graph is not None:
        given = {name: size for name, size in sizes.items() if size is not None}
        instance = pipeline.prepare(algorithm, graph, sources=sources, message=message)
        parameters = dict(instance.parameters)
        if unknown := given.keys() - parameters.keys():
            raise NtkexecError(f"--{min(unknown)} follows from the message where a graph is given")
        if given:
            parameters |= given
            instance = pipeline.prepare(
                algorithm, graph, parameters=parameters, sources=sources, message=message
            )
        program = instance.program
    else:
        parameters = found.sizes(**sizes)
        program = found.program(**parameters)
    certificate = pipeline.certify(
        program, instance=instance, delta=delta, num_decisions=num_decisions, draw=draw, **options
    )
    finite = pipeline.at_width(certificate, width, descent)
    config = pipeline.ensemble_config(
        finite,
        members=members,
        seed=seed,
        delta=delta,
        num_decisions=num_decisions,
    )
    start = time.perf_counter()
    with training_bar() as report:
        trained = ensemble.draw(
            certificate.problem,
            config,
            directory=out,
            parameters=parameters,
            thresholds=thresholds.running(certificate),
            convention=certificate.convention,
            report=report,
        )
    seconds = time.perf_counter() - start
    if as_json:
        data = {
            "algorithm": algorithm,
            "parameters": parameters,
            "program": program_data(program, certificate.problem),
            "certificate": certificate_data(certificate, delta=delta, num_decisions=num_decisions),
            "finite_width": finite_width_data(finite),
            "ensemble": ensemble_data(trained, seconds),
            "folder": str(out),
        }
        print(json.dumps(data))
    else:
        told = summary.conventions(certificate, delta=delta, num_decisions=num_decisions)
        print(text.trained(trained, finite, told, parameters, out, seconds))
