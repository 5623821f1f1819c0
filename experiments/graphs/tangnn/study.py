"""What is trained on one graph, Cora's nodes and held-out links; and all studies with their sizes."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import optax
from jaxtyping import Array
from sklearn.metrics import roc_auc_score

from experiments.data.nodes import NodeData
from experiments.graphs.tangnn import study_exact, study_tasks, tasks
from experiments.graphs.tangnn.network import TANGNN, auxiliary_rules
from experiments.graphs.tangnn.stability import replacement_cost, selection_report
from experiments.graphs.tangnn.study_config import TangnnConfig
from experiments.graphs.tangnn.study_tasks import SAGE, TOP_M, annealed, forward_of, step_of, traced
from experiments.harness.study import Studies, Trial
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.nodes.fitting import fit, graph_of
from experiments.kits.nodes.generators import contextual_sbm
from experiments.kits.training import train

LINK_BATCH, LINK_CLASSES = 128, 6


def cora(config: TangnnConfig, trial: Trial) -> dict[str, Any]:
    """Test accuracies in percent: attention, a learned constant in its place, nothing; another selection."""
    data: NodeData = trial.load("cora")
    graph, generator = graph_of(data), trial.generator
    arms = {
        "tangnn": {"attended": 1.0, "constant": 0.0},
        "constant": {"attended": 0.0, "constant": 1.0},
        "sage": {"attended": 0.0, "constant": 0.0},
    }
    found: dict[str, dict[str, Any]] = {}
    for variant in config.cora_variants:
        model = TANGNN(data.num_classes, variant=variant, neighbours=0)  # type: ignore[arg-type]
        scores: dict[str, list[float]] = {name: [] for name in arms}
        lost = []
        for _ in range(config.cora_runs):
            seed = int(generator.integers(2**32))
            for name, fields in arms.items():
                fitted = fit(
                    model, graph, data.labels, data.splits[0], fields=fields,
                    generator=np.random.default_rng(seed), steps=config.cora_steps,
                    learning_rate=0.005, weight_decay=1e-4, rules=auxiliary_rules(),
                )  # fmt: skip
                scores[name].append(100 * fitted.test)
                if name == "tangnn":
                    test = data.splits[0].test
                    given = (model, fitted.variables, graph, data.labels, test, generator)
                    lost.append(100 * replacement_cost(*given, draws=2))
        means = {name: float(np.mean(values)) for name, values in scores.items()}
        found[variant] = {**means, "replaced": float(np.mean(lost))}
    return found


def links(config: TangnnConfig, trial: Trial) -> dict[str, Any]:
    """ROC AUC of held-out links of a graph of communities; and what was selected while training."""
    generator = trial.generator
    data = contextual_sbm(
        generator, nodes=config.link_nodes, classes=LINK_CLASSES, homophily=0.85, signal=0.8,
        train=5, validation=30,
    )  # fmt: skip
    drawn = tasks.held_out_links(data, generator)
    found: dict[str, Any] = {}
    model = TANGNN(2, m=20, readout="pair")
    for name, fields in {"tangnn": TOP_M, "sage": SAGE}.items():
        params, selected = _linked(model, drawn, trial, fields, config.link_steps)
        logits = np.asarray(
            forward_of(model)(params, traced(fields), drawn.graph, pairs=drawn.test)
        )
        found[name] = float(roc_auc_score(drawn.test_labels, logits[:, 1] - logits[:, 0]))
        if name == "tangnn":
            report = selection_report(selected, drawn.graph, data.labels)
            found["stability"] = dataclasses.asdict(report)
    joined = nx.Graph(drawn.train.tolist())
    joined.add_nodes_from(range(data.num_nodes))
    scores = [score for *_, score in nx.adamic_adar_index(joined, drawn.test.tolist())]
    found["adamic_adar"] = float(roc_auc_score(drawn.test_labels, scores))
    return found


def _link_loss(model: nn.Module, variables: Any, batch: Any, key: Array) -> Array:
    graph, (pairs, others) = batch
    both = jnp.concatenate([pairs, others])
    labels = jnp.repeat(jnp.array([1, 0]), len(pairs), total_repeat_length=2 * len(pairs))
    logits = model.apply(variables, graph, train=True, pairs=both, rngs={"dropout": key})
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def _linked(
    model: TANGNN, drawn: tasks.Links, trial: Trial, fields: dict[str, float], steps: int
) -> tuple[Any, np.ndarray]:
    """Parameters of the lowest validation loss, and what the first layer selected then and when."""
    generator, graph = trial.generator, drawn.graph
    params = initial_by_numpy(
        model, generator, graph, pairs=drawn.train[:2], rules=auxiliary_rules()
    )["params"]
    optimiser = annealed(steps, 0.005)
    step = step_of(model, _link_loss, optimiser, LINK_BATCH)
    # Ten pairs of any nodes for each edge; few of them are edges.
    pairs = np.tile(drawn.train, (10, 1))
    others = generator.integers(len(graph.nodes), size=pairs.shape)
    data = (trial.key, traced(fields), graph, (pairs, others))
    chunk = next(size for size in range(max(1, steps // 10), 0, -1) if steps % size == 0)
    best: list[tuple[float, Any]] = []
    selected: list[np.ndarray] = []

    def watched(state: Any, done: int) -> Any:
        now = traced(fields)
        logits = forward_of(model)(state[0], now, graph, pairs=drawn.validation)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, drawn.validation_labels)
        if not best or float(losses.mean()) < best[0][0]:
            best[:] = [(float(losses.mean()), jax.tree.map(np.asarray, state[0]))]
        selected.append(_selected(model, state[0], graph))
        return state

    state = (params, optimiser.init(params))
    (params, inner), _ = train(
        step,
        state,
        steps,
        data=data,
        chunk=chunk,
        between=watched,
        report=trial.report,
        what="links",
    )
    watched((params, inner), steps)
    return best[0][1], np.stack(selected)


def _selected(model: TANGNN, params: Any, graph: GraphsTuple) -> np.ndarray:
    """The first layer's selection, which reads features and its auxiliary vector only."""
    vector = params["layer_0"]["top"]["auxiliary"]
    rectified = np.maximum(np.asarray(graph.nodes, np.float64), 0)
    lengths = np.linalg.norm(rectified, axis=1)
    scores = rectified @ np.asarray(vector, np.float64) / np.where(lengths > 0, lengths, 1)
    return np.argsort(-scores, kind="stable")[: model.m]


STUDIES = Studies(
    configs={
        "quick": TangnnConfig(),
        "standard": TangnnConfig(
            beacon_nodes=64, beacon_m=8, beacon_graphs=5000, beacon_steps=3000, beacon_batch=16,
            beacon_more=True, citation_graphs=5000, citation_steps=2000, link_steps=1000,
            cora_runs=5, cora_variants=("base", "LC", "FLC", "NAI", "TAI"), molecule_steps=5000,
            molecule_batch=32, cycle_graphs=5000,
        ),
    },
    tiny=TangnnConfig(
        cost_nodes=(64, 128), beacon_nodes=16, beacon_graphs=20, beacon_steps=5, citation_graphs=20,
        citation_steps=5, link_nodes=100, link_steps=4, cora_steps=3, molecule_steps=4,
        cycle_graphs=40,
    ),
    functions={
        "special": study_exact.special_cases, "numbering": study_exact.numbering,
        "auxiliary": study_exact.auxiliary, "reach": study_exact.reach, "costs": study_exact.costs,
        "beacons": study_tasks.beacons, "sentiment": study_tasks.sentiment, "links": links,
        "molecules": study_tasks.molecules, "cycles": study_tasks.cycles, "cora": cora,
    },
    slow=("numbering", "costs", "beacons", "sentiment", "links", "molecules", "cycles", "cora"),
)  # fmt: skip
