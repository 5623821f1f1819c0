"""The probability that N networks execute a program exactly: predicted, bounded and measured."""

import dataclasses

import numpy as np
from jaxtyping import Float64

from ntkexec.check.intervals import clopper_pearson
from ntkexec.complexity.margins import Margins
from ntkexec.complexity.records import CertaintyRecord
from ntkexec.complexity.sampling import Prefixes, noise_root, standardised

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Certainty:
    """By number of networks, the probability that all decisions are right.

    Args:
        members: N.
        predicted: at infinite width, from simulated means of N networks.
        union: a lower bound at infinite width: one minus the sum of all tails.
        independent: what it would be if all decisions were independent.
        measured: share of the repetitions in which the first N members were exact.
        low, high: 95 % Clopper-Pearson interval of `measured`.
        simulations: on how many draws `predicted` rests.
        repeat: on how many repetitions `measured` rests.
    """

    members: tuple[int, ...]
    predicted: tuple[float, ...]
    union: tuple[float, ...]
    independent: tuple[float, ...]
    measured: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    simulations: int
    repeat: int

    def to_data(self) -> CertaintyRecord:
        """As plain data, for JSON."""
        return CertaintyRecord(
            members=list(self.members),
            predicted=list(self.predicted),
            union=list(self.union),
            independent=list(self.independent),
            measured=list(self.measured),
            low=list(self.low),
            high=list(self.high),
            simulations=self.simulations,
            repeat=self.repeat,
        )


def critical_members(margins: Margins, simulations: int, *, seed: int) -> Float64[np.ndarray, "s"]:
    """N* of simulated draws: N networks execute exactly with the probability that N* < N.

    The mean of N networks at infinite width has the noise of one divided by sqrt(N), so one draw of
    the noise of all decisions settles every N: decision d is right if N exceeds (noise_d / g_d)^2.

    Args:
        margins: of the decisions, all right in the mean.
        simulations: draws.
        seed: of the draws.
    """
    worst = np.zeros(simulations)
    for index, part in enumerate(margins.components):
        root = noise_root(part)
        rng = np.random.default_rng([seed, index])
        for z in standardised(part).T if root.shape[1] else ():
            noise = root @ rng.standard_normal((root.shape[1], simulations), np.float32)
            worst = np.maximum(worst, (-noise / z[:, None]).max(axis=0))
    return worst**2


def certainty(
    margins: Margins,
    prefixes: Prefixes,
    *,
    seed: int,
    simulations: int = 1000,
) -> Certainty:
    """The certainty of executions by ensembles of growing size.

    Args:
        margins: of the decisions.
        prefixes: whether the first N members were exact, by repetition and N.
        seed: of the simulation.
        simulations: draws of the simulation.
    """
    repeat, members = len(prefixes.exact), prefixes.numbers
    critical = critical_members(margins, simulations, seed=seed)
    successes = prefixes.exact.sum(axis=0)
    intervals = [clopper_pearson(int(s), repeat, confidence=CONFIDENCE) for s in successes]
    return Certainty(
        members=tuple(int(n) for n in members),
        predicted=tuple(float((critical < n).mean()) for n in members),
        union=tuple(1 - margins.union_bound(n) for n in members),
        independent=tuple(margins.independent(n) for n in members),
        measured=tuple(float(s / repeat) for s in successes),
        low=tuple(low for low, _ in intervals),
        high=tuple(high for _, high in intervals),
        simulations=simulations,
        repeat=repeat,
    )
