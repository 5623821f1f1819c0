"""Where exactness ends: the first wrong bit, against where the theory puts it."""

import functools
import math
from typing import Any

import numpy as np

from ntkexec import pipeline
from ntkexec.check import Check, Measurement, Scale
from ntkexec.ensemble import evaluation
from ntkexec.errors import NtkexecError
from ntkexec.theory import kernel, predictor
from proofs_check.fixtures import plots, statistics, threshold_tables, trained_networks
from proofs_check.statements import concentration
from proofs_check.statements.complete_certificates import ensemble_for

# Collisions.

# At few matches C grows with n0 faster than w does, and no number of writers is too large.
MAX_WRITERS = 200


def first_wrong(others: int) -> int:
    """The least number of writers of a bit that goes wrong, by solving with the Gram matrix."""
    for writers in range(1, MAX_WRITERS):
        n0 = writers + others
        x = np.zeros((1, n0))
        x[0, [0, *range(writers, n0)]] = (others + 1) ** -0.5
        target = np.zeros(n0)
        target[:writers] = 1
        if kernel.ntk(x) @ np.linalg.solve(kernel.ntk(np.eye(n0)), target) <= 1e-12:
            return writers
    return MAX_WRITERS


def predicted_wrong(others: int, shift: float = 0.0) -> int:
    """The least w with w - 1 >= C(m, w + others), m = others + 1."""
    for writers in range(1, MAX_WRITERS):
        if writers - 1 >= predictor.capacity(others + 1, writers + others) + shift:
            return writers
    return MAX_WRITERS


def measure_collisions(scale: Scale, shift: float = 0.0) -> Measurement:
    """Programs whose first wrong number of writers is not the one of the criterion."""
    others = list(range(2, {"quick": 10, "standard": 25, "full": 60}[scale]))
    found = [first_wrong(n) for n in others]
    claimed = [predicted_wrong(n, shift) for n in others]
    wrong = sum(a != b for a, b in zip(found, claimed, strict=True))
    return Measurement(
        wrong, details={"matches m": [n + 1 for n in others], "found": found, "claimed": claimed}
    )


def plot_collisions(found: Measurement) -> Any:
    """The border in matches and writers."""
    figure, axes = plots.axes("matches m, one of them a writer", "writers of the bit")
    m = found.details["matches m"]
    axes.step(m, found.details["claimed"], where="mid", label="w - 1 = C(m, n0)")
    axes.plot(m, found.details["found"], "o", label="first wrong bit")
    axes.legend()
    return figure


# Members.


def measure_members(scale: Scale, shift: float = 0.0) -> Measurement:
    """Largest difference between how often ensembles of trained networks fail and what the limit says.

    Args:
        scale: how many networks.
        shift: added to every threshold of the trained networks, for counter-cases.
    """
    _, _, bits, threshold, _ = concentration.decisions()
    trials = {"quick": 10_000, "standard": 40_000, "full": 100_000}[scale]
    sizes = (1, 2, 4, 6, 8, 12)
    trained, limit = [], []
    for size in sizes:
        failed = ((trained_networks.ensembles(scale, size) > threshold + shift) != bits).any(
            axis=(1, 2)
        )
        trained.append((int(failed.sum()), len(failed)))
        limit.append((concentration.failing(size, trials, seed=10), trials))
    found, interval, reach = statistics.largest_difference(trained, limit)
    return Measurement(
        found,
        interval,
        details={
            "networks": list(sizes),
            "trained": [failed / groups for failed, groups in trained],
            "limit": [failed / groups for failed, groups in limit],
            "half-width": reach,
        },
    )


def plot_members(found: Measurement) -> Any:
    """Share of ensembles with a wrong bit."""
    figure, axes = plots.axes("networks in an ensemble", "share with any wrong bit")
    axes.plot(found.details["networks"], found.details["trained"], "o", label="trained")
    axes.plot(found.details["networks"], found.details["limit"], "-", label="infinite width")
    axes.legend()
    return figure


# Precision.


# Of half the smallest mean of a 1.
TIGHT = 1.8


def measure_precision(scale: Scale, believe: bool = False) -> Measurement:
    """Decisions of BFS whose error exceeds their margin at precisions that the bound calls safe.

    Weights, hidden units and outputs are rounded to p bits; the exact evaluation of rounded numbers
    makes fewer errors than the arithmetic that the bound covers. An error as large as the margin
    makes a decision wrong if it has the wrong sign.

    Args:
        scale: size of the program.
        believe: take every precision for safe, for counter-cases.
    """
    networks, certificate = ensemble_for("bfs", 1, 2)
    # Half-way thresholds, or those at 0 that factored problems have, leave margins that no precision
    # uses up.
    thresholds = TIGHT * threshold_tables.table(threshold_tables.as_shared(certificate))
    problem = networks.problem
    bits_kept = (1, 2, 3, 4, 5, 6, 8, 11, 16, 24)
    wrong_at, safe_at, broken = [], [], 0
    for kept in bits_kept:
        wrong = unsafe = 0
        for index, component in enumerate(problem.components):
            count = len(component.templates)
            matched = (np.arange(1, 1 << count)[:, None] >> np.arange(count)) & 1 == 1
            members = evaluation.networks_of(networks, index)
            (bit,) = component.bits
            limit = thresholds[bit][matched.sum(axis=1)][:, None]
            exact = evaluation.evaluate(members, matched)
            try:
                unsafe += int((exact.mean - limit <= exact.error(2.0**-kept)).sum())
            except NtkexecError:
                unsafe += len(matched)
            off = np.abs(_rounded(members, matched, kept) - exact.mean)
            wrong += int((off >= np.abs(exact.mean - limit)).sum())
        wrong_at.append(wrong)
        safe_at.append(unsafe == 0 or believe)
        broken += wrong if safe_at[-1] else 0
    # Where no precision is safe nothing was tested.
    broken += not any(safe_at)
    return Measurement(
        broken, details={"bits": list(bits_kept), "wrong": wrong_at, "proven safe": safe_at}
    )


def _rounded(members: evaluation.Networks, matched: np.ndarray, kept: int) -> np.ndarray:
    """The mean with every intermediate number rounded to so many bits."""

    def coarse(values: np.ndarray) -> np.ndarray:
        mantissa, exponent = np.frexp(values)
        return np.ldexp(np.round(np.ldexp(mantissa, kept)), exponent - kept)

    count, num_inputs, width = members.hidden.shape
    x = coarse(matched / np.sqrt(matched.sum(axis=1, keepdims=True)))
    total = np.zeros((len(matched), members.output.shape[2]))
    for hidden, output in zip(members.hidden, members.output, strict=True):
        inner = coarse(coarse(hidden[: matched.shape[1]] / math.sqrt(num_inputs)).astype(float))
        active = coarse(np.maximum(x @ inner, 0))
        total = coarse(total + coarse(active @ coarse(output / math.sqrt(width) / count)))
    return total


def plot_precision(found: Measurement) -> Any:
    """Wrong decisions over precision, and where the bound begins to exclude them."""
    figure, axes = plots.axes("bits of precision", "decisions of BFS, error above margin")
    bits, safe = found.details["bits"], found.details["proven safe"]
    axes.plot(bits, found.details["wrong"], "o-", label="rounded evaluation")
    first = next((b for b, is_safe in zip(bits, safe, strict=True) if is_safe), None)
    if first is not None:
        axes.axvline(first, linestyle="--", color="grey", label=f"proven exact from {first} bits")
    axes.legend()
    return figure


# Degree.


def measure_degree(scale: Scale, excess: int = 1) -> Measurement:
    """Graphs of degree D + 1 that a program for degree D accepts."""
    accepted = 0
    for name in ("flooding", "bfs", "dfs", "bellman-ford"):
        algorithm = pipeline.find_algorithm(name)
        for degree in {"quick": (2,)}.get(scale, (2, 3, 4)):
            sizes = algorithm.sizes(degree=degree, word=4, slots=degree + 2)
            try:
                pipeline.prepare(name, f"star:{degree + excess + 1}", sizes=sizes)
                accepted += 1
            except NtkexecError:
                pass
    return Measurement(accepted)


CHECKS = (
    Check(
        name="phase-collisions",
        claim="with more and more writers of a bit the first wrong one comes where w - 1 reaches C(m, n0)",
        formula=r"w^* = \min \{ w : w - 1 \ge C(m, w + m - 1) \}",
        source="interference criterion",
        how="numbers of matches at which the found and the claimed border differ",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_collisions,
        broken=functools.partial(measure_collisions, shift=1.0),
        plot=plot_collisions,
    ),
    Check(
        name="phase-members",
        claim="ensembles of N trained networks make a mistake as often as the limit says, up to 0.15",
        source="Gaussian process of Lee et al., arXiv:1902.06720",
        how="largest difference of the shares of failing ensembles, N = 1 to 12, simultaneous upper limit",
        bound=0.15,
        bound_from="a tolerance; power: half-width 0.12 (0.08 at standard scale), so that a difference of "
        "0.27 is refuted; exact intervals, 1e-6 in all",
        measure=measure_members,
        broken=functools.partial(measure_members, shift=0.25),
        plot=plot_members,
    ),
    Check(
        name="phase-precision",
        claim="from the precision on that the rounding bound gives no error exceeds a margin",
        source="Higham, Accuracy and Stability of Numerical Algorithms, section 3.1",
        how="decisions of BFS whose error exceeds their margin, thresholds at 0.9 of the smallest mean of "
        "a 1, at precisions of 1 to 24 bits that the bound calls safe",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_precision,
        broken=functools.partial(measure_precision, believe=True),
        plot=plot_precision,
    ),
    Check(
        name="phase-degree",
        claim="a program for degree D refuses graphs of degree D + 1 instead of erring on them",
        source="sizes of a program are checked before it runs",
        how="graphs of degree D + 1 that are accepted, all four programs",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_degree,
        broken=functools.partial(measure_degree, excess=0),
    ),
)
