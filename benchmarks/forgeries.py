"""Certificates and ensembles, forged in some thousand ways: is a wrong run ever verified?

`python -m benchmarks.forgeries` writes the table to docs/proofs.md. Every mutant (`benchmarks.mutants`)
is sealed as well as a forger can: not at all (`raw`), with all sizes, digests and stamps made to fit
(`signed`), or with a proof made anew for the changed ensemble, which says that it is exact whatever
was found (`proven`). For each either `ntkexec.recheck` refuses, or the networks run right: on all
connected graphs of up to four nodes from every source, or on the executions that the proof is about.
Neither the checker nor loading may end in a traceback.
"""

import argparse
import contextlib
import dataclasses
import io
import json
import pathlib
import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import networkx as nx
import numpy as np

from benchmarks.bundle import Bundle, read_bundle, sign
from benchmarks.mutants import LEVELS, MUTATORS, OF_THE_PROOF
from ntkexec import complete, ensemble, executor, pipeline
from ntkexec.engines.trained import ensemble_engine
from ntkexec.ensemble import EnsembleConfig, thresholds
from ntkexec.errors import NtkexecError
from ntkexec.graphs import message_passing
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.recheck.command import main as recheck
from ntkexec.runtime import files
from ntkexec.theory.certificate import Certificate

SIZES = {"degree": 2, "slots": 4, "word": 2}
PAGE = pathlib.Path(__file__).parents[1] / "docs" / "proofs.md"
BEGIN, END = "<!-- forgeries: begin -->\n", "<!-- forgeries: end -->\n"
# What became of a mutant; the last three must not be.
OUTCOMES = ("refused", "run refused", "right", "wrong", "traceback")


class Kind(NamedTuple):
    """A kind of ensemble that is forged.

    label: what to call it.
    kind: joint or factored.
    config: how it is drawn.
    graph: on which a joint one is certified; None for all graphs.
    """

    label: str
    kind: Any
    config: EnsembleConfig
    graph: str | None = None


KINDS = {
    "factored": Kind("factored", "factored", EnsembleConfig(members=4, width=96, seed=3)),
    "linearised": Kind(
        "linearised", "factored", EnsembleConfig(members=3, width=128, seed=3, draw="linearised")
    ),
    "antisymmetric": Kind(
        "antisymmetric",
        "factored",
        EnsembleConfig(members=2, width=192, seed=3, draw="antisymmetric"),
    ),
    "joint": Kind("joint", "joint", EnsembleConfig(members=6, width=640, seed=0), "path:3"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """An honest certificate and its ensemble, and where runs are looked at.

    Args:
        bundle: both.
        certificate: with which the ensemble runs.
        graphs: small graphs with initial states, side by side.
        num_steps: steps after which the last of them is done.
        executions: those of the proof.
    """

    bundle: Bundle
    certificate: Certificate
    graphs: GraphsTuple
    num_steps: int
    executions: tuple[complete.ProgramRun, ...]


def small_graphs(limit: int = 4) -> list[nx.Graph]:
    """Connected graphs of up to so many nodes that fit the program."""
    atlas = nx.graph_atlas_g()[1:]
    return [
        g
        for g in atlas
        if g.number_of_nodes() <= limit
        and nx.is_connected(g)
        and max((d for _, d in g.degree()), default=0) <= SIZES["degree"]
    ]


def make_case(kind: Kind, folder: pathlib.Path) -> Case:
    """Trains an ensemble of BFS and certifies it."""
    instances = [
        pipeline.prepare("bfs", graph, sizes=SIZES, source=source)
        for graph in small_graphs()
        for source in graph
    ]
    program, runs = instances[0].program, tuple[complete.ProgramRun, ...]()
    instance = None
    if kind.graph is not None:
        instance = pipeline.prepare("bfs", kind.graph, sizes=SIZES)
        runs = (complete.ProgramRun.of(instance),)
    certificate = pipeline.certify(program, kind=kind.kind, num_decisions=1000, instance=instance)
    networks = ensemble.train(
        certificate.problem,
        kind.config,
        directory=folder,
        sizes=SIZES,
        thresholds=thresholds.running(certificate),
        convention=certificate.convention,
        budget=1 << 20,
    )
    found = complete.complete(networks, executions=runs)
    if not found.exact:
        raise NtkexecError(f"the honest ensemble is not exact: {found.verdict()}")
    proof = complete.to_data(found, ensemble.read_manifest(folder), folder)
    graphs = message_passing.batch([one.graphs for one in instances])
    steps = max(one.num_steps for one in instances)
    return Case(read_bundle(proof, folder), certificate, graphs, steps, runs)


def mutate(case: Case, seed: int, index: int, folder: pathlib.Path) -> tuple[str, str, Bundle]:
    """The mutant of a number: what was changed, how it was sealed, and what came out."""
    rng = np.random.default_rng([seed, index])
    names = list(MUTATORS)
    name, level = names[index % len(names)], LEVELS[index // len(names) % len(LEVELS)]
    bundle = case.bundle.copy()
    # A proof that is made anew for a changed ensemble is itself changed afterwards.
    late = level == "proven" and name in OF_THE_PROOF
    MUTATORS["numbers in tensors" if late else name](rng, bundle)
    if rng.random() < 0.15:
        with contextlib.suppress(Exception):
            MUTATORS[names[int(rng.integers(len(names)))]](rng, bundle)
    # What is too damaged to be sealed stays as it is.
    if level != "raw":
        with contextlib.suppress(Exception):
            sealed = bundle.copy()
            sign(sealed)
            bundle = sealed
    if level == "proven":
        with contextlib.suppress(Exception):
            bundle = prove(case, bundle, folder)
    if late and isinstance(bundle.proof, dict):
        MUTATORS[name](rng, bundle)
    return name, level, bundle


def prove(case: Case, bundle: Bundle, folder: pathlib.Path) -> Bundle:
    """The bundle with a proof made for its networks, and exact, whatever they do."""
    bundle.write(folder)
    networks = ensemble.load(folder, case.certificate.problem)
    found = complete.complete(networks, executions=case.executions)
    honest = dataclasses.replace(
        found,
        components=tuple(dataclasses.replace(one, wrong=0, unsure=0) for one in found.components),
    )
    proof = complete.to_data(honest, ensemble.read_manifest(folder), folder)
    return dataclasses.replace(bundle, proof=json.loads(json.dumps(proof)))


def judge(case: Case, bundle: Bundle, folder: pathlib.Path) -> str:
    """What becomes of a mutant, one of `OUTCOMES`."""
    path = bundle.write(folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            verified = recheck([str(path), str(folder)]) == 0
    except Exception:
        return "traceback"
    try:
        networks = ensemble.load(folder, case.certificate.problem)
        if not verified:
            return "refused"
        # A run is refused, too, where these thresholds are not its certificate's; here it is not.
        own = dataclasses.replace(networks, thresholds=None)
        engine = dataclasses.replace(
            ensemble_engine(own, case.certificate), thresholds=jnp.asarray(networks.thresholds)
        )
    except NtkexecError:
        return "run refused" if verified else "refused"
    except Exception:
        return "traceback"
    return "right" if runs_right(case, engine, json.loads(path.read_bytes())) else "wrong"


def runs_right(case: Case, engine: Any, proof: Any) -> bool:
    """Whether the networks decide every bit right where the proof says so."""
    program = case.certificate.problem.program
    graphs, steps = case.graphs, case.num_steps
    if proof["executions"]:
        parts = [_graph(run, program.layout.num_bits) for run in proof["executions"]]
        graphs = message_passing.batch(parts)
        steps = max(run["num_steps"] for run in proof["executions"])
    found = executor.execute(engine, program, graphs, num_steps=steps).verification
    return found is not None and found.exact


def _graph(run: Any, num_bits: int) -> GraphsTuple:
    states = [[int(state, 16) >> bit & 1 for bit in range(num_bits)] for state in run["initial"]]
    senders, receivers = (np.array(run[end], int) for end in ("senders", "receivers"))
    return message_passing.graphs_tuple(
        senders, receivers, len(states), nodes=np.array(states, bool)
    )


def campaign(
    case: Case, seed: int, numbers: Sequence[int], folder: pathlib.Path
) -> Counter[tuple[str, str, str]]:
    """How many mutants came to what, by what was changed and how it was sealed."""
    found: Counter[tuple[str, str, str]] = Counter()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for number in numbers:
            name, level, bundle = mutate(case, seed, number, folder)
            found[name, level, judge(case, bundle, folder)] += 1
    return found


def table(found: Counter[tuple[str, str, str]]) -> str:
    """The outcomes by what was changed, in Markdown."""
    lines = [
        "| what was changed | mutants | refused by recheck | verified, run refused | verified, runs "
        "right | verified, runs wrong | tracebacks |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in (*MUTATORS, "all"):
        row = [
            sum(n for (m, _, o), n in found.items() if name in (m, "all") and outcome in (o, "all"))
            for outcome in ("all", *OUTCOMES)
        ]
        lines.append(f"| {name} | {' | '.join(f'{number:,}' for number in row)} |")
    return "\n".join(lines) + "\n"


def page(text: str, measured: str, marks: tuple[str, str] = (BEGIN, END)) -> str:
    """The page with everything between two marks replaced."""
    before, begin, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"the page needs the lines {marks[0].strip()!r} and {marks[1].strip()!r}")
    return before + begin + measured + end + after


def main() -> None:
    """Runs the campaign, prints its table and writes it to the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--mutants", type=int, default=1650, help="of each kind of ensemble")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    total: Counter[tuple[str, str, str]] = Counter()
    for kind in KINDS.values():
        with tempfile.TemporaryDirectory() as there:
            folder = pathlib.Path(there) / "work"
            case = make_case(kind, pathlib.Path(there) / "honest")
            total += campaign(case, options.seed, range(options.mutants), folder)
    measured = table(total)
    print(measured)
    files.write(PAGE, page(PAGE.read_text(encoding="utf-8"), measured).encode())


if __name__ == "__main__":
    main()
