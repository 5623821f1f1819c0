"""From a program and a graph to a judged answer: certify, train, execute, compare."""

import dataclasses
import functools
import logging
import time
from collections.abc import Callable
from typing import Any

from ntkexec import ensemble, universal
from ntkexec.certifying import (
    Certifying,
    bound_for,
    certify,
    certify_instance,
    certify_stored,
)
from ntkexec.engines import find_engine, make_engine
from ntkexec.engines.automatic import engine_for
from ntkexec.engines.registry import EngineSpec
from ntkexec.ensemble import (
    Ensemble,
    GaussianEnsemble,
    Progress,
)
from ntkexec.ensemble.sizing import (
    Ensembling,
    at_width,
    at_width_of,
    default_width,
    ensemble_config,
    networks_for,
)
from ntkexec.ensemble.stored import Plan
from ntkexec.errors import EnsembleError
from ntkexec.executor import Executing
from ntkexec.graphs import split
from ntkexec.program.work import Work
from ntkexec.programs import (
    Instance,
    find_algorithm,
    find_program,
    is_shipped,
    prepare,
    split_choice,
)
from ntkexec.programs.own import Reference, States
from ntkexec.programs.registry import READING, read_graph
from ntkexec.programs.sources import OF_OWN, Source, Where, refuse_start
from ntkexec.result import Result
from ntkexec.runtime import keywords
from ntkexec.vocabulary import EngineChoice, SplitDegree

__all__ = [
    "Certifying",
    "Ensembling",
    "Executing",
    "at_width",
    "bound_for",
    "certify",
    "certify_instance",
    "certify_stored",
    "default_width",
    "ensemble_config",
    "find_algorithm",
    "find_program",
    "is_shipped",
    "make_engine",
    "prepare",
    "run",
]

LOG = logging.getLogger("ntkexec")


@keywords.renamed(algorithm="program")
@keywords.shows_fields_of(Certifying, Ensembling, Executing)
def run(
    program: Source,
    graph: Where | None = None,
    *,
    initial: States | None = None,
    steps: int | None = None,
    reference: Reference | None = None,
    split_degree: SplitDegree = "auto",
    engine: EngineChoice = "auto",
    certifying: Certifying | None = None,
    ensembling: Ensembling | None = None,
    executing: Executing | None = None,
    report: Callable[[Progress], None] = lambda _: None,
    **loose: Any,
) -> Result:
    """Executes a program on a graph with a learned update, and judges the answer.

    Args:
        program: a name in `ALGORITHMS`; or one's own: a `Program`, an `Instance`, a file of raw
            templates, `module:function`, or a function that gives one of the first two.
        graph: a graph, a file, or a generator such as `grid:8x8`; an `Instance` brings its own.
        initial: of one's own program, the states before the first step: (n, K) bits, nodes in the
            order of the graph, values by field, or an .npz file of either.
        steps: of one's own program, how many, or at most how many with `until`.
        reference: of one's own program, a function of the graph that gives the right answer by field.
            Without one every bit is compared with the program's own execution, and the verdict says so.
        split_degree: D, to run on the graph whose nodes of more neighbours are split into trees
            (`ntkexec.graphs.split`); None for the graph as it is; `auto` for what networks that are
            given have learned, and otherwise for what is faster by an estimate, see
            `ntkexec.programs.split_choice`.
        engine: how the learned update is evaluated, see `ntkexec.engines.registry`: `ensemble` trains
            networks and runs them, `kernel` runs their mean in closed form. `auto` is `ensemble`, or where
            that takes long, and neither margins nor an end when all nodes halt are asked for,
            `ensemble-memo`, whose every step is then compared with the program alone.
        certifying: of which networks and states the run is certified.
        ensembling: how many networks, how wide, or the folder of those that are trained.
        executing: until when, and what is kept.
        report: called with the progress of training.
        loose: single fields of these three, such as `kind`, `members` or `trace`; what the algorithm
            asks, such as `source` (or `sources`) and `message`; degree, word and slots for a function;
            and how to read the graph, see `prepare`.

    Returns:
        The answer and its verdict. A wrong answer is a result, not an exception.

    Raises:
        NtkexecError: bad input, or a program that is not certified.

    Example:
        >>> run("flooding", "karate", engine="kernel", source=0, message="1011").exact
        True
    """
    certifying = keywords.taken(loose, certifying or Certifying())
    ensembling = keywords.taken(loose, ensembling or Ensembling())
    executing = keywords.taken(loose, executing or Executing())
    chosen = find_engine("ensemble" if engine == "auto" else engine)
    if ensembling.trained is not None:
        chosen.require_trained()
    loose |= {"initial": initial, "steps": steps, "reference": reference}
    instance, stored, ready = None, None, split_choice.none_ready
    if not is_shipped(program):
        split_choice.refuse_own(split_degree)
        instance = prepare(program, graph, until=executing.until, **loose)
    if ensembling.trained is not None:
        asked = keywords.asked(certifying) | keywords.asked(ensembling)
        name, digest = str(program), None
        if instance is not None:
            name, digest = instance.program.name, instance.program.digest
        elif ensemble.read_manifest(ensembling.trained).algorithm == split_choice.split_name(name):
            name = split_choice.split_name(name)
        stored = ensemble.find_stored(
            ensembling.trained, algorithm=name, digest=digest, asked=asked
        )
    if instance is None:
        if stored is None and chosen.trained and wants_universal(certifying, ensembling):
            ready = universal.fitted
        instance = on_graph(
            str(program),
            graph,
            split_degree=split_degree,
            seconds=functools.partial(_seconds, engine, executing=executing),
            learned=None if stored is None else stored.manifest,
            ready=ready,
            **loose,
        )
    served = None
    if ready is not split_choice.none_ready:
        served = universal.serve(instance, remembered=ensembling.remembered)
    if served is not None:
        stored = served.stored
    if engine == "auto":
        chosen = _automatic(instance, executing, ready=served is not None)
    chosen = _suited(chosen, instance, executing)
    if chosen.packed:
        executing.require_comparable(instance.until)
    networks: Ensemble | GaussianEnsemble | None = None
    if stored is None:
        certificate = certify_instance(instance, certifying)
    else:
        networks = stored.load(instance.program, ensembling.members)
        certificate = certify_stored(networks, stored.manifest, instance, certifying)
    LOG.info("%s", certificate.verdict())
    if chosen.certified:
        certificate.require()
    if (finite := at_width_of(certificate, networks)) is not None:
        finite.require()
    train_seconds = 0.0
    if chosen.trained and networks is None:
        start = time.perf_counter()
        networks = networks_for(
            certificate,
            ensembling,
            delta=certifying.delta,
            num_decisions=instance.num_decisions,
            report=report,
        )
        train_seconds = time.perf_counter() - start
        LOG.info("networks ready after %.2f s", train_seconds)
    try:
        update = make_engine(chosen.name, certificate, networks)
    except EnsembleError as error:
        if engine != "auto" or not chosen.packed:
            raise
        LOG.warning("%s", error)
        chosen = _suited(find_engine("ensemble"), instance, executing)
        update = make_engine(chosen.name, certificate, networks)
    if engine == "auto" and chosen.packed and executing.verify:
        executing = dataclasses.replace(executing, verify="program")
    execution = instance.execute(update, executing)
    return Result(
        instance=instance,
        engine=chosen.name,
        certificate=certificate,
        delta=certifying.delta,
        ensemble=networks,
        execution=execution,
        train_seconds=train_seconds,
        update=update,
        universal=None if served is None else served.checked,
    )


def _seconds(engine: EngineChoice, work: Work, *, executing: Executing) -> float:
    """About how long a run takes, by which the graph as it is and the split one are weighed."""
    verify = executing.verify is True
    if engine != "auto":
        return find_engine(engine).seconds(work, verify=verify)
    chosen = engine_for(work, verify=verify, margins=_stepwise(executing), certain=True)
    return chosen.seconds(work, verify=verify and not chosen.packed)


def _stepwise(executing: Executing) -> bool:
    """Whether more is asked of steps than that they are right: margins, or to end when all nodes halt."""
    return executing.trace or executing.until == "halt"


def _automatic(instance: Instance, executing: Executing, *, ready: bool) -> EngineSpec:
    """The engine for an instance, if none was asked for."""
    work = split_choice.work_of(instance, ready=ready)
    verify = executing.verify is True
    chosen = engine_for(work, verify=verify, margins=_stepwise(executing))
    if chosen.packed:
        LOG.warning(
            "networks at every node and step would take about %.0f s: %s, which decides the same and gives "
            "no margins, is taken",
            find_engine("ensemble").seconds(work, verify=verify),
            chosen.name,
        )
    return chosen


def _suited(chosen: EngineSpec, instance: Instance, executing: Executing) -> EngineSpec:
    """The engine, or one that decides the same where preparing it does not pay.

    Raises:
        ProgramError: the execution does not fit into memory.
    """
    return chosen.suited(
        instance.program,
        num_nodes=instance.executed_graph.num_nodes,
        num_steps=instance.num_steps,
        trace=executing.trace,
    )


def wants_universal(certifying: Certifying, ensembling: Ensembling) -> bool:
    """Whether networks that come with the package are as good as any: nothing else is asked of them.

    A bound on the matches asks for other thresholds, and delta for another number of networks.
    """
    asked = keywords.asked(certifying) | keywords.asked(ensembling)
    return ensembling.universal and asked.keys() <= {"remembered"}


# Any: what an algorithm asks is of many types.
def on_graph(
    algorithm: str,
    graph: Where | None,
    *,
    split_degree: SplitDegree,
    seconds: split_choice.Seconds,
    learned: Plan | None = None,
    ready: split_choice.Ready = split_choice.none_ready,
    **given: Any,
) -> Instance:
    """A shipped algorithm on a graph, which is split if that is asked for, learned, or faster.

    Args:
        algorithm: its name.
        graph: a graph, a file, or a generator.
        split_degree: as for `run`.
        seconds: of the engine that is to run, `EngineSpec.seconds`.
        learned: what networks have learned that are to run; gives the sizes.
        ready: for networks that come along, whose sizes it then has.
        given: as for `prepare`.

    Raises:
        NtkexecError: as for `prepare`, or the program that was learned is not the one asked for.
    """
    found = find_algorithm(algorithm)
    if split_degree is None:
        split_choice.refuse_whole(found)
    if graph is None:
        return prepare(algorithm, graph, **given)
    refuse_start(algorithm, {name: given.pop(name, None) for name in OF_OWN})
    read = {name: given.pop(name) for name in READING if name in given}
    graph, asked = read_graph(found, graph, **read), found.asked(given)
    if learned is not None:
        if split_degree == "auto":
            split_degree = split_choice.degree_learned(found, graph, learned.parameters)
        else:
            split_choice.refuse_unlearned(found, split_degree, learned.parameters)
        sizes = learned.parameters
        return prepare(algorithm, graph, sizes=sizes, split_degree=split_degree, **asked)
    if split_degree == "auto":
        parts = split_choice.split_if_faster(found, graph, seconds, asked, ready)
        if parts is not None:
            return parts
    elif split_degree is not None:
        found.require_split()
        return split_choice.prepared(found, split(graph, split_degree), asked, ready)[0]
    whole = ready(found, graph, asked)
    return found.prepare(graph, **asked) if whole is None else whole
