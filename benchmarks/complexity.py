"""How the number of networks grows: with the word, the degree, n0, the width; joint and factored.

`python -m benchmarks.complexity` measures the panels that docs/complexity.json lacks and writes the
page and the picture from all of them, so that it goes on where it was stopped.
"""

import argparse
import dataclasses
import json
import math
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ntkexec import ensemble, pipeline
from ntkexec.complexity import collect, random_executions, random_instances, sweep, variants
from ntkexec.complexity.bounds import bounds_of
from ntkexec.complexity.cases import Cases
from ntkexec.complexity.margins import margins_of
from ntkexec.complexity.sampling import exact_prefixes
from ntkexec.complexity.studies import members_needed, smallest_numbers
from ntkexec.ensemble import EnsembleConfig, evaluation
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime import files
from ntkexec.vocabulary import CONVENTIONS

DOCS = pathlib.Path(__file__).parents[1] / "docs"
DATA, PAGE, PICTURE = (
    DOCS / "complexity.json",
    DOCS / "complexity.md",
    DOCS / "images" / "complexity-panels.png",
)

REPEAT = 30
# Largest N of trained networks: narrow ones need more than the bounds of infinite width say.
MEMBERS = 32
# Certificates of the trained ensembles: an error in so many decisions.
DELTA, DECISIONS = 1e-3, 10**6


@dataclasses.dataclass(frozen=True)
class Setting:
    """A program and the random graphs that it runs on.

    Args:
        graphs, nodes: how many, and their sizes; fewer where a program visits many states.
        words: bits of a word, the first everywhere but in the panel of words.
        weights: of edges.
    """

    graphs: int
    nodes: tuple[int, int]
    words: tuple[int, ...]
    weights: tuple[int, int] = (0, 3)


SETTINGS = {
    "flooding": Setting(100, (5, 12), (1, 2, 3, 4)),
    "bfs": Setting(50, (5, 8), (4, 5, 6, 7)),
    "dfs": Setting(20, (4, 6), (4, 5, 6, 7)),
    "bellman-ford": Setting(10, (4, 5), (4, 5, 6, 7), weights=(0, 1)),
}


def studies(algorithm: str, *, repeat: int = REPEAT, **options: Any) -> dict[str, Any]:
    """Studies of one program, and how the number of networks grows in them."""
    setting = SETTINGS[algorithm]
    defaults: dict[str, Any] = {
        "degrees": [2],
        "words": [setting.words[0]],
        "widths": [1],
        "paddings": [0],
        "kinds": ["joint"],
        "thresholds": ["shared"],
        "weight_stds": [1.0],
        "draws": ["gaussian"],
    }
    given = defaults | options
    executions = random_executions(
        algorithm,
        given.pop("degrees"),
        given.pop("words"),
        num_graphs=setting.graphs,
        nodes=setting.nodes,
        weights=setting.weights,
        seed=0,
    )
    networks = {
        name: given.pop(name) for name in ("kinds", "paddings", "draws", "weight_stds", "widths")
    }
    found = sweep(executions, of=variants(**networks), **given, seed=0, repeat=repeat)
    left_out = ("certainty", "first", "stable")
    records = [
        {k: v for k, v in one.to_data().items() if k not in left_out}
        | {"without": sum(n is None for n in one.stable)}
        for one in found.studies
    ]
    return {"studies": records, "trends": [one.to_data() for one in found.trends]}


def trained(algorithm: str) -> dict[str, Any]:
    """Certified ensembles of both kinds, for all states at D = 3, l = 5, trained."""
    rows = []
    found = pipeline.find_algorithm(algorithm)
    program = found.program(**found.sizes(degree=3, word=5))
    for kind in ("joint", "factored"):
        start, used = time.perf_counter(), time.process_time()
        certificate = pipeline.certify(
            program, kind=kind, delta=DELTA, num_decisions=DECISIONS, threshold="shared"
        )
        config = pipeline.ensemble_config(
            pipeline.at_width(certificate),
            members=None,
            seed=0,
            delta=DELTA,
            num_decisions=DECISIONS,
        )
        certified = time.perf_counter() - start
        networks = ensemble.train(certificate.problem, config)
        rows.append(
            {
                "kind": kind,
                "problems": len(certificate.problem.components),
                "inputs": int(certificate.problem.num_inputs.max()),
                "matches": certificate.max_matches,
                "margin": float(certificate.smallest_margin),
                "members": config.members,
                "width": config.width,
                "steps": networks.max_steps,
                "residual": networks.residual,
                "seconds_to_certify": certified,
                "seconds": time.perf_counter() - start,
                "cpu_seconds": time.process_time() - used,
            }
        )
    return {"rows": rows}


# By program, the degrees at which the conventions of thresholds are compared, and other words.
CONVENTION_WORDS = {"bfs": 5}
DEGREES = {"flooding": (2,), "bfs": (3, 4), "dfs": (3,), "bellman-ford": (3,)}
# Trained joint networks there: width, and repetitions of up to so many members.
WIDTH, TRIALS, TRAINED_MEMBERS = 3072, 3, 12


def linear(cases: Cases) -> int:
    """Wrong decisions of a linear read-out of the encoding, fitted to the same training pairs."""
    wrong = 0
    for part in cases.components:
        weights = np.linalg.lstsq(np.eye(len(part.writes)), part.writes.astype(float))[0]
        half = 0.5 / np.sqrt(np.maximum(part.count, 1))
        wrong += int(
            (
                (evaluation.encoded(part.matched) @ weights > half[:, None])
                != (part.matched_writers > 0)
            ).sum()
        )
    return wrong


def joint_cases(algorithm: str, degree: int) -> Cases:
    """The states that a joint program visits on the graphs of its setting."""
    setting = SETTINGS[algorithm]
    instances = random_instances(
        algorithm,
        degree=degree,
        word=CONVENTION_WORDS.get(algorithm, setting.words[0]),
        num_graphs=setting.graphs,
        nodes=setting.nodes,
        weights=setting.weights,
        seed=0,
    )
    return collect(LearningProblem(instances[0].program, "joint"), instances)


def conventions(algorithm: str) -> dict[str, Any]:
    """The conventions of thresholds side by side: bounds, and N measured at infinite width and of
    trained networks; joint, without padding."""
    rows = []
    for degree in DEGREES[algorithm]:
        cases = joint_cases(algorithm, degree)
        problem = cases.problem
        for convention in reversed(CONVENTIONS):
            found = margins_of(cases, convention)
            row: dict[str, Any] = {
                "degree": degree,
                "n0": int(problem.num_inputs.max()),
                "m": max(int(c.count.max()) for c in cases.components),
                "convention": convention,
                "certified": found.right_in_the_mean,
            }
            if found.right_in_the_mean:
                row |= bounds_of(found, delta=DELTA).to_data()
            if found.right_in_the_mean and convention != "zero":
                for draw, repeat in (("gaussian", 200), ("trained", TRIALS)):
                    members = (
                        members_needed(found, DELTA) if draw == "gaussian" else TRAINED_MEMBERS
                    )
                    config = EnsembleConfig(members=members, width=WIDTH, draw=draw)  # type: ignore[arg-type]
                    _, stable = smallest_numbers(exact_prefixes(found, config, repeat))
                    row[draw] = sorted(math.inf if n is None else n for n in stable)
                row["gaussian"] = [
                    float(np.quantile(row["gaussian"], q, method="inverted_cdf"))
                    for q in (0.5, 0.99)
                ]
                row["trained"] = [n if math.isfinite(n) else None for n in row["trained"]]
            rows.append(row)
        shape = {key: rows[-1][key] for key in ("degree", "n0", "m")}
        rows.append(shape | {"convention": "linear read-out", "wrong": linear(cases)})
    return {"rows": rows}


PANELS: dict[str, Callable[[str], dict[str, Any]]] = {
    "word": lambda name: studies(name, words=list(SETTINGS[name].words)),
    "degree": lambda name: studies(name, degrees=[2, 3, 4], paddings=[64]),
    "n0": lambda name: studies(name, paddings=[0, 32, 64, 128, 256]),
    "width": lambda name: studies(
        name,
        widths=[512, 1024, 2048, 4096],
        paddings=[128],
        draws=["trained"],
        repeat=20,
        members=MEMBERS,
    ),
    "kind": lambda name: studies(name, degrees=[3], kinds=["joint", "factored"]),
    "trained": trained,
    "conventions": conventions,
}


def run() -> dict[str, Any]:
    """All panels of all programs."""
    return {f"{name} {panel}": PANELS[panel](name) for name in SETTINGS for panel in PANELS}


def main() -> None:
    """Measures what is missing and writes the page."""
    from benchmarks import complexity_page

    parser = argparse.ArgumentParser(prog="python -m benchmarks.complexity", description=__doc__)
    parser.add_argument("--anew", action="store_true", help="measure all panels again")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    if DATA.exists() and not options.anew:
        found = json.loads(DATA.read_text(encoding="utf-8"))
    for panel, measure in PANELS.items():
        for name in SETTINGS:
            if (key := f"{name} {panel}") not in found:
                print(f"measuring {key} ...", file=sys.stderr, flush=True)
                found[key] = measure(name)
                lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items()]
                files.write(DATA, ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8"))
    complexity_page.write(found, PAGE, PICTURE)


if __name__ == "__main__":
    main()
