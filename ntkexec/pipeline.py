"""From a graph and an algorithm's name to a judged answer: certify, train, execute, compare."""

import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import networkx as nx
import numpy as np

from ntkexec import engines, ensemble, executor, limits, stages
from ntkexec.at_width import AtWidth
from ntkexec.certificate import Certificate, check_odds, padded
from ntkexec.ensemble import (
    Descent,
    Draw,
    Ensemble,
    EnsembleConfig,
    GaussianEnsemble,
    Manifest,
    Progress,
)
from ntkexec.errors import CertificateError, EnsembleError, NtkexecError
from ntkexec.graphs import Graph, load
from ntkexec.graphs.suggest import did_you_mean
from ntkexec.match_bound import MatchBound, given_bound, state_bound
from ntkexec.packed import memo_engine, packed_kernel_engine
from ntkexec.packed.plan import compile_seconds, pays
from ntkexec.problem import Kind, LearningProblem
from ntkexec.programs import ALGORITHMS, Algorithm, Instance
from ntkexec.reachable import measured_bound
from ntkexec.result import EngineName, Result
from ntkexec.template import Program
from ntkexec.vocabulary import CONVENTIONS, Convention

LOG = logging.getLogger("ntkexec")
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
# They hold a bit of a node in a bit, and need a small part of what the others do.
PACKED: tuple[EngineName, ...] = ("kernel-packed", "ensemble-memo")
TRAINED: tuple[EngineName, ...] = ("ensemble", "ensemble-memo")
MIN_WIDTH = 1024
# A network's kernel is close to its limit if it is much wider than its training set is large.
WIDTH_PER_TEMPLATE = 16


def bound_for(problem: LearningProblem, bound: str | int, instance: Instance | None) -> MatchBound:
    """The bound on the matches that a certificate rests on.

    Args:
        problem: templates divided among networks.
        bound: `states` for all valid states, `graph` for those that occur on the instance, a
            number for m <= that number.
        instance: what is executed, needed for `graph`.

    Raises:
        CertificateError: another word, or `graph` without an instance.
    """
    if isinstance(bound, int):
        return given_bound(problem, bound)
    if bound == "states":
        return state_bound(problem)
    if bound != "graph":
        raise CertificateError(f"the bound on matches is states, graph or a number, not {bound!r}")
    if instance is None:
        raise CertificateError("the bound 'graph' needs a graph; use 'states' or a number")
    graphs, label = instance.graphs, instance.graph.label
    return measured_bound(problem, graphs, num_steps=instance.num_steps, label=label)


@stages.stage("certifying")
def certify(
    program: Program,
    *,
    kind: Kind = "factored",
    bound: str | int | None = None,
    padding: int | Literal["auto"] = "auto",
    delta: float = 1e-3,
    num_decisions: int,
    instance: Instance | None = None,
    threshold: Convention = "bit",
    weight_std: float = 1.0,
    draw: Draw = "trained",
    given_thresholds: np.ndarray | None = None,
) -> Certificate:
    """The certificate of a program.

    Args:
        program: what is to be learned.
        kind: one network for all templates, or one for every bit.
        bound: see `bound_for`. By default all valid states; for a joint network on an instance,
            whose many templates make that bound slow and loose, the states that occur.
        padding: padding templates for every network; `auto` takes none for a factored program or
            thresholds by bit, which are certified without, and else what makes the ensemble cheapest.
        delta: probability of an error to choose it for.
        num_decisions: how many bits are decided.
        instance: what is executed, for the bound `graph`.
        threshold: convention of the thresholds, see `ntkexec.thresholds`.
        weight_std: standard deviation of the networks' weights at initialisation.
        draw: how they are drawn; see `EnsembleConfig`.
        given_thresholds: those of a stored ensemble, by bit and number of matches, instead.

    Raises:
        CertificateError: delta or num_decisions out of range, or see `bound_for`.
    """
    check_odds(delta, num_decisions)
    if bound is None:
        bound = "graph" if kind == "joint" and instance is not None else "states"
    problem = LearningProblem(program, kind, 0 if padding == "auto" else padding)
    certificate = Certificate(
        problem,
        bound_for(problem, bound, instance),
        weight_std=weight_std,
        convention=threshold,
        draw=draw,
        given_thresholds=given_thresholds,
    )
    without = certificate.certified and (kind == "factored" or threshold == "bit")
    if padding == "auto" and not without:
        return padded(certificate, delta=delta, num_decisions=num_decisions)
    return certificate


def certify_stored(
    networks: Ensemble, manifest: Manifest, *, threshold: Convention | None = None, **options: Any
) -> Certificate:
    """The certificate of a stored ensemble, for its kind of network and the thresholds it runs with.

    Args:
        networks: the ensemble.
        manifest: what it says of itself.
        threshold: the convention that is asked for, if any.
        options: bound, delta, num_decisions and instance, as for `certify`.

    Raises:
        EnsembleError: another convention is asked for than the one it was stored with.
        CertificateError: as for `certify`.
    """
    stored = manifest.convention
    if threshold is not None and threshold != stored:
        raise EnsembleError(
            f"the ensemble runs with the thresholds {stored!r} that it was stored with, not "
            f"{threshold!r}"
        )
    problem, config = networks.problem, networks.config
    return certify(
        problem.program,
        kind=problem.kind,
        padding=problem.padding,
        threshold=stored if stored in CONVENTIONS else "bit",
        weight_std=config.weight_std,
        draw=config.draw,
        given_thresholds=networks.thresholds,
        **options,
    )


def default_width(certificate: Certificate, descent: Descent = "auto") -> int:
    """The width that training uses if none is asked for.

    It grows with the problem's size, and is at least what keeps the bias of a finite width small
    against every margin, where that is known; see `ntkexec.at_width`.
    """
    problem = certificate.problem
    largest = max(max(s.num_inputs, s.num_outputs) for s in problem.stacks)
    width = MIN_WIDTH * math.ceil(WIDTH_PER_TEMPLATE * largest / MIN_WIDTH)
    needed = AtWidth(certificate, width, descent).width_needed()
    if needed.covered and needed.value > width:
        width = MIN_WIDTH * math.ceil(needed.value / MIN_WIDTH)
    return width


def at_width(
    certificate: Certificate, width: int | None = None, descent: Descent = "auto"
) -> AtWidth:
    """What a certificate says of networks of a width, by default `default_width`.

    Raises:
        EnsembleError: a width below 1.
    """
    if width is not None and width < 1:
        raise EnsembleError(f"width must be at least 1, got {width}")
    if width is None:
        width = default_width(certificate, descent)
    return AtWidth(certificate, width, descent)


def ensemble_config(
    finite: AtWidth, *, members: int | None, seed: int, delta: float, num_decisions: int
) -> EnsembleConfig:
    """How to draw networks of that width: as many as are asked for, or what delta needs.

    Raises:
        CertificateError: the bias of that width eats a margin.
    """
    certificate = finite.certificate
    if members is None:
        members = finite.ensemble_size(delta=delta, num_decisions=num_decisions)
    else:
        finite.require()
    config = EnsembleConfig(
        members=members,
        width=finite.width,
        weight_std=certificate.weight_std,
        seed=seed,
        draw=certificate.draw,
        descent=finite.descent,  # type: ignore[arg-type]
    )
    limits.check_ensemble(certificate.problem, config)
    return config


def find_algorithm(name: str) -> Algorithm:
    """The algorithm of a name.

    Raises:
        NtkexecError: there is none; suggests the nearest name.
    """
    if name not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise NtkexecError(
            f"no algorithm {name!r}; there is {known}{did_you_mean(name, ALGORITHMS)}"
        )
    return ALGORITHMS[name]


def prepare(
    algorithm: str,
    graph: Graph | nx.Graph | str | os.PathLike[str],
    *,
    parameters: Mapping[str, int] | None = None,
    weights: str | None = None,
    **inputs: Any,
) -> Instance:
    """An algorithm on a graph, ready to run.

    Args:
        algorithm: a name in `ALGORITHMS`.
        graph: a graph, a file, or a generator such as `grid:8x8`.
        parameters: sizes of the program, if given.
        weights: edge attribute that holds the weights, 1 by default; a `Graph` brings its own.
        inputs: what the algorithm asks, `Algorithm.inputs`; None is as good as left out.

    Raises:
        NtkexecError: an unknown algorithm or input, or an input that does not fit.
    """
    found = find_algorithm(algorithm)
    given = {name: value for name, value in inputs.items() if value is not None}
    if unknown := given.keys() - set(found.inputs):
        takes = f"the inputs {', '.join(found.inputs)}" if found.inputs else "no inputs"
        raise NtkexecError(f"{algorithm} takes {takes}, not {min(unknown)!r}")
    if weights is not None and not found.weighted:
        raise NtkexecError(f"{algorithm} reads no weights, but {weights!r} was given")
    if weights is not None and isinstance(graph, Graph):
        raise NtkexecError(f"weights {weights!r} are chosen when a graph is loaded; this one is")
    loaded = graph if isinstance(graph, Graph) else load(graph, weight=weights)
    return found.prepare(loaded, parameters=parameters, **given)


def run(
    algorithm: str,
    graph: Graph | nx.Graph | str | os.PathLike[str],
    *,
    engine: EngineName = "ensemble",
    kind: Kind = "factored",
    members: int | None = None,
    width: int | None = None,
    delta: float = 1e-3,
    seed: int = 0,
    draw: Draw = "trained",
    descent: Descent = "auto",
    threshold: Convention | None = None,
    weight_std: float | None = None,
    bound: str | int | None = None,
    padding: int | Literal["auto"] = "auto",
    trained: str | os.PathLike[str] | None = None,
    until: executor.Until | None = None,
    verify: bool = True,
    trace: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
    **inputs: Any,
) -> Result:
    """Executes an algorithm on a graph with a learned update, and compares with the reference.

    Args:
        algorithm: a name in `ALGORITHMS`.
        graph: a graph, a file, or a generator such as `grid:8x8`.
        engine: `ensemble` trains networks and runs them; `kernel` runs their mean in closed form,
            `oracle` the same through neural-tangents, `linear` a linear read-out of the encoding,
            the baseline without networks, `boolean` the program itself.
            `kernel-packed` and `ensemble-memo` decide the same on 32 nodes at a time, relying on
            a certificate that the result names. Where compiling a program for `kernel-packed` takes
            longer than `kernel` would run, `kernel` is taken, and the result says so.
        kind: one network for all templates (`joint`), or one for every bit (`factored`).
        members: networks for every learning problem; by default what `delta` needs.
        width: hidden units of a network; by default `default_width`.
        delta: probability of any wrong bit in the whole run, by a union bound with the spread of
            infinite width and margins that are less the bias of this width, where it is known.
        seed: of the initial weights.
        draw: whether networks are trained, linearised, or gaussian; see `EnsembleConfig`.
        descent: how they are trained; see `EnsembleConfig`.
        threshold: convention of the thresholds, see `ntkexec.thresholds`; by default `bit`, or that
            of the trained ensemble.
        weight_std: standard deviation of the networks' weights at initialisation; by default 1, or
            that of the trained ensemble.
        bound: see `bound_for`.
        padding: see `certify`.
        trained: folder of a trained ensemble, which is then used and decides the sizes.
        until: see `executor.execute`; by default what suits the algorithm.
        verify: compare every step with the program.
        trace: keep all states.
        report: called with the progress of training.
        inputs: what the algorithm asks; for flooding `sources` (or `source`) and `message`.

    Returns:
        The answer and its verdict. A wrong answer is a result, not an exception.

    Raises:
        NtkexecError: bad input, or a program that is not certified.

    Example:
        >>> run("flooding", "karate", engine="kernel", source=0, message="1011").exact
        True
    """
    if engine not in ENGINES:
        raise NtkexecError(
            f"no engine {engine!r}; there is {', '.join(ENGINES)}{did_you_mean(engine, ENGINES)}"
        )
    manifest = None if trained is None else _manifest(trained, algorithm, engine, weight_std)
    instance = prepare(
        algorithm, graph, parameters=None if manifest is None else manifest.parameters, **inputs
    )
    if engine == "kernel-packed" and not _packing_pays(instance):
        LOG.warning(
            "kernel-packed would compile for about %.0f s; kernel, which decides the same, is taken",
            compile_seconds(instance.program),
        )
        engine = "kernel"
    if engine not in PACKED:
        limits.check_execution(
            num_nodes=instance.graph.num_nodes,
            num_bits=instance.program.layout.num_bits,
            num_templates=instance.program.num_templates,
            trace_steps=instance.num_steps if trace else None,
        )
    networks: Ensemble | GaussianEnsemble | None = None
    train_seconds = 0.0
    what: dict[str, Any] = {
        "bound": bound,
        "delta": delta,
        "num_decisions": instance.num_decisions,
        "instance": instance,
    }
    if manifest is None or trained is None:
        certificate = certify(
            instance.program,
            kind=kind,
            padding=padding,
            threshold=threshold or "bit",
            weight_std=1.0 if weight_std is None else weight_std,
            draw=draw,
            **what,
        )
    else:
        problem = LearningProblem(instance.program, manifest.kind, manifest.padding)
        networks = ensemble.load(trained, problem)
        if members is not None:
            networks = networks.first(members)
        certificate = certify_stored(networks, manifest, threshold=threshold, **what)
    LOG.info("%s", certificate.verdict())
    certificate.require()
    if isinstance(networks, Ensemble):
        AtWidth(certificate, networks.config.width, networks.config.descent).require()
    if engine in TRAINED and networks is None:
        start = time.perf_counter()
        config = ensemble_config(
            at_width(certificate, width, descent),
            members=members,
            seed=seed,
            delta=delta,
            num_decisions=instance.num_decisions,
        )
        networks = ensemble.draw(certificate.problem, config, report=report)
        train_seconds = time.perf_counter() - start
        LOG.info("networks ready after %.2f s", train_seconds)
    update = make_engine(engine, certificate, networks)
    until = instance.until if until is None else until
    if until == "halt" and instance.halt is None:
        raise NtkexecError(f"{algorithm} has no halt flag; it can run until steps or fixed-point")
    execution = executor.execute(
        update,
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps,
        until=until,
        halt=instance.halt if until == "halt" else None,
        verify=verify,
        trace=trace,
    )
    LOG.info(
        "%d steps in %.3f s, compiled in %.2f s",
        execution.steps,
        execution.run_seconds,
        execution.compile_seconds,
    )
    found = execution.verification
    return Result(
        instance=instance,
        engine=engine,
        certificate=certificate,
        delta=delta,
        ensemble=networks,
        execution=execution,
        answer=instance.decode(execution.states),
        expected=instance.reference(),
        diagnosis=None if found is None else executor.diagnose(update, instance.program, found),
        train_seconds=train_seconds,
        update=update,
    )


def _packing_pays(instance: Instance) -> bool:
    size = {"num_nodes": instance.graph.num_nodes, "num_steps": instance.num_steps}
    return pays(instance.program, **size)


def _manifest(
    folder: str | os.PathLike[str], algorithm: str, engine: EngineName, weight_std: float | None
) -> Manifest:
    """What a trained ensemble says of itself, if it is one that can be run so.

    Raises:
        EnsembleError: an engine without networks, or an ensemble of another algorithm or weights.
    """
    if engine not in TRAINED:
        raise EnsembleError(
            f"a trained ensemble goes with the engine {' or '.join(map(repr, TRAINED))}, "
            f"not {engine!r}"
        )
    manifest = ensemble.read_manifest(folder)
    if manifest.algorithm != algorithm:
        raise EnsembleError(
            f"the ensemble in {folder} learned {manifest.algorithm}, not {algorithm}"
        )
    if weight_std not in (None, manifest.config.weight_std):
        raise EnsembleError(
            f"the ensemble in {folder} has weight_std {manifest.config.weight_std:g}, not "
            f"{weight_std:g}"
        )
    return manifest


def make_engine(
    name: EngineName, certificate: Certificate, networks: Ensemble | GaussianEnsemble | None = None
) -> engines.Engine:
    """The engine of a name.

    Args:
        name: one of `ENGINES`.
        certificate: gives the learning problem and the thresholds.
        networks: the trained networks, for `ensemble` and `ensemble-memo`.

    Raises:
        CertificateError: `kernel-packed` with a certificate that does not cover its bound.
        EnsembleError: networks are missing, or `ensemble-memo` cannot tabulate them.
    """
    if name in TRAINED:
        if networks is None:
            raise EnsembleError(f"the engine {name!r} needs trained networks")
        if name == "ensemble-memo":
            return memo_engine(networks, certificate)
        return ensemble.ensemble_engine(networks, certificate)
    if name == "kernel-packed":
        return packed_kernel_engine(certificate)
    if name == "oracle":
        # Imported here: the oracle needs neural-tangents, an extra.
        from ntkexec.oracle import oracle_engine

        return oracle_engine(certificate)
    if name == "kernel":
        return engines.kernel_engine(certificate)
    if name == "linear":
        return engines.linear_engine(certificate.problem)
    return engines.boolean_engine(certificate)
