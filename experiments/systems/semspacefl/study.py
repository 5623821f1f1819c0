"""What is measured: exact studies, and codecs trained over a constellation, on tiles and on photographs."""

import functools
from typing import Any, TypedDict

import jax
import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.kits.convnets.pictures import shrunk
from experiments.kits.costs import num_bytes
from experiments.kits.federated.partitions import Partition, by_dirichlet
from experiments.kits.federated.rounds import stacked
from experiments.systems.semspacefl.codec import SemanticCodec, initial_codec
from experiments.systems.semspacefl.missions import Mission, Plan, planned
from experiments.systems.semspacefl.orbits import STANDING, Constellation
from experiments.systems.semspacefl.scenery import tiles_at
from experiments.systems.semspacefl.simulation import (
    Flight,
    centralised,
    flown,
    quality_by_snr,
    training_of,
)
from experiments.systems.semspacefl.study_config import QUICK, STANDARD, TINY, SemSpaceConfig
from experiments.systems.semspacefl.study_exact import averages, batteries, gaussian, mesh

SNRS = (0.0, 5.0, 10.0, 15.0, 20.0)
BEFORE = 900
"""Seconds before the mission in which each satellite took its pictures, where it was then."""
UNEVEN = 0.3
"""Concentration of the labels of the photographs that a satellite has."""
HIGH = 45.0
"""Elevation in degrees from which gateways serve satellites that stand still."""


class Quality(TypedDict):
    """PSNR in dB, a mean of pictures' decibels, at 10 dB of SNR, by scheme.

    Args:
        quality: at the end.
        along: the mean over all gateway rounds, which is higher for who learns faster.
        by_snr: at the end, of the paper's scheme, at 0, 5, 10, 15, 20 dB.
    """

    quality: dict[str, float]
    along: dict[str, float]
    by_snr: list[float]


class TilesResult(Quality):
    """And the books of the paper's scheme.

    Args:
        handed_over: the largest difference of parameters between the paper's scheme and the naive one,
            relative to the largest parameter.
        standing: the same in a constellation that stands still over its gateways.
        standing_served: satellites in a round there, on average; hand-overs in all.
        served: satellites in a round, on average, and those that could not afford it.
        gateways: of a satellite that is served, on average.
        handovers: in all.
        uploads: updates that were sent to gateways.
        bits: of these.
        joules: in all.
    """

    handed_over: float
    standing: float
    standing_served: list[float]
    served: list[float]
    gateways: float
    handovers: int
    uploads: int
    bits: int
    joules: float


class _Arena:
    """Everything that the arms of a comparison have in common."""

    def __init__(
        self, config: SemSpaceConfig, trial: Trial, pictures: np.ndarray, parts: Partition,
        tested: np.ndarray, plan: Plan,
    ) -> None:  # fmt: skip
        self.config, self.trial, self.tested, self.plan = config, trial, tested, plan
        self.codec = SemanticCodec(width=config.width)
        self.params = _first(config, trial.seed)
        self.clients = stacked(pictures, parts, most=config.pictures)
        together = (np.concatenate(parts),)
        self.together = stacked(pictures, together, most=config.pictures * config.satellites)
        self.training = training_of(self.codec, config.steps, config.batch, config.rate)

    def fly(self, scheme: str, plan: Plan | None = None) -> Flight:
        return flown(
            self.plan if plan is None else plan, scheme, self.training, self.codec, self.params,
            self.clients, self.tested, self.trial.key,
        )  # fmt: skip

    def centralised(self) -> Flight:
        config = self.config
        training = training_of(self.codec, config.steps, config.central_batch, config.rate)
        return centralised(
            config.rounds, training, self.codec, self.params, self.together, self.tested,
            self.trial.key,
        )  # fmt: skip

    def quality(self, flights: dict[str, Flight]) -> Quality:
        by_snr = quality_by_snr(
            self.codec, flights["mobility"].params, self.tested, self.trial.key, np.array(SNRS)
        )
        return {
            "quality": {name: float(one.quality[-1]) for name, one in flights.items()},
            "along": {name: float(one.quality.mean()) for name, one in flights.items()},
            "by_snr": [float(value) for value in by_snr],
        }


def _first(config: SemSpaceConfig, seed: int) -> Any:
    codec = SemanticCodec(width=config.width)
    return initial_codec(codec, config.size, np.random.default_rng([seed, 5]))


@functools.lru_cache(maxsize=1)
def _orbits(config: SemSpaceConfig, seed: int) -> tuple[Constellation, Plan, float]:
    """The constellation of a seed, its plan, and where it is noon."""
    generator = np.random.default_rng([seed, 7])
    turned = (float(generator.uniform(0, 360)), float(generator.uniform(0, 360)))
    planes = max(1, config.satellites // 4)
    constellation = Constellation(config.satellites, planes, turned=turned)
    mission = Mission(rounds=config.rounds)
    noon = float(generator.uniform(0, 360))
    size = num_bytes(_first(config, seed))
    return (
        constellation,
        planned(constellation.tracks(mission.seconds), mission, size, noon=noon),
        noon,
    )


def tiles(config: SemSpaceConfig, trial: Trial) -> TilesResult:
    """Schemes on pictures of the ground below each satellite's way in the quarter of an hour before."""
    generator = trial.generator
    constellation, plan, noon = _orbits(config, trial.seed)
    latitude, longitude = constellation.tracks(np.arange(-BEFORE, 0, 10.0)).ground
    number = config.satellites
    counts = generator.integers(config.pictures // 2, config.pictures + 1, number)
    # As many to test with for each picture to train on: a satellite counts as much as its pictures.
    owners = np.repeat(np.arange(number), counts)
    asked = generator.choice(owners, config.tested * number)
    both = np.concatenate([owners, asked])
    at = generator.integers(len(latitude), size=len(both))
    pictures = tiles_at(latitude[at, both], longitude[at, both], config.size, generator)
    parts = tuple(np.flatnonzero(owners == one) for one in range(number))
    arena = _Arena(config, trial, pictures[: len(owners)], parts, pictures[len(owners) :], plan)
    flights = {}
    for place, scheme in enumerate(("mobility", "naive", "uniform", "unbiased", "flat")):
        trial.report(scheme, place, 8)
        flights[scheme] = arena.fly(scheme)
    flights["centralised"] = arena.centralised()
    standing = _standing(config, noon)
    pair = [arena.fly(scheme, standing).params for scheme in ("mobility", "naive")]
    served = plan.shares.sum(2) > 0
    traffic = flights["mobility"].traffic.by_hop()["satellite to gateway"]
    return {
        **arena.quality(flights),
        "handed_over": _apart(flights["mobility"].params, flights["naive"].params),
        "standing": _apart(*pair),
        "standing_served": [
            float((standing.shares.sum(2) > 0).sum(1).mean()), float(standing.handovers.sum()),
        ],
        "served": [float(served.sum(1).mean()), float((plan.served & ~served).sum(1).mean())],
        "gateways": float((plan.shares > 0).sum(2)[served].mean()) if served.any() else 0.0,
        "handovers": int(plan.handovers.sum()),
        "uploads": traffic.messages,
        "bits": 8 * traffic.bytes,
        "joules": flights["mobility"].joules,
    }  # fmt: skip


def _standing(config: SemSpaceConfig, noon: float) -> Plan:
    """The plan of satellites that stand over the equator."""
    mission = Mission(rounds=config.rounds, least=HIGH)
    constellation = Constellation(config.satellites, 1, STANDING, inclination=0.0)
    size = num_bytes(_first(config, 0))
    return planned(constellation.tracks(mission.seconds), mission, size, noon=noon)


def _apart(one: Any, other: Any) -> float:
    differences = jax.tree.map(lambda a, b: float(abs(a - b).max()), one, other)
    largest = max(float(abs(leaf).max()) for leaf in jax.tree.leaves(one))
    return max(jax.tree.leaves(differences)) / largest


def photographs(config: SemSpaceConfig, trial: Trial) -> Quality:
    """The same orbits with pictures of CIFAR-10's sample, whose labels are uneven over satellites."""
    found = trial.load("cifar-10-sample")
    generator = trial.generator
    train, test = (
        shrunk(part, config.size) / np.float32(255) for part in (found.train, found.test)
    )
    dealt = by_dirichlet(found.train_labels, config.satellites, UNEVEN, generator)
    parts = tuple(generator.permutation(part)[: config.pictures] for part in dealt)
    tested = test[generator.permutation(len(test))[: config.tested * config.satellites]]
    arena = _Arena(config, trial, train, parts, tested, _orbits(config, trial.seed)[1])
    flights = {scheme: arena.fly(scheme) for scheme in ("mobility", "naive")}
    return arena.quality({**flights, "centralised": arena.centralised()})


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "averages": averages,
        "batteries": batteries,
        "gaussian": gaussian,
        "mesh": mesh,
        "tiles": tiles,
        "photographs": photographs,
    },
    num_seeds=5,
    slow=("mesh", "tiles", "photographs"),
)
