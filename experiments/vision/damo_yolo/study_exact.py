"""What holds without training: fusion, counts, the score, the search, costs, conflicts, shifts."""

import functools
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from experiments.harness.study import Trial
from experiments.kits.convnets.reparameterised import RepConv, merged
from experiments.kits.convnets.walker import walk, walk_function
from experiments.kits.detection.assigner_costs import code_alignment, cross_entropy, paper_alignment
from experiments.kits.detection.assigners import matched
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.search.ledger import Ledger
from experiments.kits.search.methods import random_search
from experiments.kits.search.spaces import Candidate
from experiments.vision.damo_yolo.backbone import Architecture, Stage
from experiments.vision.damo_yolo.detector import DamoYolo, fused
from experiments.vision.damo_yolo.distillation import channel_distillation, mimicry
from experiments.vision.damo_yolo.entropy import (
    Space,
    convolutions,
    entropy_score,
    evolve,
    multiplications,
)
from experiments.vision.damo_yolo.study_config import DamoYoloConfig
from ntkexec.runtime.precision import float64

ROOM = Space(
    stem=(16, 24), features=(48, 96, 192), bottleneck=(24, 48, 96), blocks=(1, 2, 3), kernel=(3, 5)
)
"""Backbones among which is searched."""


class Fusion(TypedDict):
    """Largest differences over the size of the outputs: of one convolution from its two branches, strides 1
    and 2 and windows 3 and 5; and of the strided one with XLA's own padding."""

    deviation: float
    same_padding: float


def fusion(config: DamoYoloConfig, trial: Trial) -> Fusion:
    """Two branches with drawn statistics, and the one convolution that they are at inference."""
    generator = trial.generator
    images = generator.normal(size=(1, 8, 8, 4))
    deviations, same = [], 0.0
    with float64():
        for kernel, strides in ((3, 1), (3, 2), (5, 1), (5, 2)):
            layer = RepConv(6, kernel, strides, None)
            given = initial_by_numpy(layer, generator, images)
            # Scales, means and variances as training leaves them: none at a special value.
            drawn = jax.tree.map(lambda x: x + generator.uniform(0.1, 1, x.shape), given)
            one = merged(drawn)
            two = np.asarray(layer.apply(drawn, images))
            deviations.append(_apart(np.asarray(layer.apply(one, images)), two))
            if strides == 2:
                weights = one["params"]["merged"]
                dimensions = ("NHWC", "HWIO", "NHWC")
                out = jax.lax.conv_general_dilated(
                    jnp.asarray(images), weights["kernel"], (2, 2), "SAME",
                    dimension_numbers=dimensions,
                )  # fmt: skip
                same = max(same, _apart(np.asarray(out) + np.asarray(weights["bias"]), two))
    return {"deviation": max(deviations), "same_padding": same}


def _apart(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


class Counts(TypedDict):
    """Parameters of the T network as trained and fused, and multiplications for one picture; those of the
    fused one with a class more, as older releases have it; the backbone's, by formula."""

    parameters: int
    multiplications: int
    fused_parameters: int
    fused_multiplications: int
    older_parameters: int
    backbone_multiplications: int


def counts(config: DamoYoloConfig, trial: Trial) -> Counts:
    """The T network, walked through; nothing is drawn."""
    return dict(_counts(config.resolution))  # type: ignore[return-value] # a copy of what is kept


@functools.cache
def _counts(resolution: int) -> Counts:
    picture = jax.ShapeDtypeStruct((1, resolution, resolution, 3), jnp.float32)
    model = DamoYolo()
    trained, few = walk(model, picture), _walk_fused(model, picture)
    return {
        "parameters": trained.parameters,
        "multiplications": trained.multiplications,
        "fused_parameters": few.parameters,
        "fused_multiplications": few.multiplications,
        "older_parameters": _walk_fused(DamoYolo(classes=81), picture).parameters,
        "backbone_multiplications": multiplications(model.architecture, resolution),
    }


def _walk_fused(model: DamoYolo, picture: Any) -> Any:
    variables = jax.eval_shape(lambda x: fused(model.init(jax.random.key(0), x)), picture)
    return walk_function(model.apply, variables, picture)


class Entropy(TypedDict):
    """Scores of small backbones as measured on maps under drawn weights, less what the port says, all levels
    weighed alike: of linear backbones, and of the same ones with rectifiers between convolutions."""

    linear: float
    rectified: float


def deviations(config: DamoYoloConfig, trial: Trial) -> Entropy:
    """Backbones of a stem and a block with white weights on white inputs."""
    generator = trial.generator
    found: Entropy = {"linear": 0.0, "rectified": 0.0}
    for _ in range(config.stacks):
        stem, bottleneck, features = (8 * int(count) for count in generator.integers(2, 5, size=3))
        kernel = int(generator.choice([1, 3, 5]))
        one = Architecture(stem, (Stage(features, bottleneck, 2, 1, kernel),))
        said = entropy_score(one, [1 / len(one.levels)] * len(one.levels))
        for _ in range(config.draws):
            linear, rectified = (_measured(one, generator) - said).tolist()
            found["linear"] += linear / (config.stacks * config.draws)
            found["rectified"] += rectified / (config.stacks * config.draws)
    return found


def _measured(architecture: Architecture, generator: np.random.Generator) -> np.ndarray:
    """The mean over levels of the last map's log deviation and the log of its channels, under drawn weights:
    of the linear backbone, and of the one with rectifiers. Strides would take places out, and change none."""
    levels, found = convolutions(architecture), np.zeros(2)
    rectified = maps = generator.normal(size=(levels[0][0][0], 16, 16))
    outputs = [channels for level in levels for channels, _ in level][1:]
    outputs.append(architecture.features[-1])
    for level, features in zip(levels, architecture.features, strict=True):
        for channels, side in level:
            weights = generator.normal(size=(side, side, outputs.pop(0), channels))
            maps = _wrapped(maps, weights)
            rectified = np.maximum(_wrapped(rectified, weights), 0)
        found += np.log([maps.std(), rectified.std()]) + np.log(features)
    return found / len(levels)


def _wrapped(
    maps: Float64[np.ndarray, "c h w"], weights: Float64[np.ndarray, "k k o c"]
) -> Float64[np.ndarray, "o h w"]:
    """A convolution on a torus."""
    half = len(weights) // 2
    flat = [
        weights[row, column]
        @ np.roll(maps, (half - row, half - column), (1, 2)).reshape(len(maps), -1)
        for row in range(len(weights))
        for column in range(len(weights))
    ]
    return np.asarray(np.sum(flat, 0).reshape(-1, *maps.shape[1:]))


class Search(TypedDict):
    """How often enlarging one number of a backbone lowers its score, out of `pairs`; decisions in which the
    best backbone found is not the largest: by evolution, by as many random draws, and by evolution with half
    the largest's multiplications."""

    lowered: int
    pairs: int
    not_largest: int
    not_largest_at_random: int
    not_largest_under_budget: int
    share_of_budget: float


def search(config: DamoYoloConfig, trial: Trial) -> Search:
    """The score on neighbours of drawn backbones, and three searches for the most of it."""
    generator, choices = trial.generator, ROOM.choices
    lowered = pairs = 0
    for _ in range(config.backbones):
        positions = choices.positions(choices.sample(generator))
        score = entropy_score(ROOM.architecture(choices.at(positions)))
        for place, count in enumerate(choices.counts):
            if positions[place] + 1 < count:
                larger = [*positions]
                larger[place] += 1
                pairs += 1
                lowered += entropy_score(ROOM.architecture(choices.at(larger))) < score
    largest = choices.at([count - 1 for count in choices.counts])
    limit = multiplications(ROOM.architecture(largest), 64) / 2

    def cost(architecture: Any) -> float:
        return float(multiplications(architecture, 64))

    free = evolve(ROOM, generator, evaluations=config.evaluations)
    bound = evolve(ROOM, generator, evaluations=config.evaluations, cost=cost, limit=limit)
    ledger = Ledger(lambda one: entropy_score(ROOM.architecture(one)), config.evaluations)
    drawn = random_search(choices, ledger, generator)
    return {
        "lowered": lowered,
        "pairs": pairs,
        "not_largest": _other(free.best, largest),
        "not_largest_at_random": _other(drawn.best, largest),
        "not_largest_under_budget": _other(bound.best, largest),
        "share_of_budget": cost(ROOM.architecture(bound.best)) / limit,
    }


def _other(one: Candidate, largest: Candidate) -> int:
    return sum(a != b for a, b in zip(one, largest, strict=True))


class Alignment(TypedDict):
    """How far the two costs are from what is said of them, the worst over a grid of overlaps; and by how
    much SimOTA's is less at another score than at the overlap."""

    deviation: float
    sim_ota: float


def alignment(config: DamoYoloConfig, trial: Trial) -> Alignment:
    """Both classification costs of AlignOTA where the score is the overlap, and everywhere else."""
    inner = (np.arange(config.grid) + 1) / (config.grid + 1)
    with float64():
        found = [np.asarray(value) for value in _costs(jnp.asarray(inner))]
    paper, code, root, below, above, flat = found
    own = -inner * np.log(inner) - (1 - inner) * np.log(1 - inner)
    at = np.arange(config.grid)
    worst = max(
        np.abs(paper[at, at]).max(),
        np.abs(code[at, at]).max(),
        -min(paper.min(), code.min()),
        np.abs(below + own).max(),
        np.abs(above - own).max(),
        np.abs(flat).max(),
    )
    return {"deviation": float(worst), "sim_ota": float((root[at, at] - root.min(1)).max())}


@jax.jit
def _costs(inner: Float[Array, "g"]) -> tuple[Array, ...]:
    """Costs (overlap, score) of the report, the code and SimOTA; slopes beside and at the overlap."""
    overlap, score = jnp.meshgrid(inner, inner, indexing="ij")
    step = 1e-9

    def slope(cost: Any, score: Any) -> Array:
        return jax.vmap(jax.grad(cost))(score, inner)

    return (
        paper_alignment(score, overlap),
        code_alignment(score, overlap),
        # The object's own class, which SimOTA wants to be 1 whatever the overlap.
        cross_entropy(jnp.sqrt(score), jnp.ones_like(score)),
        slope(paper_alignment, inner - step),
        slope(paper_alignment, inner + step),
        slope(code_alignment, inner),
    )


class Conflicts(TypedDict):
    """Priors, of so many claimed by several objects, that a plain loop gives to another owner, by the rule of
    the code and of the report."""

    code: int
    report: int
    contested: int
    to_none_of_the_claimants: int


def conflicts(config: DamoYoloConfig, trial: Trial) -> Conflicts:
    """Drawn costs and overlaps: the compiled matching, and the released rule object by object."""
    generator = trial.generator
    shape = (config.matrices, 20, 6)
    cost = generator.uniform(size=shape)
    overlaps = generator.uniform(size=shape) ** 3
    with float64():
        code, report = (np.asarray(found) for found in _matched(cost, overlaps))
    wanted, contested, elsewhere = np.full(shape[:2], -1), 0, 0
    for row in range(config.matrices):
        claims = _claims(cost[row], overlaps[row])
        for prior, claimants in enumerate(claims):
            if len(claimants) > 1:
                wanted[row, prior] = int(np.argmin(cost[row, prior]))
                contested += 1
                elsewhere += wanted[row, prior] not in claimants
            elif claimants:
                wanted[row, prior] = claimants[0]
    return {
        "code": int((code != wanted).sum()),
        "report": int((report != wanted).sum()),
        "contested": contested,
        "to_none_of_the_claimants": elsewhere,
    }


@jax.jit
def _matched(cost: Float[Array, "n p m"], overlaps: Float[Array, "n p m"]) -> tuple[Array, Array]:
    code = jax.vmap(lambda c, o: matched(c, o).owner)(cost, overlaps)
    report = jax.vmap(lambda c, o: matched(c, o, conflicts="claimants").owner)(cost, overlaps)
    return code, report


def _claims(
    cost: Float64[np.ndarray, "p m"], overlaps: Float64[np.ndarray, "p m"], top: int = 10
) -> list[list[int]]:
    """The objects that claim each prior: their cheapest ones, as many as their best overlaps add up to."""
    found: list[list[int]] = [[] for _ in cost]
    for number in range(cost.shape[1]):
        many = max(1, int(np.sort(overlaps[:, number])[-top:].sum()))
        for prior in np.argsort(cost[:, number], kind="stable")[:many]:
            found[prior].append(number)
    return found


class Shifts(TypedDict):
    """By how much a constant added to each channel changes a distillation, over its size; the least value on
    drawn pairs of maps; the value on equal maps."""

    channel: float
    mimicry: float
    least: float
    of_equal: float


def shifts(config: DamoYoloConfig, trial: Trial) -> Shifts:
    """Two distillations of drawn maps, and of the same ones with constants added to their channels."""
    generator = trial.generator
    maps = generator.normal(size=(2, 32, 2, 4, 4, 3)) * generator.uniform(
        0.1, 3, (1, 32, 1, 1, 1, 1)
    )
    moved = maps + generator.normal(size=(2, 32, 1, 1, 1, 3))
    with float64():
        channel, mimic, equal = (np.asarray(found) for found in _distilled(maps, moved))
    return {
        "channel": float((np.abs(channel[1] - channel[0]) / channel[0]).max()),
        "mimicry": float((np.abs(mimic[1] - mimic[0]) / mimic[0]).max()),
        "least": float(channel.min()),
        "of_equal": float(np.abs(equal).max()),
    }


@jax.jit
def _distilled(maps: Float[Array, "2 n b h w c"], moved: Float[Array, "2 n b h w c"]) -> Any:
    channel = jnp.stack([jax.vmap(channel_distillation)(*pair) for pair in (maps, moved)])
    mimic = jnp.stack([jax.vmap(mimicry)(*pair) for pair in (maps, moved)])
    return channel, mimic, jax.vmap(channel_distillation)(maps[0], maps[0])
