"""What is measured: exact studies, and codecs trained over a constellation, on tiles and on photographs."""

import functools
from typing import Any, TypedDict

import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.kits.convnets.pictures import shrunk
from experiments.kits.costs import num_bytes
from experiments.kits.federated.partitions import Partition, by_dirichlet
from experiments.kits.federated.rounds import stacked
from experiments.systems.semspacefl.codec import SemanticCodec, initial_codec
from experiments.systems.semspacefl.missions import Mission, Plan, planned
from experiments.systems.semspacefl.orbits import Constellation
from experiments.systems.semspacefl.scenery import tiles_at
from experiments.systems.semspacefl.simulation import (
    centralised,
    flown,
    quality_by_snr,
    training_of,
)
from experiments.systems.semspacefl.study_config import QUICK, STANDARD, TINY, SemSpaceConfig
from experiments.systems.semspacefl.study_exact import averages, batteries, mesh

SNRS = (0.0, 5.0, 10.0, 15.0, 20.0)
BEFORE = 900
"""Seconds before the mission in which each satellite took its pictures, where it was then."""
UNEVEN = 0.3
"""Concentration of the labels of the photographs that a satellite has."""


class PhotographsResult(TypedDict):
    """PSNR in dB at the end, a mean of pictures' decibels, at 10 dB of SNR, by scheme."""

    quality: dict[str, float]


class TilesResult(PhotographsResult):
    """And at 0, 5, 10, 15, 20 dB: of the paper's scheme, of it with each picture's symbols in another
    order, and of the codec before training."""

    by_snr: dict[str, list[float]]


def _first(config: SemSpaceConfig, seed: int) -> Any:
    codec = SemanticCodec(width=config.width)
    return initial_codec(codec, config.size, np.random.default_rng([seed, 5]))


@functools.lru_cache(maxsize=1)
def _orbits(config: SemSpaceConfig, seed: int) -> tuple[Constellation, Plan]:
    """The constellation of a seed, and its plan."""
    generator = np.random.default_rng([seed, 7])
    turned = (float(generator.uniform(0, 360)), float(generator.uniform(0, 360)))
    planes = max(1, config.satellites // 4)
    constellation = Constellation(config.satellites, planes, turned=turned)
    mission = Mission(rounds=config.rounds)
    noon = float(generator.uniform(0, 360))
    tracks = constellation.tracks(mission.seconds)
    return constellation, planned(tracks, mission, num_bytes(_first(config, seed)), noon=noon)


def _trained(
    config: SemSpaceConfig, trial: Trial, schemes: tuple[str, ...],
    pictures: np.ndarray, parts: Partition, tested: np.ndarray,
) -> tuple[dict[str, float], Any]:  # fmt: skip
    """The quality that each scheme ends with, and training in one place; the codec of the first."""
    codec, first = SemanticCodec(width=config.width), _first(config, trial.seed)
    plan = _orbits(config, trial.seed)[1]
    clients = stacked(pictures, parts, most=config.pictures)
    training = training_of(codec, config.steps, config.batch, config.rate)
    flights = {}
    for place, scheme in enumerate(schemes):
        trial.report(scheme, place, len(schemes) + 1)
        flights[scheme] = flown(
            plan, scheme, training, codec, first, clients, tested, trial.key
        )  # fmt: skip
    most = config.pictures * config.satellites
    together = stacked(pictures, (np.concatenate(parts),), most=most)
    training = training_of(codec, config.steps, config.central_batch, config.rate)
    flights["centralised"] = centralised(
        config.rounds, training, codec, first, together, tested, trial.key
    )
    quality = {name: float(one.quality[-1]) for name, one in flights.items()}
    return quality, flights[schemes[0]].params


def tiles(config: SemSpaceConfig, trial: Trial) -> TilesResult:
    """Schemes on pictures of the ground below each satellite's way in the quarter of an hour before."""
    generator = trial.generator
    latitude, longitude = _orbits(config, trial.seed)[0].tracks(np.arange(-BEFORE, 0, 10.0)).ground
    number = config.satellites
    counts = generator.integers(config.pictures // 2, config.pictures + 1, number)
    # As many to test with for each picture to train on: a satellite counts as much as its pictures.
    owners = np.repeat(np.arange(number), counts)
    asked = generator.choice(owners, config.tested * number)
    both = np.concatenate([owners, asked])
    at = generator.integers(len(latitude), size=len(both))
    pictures = tiles_at(latitude[at, both], longitude[at, both], config.size, generator)
    parts = tuple(np.flatnonzero(owners == one) for one in range(number))
    schemes = ("mobility", "naive", "uniform", "unbiased")
    tested = pictures[len(owners) :]
    quality, params = _trained(config, trial, schemes, pictures[: len(owners)], parts, tested)
    codec, snrs = SemanticCodec(width=config.width), np.array(SNRS)
    sent = np.arange((config.size // 4) ** 2 * codec.numbers // 2)

    def by_snr(params: Any, order: np.ndarray) -> list[float]:
        return [float(one) for one in quality_by_snr(codec, params, tested, trial.key, snrs, order)]

    return {
        "quality": quality,
        "by_snr": {
            "trained": by_snr(params, sent),
            "shuffled": by_snr(params, generator.permutation(sent)),
            "untrained": by_snr(_first(config, trial.seed), sent),
        },
    }


def photographs(config: SemSpaceConfig, trial: Trial) -> PhotographsResult:
    """The same orbits with pictures of CIFAR-10's sample, whose labels are uneven over satellites."""
    sample = trial.load("cifar-10-sample")
    generator = trial.generator
    train, test = (
        shrunk(part, config.size) / np.float32(255) for part in (sample.train, sample.test)
    )
    dealt = by_dirichlet(sample.train_labels, config.satellites, UNEVEN, generator)
    parts = tuple(generator.permutation(part)[: config.pictures] for part in dealt)
    tested = test[generator.permutation(len(test))[: config.tested * config.satellites]]
    return {"quality": _trained(config, trial, ("mobility",), train, parts, tested)[0]}


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "averages": averages,
        "batteries": batteries,
        "mesh": mesh,
        "tiles": tiles,
        "photographs": photographs,
    },
    num_seeds=5,
    slow=("mesh", "tiles", "photographs"),
)
