"""RpHGNN: a typed graph collected once, by random projections, then mini-batches of rows."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.rphgnn.collecting import collect as collect
    from experiments.graphs.rphgnn.collecting import collect_labels as collect_labels
    from experiments.graphs.rphgnn.encoder import RpHGNN as RpHGNN
    from experiments.graphs.rphgnn.encoder import fit_rows as fit_rows
    from experiments.graphs.rphgnn.retaining import retention as retention
    from experiments.graphs.rphgnn.squashing import random_squash as random_squash

__all__, __getattr__, __dir__ = lazy(
    __name__,
    collecting=("collect", "collect_labels"),
    encoder=("RpHGNN", "fit_rows"),
    retaining=("retention",),
    squashing=("random_squash",),
)
