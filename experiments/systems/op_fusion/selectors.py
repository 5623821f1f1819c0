"""What names the edges along which groups are cut, by the names that users give."""

from collections.abc import Callable, Iterable

import jax
import numpy as np

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.explain import gnn_explainer, pg_explainer
from experiments.systems.op_fusion.plan import random_groups
from experiments.systems.op_fusion.predictor import (
    LARGEST,
    Example,
    Predictor,
    example,
    fit_predictor,
)
from experiments.systems.op_fusion.rg_explain import rg_explainer
from experiments.systems.op_fusion.splitting import Selector, all_edges, occlusion, random_share

LEARN_FROM, LEARN_ON = 31, 128
"""Operators of the largest group that PGExplainer and RG-Explainer learn from, and how many groups."""
SPLITTERS: dict[str, Callable[[np.random.Generator], Selector | None]] = {
    "none": lambda generator: None,
    "all edges": lambda generator: all_edges,
    "random half": random_share,
    "occlusion": lambda generator: occlusion(),
}
"""What names edges without training, by what users call it; "none" splits at random."""
EXPLAINERS: dict[str, Callable[[Predictor, list[Example], jax.Array, int], Selector]] = {
    "gnn": lambda predictor, items, key, steps: gnn_explainer(
        predictor, key=key, steps=max(1, steps // 4)
    ),
    "pg": lambda predictor, items, key, steps: pg_explainer(predictor, items, key=key, steps=steps),
    "rg": lambda predictor, items, key, steps: rg_explainer(predictor, items, key=key, steps=steps),
}
"""The paper's explainers of a predictor: GNNExplainer, PGExplainer, RG-Explainer."""


def selector_for(
    explainer: str,
    cost: CostModel,
    generator: np.random.Generator,
    key: jax.Array,
) -> Selector | None:
    """What names the edges of one network's groups, trained on random groups of that network.

    Args:
        explainer: as for `fuse`.
        cost: of the network and buffer.
        generator, key: of all that is random.

    Returns:
        A selector; none for "none".
    """
    if explainer in SPLITTERS:
        return SPLITTERS[explainer](generator)
    # At smaller and larger buffers as well, for groups on both sides of what fits.
    nearby = [
        CostModel(cost.graph, cost.fusion, cost.buffer * by, element_bytes=cost.element_bytes)
        for by in (0.5, 1, 2)
    ]
    items = [
        example(each, group)
        for each in nearby
        for group in random_groups(each, 400, generator, largest=LARGEST)
    ]
    if not any(item.invalid for item in items):
        return all_edges  # Everything fits, so nothing will have to be explained.
    fitted, drawn = jax.random.split(key)
    predictor = fit_predictor(
        items, key=fitted, generator=generator, batch_size=min(64, len(items))
    )
    return EXPLAINERS[explainer](predictor, invalid_ones(items), drawn, 200)


def invalid_ones(items: Iterable[Example]) -> list[Example]:
    """The groups that PGExplainer and RG-Explainer learn from: always as many, so that nothing is
    compiled twice; none if all are valid or large."""
    found = [e for e in items if e.invalid and len(e.graph.nodes) <= LEARN_FROM]
    return [found[i % len(found)] for i in range(LEARN_ON)] if found else []
