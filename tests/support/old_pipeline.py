"""From a graph and an algorithm's name to a judged answer: certify, train, execute, compare."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import networkx as nx
from support.old_certifying import (
    at_width,
    bound_for,
    certify,
    certify_stored,
    default_width,
    ensemble_config,
)

from ntkexec import engines, ensemble, executor
from ntkexec.engines.packed import memo_engine, packed_kernel_engine
from ntkexec.engines.packed.plan import compile_seconds, pays
from ntkexec.ensemble import (
    Descent,
    Draw,
    Ensemble,
    GaussianEnsemble,
    Manifest,
    Progress,
    limits,
)
from ntkexec.errors import EnsembleError, NtkexecError, did_you_mean
from ntkexec.graphs import Graph, load
from ntkexec.program.problem import Kind, LearningProblem
from ntkexec.programs import ALGORITHMS, Algorithm, Instance
from ntkexec.result import EngineName, Result
from ntkexec.theory.at_width import AtWidth
from ntkexec.theory.certificate import Certificate
from ntkexec.vocabulary import Convention

__all__ = [
    "at_width",
    "bound_for",
    "certify",
    "certify_stored",
    "default_width",
    "ensemble_config",
    "find_algorithm",
    "make_engine",
    "prepare",
    "run",
]

LOG = logging.getLogger("ntkexec")
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
# They hold a bit of a node in a bit, and need a small part of what the others do.
PACKED: tuple[EngineName, ...] = ("kernel-packed", "ensemble-memo")
TRAINED: tuple[EngineName, ...] = ("ensemble", "ensemble-memo")
# What `run` takes where nothing is asked for; a trained ensemble is not asked for it.
DEFAULTS = {"kind": "factored", "padding": "auto", "draw": "trained", "descent": "auto", "seed": 0}


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
    weight_scale: int = 1,
    directed: bool | None = None,
    **inputs: Any,
) -> Instance:
    """An algorithm on a graph, ready to run.

    Args:
        algorithm: a name in `ALGORITHMS`.
        graph: a graph, a file, or a generator such as `grid:8x8`.
        parameters: sizes of the program, if given.
        weights: edge attribute that holds the weights, 1 by default; a `Graph` brings its own.
        weight_scale, directed: how to read the graph, see `ntkexec.graphs.load`; not for a `Graph`.
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
    if isinstance(graph, Graph) and (weight_scale != 1 or directed is not None):
        raise NtkexecError(
            "weight_scale and directed say how a graph is loaded; this one is loaded already"
        )
    loaded = (
        graph
        if isinstance(graph, Graph)
        else load(graph, weight=weights, weight_scale=weight_scale, directed=directed)
    )
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
        threshold: convention of the thresholds, see `ntkexec.theory.thresholds`; by default `bit`, or that
            of the trained ensemble.
        weight_std: standard deviation of the networks' weights at initialisation; by default 1, or
            that of the trained ensemble.
        bound: see `bound_for`.
        padding: see `certify`.
        trained: folder of a trained ensemble, which is then used and decides the sizes and kind.
        until: see `executor.execute`; by default what suits the algorithm.
        verify: compare every step with the program.
        trace: keep all states.
        report: called with the progress of training.
        inputs: what the algorithm asks; for flooding `sources` (or `source`) and `message`; and
            how to read the graph, see `prepare`.

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
    manifest = None
    if trained is not None:
        asked = {"kind": kind, "padding": padding, "width": width, "draw": draw, "descent": descent}
        manifest = _manifest(
            trained, algorithm, engine, asked | {"seed": seed, "weight_std": weight_std}
        )
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
    if engine != "linear":
        certificate.require()
    if isinstance(networks, Ensemble):
        config = networks.config
        AtWidth(certificate, config.width, config.descent, config.tolerance).require()
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
    return Result(
        instance=instance,
        engine=engine,
        certificate=certificate,
        delta=delta,
        ensemble=networks,
        execution=execution,
        train_seconds=train_seconds,
        update=update,
    )


def _packing_pays(instance: Instance) -> bool:
    size = {"num_nodes": instance.graph.num_nodes, "num_steps": instance.num_steps}
    return pays(instance.program, **size)


def _manifest(
    folder: str | os.PathLike[str], algorithm: str, engine: EngineName, asked: Mapping[str, Any]
) -> Manifest:
    """What a trained ensemble says of itself, if it is one that can be run so.

    Raises:
        EnsembleError: an engine without networks, another algorithm, or another kind of network.
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
    stored = vars(manifest.config) | {"kind": manifest.kind, "padding": manifest.padding}
    for name, value in asked.items():
        if value not in (None, DEFAULTS.get(name), stored[name]):
            raise EnsembleError(f"the ensemble in {folder} has {name} {stored[name]}, not {value}")
    return manifest


def make_engine(
    name: EngineName, certificate: Certificate, networks: Ensemble | GaussianEnsemble | None = None
) -> executor.Engine:
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
        return engines.ensemble_engine(networks, certificate)
    if name == "kernel-packed":
        return packed_kernel_engine(certificate)
    if name == "oracle":
        # Imported here: the oracle needs neural-tangents, an extra.
        from ntkexec.engines.neural_tangents import oracle_engine

        return oracle_engine(certificate)
    if name == "kernel":
        return engines.kernel_engine(certificate)
    if name == "linear":
        return engines.linear_engine(certificate.problem)
    return engines.boolean_engine(certificate)
