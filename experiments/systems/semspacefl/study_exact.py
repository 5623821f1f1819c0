"""Exact studies: weights over real orbits, fixed points, batteries, Gaussian sources, a mesh of devices."""

from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.study import Trial
from experiments.kits.costs import num_parameters
from experiments.kits.mesh.children import run_with_devices
from experiments.kits.mesh.collectives import collectives_of
from experiments.systems.semspacefl.aggregation import (
    effective_weights,
    over_mesh,
    two_tier_average,
    weights_by,
)
from experiments.systems.semspacefl.codec import SemanticCodec, initial_codec
from experiments.systems.semspacefl.energy import Power, battery
from experiments.systems.semspacefl.missions import Mission, planned
from experiments.systems.semspacefl.orbits import Constellation
from experiments.systems.semspacefl.rate_distortion import least_distortion, linear_distortion
from experiments.systems.semspacefl.study_config import SemSpaceConfig
from ntkexec.runtime.precision import float64

MESH_GATEWAYS = 4
DESCENT_STEPS = 80
"""With half of the distance left after each, rounding alone is."""


class AveragesResult(TypedDict):
    """Largest deviations over all draws, relative to what is compared.

    Args:
        covered: of the cloud's model from FedAvg's, where satellites are served all the time.
        uncovered: the same where they are not.
        once: of effective weights from n c / sum n c, and of the naive scheme's from as many times n as
            there are gateways.
        naive_once: of the naive scheme's effective weights from the former.
        fixed_point: of the end of training from sum n c b / sum n c.
        naive_fixed_point: the same by the naive scheme.
        bias, naive_bias: distances to FedAvg's fixed point where satellites are served all the time.
        gateways: that serve a satellite in a round, on average and at most.
    """

    covered: float
    uncovered: float
    once: float
    naive_once: float
    fixed_point: float
    naive_fixed_point: float
    bias: float
    naive_bias: float
    gateways: list[float]


def passes(generator: np.random.Generator) -> np.ndarray:
    """Shares (S, G) of a gateway round of a constellation somewhere on its way; some satellite is handed
    over, and those that nobody sees are left out."""
    while True:
        turned = (float(generator.uniform(0, 360)), float(generator.uniform(0, 360)))
        mission = Mission(rounds=1, cloud_every=1)
        tracks = Constellation(48, 6, turned=turned).tracks(mission.seconds)
        shares = planned(tracks, mission, model_bytes=100_000).shares[0]
        if (shares > 0).sum(1).max() > 1:
            return np.asarray(shares[shares.sum(1) > 0])


@jax.jit
def descended(wanted: Any, satellites: Any, gateways: Any) -> Any:
    """The end of rounds in which satellites go half of the way to what each wants."""

    def step(cloud: Any, _: Any) -> tuple[Any, None]:
        return two_tier_average((cloud[None] + wanted) / 2, satellites, gateways)[0], None

    return jax.lax.scan(step, jnp.zeros(wanted.shape[1]), length=DESCENT_STEPS)[0]


def averages(config: SemSpaceConfig, trial: Trial) -> AveragesResult:
    """Weights and means over gateway rounds of real orbits, and where training with them ends."""
    generator = trial.generator
    found: dict[str, list[float]] = {}

    def note(**values: float) -> None:
        for name, value in values.items():
            found.setdefault(name, []).append(float(value))

    with float64():
        for _ in range(config.cases):
            seen = passes(generator)
            samples = generator.integers(10, 100, len(seen)).astype(float)
            models = generator.normal(size=(len(seen), 7))
            fedavg = np.average(models, axis=0, weights=samples)
            whole = seen / seen.sum(1, keepdims=True)
            for name, shares in (("covered", whole), ("uncovered", seen)):
                mean = two_tier_average(models, *weights_by("mobility", samples, shares))[0]
                note(**{name: _off(mean, fedavg)})
            once = samples * seen.sum(1) / (samples @ seen.sum(1))
            times = weights_by("naive", samples, seen)[0].sum(1) / samples - (seen > 0).sum(1)
            ours, theirs = (
                effective_weights(weights_by(scheme, samples, seen))
                for scheme in ("mobility", "naive")
            )
            note(once=max(_off(ours, once), np.abs(times).max()), naive_once=_off(theirs, once))
            # Satellites beyond those in sight have no weight, so that all draws have one shape.
            spare = ((0, 48 - len(seen)), (0, 0))
            wanted = np.pad(models, spare)
            for scheme, ending in (("mobility", ""), ("naive", "naive_")):
                for shares, end, name in (
                    (seen, once @ models, "fixed_point"),
                    (whole, fedavg, "bias"),
                ):
                    satellites, gateways = weights_by(scheme, samples, shares)
                    at = descended(wanted, np.pad(satellites, spare), gateways)
                    note(**{ending + name: _off(at, end)})
            note(gateways=(seen > 0).sum(1).mean(), most=(seen > 0).sum(1).max())
    worst = {name: max(values) for name, values in found.items()}
    return {
        "covered": worst["covered"],
        # Of what is to be off, the least.
        "uncovered": min(found["uncovered"]),
        "once": worst["once"],
        "naive_once": min(found["naive_once"]),
        "fixed_point": worst["fixed_point"],
        "naive_fixed_point": min(found["naive_fixed_point"]),
        "bias": worst["bias"],
        "naive_bias": float(np.mean(found["naive_bias"])),
        "gateways": [float(np.mean(found["gateways"])), worst["most"]],
    }


def _off(found: Any, wanted: np.ndarray) -> float:
    return float(np.abs(np.asarray(found) - wanted).max() / np.abs(wanted).max())


class EnergyResult(TypedDict):
    """Of batteries: what does not balance, relative to the largest level; the same if what overflows were
    forgotten; joules below the floor after work; rounds off the closed form without a Sun."""

    imbalance: float
    without_overflow: float
    below_floor: float
    closed_form: int


def batteries(config: SemSpaceConfig, trial: Trial) -> EnergyResult:
    """Batteries under random harvests and costs, and in the dark at equal ones."""
    generator, power = trial.generator, Power()
    shape = (200, config.satellites)
    start = generator.uniform(power.floor, power.capacity, shape[1])
    harvest = generator.uniform(0, 400, shape) * (generator.random(shape) < 0.6)
    cost = generator.uniform(100, 300, shape)
    books = battery(start, harvest, cost, power)
    after = (books.level[:-1] - books.spent)[books.worked]
    flow = np.cumsum(harvest - books.spent, axis=0)
    forgotten = np.abs(books.level[1:] - start - flow).max() / power.capacity
    dark = battery(start, np.zeros(shape), np.full(shape, 37.0), power)
    expected = np.floor((start - power.floor) / 37.0)
    return {
        "imbalance": books.imbalance,
        "without_overflow": float(forgotten),
        "below_floor": float(max(0.0, power.floor - after.min())),
        "closed_form": int(np.abs(dark.worked.sum(0) - expected).max()),
    }


class GaussianResult(TypedDict):
    """Decibels of distortion above the bound: the least of all cases; with half the noise; and where the
    linear code meets it, which is one of the cases."""

    least: float
    with_half_the_noise: float
    alike: float


def gaussian(config: SemSpaceConfig, trial: Trial) -> GaussianResult:
    """Linear codes over the codec's channel on Gaussian sources, against reverse water-filling."""
    generator, number = trial.generator, 64
    alike, falling = np.ones(number), np.arange(1.0, number + 1) ** -1.5
    cases = [(v, k, snr) for v in (alike, falling) for k in (8, 32) for snr in (0.0, 10.0, 20.0)]

    def above(case: tuple[np.ndarray, int, float], quieter: float = 1.0) -> float:
        measured = linear_distortion(
            *case, draws=config.vectors, generator=generator, quieter=quieter
        )
        return float(10 * np.log10(measured / least_distortion(*case)))

    return {
        "least": min(above(case) for case in cases),
        "with_half_the_noise": min(above(case, 2.0) for case in cases),
        "alike": above((alike, 32, 10.0)),
    }


class MeshResult(TypedDict):
    """Of both tiers over devices: how far the models are from the dense ones; bytes of all-reduces by tier
    for each device, and beyond one model and one number for each."""

    deviation: float
    sat_bytes: int
    gateway_bytes: int
    beyond: int
    parameters: int


def both_tiers(models: Any, satellites: Any, gateways: Any, columns: int) -> dict[str, Any]:
    """The two tiers on a mesh of this process's devices, and what its compiled program sends."""
    mesh = jax.make_mesh((len(gateways), columns), ("gateway", "sat"))
    given = (models, satellites, gateways)
    compiled = jax.jit(over_mesh(mesh)).lower(*given).compile()
    found = collectives_of(compiled)
    cloud, means = compiled(*given)
    sent = [[one.kind, one.group, one.operand_bytes * one.times] for one in found]
    return {"cloud": cloud, "gateways": means, "sent": sent}


def mesh(config: SemSpaceConfig, trial: Trial) -> MeshResult:
    """A codec's models over host devices, in a process of their own."""
    generator = trial.generator
    number = 8 * config.devices
    example = initial_codec(SemanticCodec(width=config.width), config.size, generator)
    models = jax.tree.map(
        lambda leaf: generator.normal(size=(number, *leaf.shape)).astype(np.float32), example
    )
    shares = generator.dirichlet(np.ones(MESH_GATEWAYS), number)
    weights = weights_by("mobility", generator.uniform(1, 9, number), shares)
    satellites, gateways = (np.asarray(part, np.float32) for part in weights)
    made = run_with_devices(
        both_tiers, models, satellites, gateways, config.devices,
        devices=MESH_GATEWAYS * config.devices,
    )  # fmt: skip
    dense = two_tier_average(models, satellites, gateways)
    off = jax.tree.map(_off, (made["cloud"], made["gateways"]), jax.tree.map(np.asarray, dense))
    reduced = {config.devices: 0, MESH_GATEWAYS: 0}
    other = 0
    for kind, group, moved in made["sent"]:
        if kind == "all-reduce" and group in reduced:
            reduced[group] += moved
        else:
            other += moved
    one = 4 * (num_parameters(example) + 1)
    return {
        "deviation": max(jax.tree.leaves(off)),
        "sat_bytes": reduced[config.devices],
        "gateway_bytes": reduced[MESH_GATEWAYS],
        "beyond": other + sum(abs(moved - one) for moved in reduced.values()),
        "parameters": num_parameters(example),
    }
