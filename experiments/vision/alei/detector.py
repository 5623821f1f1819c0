"""The whole detector, its loss, and how it is put together from detectors of single views."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.vision.alei.layers import (
    Adapter,
    CrossViewAttention,
    LoRAExperts,
    ViewRouter,
    VisionTransformer,
    check_keys,
)
from ntkexec.errors import ExperimentError

Params = dict[str, Any]
SMALL = 1e-7
"""Probabilities are kept so far from 0 and 1 where their logarithm is taken."""


class Detection(NamedTuple):
    """What a detector says of pictures.

    Args:
        probability: that it is generated.
        by_view: what each view's own head says.
        selection: how much each head counts; rows sum to 1.
    """

    probability: Float[Array, "n"]
    by_view: Float[Array, "n v"]
    selection: Float[Array, "n v"]


class Detector(nn.Module):
    """A frozen vision transformer that sees pictures in several views, one of them the picture itself.

    With one view it is the transformer with that view's LoRA expert and head. With more, views exchange
    after each block, an adapter re-injects the low-level ones, and a router weighs the heads.

    Args:
        backbone: whose sizes are used; its parameters lie below `backbone`.
        views: the first is the picture, the others are low-level.
        rank, alpha: of the LoRA experts.
        keys: of the adapter, "one" or "views".

    Raises:
        ExperimentError: there are no such keys, or no views.

    Source: arXiv:2504.00463, section 3. Our reading: heads end in a sigmoid; the injector comes before
    a block, the extractor after it and after the attention among views.
    """

    backbone: VisionTransformer
    views: int
    rank: int = 4
    alpha: float = 8.0
    keys: str = "one"

    def __post_init__(self) -> None:
        check_keys(self.keys)
        if self.views < 1:
            raise ExperimentError(f"a detector has at least one view, got {self.views}")
        super().__post_init__()

    def setup(self) -> None:
        shape = self.backbone
        each = range(shape.blocks)
        outputs = 3 * shape.width
        self.experts = [LoRAExperts(self.views, outputs, self.rank, self.alpha) for _ in each]
        if self.views > 1:
            self.cross = [CrossViewAttention(shape.heads) for _ in each]
            self.adapter = Adapter(shape.width, shape.blocks, shape.heads, self.keys)
            self.router = ViewRouter()
        start = nn.initializers.normal(shape.width**-0.5)
        self.direction = self.param("direction", start, (self.views, shape.width))
        self.bias = self.param("bias", nn.initializers.zeros, (self.views,))

    def __call__(
        self,
        views: Float[Array, "n v h w c"],
        *,
        lora: Array | float = 1.0,
        cross: Array | float = 1.0,
        adapter: Array | float = 1.0,
        selection: Array | float = 1.0,
    ) -> Detection:
        """Detections.

        Args:
            views: of every picture, as `views_of` gives them.
            lora, cross, adapter, selection: 0 takes a part out, 1 leaves it in; without selection
                the heads count alike. They may be traced.

        Raises:
            ExperimentError: there are more views, or fewer.
        """
        if views.shape[1] != self.views:
            raise ExperimentError(f"a detector of {self.views} views got {views.shape[1]}")
        x, several = self.backbone.tokens(views), self.views > 1
        states: Any = self.adapter.encode(views[:, 1:]) if several else None
        for place, block in enumerate(self.backbone.block):
            if several:
                joined = x.reshape(x.shape[0], -1, x.shape[-1])
                joined = self.adapter.inject(place, joined, states, adapter)
                x = joined.reshape(x.shape)

            def added(h: Array, expert: LoRAExperts = self.experts[place]) -> Array:
                return lora * expert(h)

            x = block(x, added)
            if several:
                x = self.cross[place](x, cross)
                joined = x.reshape(x.shape[0], -1, x.shape[-1])
                states = self.adapter.extract(place, joined, states)
        summaries = self.backbone.summary(x)
        scores = jnp.einsum("nvd,vd->nv", summaries, self.direction) + self.bias[None]
        by_view, equal = jax.nn.sigmoid(scores), jnp.full_like(scores, 1 / self.views)
        chosen = equal
        if several:
            chosen = selection * self.router(summaries) + (1 - selection) * equal
        return Detection((chosen * by_view).sum(1), by_view, chosen)


def selection_entropy(selection: Float[Array, "*n v"]) -> Float[Array, "*n"]:
    """-sum p log p of each row, 0 where all is on one view."""
    return -(selection * jnp.log(jnp.maximum(selection, SMALL))).sum(-1)


def selection_loss(selection: Float[Array, "n v"], kind: str = "written") -> Float[Array, ""]:
    """The term that is added to the loss, 0.1 times, for how views are selected.

    Args:
        selection: of a batch.
        kind: "written" for the mean entropy as the paper writes it, which is least where each
            picture has one view, although the text speaks of balance; "spread" for the opposite
            sign; "balanced" for the divergence of the batch's mean selection from equal shares.

    Raises:
        ExperimentError: there is no such kind.
    """
    if kind == "balanced":
        return jnp.log(selection.shape[-1]) - selection_entropy(selection.mean(0))
    if kind not in ("written", "spread"):
        raise ExperimentError(f"there is no term {kind!r}; there are written, spread, balanced")
    return (1 if kind == "written" else -1) * selection_entropy(selection).mean()


def detection_loss(
    found: Detection,
    labels: Float[Array, "n"],
    *,
    weight: Array | float = 0.1,
    kind: str = "written",
) -> Float[Array, ""]:
    """Binary cross-entropy of what the whole detector says, and the weighted term for selection.

    Args:
        found: of a batch.
        labels: 1 for generated pictures.
        weight: of `selection_loss`.
        kind: of it.
    """
    p = jnp.clip(found.probability, SMALL, 1 - SMALL)
    crossed = -(labels * jnp.log(p) + (1 - labels) * jnp.log1p(-p)).mean()
    return crossed + weight * selection_loss(found.selection, kind)


PER_VIEW = ("experts_", "direction", "bias")


def _is_per_view(name: str) -> bool:
    return name.startswith(PER_VIEW)


def assembled(params: Params, singles: Sequence[Params]) -> Params:
    """Parameters of a detector that begins as the given detectors of one view each.

    Args:
        params: of the whole detector, whose exchange and router are kept.
        singles: of `Detector(views=1)`, in the order of its views; the backbone is the first's.

    Raises:
        ExperimentError: they are not as many as its views.
    """
    if isinstance(singles, Mapping) or len(singles) != len(params["bias"]):
        raise ExperimentError(
            f"a detector of {len(params['bias'])} views is put together from a list of as many, got a "
            f"{type(singles).__name__} of {len(singles)}"
        )
    joined = {
        name: jax.tree.map(lambda *parts: np.concatenate(parts), *(one[name] for one in singles))
        for name in params
        if _is_per_view(name)
    }
    return {**params, **joined, "backbone": singles[0]["backbone"]}


def single(params: Params, view: int) -> Params:
    """Parameters of `Detector(views=1)` that sees one view as the whole detector's expert does."""
    kept = {"backbone": params["backbone"]}
    for name, part in params.items():
        if _is_per_view(name):
            kept[name] = jax.tree.map(lambda leaf: leaf[view : view + 1], part)
    return kept


def reordered(params: Params, order: Sequence[int]) -> Params:
    """Parameters of the detector that takes its views in another order and says the same.

    Args:
        params: of a detector.
        order: old places of its views; the first stays the first.

    Raises:
        ExperimentError: that is no order of the low-level views.
    """
    views = len(params["bias"])
    if sorted(order) != list(range(views)) or order[0] != 0:
        raise ExperimentError(
            f"{list(order)} is no order of {views} views of which the first stays"
        )
    places = np.array(order)
    low = places[1:] - 1
    made = {**params}
    for name, part in params.items():
        if _is_per_view(name):
            made[name] = jax.tree.map(lambda leaf: leaf[places], part)
    made["adapter"] = {
        name: part[low] if name in ("stem", "second", "out") else part
        for name, part in params["adapter"].items()
    }
    logits: Mapping[str, Any] = params["router"]["logits"]
    kernel = logits["kernel"].reshape(views, -1, views)[places][:, :, places]
    kernel = kernel.reshape(logits["kernel"].shape)
    made["router"] = {"logits": {"kernel": kernel, "bias": logits["bias"][places]}}
    return made
