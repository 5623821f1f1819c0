"""What is measured: limits of propagation; depth, gates and advice on drawn graphs; citation graphs."""

import dataclasses
import functools
from typing import Any, TypedDict

import networkx as nx
import numpy as np

from experiments.data.nodes import NodeData
from experiments.graphs.dagnn.depth import advise_depth
from experiments.graphs.dagnn.model import DAGNN
from experiments.graphs.dagnn.smoothing import second_eigenvalue, stationary_limit
from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.kits.graph.baselines import APPNP, GCN, SGC
from experiments.kits.graph.convert import from_networkx
from experiments.kits.graph.operators import dense, normalised, to_scipy
from experiments.kits.initialisation import TORCH
from experiments.kits.nodes.fitting import Fitted, fit, graph_of
from experiments.kits.nodes.generators import contextual_sbm, two_scale_sbm

# Hops, decay and dropout of the public code's scripts; hidden width 64 and rate 0.01 are defaults.
SETTINGS = {"cora": (10, 0.005, 0.8), "citeseer": (10, 0.02, 0.5)}


@dataclasses.dataclass(frozen=True)
class DagnnConfig:
    """Sizes of all studies, for each seed.

    Args:
        nodes: of the drawn graphs.
        hops: of the deep network; the usual one has 10.
        layers: of the deep GCN.
        steps: on drawn graphs, and of the baselines on citation graphs.
        epochs: of DAGNN on citation graphs, at most; the paper's 1,000.
        runs: of DAGNN on each citation graph; the paper has 100 in all.
        rivals: the citation graphs on which the baselines run as well.
    """

    nodes: int = 300
    hops: int = 64
    layers: int = 16
    steps: int = 200
    epochs: int = 1000
    runs: int = 1
    rivals: tuple[str, ...] = ("cora",)

    def __post_init__(self) -> None:
        check_types(self)
        require(self, nodes=self.nodes >= 240, hops=self.hops > 0, layers=self.layers > 1)
        require(self, rivals=set(self.rivals) <= set(SETTINGS))
        require(self, steps=self.steps > 0, epochs=self.epochs > 0, runs=self.runs > 0)


class LimitsResult(TypedDict):
    """The worst relative deviation from |lambda_2|^k with self-loops and without, and |lambda_2|."""

    deviation: float
    without_loops: float
    rates: list[float]


def limits(config: DagnnConfig, trial: Trial) -> LimitsResult:
    """|operator^k - limit| in the spectral norm, on five connected graphs of 24 to 60 nodes."""
    seed = int(trial.generator.integers(2**31))
    graphs = (
        nx.karate_club_graph(),
        nx.grid_2d_graph(4, 6),
        nx.random_labeled_tree(24, seed=seed),
        nx.barabasi_albert_graph(60, 2, seed=seed),
        nx.connected_watts_strogatz_graph(40, 4, 0.2, seed=seed),
    )
    rates, found = [], {True: 0.0, False: 0.0}
    for graph in (from_networkx(each)._replace(edges=None) for each in graphs):
        rates.append(second_eigenvalue(graph))
        for loops in found:
            operator = dense(normalised(graph, self_loops=loops))
            # Without loops the limit would be that of the plain degrees.
            top = np.sqrt(dense(normalised(graph, how="none", self_loops=loops)).sum(1))
            limit = np.outer(top, top) / (top @ top)
            if loops:
                limit = stationary_limit(graph, np.eye(len(top)))
            for k in (1, 2, 5, 10, 50, 200):
                if rates[-1] ** k > 1e-6:  # below, rounding is no longer far smaller
                    left = np.linalg.norm(np.linalg.matrix_power(operator, k) - limit, 2)
                    found[loops] = max(found[loops], abs(float(left) / rates[-1] ** k - 1))
    return {"deviation": found[True], "without_loops": found[False], "rates": rates}


def advice(config: DagnnConfig, trial: Trial) -> dict[str, float]:
    """Accuracy of nearest class means after the advised hops, after fixed ones, after the best.

    Means over six graphs of homophily 0.4, 0.6, 0.8 and degree 4, 10. The advice sees the labels of
    half of the test nodes and of all others, a tenth of them wrong.
    """
    generator, rows = trial.generator, []
    for homophily, degree in ((h, d) for h in (0.4, 0.6, 0.8) for d in (4.0, 10.0)):
        data = contextual_sbm(generator, nodes=config.nodes, degree=degree, homophily=homophily)
        wrong, hidden = generator.random((2, config.nodes)) < [[0.1], [0.5]]
        shifted = (data.labels + generator.integers(1, 4, config.nodes)) % 4
        seen = np.where(wrong, shifted, data.labels)
        seen[hidden & data.splits[0].test] = -1
        graph = graph_of(data)
        hops = advise_depth(graph, seen, classes=4, label_noise=0.1).hops
        scores = _by_hops(data, to_scipy(normalised(graph)), most=64)
        rows.append([hops, scores[hops], scores[0], scores[2], scores[10], max(scores)])
    names = ("mean_hops", "advised", "hops_0", "hops_2", "hops_10", "best")
    return dict(zip(names, np.mean(rows, 0).tolist(), strict=True))


def depths(config: DagnnConfig, trial: Trial) -> dict[str, float]:
    """Test accuracies of shallow and deep networks, and of gates on features of length 10."""
    generator = trial.generator
    data = contextual_sbm(generator, nodes=config.nodes)
    data = dataclasses.replace(data, features=10 * data.features)
    unit, unscaled = (normalised(graph_of(data, rows=rows)) for rows in ("norm", "raw"))
    usual = DAGNN(4, hops=10)
    arms: dict[str, tuple[Any, Any, dict[str, float]]] = {
        "dagnn": (usual, unit, {"gated": 1.0}),
        "dagnn_deep": (DAGNN(4, hops=config.hops), unit, {}),
        "gcn_deep": (GCN(4, layers=config.layers), unit, {}),
        "sgc_deep": (SGC(4, hops=config.hops), unit, {}),
        "unscaled": (usual, unscaled, {"gated": 1.0}),
        "unscaled_without_gates": (usual, unscaled, {"gated": 0.0}),
    }
    found = {}
    for done, (name, (model, graph, fields)) in enumerate(arms.items()):
        trial.report("networks", done, len(arms))
        found[name] = _fitted(model, graph, data, config.steps, generator, **fields).test
    return found


def gates(config: DagnnConfig, trial: Trial) -> dict[str, float]:
    """Test accuracies where half of the evidence lies near and half far: gates, and fixed weights."""
    generator = trial.generator
    data = two_scale_sbm(generator, nodes=2 * config.nodes)
    graph = normalised(graph_of(data))

    def fitted(model: Any, **fields: float) -> Fitted:
        return _fitted(model, graph, data, config.steps, generator, **fields)

    network, rival = DAGNN(4, hops=20), APPNP(4, hops=20)
    tuned = [fitted(rival, alpha=alpha) for alpha in (0.02, 0.1, 0.3)]
    return {
        "dagnn": fitted(network, gated=1.0).test,
        "without_gates": fitted(network, gated=0.0).test,
        "appnp": max(tuned, key=lambda one: one.validation).test,
    }


def citation(config: DagnnConfig, trial: Trial, *, name: str) -> dict[str, float]:
    """Test accuracies in percent on a citation graph's standard split."""
    data: NodeData = trial.load(name)
    hops, decay, dropout = SETTINGS[name]
    graph, generator = normalised(graph_of(data, rows="sum")), trial.generator
    classes = data.num_classes
    paper = {"rules": TORCH, "pick": "loss", "window": min(100, config.epochs // 2)}
    arms: dict[str, tuple[Any, dict[str, Any]]] = {
        "gcn": (GCN(classes), {"weight_decay": {"first": 5e-4}}),
        "sgc": (SGC(classes), {"weight_decay": 5e-4}),
        "appnp": (APPNP(classes), {"weight_decay": {"MLP_0/Dense_0": 5e-3}, "alpha": 0.1}),
        "mlp": (APPNP(classes), {"weight_decay": {"MLP_0/Dense_0": 5e-3}, "alpha": 1.0}),
    }
    found = {}
    for arm, (model, given) in arms.items() if name in config.rivals else ():
        trial.report(f"{arm} on {name}", 0, 1)
        fitted = _fitted(model, graph, data, config.steps, generator, patience=50, **given)
        found[arm] = 100 * fitted.test
    runs = []
    for run in range(config.runs):
        trial.report(f"DAGNN on {name}", run, config.runs)
        given = {**paper, "weight_decay": decay, "dropout": dropout}
        network = DAGNN(classes, hops=hops)
        runs.append(_fitted(network, graph, data, config.epochs, generator, **given).test)
    return {"dagnn": 100 * float(np.mean(runs)), **found}


def _fitted(
    model: Any, graph: Any, data: NodeData, steps: int, generator: np.random.Generator, **given: Any
) -> Fitted:
    """Fitted with decay 0.005 and dropout 0.5 unless told; the model's own fields are data."""
    fields = {name: given.pop(name) for name in ("gated", "alpha") if name in given}
    fields["dropout"] = given.pop("dropout", 0.5)  # type: ignore[index] # seen as two literals
    options = {"weight_decay": 5e-3, "fields": fields, **given}
    split = data.splits[0]
    return fit(model, graph, data.labels, split, generator=generator, steps=steps, **options)


def _by_hops(data: NodeData, operator: Any, *, most: int) -> list[float]:
    """Test accuracy of the nearest class mean of the training nodes after 0 to `most` hops."""
    split, x, scores = data.splits[0], data.dense.astype(np.float64), []
    labels = data.labels
    for _ in range(most + 1):
        classes = [split.train & (labels == label) for label in range(data.num_classes)]
        means = np.stack([x[members].mean(0) for members in classes])
        nearest = ((x[split.test][:, None] - means[None]) ** 2).sum(-1).argmin(1)
        scores.append(float((nearest == labels[split.test]).mean()))
        x = operator @ x
    return scores


STUDIES = Studies(
    configs={
        "quick": DagnnConfig(),
        "standard": DagnnConfig(steps=1000, runs=20, rivals=tuple(SETTINGS)),
    },
    tiny=DagnnConfig(nodes=240, hops=16, layers=8, steps=10, epochs=10),
    functions={
        "limits": limits,
        "advice": advice,
        "depth": depths,
        "gates": gates,
        "cora": functools.partial(citation, name="cora"),
        "citeseer": functools.partial(citation, name="citeseer"),
    },
    slow=("depth", "gates", "cora", "citeseer"),
)
