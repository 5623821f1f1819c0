"""UltraGCN: infinitely many layers of message passing, replaced by a weight for each edge of the loss."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.ultragcn.fitting import fit as fit
    from experiments.graphs.ultragcn.model import UltraGCN as UltraGCN
    from experiments.graphs.ultragcn.model import constraint_loss as constraint_loss
    from experiments.graphs.ultragcn.weights import cooccurrence as cooccurrence
    from experiments.graphs.ultragcn.weights import distance_to_limit as distance_to_limit
    from experiments.graphs.ultragcn.weights import edge_weights as edge_weights

__all__, __getattr__, __dir__ = lazy(
    __name__,
    fitting=("fit",),
    model=("UltraGCN", "constraint_loss"),
    weights=("cooccurrence", "distance_to_limit", "edge_weights"),
)
