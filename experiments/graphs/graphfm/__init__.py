"""GraphFM: six self-supervised encoders of graphs, three probes, and an audit of what protocols leak."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.graphfm.auditing import RELEASED as RELEASED
    from experiments.graphs.graphfm.auditing import STRICT as STRICT
    from experiments.graphs.graphfm.auditing import Outcome as Outcome
    from experiments.graphs.graphfm.auditing import Protocol as Protocol
    from experiments.graphs.graphfm.auditing import audit as audit
    from experiments.graphs.graphfm.methods import METHODS as METHODS
    from experiments.graphs.graphfm.methods import Recipe as Recipe
    from experiments.graphs.graphfm.pretraining import embed as embed
    from experiments.graphs.graphfm.pretraining import pretrain as pretrain
    from experiments.graphs.graphfm.probes import probe_clusters as probe_clusters
    from experiments.graphs.graphfm.probes import probe_links as probe_links
    from experiments.graphs.graphfm.probes import probe_nodes as probe_nodes
    from experiments.graphs.graphfm.probes import selection_inflation as selection_inflation
    from experiments.graphs.graphfm.probes import split_links as split_links
    from experiments.graphs.graphfm.probes import split_nodes as split_nodes
    from experiments.graphs.graphfm.sampling import sampled_view as sampled_view

__all__, __getattr__, __dir__ = lazy(
    __name__,
    auditing=("RELEASED", "STRICT", "Outcome", "Protocol", "audit"),
    methods=("METHODS", "Recipe"),
    pretraining=("embed", "pretrain"),
    probes=(
        "probe_clusters",
        "probe_links",
        "probe_nodes",
        "selection_inflation",
        "split_links",
        "split_nodes",
    ),
    sampling=("sampled_view",),
)
