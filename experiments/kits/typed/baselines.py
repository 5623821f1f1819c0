"""The networks that papers on typed graphs compare with: R-GCN, HAN, SIGN over paths.

All give logits of the target's nodes and are called alike, `model.apply(variables, graph, train=False)`;
in training they need `rngs={"dropout": key}`. A GAT that is blind to types is kit G's, on what
`homogenised` gives, inside `TargetRows`.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.data.typed import TypedGraph
from experiments.kits.graph.features import Dense, Dropout, Features, SparseFeatures
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.typed.device import TypedArrays, arriving, feature_rows
from experiments.kits.typed.layers import LinkAttention, TypeEncoder
from experiments.kits.typed.operators import compose, metapaths, path_name, relation_operators
from ntkexec.errors import ExperimentError

Logits = Float[Array, "n classes"]


class RGCN(nn.Module):
    """Per layer a matrix for each relation on its mean of senders, and one for the node itself.

    Args:
        classes: of the output.
        hidden: width of all layers but the last.
        layers: at least 1. Links are by relation, with row-normalised weights; the last layer is
            computed for the target alone, and no layer for types that do not reach it.
        dropout: of every layer's input.

    Source: Schlichtkrull et al., arXiv:1703.06103, without sharing of bases.
    """

    classes: int
    hidden: int = 64
    layers: int = 2
    dropout: float = 0.5

    @nn.compact
    def __call__(self, graph: TypedArrays, train: bool = False) -> Logits:
        wanted = needed_types(graph.links, graph.target, self.layers)
        rows = TypeEncoder(self.hidden, wanted[0], self.dropout, name="encoder")(graph, train)
        for layer, kinds in enumerate(wanted[1:]):
            width = self.classes if layer == self.layers - 1 else self.hidden
            found = {kind: Dense(width, name=f"self_{layer}_{kind}")(rows[kind]) for kind in kinds}
            for relation, links in graph.links.items():
                source, name, target = relation
                if target in found:
                    sent = Dense(width, use_bias=False, name=f"{name}_{layer}")(rows[source])
                    found[target] = found[target] + arriving(links, sent)
            rows = found
            if layer < self.layers - 1:
                rows = {
                    kind: Dropout(self.dropout)(nn.relu(x), train=train) for kind, x in rows.items()
                }
        return rows[graph.target]


class HANLite(nn.Module):
    """Attention over the neighbours of each given path, and one weight a path for all nodes.

    Without the heads' repetition of the whole network that the public code allows.

    Args:
        classes: of the output.
        hidden: width of all heads together.
        heads: of the attention over neighbours.
        semantic: width of the attention over paths.
        dropout: of inputs and of shares. Links are by path, all from the target to the target; other
            types are not read.

    Raises:
        ExperimentError: heads do not divide `hidden`.

    Source: Wang et al., Heterogeneous graph attention network, arXiv:1903.07293.
    """

    classes: int
    hidden: int = 64
    heads: int = 4
    semantic: int = 64
    dropout: float = 0.5

    @nn.compact
    def __call__(self, graph: TypedArrays, train: bool = False) -> Logits:
        if self.hidden % self.heads:
            raise ExperimentError(f"{self.heads} heads do not divide a width of {self.hidden}")
        encoder = TypeEncoder(self.hidden, (graph.target,), self.dropout, name="encoder")
        rows = encoder(graph, train)[graph.target]
        found = []
        for place, (_, links) in enumerate(sorted(graph.links.items())):
            sent = Dense(self.hidden, use_bias=False, name=f"path_{place}")(rows)
            sent = sent.reshape(-1, self.heads, self.hidden // self.heads)
            attention = LinkAttention(self.dropout, train, name=f"neighbours_{place}")
            found.append(nn.elu(attention(links, sent, sent)))
        stacked = jnp.stack(found)
        scores = nn.tanh(nn.Dense(self.semantic, name="semantic")(stacked))
        weights = jax.nn.softmax(nn.Dense(1, use_bias=False, name="paths")(scores).mean(1), axis=0)
        self.sow("intermediates", "paths", weights[:, 0])
        return nn.Dense(self.classes, name="last")((weights[:, :, None] * stacked).sum(0))


class PathMLP(nn.Module):
    """An MLP on features that were averaged along paths before: each path has its own first matrix.

    Args:
        classes: of the output.
        hidden: width of each path's rows, and of the layer on all of them.
        dropout: of features and of hidden rows. The graph is `path_features`.

    Source: Frasca et al., SIGN, arXiv:2004.11198, with paths of relations instead of powers.
    """

    classes: int
    hidden: int = 64
    dropout: float = 0.5

    @nn.compact
    def __call__(self, graph: Mapping[str, Features], train: bool = False) -> Logits:
        rows = [
            Dense(self.hidden, name=f"path_{name}")(Dropout(self.dropout)(graph[name], train=train))
            for name in sorted(graph)  # as JAX orders what it takes into a program
        ]
        x = Dropout(self.dropout)(nn.relu(jnp.concatenate(rows, axis=1)), train=train)
        x = Dropout(self.dropout)(nn.relu(nn.Dense(self.hidden, name="hidden")(x)), train=train)
        return nn.Dense(self.classes, name="last")(x)


class TargetRows(nn.Module):
    """The first rows of what another network says of all nodes.

    Args:
        network: of one graph, such as kit G's GAT.
        number: of nodes of the target, which `homogenised` puts first.
    """

    network: nn.Module
    number: int

    @nn.compact
    def __call__(self, graph: GraphsTuple, train: bool = False) -> Logits:
        found: Array = self.network(graph, train)
        return found[: self.number]


def path_features(
    graph: TypedGraph, *, hops: int = 2, unit_rows: bool = False
) -> dict[str, Features]:
    """The target's features, and means of other nodes' along all paths of up to `hops` relations.

    Args:
        graph: a path to a type without features gives the shares of its nodes instead: the operator.
        hops: at least 1.
        unit_rows: as for `arrays_of`.

    Returns:
        (n, F) by name of the path, sparse where most are 0.
    """
    from scipy import sparse

    by_relation = relation_operators(graph)
    found = {}
    if graph.target in graph.features:
        found[graph.target] = feature_rows(graph.features[graph.target], unit_rows=unit_rows)
    for length in range(1, hops + 1):
        for path in metapaths(by_relation, graph.target, length):
            mean = compose(by_relation, path)
            given = graph.features.get(path[-1][0])
            if given is not None:
                rows = feature_rows(given, unit_rows=unit_rows)
                mean = mean @ (rows.to_scipy() if isinstance(rows, SparseFeatures) else rows)
            if sparse.issparse(mean) and mean.nnz > 0.2 * np.prod(mean.shape):
                mean = mean.toarray()
            name = path_name(path)
            # Two relations may join the same types.
            name = name if name not in found else f"{name} by {', '.join(r[1] for r in path)}"
            found[name] = feature_rows(mean)
    return found


def needed_types(links: Mapping[Any, Any], target: str, layers: int) -> list[tuple[str, ...]]:
    """The types whose rows each layer reads, the input first, for the target's row to come out.

    Args:
        links: by relation, source first, target type last.
        target: the type whose rows are wanted of the last layer.
        layers: at least 0.

    Returns:
        `layers` + 1 tuples of types, the last of which is the target alone.
    """
    found: list[tuple[str, ...]] = [(target,)]
    for _ in range(layers):
        sources = (relation[0] for relation in links if relation[-1] in found[0])
        found.insert(0, tuple(dict.fromkeys((*found[0], *sources))))
    return found
