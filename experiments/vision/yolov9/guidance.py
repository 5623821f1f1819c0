"""Programmable gradient information: a branch that only training has, and what is left when it is dropped."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.detection.assigners import Assigner
from experiments.kits.detection.head import Predictions
from experiments.vision.yolov9.network import GELAN, Backbone, Head, Neck, Plan, enlarged
from experiments.vision.yolov9.reversible import ReversibleBranch
from ntkexec.errors import ExperimentError

KINDS = ("none", "deep", "pyramid", "integrated", "reversible")
"""No branch; heads on the backbone's levels; a second path down, as the smallest published networks have it;
a second backbone with the main one's levels added, as published; couplings with the same additions, ours."""
WEIGHT = 0.25
"""Of the auxiliary loss beside the main one."""


class Guides(nn.Module):
    """For every level of an auxiliary branch: the sum of projections of the main levels there and deeper.

    Args:
        features: channels that each level takes.

    Source: `CBLinear` and `CBFuse` of the public code: 1 x 1 convolutions with biases, nearest pixels.
    """

    features: tuple[int, ...]

    @nn.compact
    def __call__(self, levels: Sequence[Array]) -> list[Array]:
        sums: list[Any] = [None] * len(levels)
        for deep, x in enumerate(levels):
            widths = self.features[: deep + 1]
            projected = nn.Conv(sum(widths), (1, 1), name=f"level_{deep}")(x)
            ends = [sum(widths[: place + 1]) for place in range(deep)]
            for place, part in enumerate(jnp.split(projected, ends, -1)):
                part = enlarged(part, 2 ** (deep - place))
                sums[place] = part if sums[place] is None else sums[place] + part
        return sums


class Auxiliary(nn.Module):
    """An auxiliary branch with its head, of the picture and the backbone's levels.

    Args:
        plan: of the main network.
        kind: one of `KINDS` but "none".
        inner: channels within the couplings of a reversible branch.
    """

    plan: Plan
    kind: str
    inner: int = 16

    def setup(self) -> None:
        if self.kind not in KINDS[1:]:
            raise ExperimentError(
                f"there is no auxiliary branch {self.kind!r}; there are {', '.join(KINDS[1:])}"
            )
        self.head = Head(self.plan)
        if self.kind == "pyramid":
            self.branch: Any = Neck(self.plan, back=False)
        if self.kind == "integrated":
            self.branch = Backbone(self.plan)
            before = self.plan.stages[-self.plan.levels - 1 : -1]
            self.guides = Guides(tuple(stage.features for stage in before))
        if self.kind == "reversible":
            self.branch = ReversibleBranch(self.plan.strides, inner=self.inner)
            self.guides = Guides(tuple(2 * stride**2 for stride in self.plan.strides))

    def __call__(
        self,
        images: Float[Array, "n h w c"],
        levels: Sequence[Array],
        *,
        train: bool = False,
        share: Any = None,
    ) -> Predictions:
        if share is not None and self.kind != "integrated":
            raise ExperimentError(f"share is for an integrated branch, not for {self.kind!r}")
        if self.kind == "pyramid":
            levels = self.branch(levels, train=train)
        elif self.kind != "deep":
            made = self.branch(images, self.guides(levels), train=train)
            if share is not None:
                pairs = zip(made, levels, strict=True)
                made = [share * new + (1 - share) * own for new, own in pairs]
            levels = made
        found: Predictions = self.head(levels, train=train)
        return found


class ProgrammableGradient(nn.Module):
    """A detector and the auxiliary branch that it is trained with; `without_auxiliary` drops it.

    The auxiliary head reads nothing that the main neck or the main head made, so its loss reaches the
    backbone and no other part of the main branch.

    Args:
        plan: of the main network.
        kind: of the branch, one of `KINDS`.
        inner: channels within the couplings of a reversible branch.

    Source: Wang et al., arXiv:2402.13616, section 4.1; the wiring is the public code's.
    """

    plan: Plan
    kind: str = "integrated"
    inner: int = 16

    def setup(self) -> None:
        self.main = GELAN(self.plan)
        if self.kind != "none":
            self.auxiliary = Auxiliary(self.plan, self.kind, self.inner)

    @property
    def strides(self) -> tuple[int, ...]:
        """Where the points of its predictions are."""
        return self.plan.strides

    def __call__(
        self,
        images: Float[Array, "n h w c"],
        *,
        train: bool = False,
        both: bool | None = None,
        share: Any = None,
    ) -> Predictions | tuple[Predictions, Predictions]:
        """What the main head predicts, or that and what the auxiliary head does.

        Args:
            images: of a batch.
            train: whether batches normalise themselves.
            both: whether the branch is run, if there is one; by default while training.
            share: of an integrated branch in what its head reads; the rest is the backbone's own levels.
                With 0, the network is one of deep supervision. An array, so that one program is both.

        Raises:
            ExperimentError: a share of another branch.
        """
        both = self.kind != "none" and (train if both is None else both)
        levels = self.main.backbone(images, train=train)
        found: Predictions = self.main.predicted(levels, train=train)
        # Flax makes variables only of what it runs.
        if self.kind != "none" and (both or self.is_initializing()):
            beside: Predictions = self.auxiliary(images, levels, train=train, share=share)
        return (found, beside) if both else found


@dataclasses.dataclass(frozen=True)
class GuidedLoss:
    """A detector's loss on the main head's predictions, and a share of it on the auxiliary head's.

    Each head has objects assigned to its own points.

    Args:
        base: of one head.
        weight: of the auxiliary loss.
    """

    base: Any
    weight: float = WEIGHT

    @property
    def assigners(self) -> tuple[Assigner, ...]:
        """Those of `base`."""
        return tuple(getattr(self.base, "assigners", ()))

    def __call__(self, predictions: Any, truth: Any, priors: Any, given: Any = None) -> Array:
        """The loss that `fit_detector` makes small.

        Args:
            predictions: of one head, or of both.
            truth, priors: as `base` takes them.
            given: the weight instead of `weight`, as an array: programs need not be told apart by it.
        """
        if not isinstance(predictions, tuple):
            return jnp.asarray(self.base(predictions, truth, priors))
        main, auxiliary = (self.base(each, truth, priors) for each in predictions)
        return jnp.asarray(main + (self.weight if given is None else given) * auxiliary)


def without_auxiliary(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables of the main network alone, for `GELAN`, of those of a `ProgrammableGradient`.

    Raises:
        ExperimentError: there is no main network in them.
    """
    if any("main" not in tree for tree in variables.values()):
        raise ExperimentError(
            "these are no variables of a ProgrammableGradient: there is no main branch"
        )
    return {name: dict(tree["main"]) for name, tree in variables.items()}
