"""Identities of the modules in float64, which levels hear which, and what detectors cost."""

import functools
from collections.abc import Callable
from typing import Any, TypedDict

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.study import Trial
from experiments.kits.detection.rois import roi_align
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.catnet.context import ContextAggregation
from experiments.vision.catnet.costs import FORMS, detector_costs, neck_without_normalisation
from experiments.vision.catnet.detector import RULES
from experiments.vision.catnet.pyramids import FPN, PAFPN, DenseFPN, FusionWeights, top_down_sums
from experiments.vision.catnet.regions import DIRECTIONS, HierarchicalFusion
from experiments.vision.catnet.study_config import CatnetConfig
from ntkexec.runtime.precision import float64

SOON = {"xla_backend_optimization_level": 0}
"""Asked of XLA for programs that run once or a few times: they are compiled in half the time."""


class ContextResult(TypedDict):
    """Of a context layer: what it adds at its start and the largest first gradient of what is not W_m; the
    same begun with a drawn W_m; the second singular value over the first of what it adds; of two in a row."""

    start: float
    begun: float
    second: float
    two_in_a_row: float


def identities_of_context(config: CatnetConfig, trial: Trial) -> ContextResult:
    """The layer that gives a picture's places one vector: at its start, and with drawn parameters."""
    generator = trial.generator
    layer = ContextAggregation()
    with float64():
        x, wanted = jnp.asarray(generator.normal(size=(2, 2, 5, 7, 6)))
        start = initial_by_numpy(layer, generator, x, rules=RULES)
        drawn = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), start)
        start = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), start)
        added, _, gradient = _moved(start, x, wanted)
        others = {name: leaf for name, leaf in gradient["params"].items() if name != "modulation"}
        reached = float(np.abs(gradient["params"]["modulation"]["kernel"]).max())
        quiet = max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(others))
        # A W_m that the gradient did not reach would never leave its start.
        silent = float("nan") if reached == 0 else max(float(np.abs(added).max()), quiet)
        added, twice, _ = _moved(drawn, x, wanted)
        return {
            "start": silent,
            "begun": float(np.abs(added).max()),
            "second": _second(np.asarray(added)),
            "two_in_a_row": _second(np.asarray(twice)),
        }


@functools.partial(jax.jit, compiler_options=SOON)
def _moved(variables: Any, x: jax.Array, wanted: jax.Array) -> tuple[jax.Array, jax.Array, Any]:
    """What a layer adds, what two in a row add, and the gradient of a squared distance: for all seeds."""
    layer = ContextAggregation()

    def off(variables: Any) -> jax.Array:
        made: Any = layer.apply(variables, x)
        return jnp.sum((made - wanted) ** 2)

    once: Any = layer.apply(variables, x)
    twice: Any = layer.apply(variables, once)
    return once - x, twice - x, jax.grad(off)(variables)


def _second(added: np.ndarray) -> float:
    """The largest second singular value of places by channels over the first, picture by picture."""
    values = np.linalg.svd(added.reshape(len(added), -1, added.shape[-1]), compute_uv=False)
    return float((values[:, 1] / values[:, 0]).max())


class FusionResult(TypedDict):
    """Largest changes of what a level is given: logits of a node shifted alike against before, equal logits
    against the mean; one logit shifted alone. And pairs of an input and an output level of a derivative."""

    shifted: float
    one_shifted: float
    couplings: dict[str, int]


SIDES = (16, 8, 4, 2, 1)


def fusion(config: CatnetConfig, trial: Trial) -> FusionResult:
    """The way down of a dense pyramid under shifts of its logits, and which levels hear which."""
    generator = trial.generator
    with float64():
        levels = [generator.normal(size=(1, side, side, 4)) for side in SIDES]
        numbers = range(len(SIDES) - 1, -1, -1)
        logits = [generator.normal(size=number) for number in numbers]
        shifts = [generator.normal() + np.zeros(number) for number in numbers]
        alone = [shift * (np.arange(len(shift)) == 0) for shift in shifts]

        before = _given(levels, logits)
        plain = _given(levels, [np.zeros(number) for number in numbers])
        means = [np.full(number, 1 / max(1, number)) for number in numbers]
        above = _summed(levels, means)
        found, other = (
            _given(levels, [one + by for one, by in zip(logits, moved, strict=True)])
            for moved in (shifts, alone)
        )
        necks: dict[str, nn.Module] = {
            "dense": DenseFPN(4, 5, 1),
            "fpn": FPN(4, 5),
            "pafpn": PAFPN(4, 5),
        }
        return {
            "shifted": max(_apart(found, before), _apart(plain, above)),
            "one_shifted": _apart(other, before),
            "couplings": {
                name: _couplings(neck, levels, generator) for name, neck in necks.items()
            },
        }


_summed = jax.jit(top_down_sums)


@jax.jit
def _given(levels: list[Any], logits: list[Any]) -> list[jax.Array]:
    """What each level is given on the way down."""
    shares: list[Any] = [
        FusionWeights(len(one)).apply({"params": {"logits": one}}) for one in logits
    ]
    return top_down_sums(levels, shares)


def _apart(one: list[jax.Array], other: list[jax.Array]) -> float:
    pairs = zip(one, other, strict=True)
    return max(_relative(a, b) for a, b in pairs)


def _couplings(neck: nn.Module, levels: list[Any], generator: np.random.Generator) -> int:
    """Pairs of levels of which the one that comes out changes with the one that goes in, to first order."""
    variables = initial_by_numpy(neck, generator, levels, rules=RULES)
    places = range(len(levels))
    return sum(int((_changes(neck, variables, levels, place) > 0).sum()) for place in places)


@functools.partial(jax.jit, static_argnums=0, compiler_options=SOON)
def _changes(neck: nn.Module, variables: Any, levels: list[Any], place: Any) -> jax.Array:
    """By how much the levels that come out change with one that goes in, at most."""
    moves = [
        jnp.where(place == one, 1.0, 0.0) * level[::, ::-1] for one, level in enumerate(levels)
    ]
    run: Callable[..., Any] = functools.partial(neck.apply, variables)
    _, out = jax.jvp(run, (levels,), (moves,))
    return jnp.stack([jnp.abs(one).max() for one in out])


class RegionsResult(TypedDict):
    """Largest relative deviations: of gates that are open, shut but for one, and half open, from sums and
    single levels; of two orders with drawn gates; of regions on a ramp, and of those half a feature off."""

    corners: float
    gates_left_half_open: float
    orders_apart: float
    ramp: float
    unshifted: float


def identities_of_regions(config: CatnetConfig, trial: Trial) -> RegionsResult:
    """Hierarchical regions with gates at their corners, and RoIAlign on a linear ramp."""
    generator = trial.generator
    with float64():
        found = [jnp.asarray(generator.normal(size=(3, 7, 7, 6))) for _ in range(4)]
        drawn = initial_by_numpy(HierarchicalFusion(), generator, found, rules=RULES)
        zero = jax.tree.map(np.zeros_like, drawn)

        def fused(direction: str, variables: Any) -> jax.Array:
            return jnp.asarray(HierarchicalFusion(direction).apply(variables, found))

        def biased(*biases: float) -> Any:
            gates = {
                name: {**gate, "bias": gate["bias"] + bias}
                for (name, gate), bias in zip(sorted(zero["params"].items()), biases, strict=True)
            }
            return {"params": gates}

        total = functools.reduce(jnp.add, found)
        wanted = [(biased(30, 30, 30, 30), total), (zero, total / 2)]
        single = [30.0 if one == 2 else -30.0 for one in range(4)]
        wanted.append((biased(*single), found[2]))
        off, half = [], []
        for direction in DIRECTIONS:
            for variables, goal in wanted:
                off.append(_relative(fused(direction, variables), goal))
            half.append(_relative(fused(direction, zero), total))
        up, down = (fused(direction, drawn) for direction in DIRECTIONS)
        ramp, unshifted = _ramp(config.boxes, generator)
        return {
            "corners": max(off),
            "gates_left_half_open": max(half),
            "orders_apart": _relative(up, down),
            "ramp": ramp,
            "unshifted": unshifted,
        }


def _relative(one: Any, other: Any) -> float:
    one, other = np.asarray(one), np.asarray(other)
    return float(np.abs(one - other).max() / np.abs(other).max())


def _ramp(number: int, generator: np.random.Generator) -> tuple[float, float]:
    stride, size, bins = 4, 16, 7
    slope, level = generator.normal(size=2), generator.normal()
    middles = (np.arange(size) + 0.5) * stride
    ramp = level + slope[0] * middles[:, None] + slope[1] * middles[None]
    inside = (stride, (size - 1) * stride)
    corners = np.sort(generator.uniform(*inside, size=(number, 2, 2)), 1).reshape(number, 4)
    steps = (np.arange(bins) + 0.5) / bins
    across = corners[:, :1] + (corners[:, 2:3] - corners[:, :1]) * steps
    down = corners[:, 1:2] + (corners[:, 3:] - corners[:, 1:2]) * steps
    wanted = level + slope[0] * down[:, :, None] + slope[1] * across[:, None]
    features = jnp.asarray(ramp)[..., None]

    def off(boxes: np.ndarray) -> float:
        found = roi_align(features, jnp.asarray(boxes), bins, stride=stride)[..., 0]
        return _relative(found, wanted)

    return off(corners), off(np.clip(corners + stride / 2, None, size * stride))


class CostsResult(TypedDict):
    """Parameters of necks without normalisation; by form, shares of this paper's in the classical's cost:
    multiplications and parameters of necks with context, and of whole detectors; and all counts."""

    dense_neck: int
    dense_neck_normalised: int
    ratios: dict[str, dict[str, float]]
    counts: dict[str, dict[str, dict[str, int]]]


def costs_of(config: CatnetConfig, trial: Trial) -> CostsResult:
    """All counts, for pictures of 800 x 800; they are the same under every seed."""
    return dict(_costs())  # type: ignore[return-value]


@functools.cache
def _costs() -> CostsResult:
    maps = [
        jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)
        for side, channels in ((200, 256), (100, 512), (50, 1024), (25, 2048))
    ]
    counts: dict[str, dict[str, dict[str, int]]] = {}
    ratios: dict[str, dict[str, float]] = {}
    for form in FORMS:
        both = [detector_costs(form, context_aware=aware) for aware in (False, True)]
        for name, parts in zip(("classical", "aware"), both, strict=True):
            counts[f"{form} {name}"] = {
                part: {"parameters": one.parameters, "multiplications": one.multiplications}
                for part, one in parts.items()
            }
        ratios[form] = {}
        for name, chosen in (("neck", ("neck", "context")), ("whole", tuple(both[0]))):
            for what in ("parameters", "multiplications"):
                old, new = (sum(getattr(one[part], what) for part in chosen) for one in both)
                ratios[form][f"{name}_{what}"] = new / old
    dense = DenseFPN()
    return {
        "dense_neck": neck_without_normalisation(dense, maps),
        "dense_neck_normalised": counts["two-stage aware"]["neck"]["parameters"],
        "ratios": ratios,
        "counts": counts,
    }
