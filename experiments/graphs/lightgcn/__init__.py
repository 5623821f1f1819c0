"""LightGCN: recommendation by averaging embeddings over walks between users and items."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.lightgcn.model import LightGCN as LightGCN
    from experiments.graphs.lightgcn.model import bipartite as bipartite
    from experiments.graphs.lightgcn.model import propagate as propagate
    from experiments.graphs.lightgcn.ngcf import NGCF as NGCF
    from experiments.graphs.lightgcn.recommending import compare as compare
    from experiments.graphs.lightgcn.recommending import explain as explain
    from experiments.graphs.lightgcn.recommending import recommend as recommend
    from experiments.graphs.lightgcn.weights import appnp_weights as appnp_weights
    from experiments.graphs.lightgcn.weights import binomial_weights as binomial_weights
    from experiments.graphs.lightgcn.weights import similar_users as similar_users

__all__, __getattr__, __dir__ = lazy(
    __name__,
    model=("LightGCN", "bipartite", "propagate"),
    ngcf=("NGCF",),
    recommending=("compare", "explain", "recommend"),
    weights=("appnp_weights", "binomial_weights", "similar_users"),
)
