"""With a threshold for each bit and number of matches every conflict-free program is exact.

theta(bit, m) = w beta + Delta_m/(2 lambda): any number of writers, any number of matches, no padding,
and N = 8 (m/n0) log(#decisions/delta) networks are enough. Interference belongs to thresholds that
several bits share.
"""

import functools
import math
from typing import Any

import numpy as np
from jaxtyping import Float64

from ntkexec.check import Check, Measurement, Scale
from ntkexec.theory import kernel, predictor
from proofs_check.fixtures import plots, statistics, variance_proof
from proofs_check.fixtures.programs import all_matches, random_program, solved_means
from proofs_check.statements.symbolic import closed_forms, sympy

LAMBDA, C = kernel.NTK_GAP, kernel.NTK_ORTHOGONAL
SHARP = 4 * (0.5 - C) * LAMBDA**2
DELTA = 0.1


def excess(num_matches: np.ndarray) -> Float64[np.ndarray, "..."]:
    """Delta_m = Theta(1/sqrt m) - c."""
    return kernel.ntk(np.asarray(num_matches, float) ** -0.5) - C


def thresholds(
    num_matches: np.ndarray, num_templates: int, num_writers: np.ndarray
) -> Float64[np.ndarray, "s k"]:
    """theta(bit, m) by state and bit; without a match, where outputs are exactly 0, 1/2.

    Args:
        num_matches: m, by state.
        num_templates: n0.
        num_writers: w, by bit.
    """
    some = np.maximum(num_matches, 1)[:, None]
    _, beta = predictor.coefficients(some, num_templates)
    found = num_writers[None] * beta + excess(some) / (2 * LAMBDA)
    return np.where(num_matches[:, None] > 0, found, 0.5)


# The identity, by computer algebra.


def measure_identity(_: Scale, slip: int = 0) -> Measurement:
    """Identities with symbolic n0, m, w, a that do not reduce to 0.

    Args:
        slip: added to the writers in the threshold, for counter-cases.
    """
    sp = sympy()
    c, f, m, n0, w, a = sp.symbols("c f m n0 w a", positive=True)
    lam, gap = 1 - c, f - c
    alpha, beta = closed_forms(m, n0, c, f)
    theta = (w + slip) * beta + gap / (2 * lam)
    mean = a * alpha + (w - a) * beta
    identities = [
        alpha - beta - gap / lam,
        mean - (w * beta + a * gap / lam),
        # A bit that is 1 (a >= 1) is above by at least half a step, one that is 0 is below by it.
        mean - theta - (a - sp.Rational(1, 2)) * gap / lam,
        mean.subs(a, 0) - theta + gap / (2 * lam),
    ]
    return Measurement(
        sum(sp.simplify(sp.together(one)) != 0 for one in identities),
        details={"identities": len(identities)},
    )


# The variance inequality; its proof stands in `_variance_proof`.


def quotients(matches: np.ndarray, templates: np.ndarray) -> Float64[np.ndarray, "..."]:
    """n0 sigma^2 over m (alpha - beta)^2, by the library's closed forms."""
    spread = templates * predictor.variance(matches, templates)
    return spread / (matches * (excess(matches) / LAMBDA) ** 2)


def measure_variance(scale: Scale, factor: float = 1.0) -> Measurement:
    """The largest quotient over a grid of m up to 10^6 and n0 from m to 10^7.

    Args:
        scale: how fine.
        factor: of the quotient, for counter-cases.
    """
    points = {"quick": 60, "standard": 400, "full": 1500}[scale]
    m = np.unique(np.round(np.logspace(math.log10(2), 6, points)))[:, None]
    n0 = np.concatenate([m, np.round(m * np.logspace(0, 7, points)[None])], axis=1)
    n0 = np.where(n0 <= 1e7, n0, m)
    found = factor * quotients(m, n0)
    some = (2.0, 4.0, 12.0, 100.0, 1000.0)
    sizes = [np.logspace(math.log10(one), 4, 40) for one in some]
    return Measurement(
        float(found.max()),
        details={
            "m": some,
            "n0": [x.tolist() for x in sizes],
            "quotient": [
                quotients(np.array(one), x).tolist() for one, x in zip(some, sizes, strict=True)
            ],
        },
    )


def plot_variance(found: Measurement) -> Any:
    """The quotient over n0, and its sharp bound."""
    figure, axes = plots.axes("templates n0", "n0 sigma^2 / (m (alpha - beta)^2)")
    rows = zip(found.details["m"], found.details["n0"], found.details["quotient"], strict=True)
    for m, n0, quotient in rows:
        axes.semilogx(n0, quotient, label=f"m = {m:g}")
    axes.axhline(SHARP, linestyle="--", color="grey", label=f"{SHARP:.4f}")
    axes.legend()
    return figure


# The mean: every program.


def measure_mean(scale: Scale, convention: str = "bit") -> Measurement:
    """Smallest distance of a mean to its threshold, on the right side, over Delta_m/(2 lambda).

    Over all 256 states of random programs, most of them outside the interference criterion; means by
    solving with the Gram matrix.

    Args:
        scale: how many programs.
        convention: `zero` and `shared` (half the smallest mean that a 1 has at this m, in these very
            states) are counter-cases.
    """
    rng = np.random.default_rng(3)
    smallest, wrong, decisions = math.inf, {"zero": 0, "shared": 0, "bit": 0}, 0
    for _ in range({"quick": 60, "standard": 400, "full": 4000}[scale]):
        program = random_program(rng, crowded=True)
        matched = all_matches(program)
        matched = matched[matched.any(axis=1)]
        _, targets = program.training_set()
        m, bits = matched.sum(axis=1), matched @ targets > 0
        means = solved_means(program, matched)
        ones = np.where(bits, means, np.inf).min(axis=1)
        lowest = np.array([ones[m == one].min() for one in range(m.max() + 1) if one in m])
        shared = np.maximum(lowest[np.searchsorted(np.unique(m), m)], 0) / 2
        tables = {
            "zero": np.zeros_like(means),
            "shared": np.where(np.isinf(shared), 0.5, shared)[:, None],
            "bit": thresholds(m, program.num_templates, targets.sum(axis=0)),
        }
        decisions += bits.size
        for name, table in tables.items():
            # A mean on the threshold, up to rounding, is no decision.
            wrong[name] += int(((means > table + 1e-12) != bits).sum())
        margin = np.where(bits, 1, -1) * (means - tables[convention])
        smallest = min(smallest, float((margin / (excess(m) / (2 * LAMBDA))[:, None]).min()))
    return Measurement(smallest, details={"decisions": decisions, "wrong": wrong})


# The number of networks.


def ensemble_size(num_matches: int, num_templates: int, num_decisions: int, delta: float) -> int:
    """N = 8 (m/n0) log(D/delta), at least 1: enough for all of D decisions with up to m matches."""
    return max(1, math.ceil(8 * num_matches / num_templates * math.log(num_decisions / delta)))


def measure_size(scale: Scale, divide: int = 1) -> Measurement:
    """Share of simulated ensembles of that size with a wrong bit in any state of random programs.

    Args:
        scale: how many.
        divide: how much smaller the ensembles are, for counter-cases.
    """
    programs, trials = {"quick": (4, 250), "standard": (20, 1000), "full": (100, 2000)}[scale]
    rng = np.random.default_rng(4)
    failed, sizes = 0, []
    for _ in range(programs):
        program = random_program(rng, crowded=True)
        matched = np.unique(all_matches(program), axis=0).astype(int)
        m, n0 = matched.sum(axis=1), program.num_templates
        matched, m = matched[m > 1], m[m > 1]
        _, targets = program.training_set()
        bits = matched @ targets > 0
        writers = targets.sum(axis=0)
        margin = predictor.mean(m[:, None], n0, writers[None], matched @ targets)
        margin = margin - thresholds(m, n0, writers)
        size = max(1, ensemble_size(int(m.max()), n0, bits.size, DELTA) // divide)
        values, vectors = np.linalg.eigh(
            predictor.covariance(m[:, None], m[None], matched @ matched.T, n0)
        )
        root = vectors * np.sqrt(np.maximum(values, 0) / size)
        for start in range(0, trials, 50):
            shape = (min(50, trials - start), *margin.shape)
            wrong = (margin + root @ rng.normal(size=shape) > 0) != bits
            failed += int(wrong.any(axis=(1, 2)).sum())
        sizes.append(size)
    total = programs * trials
    return Measurement(
        failed / total, statistics.proportion(failed, total), details={"networks": sizes}
    )


CHECKS = (
    Check(
        name="bit-identity",
        claim="alpha - beta = Delta/lambda, so theta(bit, m) has every mean Delta/(2 lambda) away or more",
        formula=r"\mu - \theta = (a - \tfrac12) \frac{\Delta_m}{\lambda}, \quad "
        r"\theta(\text{bit}, m) = w \beta + \frac{\Delta_m}{2 \lambda}",
        source="closed forms of alpha and beta",
        how="identities that do not simplify to 0, n0, m, w and a symbolic",
        bound=0,
        bound_from="an identity",
        measure=measure_identity,
        broken=functools.partial(measure_identity, slip=1),
    ),
    Check(
        name="bit-thresholds",
        claim="every conflict-free program is right in the mean, any number of writers and matches",
        formula=r"\min |\mu - \theta(\text{bit}, m)| = \frac{\Delta_m}{2 \lambda}",
        source="mean w beta + a Delta/lambda; one threshold for all bits does not do",
        how="smallest margin over Delta/(2 lambda), all states of random programs with many writers, "
        "means by a linear solve",
        bound=1 - 1e-9,
        bound_from="1, less float64 rounding of the solve",
        relation="at least",
        measure=measure_mean,
        broken=functools.partial(measure_mean, convention="shared"),
    ),
    Check(
        name="bit-variance-proof",
        claim="n0 sigma^2 <= m (alpha - beta)^2 for all 2 <= m <= n0: a proof, step by step",
        formula=r"n_0 \sigma^2 \le \tfrac12 - c < \frac{1}{4 \lambda^2} \le m (\alpha - \beta)^2",
        source="closed form of sigma^2; Taylor coefficients of the kernels are not negative",
        how="steps that fail: identities by computer algebra, inequalities by interval arithmetic",
        bound=0,
        bound_from="a proof has no open step",
        measure=variance_proof.measure,
        broken=functools.partial(variance_proof.measure, scale=0.9),
    ),
    Check(
        name="bit-variance",
        claim="n0 sigma^2 is at most 0.964 m (alpha - beta)^2, the limit at n0 = m to infinity",
        formula=r"\frac{n_0 \sigma^2}{m (\alpha - \beta)^2} \le 4 (\tfrac12 - c)(1 - c)^2",
        source="V over the least m (alpha - beta)^2, which is 1/(4 lambda^2)",
        how="largest quotient of the library's closed forms, m up to 10^6, n0 up to 10^7",
        bound=SHARP,
        bound_from="4 (1/2 - c)(1 - c)^2",
        measure=measure_variance,
        broken=functools.partial(measure_variance, factor=1.01),
        plot=plot_variance,
    ),
    Check(
        name="bit-size",
        claim="8 (m/n0) log(D/delta) networks decide D bits right with probability 1 - delta",
        formula=r"N = 8 \frac{m}{n_0} \log \frac{D}{\delta}",
        source="g = Delta/(2 lambda), n0 sigma^2 <= m (alpha - beta)^2, and a union bound",
        how="share of simulated ensembles with a wrong bit in any state, random programs, delta = 0.1",
        bound=DELTA,
        bound_from="delta; the interval misses with probability 1e-6",
        measure=measure_size,
        broken=functools.partial(measure_size, divide=16),
    ),
)
