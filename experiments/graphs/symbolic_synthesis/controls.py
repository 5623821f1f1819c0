"""What synthesised graphs are to be compared with: random ones of equal size, and the luck of a run."""

from collections.abc import Sequence
from typing import NamedTuple

import networkx as nx
import numpy as np
from jaxtyping import Float
from scipy import stats

from experiments.graphs.symbolic_synthesis.language import PORTS, Graph
from ntkexec.errors import ExperimentError


class Share(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


def random_graph(generator: np.random.Generator, nodes: int, edges: int) -> Graph:
    """A connected graph without parallel edges: a random tree, random edges more, in a random order.

    Args:
        generator: draws.
        nodes: at least 2.
        edges: at least one fewer than nodes; as many as fit where there are not so many pairs.

    Returns:
        Created as a program would: a node comes just before the edge that joins it to those that are there.
        Each edge has the first port that is free at both ends.

    Raises:
        ExperimentError: so few edges do not connect so many nodes, or a node has more edges than ports.
    """
    if nodes < 2 or edges < nodes - 1:
        raise ExperimentError(f"{edges} edges do not connect {nodes} nodes")
    tree = nx.random_labeled_tree(nodes, seed=int(generator.integers(2**31)))
    pairs = list(nx.bfs_edges(tree, int(generator.integers(nodes))))
    absent = list(nx.complement(tree).edges)
    more = generator.permutation(len(absent))[: edges - nodes + 1]
    ids = {pairs[0][0]: 0}
    count, made = 1, []
    used: dict[int, set[int]] = {0: set()}
    for old, new in [*pairs, *(absent[i] for i in more)]:
        if new not in ids:
            ids[new], used[count] = count, set()
            count += 1
        u, v = ids[new], ids[old]
        free = [port for port in range(PORTS) if port not in used[u] | used[v]]
        if not free:
            raise ExperimentError(f"a node has more edges than {PORTS} ports")
        used[u].add(free[0])
        used[v].add(free[0])
        made.append((count, u, v, free[0]))
        count += 1
    return Graph(tuple(sorted(ids.values())), tuple(made))


def intraclass_correlation(tables: Sequence[Float[np.ndarray, "graphs runs"]]) -> Share:
    """The share of a run's variance that its graph explains: the rest is what another seed changes.

    Args:
        tables: a result for each graph (row) and each of its runs, all of which have seeds of their own; of
            several populations, each with its own mean.

    Returns:
        One-way analysis of variance with random effects, and the interval that is exact if both
        effects are normal; below 0 where graphs differ less than seeds would make them, and 1 where
        graphs differ and seeds never do.

    Raises:
        ExperimentError: a table has one graph, or one run of each, or another number of runs, or is no
            matrix of finite numbers; or all runs are equal, and there is nothing to share out.

    Source: Shrout and Fleiss, Psychological Bulletin 86 (1979), ICC(1, 1).
    """
    tables = [np.asarray(table, float) for table in tables]
    if not tables or any(table.ndim != 2 or not np.isfinite(table).all() for table in tables):
        raise ExperimentError(
            "shares of variance are of a list of tables (graphs, runs) of finite numbers, `[table]` for "
            f"one, and these have shapes {[table.shape for table in tables]}"
        )
    runs = {table.shape[1] for table in tables}
    if len(runs) != 1 or min(runs) < 2 or min(len(table) for table in tables) < 2:
        raise ExperimentError(
            f"graph and seed cannot be told apart in tables of {[t.shape for t in tables]}: equal numbers "
            "of runs are needed, two at least, of two graphs at least"
        )
    (number,) = runs
    centres = [table.mean(1) for table in tables]
    across = sum(number * np.square(c - c.mean()).sum() for c in centres)
    within = sum(np.square(t - c[:, None]).sum() for t, c in zip(tables, centres, strict=True))
    freedom = sum(len(t) - 1 for t in tables), sum(len(t) * (number - 1) for t in tables)
    # What is left of equal runs is the rounding of their mean, which is no variance.
    noise = sum(t.size * np.square(4 * np.finfo(float).eps * abs(t).max()) for t in tables)
    if across <= noise and within <= noise:
        raise ExperimentError(
            f"all runs of a table are equal, {tables[0].flat[0]} in the first: they have no variance, and "
            "graph and seed cannot be told apart"
        )
    if within <= noise:
        return Share(1.0, 1.0, 1.0)
    ratio = (across / freedom[0]) / (within / freedom[1])
    ratios = (
        ratio,
        ratio / stats.f.ppf(0.975, *freedom),
        ratio * stats.f.ppf(0.975, *freedom[::-1]),
    )
    return Share(*(float((r - 1) / (r + number - 1)) for r in ratios))


def variance_ratio(
    tables: Sequence[Float[np.ndarray, "graphs runs"]],
    others: Sequence[Float[np.ndarray, "graphs runs"]],
    *,
    generator: np.random.Generator,
    draws: int = 2000,
) -> Share:
    """How many times the variance of all runs is that of others: the percentile bootstrap over graphs.

    Args:
        tables, others: populations, pair by pair; see `intraclass_correlation`. Rows are drawn whole, since
            runs of one graph are not independent; a run without a graph is a row of one.
        generator: of the bootstrap.
        draws: of the bootstrap.
    """

    def pooled(parts: Sequence[np.ndarray]) -> float:
        squares = sum(np.square(part - part.mean()).sum() for part in parts)
        return float(squares) / sum(part.size - 1 for part in parts)

    def again(parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [part[generator.integers(len(part), size=len(part))] for part in parts]

    found = [pooled(again(tables)) / max(pooled(again(others)), 1e-12) for _ in range(draws)]
    low, high = np.quantile(found, [0.025, 0.975])
    return Share(pooled(tables) / pooled(others), float(low), float(high))


def pooled_correlation(pairs: Sequence[Float[np.ndarray, "runs 2"]]) -> Share | None:
    """The correlation of two columns within populations, as Fisher's z with its 95 % interval.

    Args:
        pairs: populations, a run a row; centred each by itself, so that one population's being better is
            no correlation.

    Returns:
        None where a column does not vary, and there is no correlation.

    Source: Fisher, On the probable error of a coefficient of correlation, 1921.
    """
    centred = np.concatenate([part - part.mean(0) for part in pairs])
    one, other = centred.T
    size = np.sqrt((one @ one) * (other @ other))
    if not size > 0:
        return None
    found = float(np.arctanh(np.clip(one @ other / size, -1 + 1e-9, 1 - 1e-9)))
    # One degree of freedom is lost in each population's mean.
    half = float(stats.norm.ppf(0.975)) * (len(centred) - len(pairs) - 2) ** -0.5
    return Share(found, found - half, found + half)
