"""The bias of trained networks against width, problem and descent, over some thousand cells.

`python -m benchmarks.finite_width` measures the pieces that docs/finite_width.json lacks and writes
docs/finite_width.md from all of them, so that it goes on where it was stopped. The cells of seed 0 are
what the constants of `ntkexec.theory.bias_fit` are fitted to; those of seed 1, never looked at for that,
confirm them.
"""

import argparse
import json
import math
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np

from benchmarks import finite_width_page
from ntkexec import pipeline
from ntkexec.complexity import collect
from ntkexec.ensemble import Descent
from ntkexec.ensemble.schedule import schedule_for
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime import files
from ntkexec.theory import first_order
from ntkexec.vocabulary import DESCENTS
from proofs_check.fixtures.width_cells import TOLERANCE, measure, measure_program

DOCS = pathlib.Path(__file__).parents[1] / "docs"
DATA, PAGE = DOCS / "finite_width.json", DOCS / "finite_width.md"
SIZES = (2, 4, 8, 16, 32, 64, 128, 256)
# Sizes by descent, as far as they are quick to train.
REACH: dict[Descent, tuple[int, int]] = {
    "auto": (256, 8192),
    "whitened": (128, 4096),
    "plain": (128, 4096),
    "heavy-ball": (128, 4096),
}
FIT, FRESH = 0, 1


def writers(num_inputs: int) -> list[int]:
    """Few, a quarter, half, three quarters, seven eighths and all."""
    n0 = num_inputs
    return sorted({w for w in (1, n0 // 4, n0 // 2, 3 * n0 // 4, 7 * n0 // 8, n0) if w})


def pieces() -> Iterator[dict[str, Any]]:
    """What to measure, as arguments of `measure`."""
    for seed in (FIT, FRESH):
        for descent in DESCENTS:
            most, widest = REACH[descent]
            for n0 in (n for n in SIZES if n <= most):
                for width in (512, 1024, 2048, 4096, 8192):
                    if 4 * n0 <= width <= widest:
                        yield {
                            "descent": descent,
                            "seed": seed,
                            "num_inputs": n0,
                            "width": width,
                            "members": min(200, max(6, 2**21 // (n0 * width))),
                        }
    # Beside the plain draw: opposite halves, other weights, several outputs.
    for width in (512, 1024, 2048, 4096):
        for n0 in (16, 64):
            for descent in ("auto", "heavy-ball"):
                common = {"descent": descent, "seed": FIT, "num_inputs": n0, "width": width}
                yield common | {"members": 12, "antisymmetric": True}
                yield common | {"members": 12, "weight_std": 2.0}
                for outputs in (4, 16, 64):
                    if outputs <= n0:
                        yield common | {"members": 8, "outputs": outputs}


def key(piece: dict[str, Any]) -> str:
    """What a piece is called in the data."""
    return " ".join(f"{name}={value}" for name, value in piece.items())


def carry_out(piece: dict[str, Any]) -> dict[str, Any]:
    """The cells of one piece as rows: w, m, a, bias, its standard error, spread; and by w the mean
    number of steps, the mean peak and the largest residual, null where training diverged."""
    options = dict(piece)
    n0, width = options.pop("num_inputs"), options.pop("width")
    found: dict[str, Any] = {"cells": [], "runs": []}
    for w in writers(n0):
        cells = measure(n0, w, width, [m for m in SIZES if m <= n0], **options)
        for c in cells:
            numbers = (c.bias, c.error, c.spread)
            found["cells"].append([w, c.num_matches, c.num_active, *map(short, numbers)])
        run = cells[0].steps, cells[0].peak, cells[0].residual
        found["runs"].append([w, *map(short, run)])
    return found


PROGRAMS = ("flooding", "bfs", "dfs", "bellman-ford")


def carry_out_program(algorithm: str) -> dict[str, Any]:
    """Bias against margin of a joint program at its default width, at all states of one graph."""
    graph = nx.random_regular_graph(3, 12, seed=0)
    instance = pipeline.prepare(algorithm, graph)
    problem = LearningProblem(instance.program, "joint")
    cases = collect(problem, [instance])
    (part,) = cases.components
    sets = part.matched.astype(float)
    sets = sets[sets.sum(axis=1) > 1]
    (target,) = problem.targets(problem.stacks[0])
    width = pipeline.default_width(cases.certificate())
    found = measure_program(target, sets, width, members=16)
    num_inputs, num_outputs = target.shape
    plan = schedule_for(num_inputs, num_outputs, width, tolerance=TOLERANCE)
    predicted = first_order.predicted_bias(target, sets, width, plan, units=16_000)
    bias = predicted.bias[:, target.sum(axis=0) > 0]
    worst = np.unravel_index(np.argmax(found.share), found.share.shape)
    return {
        "n0": len(target),
        "outputs": int((target.sum(axis=0) > 0).sum()),
        "most writers": int(target.sum(axis=0).max()),
        "match sets": len(sets),
        "most matches": int(sets.sum(axis=1).max()),
        "width": width,
        "largest bias": short(np.abs(found.bias).max()),
        "error": short(found.error[worst]),
        "part of the margin": short(found.share[worst]),
        "root mean square": short(float(np.sqrt((found.share**2).mean()))),
        "predicted part": short((np.abs(bias) / found.margin[:, None]).max()),
        "movement": short(predicted.movement),
        "spread": short(found.spread),
        "wrong": found.wrong,
        "steps": short(found.steps),
        "peak": short(found.peak),
    }


def short(number: float) -> float | None:
    """Three digits; None for what is not a number."""
    return float(f"{number:.3g}") if math.isfinite(number) else None


def main() -> None:
    """Measures what is missing, for as many seconds as are given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after")
    parser.add_argument("--seed", type=int, help="only pieces of this seed")
    parser.add_argument("--descent", help="only pieces of this descent")
    options = parser.parse_args()
    data = json.loads(DATA.read_text()) if DATA.exists() else {}
    start = time.perf_counter()
    work = [(key(piece), piece, lambda piece=piece: carry_out(piece)) for piece in pieces()]
    work += [
        (
            f"program={name}",
            {"seed": FIT, "descent": "auto"},
            lambda name=name: carry_out_program(name),
        )
        for name in PROGRAMS
    ]
    for name, piece, measured in work:
        other = options.seed not in (None, piece["seed"])
        other |= options.descent not in (None, piece["descent"])
        if name in data or other or time.perf_counter() - start > options.seconds:
            continue
        data[name] = measured()
        lines = ",\n".join(
            f'"{name}": {json.dumps(found, separators=(",", ":"))}' for name, found in data.items()
        )
        files.write(DATA, f"{{\n{lines}\n}}\n".encode())
        print(f"{time.perf_counter() - start:6.1f} s  {name}", flush=True)
    files.write(PAGE, finite_width_page.page(data).encode())


if __name__ == "__main__":
    main()
