"""What is trained: GIN by its own protocol, scenarios in pairs, important edges, learning to count."""

import dataclasses
import functools
from typing import Any

import networkx as nx
import numpy as np
from sklearn.metrics import roc_auc_score

from experiments.data.graph_sets import Fold, GraphSet
from experiments.graphs.graph_level import study_exact
from experiments.graphs.graph_level.contrast import UnifiedContrast, Weights, contrastive
from experiments.graphs.graph_level.motifs import Planted, planted_motifs
from experiments.graphs.graph_level.network import KPathGNN, rooted_batch
from experiments.graphs.graph_level.paths import count_cycles, path_roots
from experiments.graphs.graph_level.protocol import Comparison, Learner, Trainer, compare
from experiments.graphs.graph_level.scenarios import CLEAN, Scenario, drawn_fold
from experiments.graphs.graph_level.study_config import GraphLevelConfig
from experiments.harness.study import NotMeasured, Studies, Trial
from experiments.kits.graph_sets import families
from experiments.kits.graph_sets.baselines import GIN, HistogramMLP
from experiments.kits.graph_sets.batches import (
    Limits,
    dense_batch,
    limits_for,
    padded_batch,
    stored,
)
from experiments.kits.graph_sets.fitting import fit, picked_by_mean_curve
from experiments.kits.graph_sets.inputs import node_inputs
from experiments.kits.graph_sets.pooling import How

QUICK = GraphLevelConfig()
STANDARD = GraphLevelConfig(
    fold_sets=("mutag", "ptc", "proteins", "nci1", "enzymes", "imdb-binary"), fold_epochs=100,
    fold_steps=20, fold_halved=25, task_epochs=30, task_repeats=5, learn_steps=2000,
)  # fmt: skip
FULL = dataclasses.replace(STANDARD, fold_epochs=350, fold_steps=50, fold_halved=50)
TINY = GraphLevelConfig(
    counted=1, network_hidden=2, fold_sets=("mutag",), folds=2, fold_epochs=2, fold_steps=1, fold_hidden=4,
    task_epochs=1, task_steps=1, motif_graphs=20, motif_epochs=1, motif_steps=2,
)  # fmt: skip

BATCH = 32
SCENARIOS = (
    CLEAN,
    Scenario("noisy", noise=0.3),
    Scenario("imbalanced", imbalance=10.0),
    Scenario("few-shot", labels=10),
)
ARMS = {
    "unified": Weights(),
    "uniform": Weights(adaptive=0.0),
    "none": Weights(contrast=0.0, regular=0.0, rate=0.0),
}
"""Edges dropped by importance, all alike as in GraphCL, and no copies at all: one program."""


def folds(config: GraphLevelConfig, trial: Trial) -> dict[str, dict[str, float]]:
    """Accuracies over folds in percent by set: at the epoch of GIN's protocol, and at the last."""
    found = {}
    for name in config.fold_sets:
        # A long run at the standard scale is continued set by set.
        make = functools.partial(_by_folds, config, trial, trial.load(name))
        found[name] = dict(trial.kept(name, make))
    return found


def _by_folds(config: GraphLevelConfig, trial: Trial, graphs: GraphSet) -> dict[str, float]:
    # Social graphs have no labels, and GIN averages their nodes.
    pool: How = "sum" if graphs.num_node_labels else "mean"
    model = GIN(graphs.num_classes, config.fold_hidden, pool=pool)
    store, limits = stored(graphs, node_inputs(graphs)), limits_for(graphs, BATCH)
    curves = []
    for number, fold in enumerate(graphs.folds[: config.folds]):
        fitted = fit(
            model, store, graphs.targets, fold, limits=limits,
            generator=np.random.default_rng([trial.seed, number]), epochs=config.fold_epochs,
            steps=config.fold_steps, halved_every=config.fold_halved,
        )  # fmt: skip
        curves.append(100 * fitted.history["test"])
        trial.report(graphs.name, number + 1, config.folds)
    picked = picked_by_mean_curve(curves)
    return {
        "picked": picked.mean, "last": picked.last, "deviation": picked.deviation, "epoch": picked.epoch
    }  # fmt: skip


def under_scenarios(config: GraphLevelConfig, trial: Trial) -> dict[str, Any]:
    """Accuracy and macro F1 in percent by scenario and arm, means over the seed's tasks."""
    graphs = trial.load(config.task_set)
    trainer = functools.partial(Trainer, epochs=config.task_epochs, steps=config.task_steps)
    arms: dict[str, Learner] = {
        name: trainer(UnifiedContrast, objective=contrastive, extras=_arrays(weights))
        for name, weights in ARMS.items()
    }
    arms["histogram"] = trainer(HistogramMLP)
    first = trial.seed * config.task_repeats
    seeds = range(first, first + config.task_repeats)
    return _means(compare(arms, [graphs], SCENARIOS, seeds=seeds))


def _means(compared: Comparison) -> dict[str, Any]:
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for row in compared.rows:
        for metric, value in row.scores.items():
            by_model = found.setdefault(metric, {}).setdefault(row.scenario, {})
            by_model.setdefault(row.model, []).append(100 * value)
    return {
        metric: {
            scenario: {model: float(np.mean(values)) for model, values in by_model.items()}
            for scenario, by_model in by_scenario.items()
        }
        for metric, by_scenario in found.items()
    }


def importance(config: GraphLevelConfig, trial: Trial) -> dict[str, float]:
    """How well scores of edges find a planted motif's, as areas under the ROC curve of test graphs."""
    generator = trial.generator
    planted = planted_motifs(config.motif_graphs, generator)
    graphs, fold = planted.graphs, drawn_fold(planted.graphs, generator)
    inputs = node_inputs(graphs, kind="degrees", most_degree=8)
    model = UnifiedContrast(graphs.num_classes)
    limits = Limits(BATCH, 704, 1664)  # graphs of 20 nodes and some 24 edges, whatever was drawn
    fitted = fit(
        model, stored(graphs, inputs), graphs.targets, fold, limits=limits, generator=generator,
        epochs=config.motif_epochs, steps=config.motif_steps, objective=contrastive,
        extras=_arrays(ARMS["unified"]),
    )  # fmt: skip
    sizes = {"num_graphs": len(fold.test) + 1, "num_nodes": 20 * len(fold.test) + 1}
    batch = padded_batch(
        [graphs.graphs[i] for i in fold.test], **sizes, num_edges=60 * len(fold.test),
        inputs=[inputs[i] for i in fold.test],
    )  # fmt: skip
    scores = np.asarray(model.apply(fitted.variables, batch, method="importance"))
    senders, receivers = np.asarray(batch.senders), np.asarray(batch.receivers)
    return {
        **_areas(planted, fold, dict(zip(zip(senders, receivers, strict=True), scores, strict=True))),
        "accuracy": 100 * fitted.test,
        "spread": float(scores[np.asarray(batch.edges) > 0].std()),
    }  # fmt: skip


def _areas(planted: Planted, fold: Fold, scores: dict[tuple[int, int], float]) -> dict[str, float]:
    truth, learned, between = [], [], []
    for place, i in enumerate(fold.test):
        graph, offset = planted.graphs.graphs[i], 20 * place
        central = nx.edge_betweenness_centrality(families.networkx_of_graph(graph))
        for (u, v), is_motif in zip(graph.edges.tolist(), planted.motif_edges[i], strict=True):
            truth.append(bool(is_motif))
            learned.append(float(scores[u + offset, v + offset]))
            between.append(-central.get((u, v), central.get((v, u), 0.0)))
    # All edges alike, as uniform dropping holds them, find nothing.
    return {
        "unified": float(roc_auc_score(truth, learned)),
        "betweenness": float(roc_auc_score(truth, between)),
        "uniform": 0.5,
    }


def learned(config: GraphLevelConfig, trial: Trial) -> dict[str, float]:
    """Test errors, over the targets' deviation, of 5-cycles of cubic graphs of 12 nodes."""
    if not config.learn_steps:
        raise NotMeasured("takes minutes for each seed: --scale standard")
    generator, third = trial.generator, config.learn_graphs // 3
    some = families.random_regular(3, 12, config.learn_graphs, generator=generator)
    counts = np.array([[count_cycles(graph, 5, 1)] for graph in some])
    targets = ((counts - counts.mean()) / max(float(counts.std()), 1e-9)).astype(np.float32)
    order = np.arange(len(some))
    fold = Fold(order[third:], order[:0], order[:third])
    found = {}
    arms = {"gin": GIN(1), **{f"k{k}": KPathGNN(1, k) for k in (0, 1)}}
    for name, model in arms.items():
        store = dense_batch(some, 12)
        if isinstance(model, KPathGNN):
            roots = [path_roots(graph, model.k) for graph in some]
            most = max(len(one.paths) for one in roots)
            store = rooted_batch(some, roots, num_nodes=12, num_roots=most)
        fitted = fit(
            model, store, targets, fold, limits=Limits(16), generator=generator,
            epochs=max(1, config.learn_steps // 100), steps=100, learning_rate=1e-3,
        )  # fmt: skip
        found[name] = fitted.test
    return found


def _arrays(weights: Weights) -> Weights:
    """As data of the program, not numbers written into it."""
    return Weights(*(np.float32(value) for value in weights))


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD, "full": FULL},
    tiny=TINY,
    functions={
        "counting": study_exact.counting, "ladder": study_exact.ladder, "folds": folds,
        "scenarios": under_scenarios, "importance": importance, "learned": learned,
    },
    num_seeds=3,
    slow=("ladder", "folds", "scenarios", "importance"),
)  # fmt: skip
