"""The published networks' tables as whole numbers, and what the energy model gains in them."""

import functools
import itertools
from collections.abc import Iterable
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.study import Trial
from experiments.kits.convnets.walker import walk
from experiments.kits.convnets.walks import Walk
from experiments.kits.convnets.xla import layer_by_xla
from experiments.vision.e2gc.energy_model import Convolution, energy
from experiments.vision.e2gc.grouping import DEPTHWISE, Grouping
from experiments.vision.e2gc.networks import MOBILE, STAGES, MobileNetV1, ResNeXt50
from experiments.vision.e2gc.planning import cheapest_group_sizes

SIDE = 224
NETWORKS = {"mobilenet": MobileNetV1, "resnext": ResNeXt50}
PUBLISHED = {"mobilenet": 10.8, "resnext": 4.73}
"""Images per joule gained on a P100 by a constant size of groups, in percent."""
COMPARABLE = 0.15
"""How far multiplications of "comparable" layers may differ: ResNeXt-50's nearest, 32 groups and groups of
8, do by 14 %."""
RHOS = np.geomspace(0.1, 1e4, 501)
BALANCE = 32.0
"""The rho at which the optimum is looked for."""


def grouped_layers(network: str, grouping: Grouping) -> list[Convolution]:
    """The 3 x 3 layers whose groups are free, in closed form, on pictures of 224 x 224."""
    made = []
    if network == "mobilenet":
        side, channels = SIDE // 2, 32
        for features, strides in MOBILE:
            made.append((side, side // strides, channels))
            side, channels = side // strides, features
    else:
        side = SIDE // 4
        for stage, (blocks, width) in enumerate(STAGES):
            for place in range(blocks):
                strides = 2 if stage > 0 and place == 0 else 1
                made.append((side, side // strides, width))
                side //= strides
    return [
        Convolution(before**2, after**2, 9, width, width, grouping.groups(width, width))
        for before, after, width in made
    ]


@functools.cache  # the same for all seeds
def walked(network: str, grouping: Grouping) -> Walk:
    """The whole network's costs, of a picture."""
    picture = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
    return walk(NETWORKS[network](grouping), picture)


class TablesResult(TypedDict):
    """Whole numbers of each network, by grouping; and how many differ between the routes.

    Args:
        parameters, multiplications: of the whole published networks.
        different: integers of the 3 x 3 layers that closed form, walker and XLA do not give alike;
            `different_swapped`: where number and size of groups are taken for each other.
        layers: of the 3 x 3 layers: multiplications, weights, activations and intensity.
    """

    parameters: dict[str, int]
    multiplications: dict[str, int]
    different: int
    different_swapped: int
    layers: dict[str, dict[str, float]]


TABLED = tuple(
    (network, grouping)
    for network in NETWORKS
    for grouping in (Grouping("fixed", 32), Grouping("constant", 8))
)
SWAPPED = {"fixed": "constant", "constant": "fixed"}


def tables(config: Any, trial: Trial) -> TablesResult:
    """The published networks, and both with 32 groups and with groups of 8."""
    whole = {
        "mobilenet": walked("mobilenet", DEPTHWISE),
        "resnext": walked("resnext", TABLED[2][1]),
    }
    layers, different, swapped = {}, 0, 0
    for place, (network, grouping) in enumerate(TABLED):
        made = grouped_layers(network, grouping)
        rows = _rows(walked(network, grouping))
        different += _differing(made, rows)
        other = Grouping(SWAPPED[grouping.policy], grouping.value)
        swapped += _differing(grouped_layers(network, other), rows)
        totals = {
            name: sum(getattr(one, name) for one in made)
            for name in ("multiplications", "weights", "activations")
        }
        moved = totals["weights"] + totals["activations"]
        named = f"{network} {grouping.policy} {grouping.value}"
        layers[named] = {**totals, "intensity": totals["multiplications"] / moved}
        trial.report(network, place + 1, len(TABLED))
    return {
        "parameters": {name: found.parameters for name, found in whole.items()},
        "multiplications": {name: found.multiplications for name, found in whole.items()},
        "different": different,
        "different_swapped": swapped,
        "layers": layers,
    }


def _rows(found: Walk) -> list[tuple[int, int, int, int]]:
    """Multiplications by walker and XLA, weights and elements moved of the grouped layers."""
    return [
        (
            layer.multiplications,
            layer_by_xla(layer),
            int(np.prod(layer.kernel)),
            layer.memory_access,
        )
        for layer in found.of("convolution")
        if "grouped" in layer.path
    ]


def _differing(made: list[Convolution], rows: list[tuple[int, int, int, int]]) -> int:
    return sum(
        own != found
        for one, row in zip(made, rows, strict=True)
        for own, found in zip(
            (one.multiplications, one.multiplications, one.weights, one.weights + one.activations),
            row,
            strict=True,
        )
    )


class GainsResult(TypedDict):
    """How near the energy model comes to both published gains at once.

    Args:
        distance: percentage points from the farther of the two gains, at the best rho and the best pairs of
            a number of groups and a size, over both readings; `distance_exchanged`: with fixed number and
            constant size in each other's place.
        published_groups, published_groups_exchanged: the same where ResNeXt-50 has its own 32 groups.
        best: by reading, and with any groups or ResNeXt-50's own, the distance, rho, pairs and gains there.
        ranges: by network and reading, the least and the largest gain that any rho and pair gives.
    """

    distance: float
    distance_exchanged: float
    published_groups: float
    published_groups_exchanged: float
    best: dict[str, dict[str, dict[str, Any]]]
    ranges: dict[str, list[float]]


def gains(config: Any, trial: Trial) -> GainsResult:
    """Both published gains in the energy model: of the 3 x 3 layers alone, and of whole networks."""
    best: dict[str, dict[str, dict[str, Any]]] = {"any": {}, "own": {}}
    exchanged: dict[str, list[float]] = {"any": [], "own": []}
    ranges = {}
    for reading in ("3x3 layers", "whole network"):
        curves = {name: dict(_curves(name, reading == "whole network")) for name in NETWORKS}
        for name, found in curves.items():
            gained = np.array(list(found.values()))
            ranges[f"{name}, {reading}"] = [float(gained.min()), float(gained.max())]
        own = {pair: curve for pair, curve in curves["resnext"].items() if pair[0] == 32}
        for which, one in (("any", curves), ("own", {**curves, "resnext": own})):
            best[which][reading] = _nearest(one)
            turned = {
                name: {pair: 100 / (1 + curve / 100) - 100 for pair, curve in found.items()}
                for name, found in one.items()
            }
            exchanged[which].append(_nearest(turned)["distance"])
    nearest = {
        which: min(one["distance"] for one in found.values()) for which, found in best.items()
    }
    return {
        "distance": nearest["any"],
        "distance_exchanged": min(exchanged["any"]),
        "published_groups": nearest["own"],
        "published_groups_exchanged": min(exchanged["own"]),
        "best": best,
        "ranges": ranges,
    }


def _curves(network: str, whole: bool) -> Iterable[tuple[tuple[int, int], np.ndarray]]:
    """For every comparable pair (groups, size), the gain in percent under each rho."""
    narrowest = {"mobilenet": 32, "resnext": 128}[network]
    powers = [2**power for power in range(11) if 2**power <= narrowest]
    rest = _rest(network) if whole else (0, 0)
    for number, size in itertools.product(powers, powers):
        fixed, constant = (
            grouped_layers(network, Grouping(policy, value))
            for policy, value in (("fixed", number), ("constant", size))
        )
        counts = [sum(one.multiplications for one in layers) for layers in (fixed, constant)]
        # The same network twice is no pair.
        if fixed != constant and abs(counts[1] / counts[0] - 1) <= COMPARABLE:
            one, other = (
                np.array([sum(energy(layer, rho) for layer in layers) for rho in RHOS])
                + rest[0]
                + RHOS * rest[1]
                for layers in (fixed, constant)
            )
            yield (number, size), 100 * (one / other - 1)


def _rest(network: str) -> tuple[int, int]:
    """Multiplications and elements moved of all other layers."""
    found = walked(network, Grouping("fixed", 32))
    rest = [one for one in found.layers if one.multiplications and "grouped" not in one.path]
    return sum(one.multiplications for one in rest), sum(one.memory_access for one in rest)


def _nearest(curves: dict[str, dict[tuple[int, int], np.ndarray]]) -> dict[str, Any]:
    """The rho and pairs at which the farther of the two gains is nearest to what is published."""
    nearest = {}
    for name, found in curves.items():
        pairs, gained = list(found), np.array(list(found.values()))
        chosen = np.abs(gained - PUBLISHED[name]).argmin(0)
        nearest[name] = (pairs, chosen, gained[chosen, np.arange(len(RHOS))])
    off = np.max([np.abs(nearest[name][2] - PUBLISHED[name]) for name in nearest], 0)
    at = int(off.argmin())
    return {
        "distance": float(off[at]),
        "rho": float(RHOS[at]),
        "pairs": {name: list(pairs[chosen[at]]) for name, (pairs, chosen, _) in nearest.items()},
        "gains": {name: float(gained[at]) for name, (_, _, gained) in nearest.items()},
    }


class OptimumResult(TypedDict):
    """Energy of the 3 x 3 layers over the least of any groups that multiply at least as often, minus 1.

    Args:
        excess: of groups of 8, the larger of both networks; `excess_fixed`: of 32 groups.
        excesses: all of them, by network and policy.
        sizes: the cheapest beside groups of 8, layer by layer.
    """

    excess: float
    excess_fixed: float
    excesses: dict[str, dict[str, float]]
    sizes: dict[str, list[int]]


def optimum(config: Any, trial: Trial) -> OptimumResult:
    """Whether a constant size is the energy model's own best, at rho = 32, for the 3 x 3 layers."""
    excesses: dict[str, dict[str, float]] = {}
    sizes: dict[str, list[int]] = {}
    for network in NETWORKS:
        excesses[network] = {}
        for grouping in (Grouping("fixed", 32), Grouping("constant", 8)):
            made = grouped_layers(network, grouping)
            sizes[network] = list(_cheapest(network, grouping))
            cheapest = [one.grouped(n) for one, n in zip(made, sizes[network], strict=True)]
            ours, least = (sum(energy(one, BALANCE) for one in part) for part in (made, cheapest))
            excesses[network][grouping.policy] = ours / least - 1
    worst = {policy: max(found[policy] for found in excesses.values()) for policy in SWAPPED}
    return {
        "excess": worst["constant"],
        "excess_fixed": worst["fixed"],
        "excesses": excesses,
        "sizes": sizes,
    }


@functools.cache
def _cheapest(network: str, grouping: Grouping) -> tuple[int, ...]:
    made = grouped_layers(network, grouping)
    return cheapest_group_sizes(
        made, BALANCE, least_multiplications=sum(one.multiplications for one in made)
    )
