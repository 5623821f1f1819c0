"""Exact studies: weights over real orbits, fixed points, batteries, a mesh of devices."""

import collections
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from experiments.harness.study import Trial
from experiments.kits.costs import num_parameters
from experiments.kits.federated.averages import mean_over, weighted_mean
from experiments.kits.mesh.children import run_with_devices
from experiments.kits.mesh.collectives import collectives_of
from experiments.systems.semspacefl.aggregation import (
    over_mesh,
    two_tier_average,
    weights_by,
)
from experiments.systems.semspacefl.codec import SemanticCodec, initial_codec
from experiments.systems.semspacefl.energy import Power, battery
from experiments.systems.semspacefl.missions import Mission, planned
from experiments.systems.semspacefl.orbits import Constellation
from experiments.systems.semspacefl.study_config import SemSpaceConfig
from ntkexec.runtime.precision import float64

MESH_GATEWAYS = 4
DESCENT_STEPS = 80
"""With half of the distance left after each, rounding alone is."""


class AveragesResult(TypedDict):
    """Largest deviations over all draws, relative to what is compared; of the twins the least.

    Args:
        covered: of the cloud's model from FedAvg's, where satellites are served all the time.
        uncovered: the same where they are not.
        fixed_point: of the end of training from sum n c b / sum n c.
        naive_fixed_point: the same by the naive scheme.
    """

    covered: float
    uncovered: float
    fixed_point: float
    naive_fixed_point: float


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
    rows = []
    with float64():
        for _ in range(config.cases):
            seen = passes(generator)
            samples = generator.integers(10, 100, len(seen)).astype(float)
            models = generator.normal(size=(len(seen), 7))
            fedavg = np.average(models, axis=0, weights=samples)
            covered, uncovered = (
                _off(two_tier_average(models, *weights_by("mobility", samples, shares))[0], fedavg)
                for shares in (seen / seen.sum(1, keepdims=True), seen)
            )
            end = np.average(models, axis=0, weights=samples * seen.sum(1))
            # Satellites beyond those in sight have no weight, so that all draws have one shape.
            spare = ((0, 48 - len(seen)), (0, 0))
            ours, theirs = (
                _off(descended(np.pad(models, spare), np.pad(satellites, spare), gateways), end)
                for satellites, gateways in (
                    weights_by(scheme, samples, seen) for scheme in ("mobility", "naive")
                )
            )
            rows.append((covered, uncovered, ours, theirs))
    table = np.array(rows)
    return {
        "covered": float(table[:, 0].max()),
        "uncovered": float(table[:, 1].min()),
        "fixed_point": float(table[:, 2].max()),
        "naive_fixed_point": float(table[:, 3].min()),
    }


def _off(made: Any, wanted: np.ndarray) -> float:
    return float(np.abs(np.asarray(made) - wanted).max() / np.abs(wanted).max())


class EnergyResult(TypedDict):
    """Of batteries, relative to their capacity: how far levels and what overflowed are from those of a
    walk that is reflected at the capacity; and levels from a walk that is not."""

    reflected: float
    without_overflow: float


def batteries(config: SemSpaceConfig, trial: Trial) -> EnergyResult:
    """Batteries under random harvests and costs, beside the closed form of a reflected walk."""
    generator, power = trial.generator, Power()
    shape = (200, config.satellites)
    start = generator.uniform(power.floor, power.capacity, shape[1])
    harvest = generator.uniform(0, 400, shape) * (generator.random(shape) < 0.6)
    books = battery(start, harvest, generator.uniform(100, 300, shape), power)
    walk = start + np.cumsum(harvest - books.spent, axis=0)
    # Skorokhod's: what a barrier has kept out is the most by which the walk was ever beyond it.
    kept_out = np.maximum.accumulate(np.maximum(walk - power.capacity, 0))
    off = (
        books.level[1:] - (walk - kept_out),
        np.cumsum(books.overflowed, axis=0) - kept_out,
        books.level[1:] - walk,
    )
    level, overflow, free = (float(np.abs(one).max() / power.capacity) for one in off)
    return {"reflected": max(level, overflow), "without_overflow": free}


class MeshResult(TypedDict):
    """Of both tiers over devices.

    Args:
        deviation: of the models from the dense ones, relative to their largest parameter.
        unweighted: the same where the mesh gives all gateways equal weights.
        beyond: bytes that a device hands to collectives more or less than one model and one number for
            each tier.
        gathered: the same where satellites' models are gathered at their gateways, and not summed.
    """

    deviation: float
    unweighted: float
    beyond: int
    gathered: int


def both_tiers(models: Any, satellites: Any, gateways: Any, columns: int) -> dict[str, Any]:
    """The two tiers on a mesh of this process's devices, and what compiled programs send."""
    mesh = jax.make_mesh((len(gateways), columns), ("gateway", "sat"))
    given = (models, satellites, gateways)
    compiled = jax.jit(over_mesh(mesh)).lower(*given).compile()
    rival = jax.jit(_gathering(mesh)).lower(*given).compile()
    cloud, means = compiled(*given)
    sent = [
        [[one.kind, one.group, one.operand_bytes * one.times] for one in collectives_of(program)]
        for program in (compiled, rival)
    ]
    alike = compiled(models, satellites, np.ones_like(gateways))[0]
    return {"cloud": cloud, "gateways": means, "alike": alike, "sent": sent}


def _gathering(devices: Mesh) -> Any:
    """As `over_mesh`, but every gateway is sent all models, and not their sum."""

    def inside(models: Any, satellites: Any, gateways: Any) -> Any:
        every, weights = (
            jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, "sat", tiled=True), one)
            for one in (models, satellites[:, 0])
        )
        return mean_over("gateway", weighted_mean(every, weights), gateways[0])

    return jax.shard_map(
        inside,
        mesh=Mesh(devices.devices, devices.axis_names, axis_types=(AxisType.Auto,) * 2),
        in_specs=(P("sat"), P("sat", "gateway"), P("gateway")),
        out_specs=P(),
        check_vma=False,
    )


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
    cloud, held = jax.tree.map(np.asarray, two_tier_average(models, satellites, gateways))
    one = 4 * (num_parameters(example) + 1)
    ours, rival = (_beyond(sent, config.devices, one) for sent in made["sent"])
    return {
        "deviation": _apart((made["cloud"], made["gateways"]), (cloud, held)),
        "unweighted": _apart(made["alike"], cloud),
        "beyond": ours,
        "gathered": rival,
    }


def _apart(made: Any, wanted: Any) -> float:
    """The largest difference between models: leaf by leaf, a mean near 0 would make much of rounding."""
    both = (jax.tree.leaves(one) for one in (made, wanted))
    return _off(*(np.concatenate([np.ravel(leaf) for leaf in leaves]) for leaves in both))


def _beyond(sent: Any, columns: int, one: int) -> int:
    """Bytes by kind and size of group, less those of one sum for each tier, without signs."""
    left: collections.Counter[tuple[str, int]] = collections.Counter()
    for kind, group, moved in sent:
        left[kind, group] += moved
    # Both tiers may have groups of one size.
    for group in (columns, MESH_GATEWAYS):
        left["all-reduce", group] -= one
    return sum(abs(moved) for moved in left.values())
