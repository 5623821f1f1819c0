"""How much a backbone's random maps can tell, without training; and a search for the most under a budget."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from experiments.kits.search.ledger import Ledger, Trace
from experiments.kits.search.spaces import Candidate, Choices
from experiments.vision.damo_yolo.backbone import FOCUSED, Architecture, Stage
from ntkexec.errors import ExperimentError

WEIGHTS = (0.0, 0.0, 1.0, 1.0, 6.0)
"""Of the strides 2, 4, 8, 16 and 32 in the score; a backbone of fewer has the last ones."""
POOLED = 4
"""Maps that the pools' last convolution joins: the input and three pools of it."""


def convolutions(architecture: Architecture) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Input channels and window of each convolution on the straight way, level by level."""
    levels, channels = [], FOCUSED
    for number, level in enumerate(architecture.levels):
        found = [(channels, 3)] if number == 0 else []
        channels = architecture.stem if number == 0 else channels
        for place in level:
            stage = architecture.stages[place]
            for _ in range(stage.blocks):
                found += [(channels, 1), (stage.bottleneck, stage.kernel)]
                channels = stage.features
        levels.append(tuple(found))
    return tuple(levels)


def level_entropies(architecture: Architecture) -> tuple[float, ...]:
    """At each stride, the log deviation of a map under white weights and the log of its channels, added.

    Weights are normal with variance 1, and there is no normalisation, nonlinearity or residual: a map's
    variance is then the product of `channels * window^2` over all convolutions before it.
    """
    deviation, found = 0.0, []
    for level, features in zip(convolutions(architecture), architecture.features, strict=True):
        deviation += sum(0.5 * math.log(channels * side**2) for channels, side in level)
        found.append(deviation + math.log(features))
    return tuple(found)


def entropy_score(architecture: Architecture, weights: Sequence[float] | None = None) -> float:
    """What the search makes large: entropies of the levels' maps, weighed and added.

    Args:
        architecture: of the backbone.
        weights: of the strides 2, 4, 8, ..., one each; by default `WEIGHTS`, the deepest stride's the last.

    Raises:
        ExperimentError: there are more or fewer weights than strides.

    Source: Sun et al. (MAE-DET), arXiv:2111.13336; as released with DAMO-YOLO, which leaves residual
    links out. The released search of T has 16 for the last weight.
    """
    found = level_entropies(architecture)
    if weights is None:
        weights = ((0.0,) * len(found) + WEIGHTS)[-len(found) :]
    if len(found) != len(weights):
        strides = ", ".join(str(2 ** (level + 1)) for level in range(len(found)))
        raise ExperimentError(
            f"{len(weights)} weights for {len(found)} strides: give one for each of {strides}"
        )
    return sum(weight * entropy for weight, entropy in zip(weights, found, strict=True))


def multiplications(architecture: Architecture, size: int) -> int:
    """What the backbone multiplies for a picture of `size` x `size`, with branches merged; pools included."""
    side, channels, total = size // 2, architecture.stem, 0
    total += side**2 * 9 * FOCUSED * channels
    for number, stage in enumerate(architecture.stages):
        for place in range(stage.blocks):
            strides = stage.strides if place == 0 else 1
            total += side**2 * channels * stage.bottleneck
            if strides == 1 and channels != stage.features:
                total += side**2 * channels * stage.features
            side //= strides
            total += side**2 * stage.kernel**2 * stage.bottleneck * stage.features
            channels = stage.features
            if number == len(architecture.stages) - 1 and place == 0:
                total += side**2 * (1 + POOLED) * channels * (channels // 2)
    return total


@dataclasses.dataclass(frozen=True)
class Space:
    """Backbones to choose from: each stage's numbers among the same options.

    Args:
        strides: of each stage.
        stem, features, bottleneck, blocks, kernel: options, smallest first.
    """

    strides: tuple[int, ...] = (2, 2, 2, 1, 2)
    stem: tuple[int, ...] = (16, 24, 32)
    features: tuple[int, ...] = (48, 64, 96, 128, 192, 256, 384)
    bottleneck: tuple[int, ...] = (24, 32, 48, 64, 96, 128, 152, 192)
    blocks: tuple[int, ...] = (1, 2, 3, 4)
    kernel: tuple[int, ...] = (3, 5)

    @property
    def choices(self) -> Choices:
        """The decisions, stage after stage."""
        decisions: dict[str, tuple[int, ...]] = {"stem": self.stem}
        for number in range(len(self.strides)):
            for name in ("features", "bottleneck", "blocks", "kernel"):
                decisions[f"{name} {number}"] = getattr(self, name)
        return Choices(decisions)

    def architecture(self, candidate: Candidate) -> Architecture:
        """The backbone that a candidate says."""
        stem, *numbers = candidate
        rows = [numbers[4 * at : 4 * at + 4] for at in range(len(self.strides))]
        stages = (
            Stage(features, bottleneck, strides, blocks, kernel)
            for strides, (features, bottleneck, blocks, kernel) in zip(
                self.strides, rows, strict=True
            )
        )
        return Architecture(stem, tuple(stages))


def evolve(
    space: Space,
    generator: np.random.Generator,
    *,
    evaluations: int,
    cost: Callable[[Architecture], float] | None = None,
    limit: float = math.inf,
    population: int = 16,
    weights: Sequence[float] | None = None,
) -> Trace:
    """Makes the score large: one decision of a kept backbone is changed, and the best are kept.

    It begins with the smallest backbone. What costs more than the limit is not scored, and is no evaluation.

    Args:
        space: of backbones.
        generator: of all choices.
        evaluations: scores at most.
        cost: of a backbone, such as its multiplications; by default none is asked.
        limit: of the cost, which needs one.
        population: backbones that are kept.
        weights: of the score, see `entropy_score`.

    Returns:
        All that was scored; `space.architecture(trace.best)` is the backbone.

    Raises:
        ExperimentError: the smallest backbone is over the limit, nothing is kept, or there is a cost without
            a limit or a limit without a cost.

    Source: Xu et al., arXiv:2211.15444, on MAE-NAS, and the released search.
    """
    if population < 1:
        raise ExperimentError(f"a population is 1 or more, got {population}")
    if (cost is None) != (limit == math.inf):
        lacking = "a limit needs a cost" if cost is None else "a cost needs a limit"
        raise ExperimentError(f"{lacking}: the search keeps backbones of cost <= limit")
    choices = space.choices

    def affordable(candidate: Candidate) -> bool:
        return cost is None or cost(space.architecture(candidate)) <= limit

    ledger = Ledger(lambda found: entropy_score(space.architecture(found), weights), evaluations)
    smallest = choices.at([0] * len(choices.counts))
    if not affordable(smallest):
        raise ExperimentError(f"the smallest backbone of the space costs more than {limit:g}")
    kept = [(ledger(smallest), smallest)]
    refused = 0
    while not ledger.spent and refused < ledger.patience:
        _, parent = kept[int(generator.integers(len(kept)))]
        child = choices.mutate(parent, generator)
        if not affordable(child):
            refused += 1
            continue
        refused, known = 0, ledger.knows(child)
        found = ledger(child)
        if not known:
            kept = sorted([*kept, (found, child)], key=lambda one: -one[0])[:population]
    return ledger.trace()
