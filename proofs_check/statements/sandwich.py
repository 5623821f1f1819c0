"""The least number of networks between a lower bound and upper ones, at one failure probability.

Every number speaks of the same decisions (those of all states with two matches or more of six
templates, alone or beside padding) and of the same probability delta of any mistake. The published bound
is the exception: it counts all 2^n0 encoded inputs and knows no delta.
"""

import functools
import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from ntkexec.check import Check, Measurement, Scale
from ntkexec.theory import predictor
from proofs_check.fixtures import plots, trained_networks
from proofs_check.statements import bit_thresholds

DELTA = 0.1
PADDING = (0, 2, 6, 14, 30, 58)
CONVENTIONS = ("shared", "bit")
ORDER = ("lower", "least", "union", "exponential")


class Decisions(NamedTuple):
    """All decisions of the six templates beside padding.

    margin: signed, positive on the right side; (sets, bits).
    covariance: of one network's outputs, between sets.
    num_templates: n0.
    """

    margin: np.ndarray
    covariance: np.ndarray
    num_templates: int

    @property
    def z(self) -> np.ndarray:
        """Margins in standard deviations of one network."""
        return self.margin / np.sqrt(np.diag(self.covariance))[:, None]


def decisions(padding: int, convention: str) -> Decisions:
    """The decisions under a convention for thresholds: `shared`, or one for each `bit`."""
    matched = trained_networks.match_sets()
    _, targets = trained_networks.problem().program.training_set()
    m, n0 = matched.sum(axis=1), trained_networks.NUM_TEMPLATES + padding
    writers, active = targets.sum(axis=0)[None], matched @ targets
    mean = predictor.mean(m[:, None], n0, writers, active)
    if convention == "bit":
        threshold = bit_thresholds.thresholds(m, n0, writers[0])
    else:
        ones = np.where(active > 0, mean, np.inf).min(axis=1)
        threshold = np.array([ones[m == own].min() / 2 for own in m])[:, None]
    return Decisions(
        np.where(active > 0, 1, -1) * (mean - threshold),
        predictor.covariance(m[:, None], m[None], matched @ matched.T, n0),
        n0,
    )


def lower(of: Decisions) -> int:
    """(sigma z_delta / g)^2 of the worst decision: with fewer it alone fails more often than delta."""
    return max(1, math.ceil((stats.norm.isf(DELTA) / of.z.min()) ** 2))


def union(of: Decisions) -> int:
    """The least N at which the Gaussian tails of all decisions sum to delta."""
    size = 1
    while stats.norm.sf(of.z * math.sqrt(size)).sum() > DELTA:
        size += 1
    return size


def exponential(of: Decisions) -> int:
    """The certificate's: 2 sigma^2/g^2 log(#decisions/delta)."""
    return max(1, math.ceil(2 / of.z.min() ** 2 * math.log(of.z.size / DELTA)))


def published(num_templates: int) -> int:
    """8 n0 log(2 n0) + 8 n0^2 log 2: one step, all 2^n0 encoded inputs, without delta."""
    n0 = num_templates
    return math.ceil(8 * n0 * math.log(2 * n0) + 8 * n0**2 * math.log(2))


def least(of: Decisions, trials: int, *, most: int) -> int:
    """The least N at which simulated ensembles of infinite width fail with a share of delta or less."""
    values, vectors = np.linalg.eigh(of.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))

    def enough(size: int) -> bool:
        rng, failed = np.random.default_rng(17), 0
        for start in range(0, trials, 250):
            shape = (min(250, trials - start), *of.margin.shape)
            noise = root @ rng.normal(size=shape) / math.sqrt(size)
            failed += int((of.margin + noise <= 0).any(axis=(1, 2)).sum())
        return failed <= DELTA * trials

    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def measure(scale: Scale, factor: float = 1.0) -> Measurement:
    """By how much the numbers of networks are out of their order, as a ratio: 1 if nowhere.

    Args:
        scale: how many ensembles are simulated.
        factor: of the lower bound, for counter-cases.
    """
    trials = {"quick": 1000, "standard": 8000, "full": 40_000}[scale]
    worst = 0.0
    found: dict[str, dict[str, list[int]]] = {}
    for convention in CONVENTIONS:
        found[convention] = {name: [] for name in ORDER}
        for padding in PADDING:
            of = decisions(padding, convention)
            most = union(of)
            # Beyond the union bound by far: or the search could not find it too small.
            row = (lower(of), least(of, trials, most=2 * most), most, exponential(of))
            for name, number in zip(ORDER, row, strict=True):
                found[convention][name].append(number)
            scaled = (factor * row[0], *row[1:], published(of.num_templates))
            worst = max(worst, *(a / b for a, b in itertools.pairwise(scaled)))
    sizes = [trained_networks.NUM_TEMPLATES + padding for padding in PADDING]
    return Measurement(
        worst,
        details={"n0": sizes, "published": [published(n0) for n0 in sizes]} | found,
    )


def plot(found: Measurement) -> Any:
    """The sandwich over n0, for both conventions."""
    figure, axes = plots.axes("templates n0, by padding", "networks N, error 0.1")
    styles = {"lower": ":", "least": "o-", "union": "--", "exponential": "-."}
    for colour, convention in zip(("C0", "C1"), CONVENTIONS, strict=True):
        for name, style in styles.items():
            axes.loglog(
                found.details["n0"],
                found.details[convention][name],
                style,
                color=colour,
                label=f"{name}, threshold {'by bit' if convention == 'bit' else convention}",
            )
    axes.loglog(found.details["n0"], found.details["published"], color="grey", label="published")
    axes.legend(fontsize=6)
    return figure


CHECK = Check(
    name="ensemble-bounds",
    claim="(sigma z/g)^2 <= the least N that does <= union bound <= certificate's N <= published bound",
    formula=r"\left( \frac{\sigma z_\delta}{g} \right)^2 \le N \le N_{\text{union}} \le "
    r"\frac{2 \sigma^2}{g^2} \log \frac{D}{\delta} \le 8 n_0 \log(2 n_0) + 8 n_0^2 \log 2",
    source="one decision must be right with probability 1 - delta; Gaussian tails; 8 n0 log(2 n0 T I) "
    "with I = 2^n0 inputs",
    how="largest ratio of a number to the next, six templates and up to 58 padding ones, thresholds "
    "shared and by bit, delta = 0.1; the least N by simulation",
    bound=1,
    bound_from="the claim",
    measure=measure,
    broken=functools.partial(measure, factor=20.0),
    plot=plot,
)
