"""Theorems, forged in some thousand ways: is anything verified that is not so?

`python -m benchmarks.forged_theorems` writes the table to docs/theorems.md. The theorem is that of
breadth-first search. A third of its mutants (`benchmarks.theorem_mutants`) stay as they are (`raw`), in a
third all digests and words are made to fit (`signed`), and for a third proofs are found anew where there
are any (`proven`): a changed program whose obligations are proved is one of which the theorem holds.
What `ntkexec.recheck` verifies is executed, the program by itself or by its networks, on all connected
graphs of up to four nodes from every source, and every answer is compared with that of networkx.
"""

import argparse
import contextlib
import copy
import io
import json
import pathlib
import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmarks import forgeries
from benchmarks.bundle import Bundle
from benchmarks.mutants import LEVELS
from benchmarks.mutants import MUTATORS as OF_ENSEMBLES
from benchmarks.theorem_mutants import MUTATORS, Forgery, read_forgery, seal
from ntkexec import pipeline
from ntkexec.complete.storage import as_written
from ntkexec.ensemble.stored import MANIFEST
from ntkexec.programs import Instance
from ntkexec.prove import folder as theorem_folder
from ntkexec.prove import making, subject
from ntkexec.recheck.command import main as recheck
from ntkexec.recheck.program import Program, parse_program
from ntkexec.runtime import files

SIZES = forgeries.SIZES
PAGE = pathlib.Path(__file__).parents[1] / "docs" / "theorems.md"
MARKS = "<!-- forged: begin -->\n", "<!-- forged: end -->\n"
# What became of a mutant: the same again once it was sealed, or ...; the last two must not be.
OUTCOMES = ("unchanged", "refused", "run refused", "right", "wrong", "traceback")
WEIGHTS = (
    "numbers in tensors",
    "thresholds",
    "entries of the manifest",
    "entries of the proof",
    "scope",
)


class Case(NamedTuple):
    """An honest theorem, and where programs are run.

    forgery: the theorem.
    instances: on small graphs, from every source.
    """

    forgery: Forgery
    instances: list[Instance]


def instances() -> list[Instance]:
    """Breadth-first search on all small graphs, from every source."""
    return [
        pipeline.prepare("bfs", graph, sizes=SIZES, source=source)
        for graph in forgeries.small_graphs()
        for source in graph
    ]


def make_case(folder: pathlib.Path) -> Case:
    """Proves the theorem about the program."""
    making.make(subject.asked_for("bfs", **SIZES), folder)
    return Case(read_forgery(folder), instances())


def about(case: Case, bundle: Bundle, folder: pathlib.Path) -> Forgery:
    """The theorem about an ensemble, with the certificate that its bundle brings, whatever that says."""
    forged = copy.deepcopy(case.forgery)
    path = bundle.write(folder)
    forged.certificate = path.read_bytes()
    with contextlib.suppress(Exception):
        forged.certificate = as_written(json.loads(path.read_bytes()))
    with contextlib.suppress(Exception):
        assert (folder / MANIFEST).is_file()
        forged.data["ensemble"] = theorem_folder.about_ensemble(forged.certificate, folder)
    return forged


def mutate(case: Case, seed: int, index: int) -> tuple[str, str, Forgery]:
    """The mutant of a number: what was changed, how it was sealed, and what came out."""
    rng = np.random.default_rng([seed, index])
    names = list(MUTATORS)
    name, level = names[index % len(names)], LEVELS[index // len(names) % len(LEVELS)]
    forged = copy.deepcopy(case.forgery)
    MUTATORS[name](rng, forged)
    if level != "raw":
        # What is too damaged to be sealed stays as it is.
        with contextlib.suppress(Exception):
            sealed = copy.deepcopy(forged)
            seal(sealed, prove=level == "proven")
            forged = sealed
    return name, level, forged


def verified(
    forged: Forgery, folder: pathlib.Path, ensemble: pathlib.Path | None = None
) -> bool | None:
    """Whether it is verified; None for an error that the checker does not foresee."""
    forged.write(folder)
    arguments = [str(folder), *([] if ensemble is None else [str(ensemble)])]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return recheck(arguments) == 0
    except Exception:
        return None


def judge(case: Case, forged: Forgery, folder: pathlib.Path) -> str:
    """What becomes of a mutant about the program, one of `OUTCOMES`."""
    if (forged.data, forged.proofs) == (case.forgery.data, case.forgery.proofs):
        return "unchanged"
    found = verified(forged, folder)
    if found is None:
        return "traceback"
    if not found:
        return "refused"
    program = parse_program(json.loads((folder / "theorem.json").read_bytes())["program"])
    return "right" if runs_right(program, case.instances) else "wrong"


def judge_ensemble(
    case: Case, trained: forgeries.Case, bundle: Bundle, folder: pathlib.Path
) -> str:
    """Likewise of a mutant of the ensemble that the theorem is about."""
    forged = about(case, bundle, folder / "ensemble")
    found = verified(forged, folder / "theorem", folder / "ensemble")
    if found is None:
        return "traceback"
    if not found:
        return "refused"
    # The ensemble's own checker verifies it, too, since the theorem's has.
    outcome = forgeries.judge(trained, bundle, folder / "ensemble")
    return outcome if outcome in ("right", "run refused") else "wrong"


def runs_right(program: Program, given: Sequence[Instance]) -> bool:
    """Whether a program's own steps end in the right answer everywhere."""
    for instance in given:
        if program.num_bits != instance.initial.shape[1]:
            return False
        expected, answer = instance.reference(), instance.decode(final_states(program, instance))
        if any((answer[name] != expected[name]).any() for name in expected):
            return False
    return True


def final_states(program: Program, instance: Instance) -> np.ndarray:
    """The states after the last step, by nothing but the templates."""
    states = [sum(1 << int(bit) for bit in np.flatnonzero(row)) for row in instance.initial]
    graph = instance.graph.tuple
    edges = list(zip(graph.senders.tolist(), graph.receivers.tolist(), strict=True))
    for _ in range(instance.num_steps):
        after = [0] * len(states)
        for node, state in enumerate(states):
            for condition, written in program.templates:
                if all(bool(state >> bit & 1) == value for bit, value in condition.items()):
                    after[node] |= written
        states = list(after)
        for sender, receiver in edges:
            states[receiver] |= after[sender] >> program.split << program.split
    return np.array(
        [[state >> bit & 1 for bit in range(program.num_bits)] for state in states], bool
    )


def campaign(
    case: Case, seed: int, numbers: Sequence[int], folder: pathlib.Path
) -> Counter[tuple[str, str, str]]:
    """How many mutants of the theorem came to what, by what was changed and how it was sealed."""
    found: Counter[tuple[str, str, str]] = Counter()
    for number in numbers:
        name, level, forged = mutate(case, seed, number)
        found[name, level, judge(case, forged, folder)] += 1
    return found


def campaign_on_ensembles(
    case: Case, trained: forgeries.Case, seed: int, numbers: Sequence[int], folder: pathlib.Path
) -> Counter[tuple[str, str, str]]:
    """Likewise of the ensemble that a theorem is about, and of its certificate."""
    found: Counter[tuple[str, str, str]] = Counter()
    kinds = list(OF_ENSEMBLES)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for number in numbers:
            if kinds[number % len(kinds)] in WEIGHTS:
                name, level, bundle = forgeries.mutate(trained, seed, number, folder / "ensemble")
                outcome = judge_ensemble(case, trained, bundle, folder)
                found[f"ensemble: {name}", level, outcome] += 1
    return found


def table(found: Counter[tuple[str, str, str]]) -> str:
    """The outcomes by what was changed, in Markdown."""
    lines = [
        "| what was changed | mutants | undone by sealing | refused | verified, run refused | verified, "
        "and so | verified, and not so | tracebacks |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in (*dict.fromkeys(name for name, _, _ in found), "all"):
        row = [
            sum(n for (m, _, o), n in found.items() if name in (m, "all") and outcome in (o, "all"))
            for outcome in ("all", *OUTCOMES)
        ]
        lines.append(f"| {name} | {' | '.join(f'{number:,}' for number in row)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs the campaign, prints its table and writes it to the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--mutants", type=int, default=1350, help="of the theorem")
    parser.add_argument(
        "--ensembles", type=int, default=330, help="of the ensemble, to choose from"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as there:
        folder = pathlib.Path(there)
        case = make_case(folder / "honest")
        total = campaign(case, options.seed, range(options.mutants), folder / "work")
        trained = forgeries.make_case(forgeries.KINDS["factored"], folder / "networks")
        total += campaign_on_ensembles(
            case, trained, options.seed, range(options.ensembles), folder / "both"
        )
    measured = table(total)
    print(measured)
    text = forgeries.page(PAGE.read_text(encoding="utf-8"), measured, MARKS)
    files.write(PAGE, text.encode())


if __name__ == "__main__":
    main()
