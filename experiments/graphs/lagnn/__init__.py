"""LA-GNN: graph networks that also read drawn neighbours of each node, and what of a gain that is."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.lagnn.attribution import attribute as attribute
    from experiments.graphs.lagnn.generator import ConditionalVAE as ConditionalVAE
    from experiments.graphs.lagnn.generator import fit_generator as fit_generator
    from experiments.graphs.lagnn.generator import sample_neighbours as sample_neighbours
    from experiments.graphs.lagnn.network import AugmentedNetwork as AugmentedNetwork
    from experiments.graphs.lagnn.network import LocalAugmentation as LocalAugmentation
    from experiments.graphs.lagnn.network import consistency_loss as consistency_loss

__all__, __getattr__, __dir__ = lazy(
    __name__,
    attribution=("attribute",),
    generator=("ConditionalVAE", "fit_generator", "sample_neighbours"),
    network=("AugmentedNetwork", "LocalAugmentation", "consistency_loss"),
)
