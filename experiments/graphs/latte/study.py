"""What is measured: a drawn path found, kept and deleted; real graphs beside three rivals."""

import functools
from typing import Any, TypedDict

import numpy as np

from experiments.data.typed import TypedGraph
from experiments.graphs.latte.explanation import attentions, delete_links, delete_paths
from experiments.graphs.latte.network import LATTE, XAVIER, with_proximity
from experiments.graphs.latte.paths import PathGraph, path_graph
from experiments.graphs.latte.study_config import SETS, LatteConfig
from experiments.graphs.latte.study_exact import identities
from experiments.harness.study import Studies, Trial
from experiments.kits.graph.baselines import GAT
from experiments.kits.graph.operators import normalised
from experiments.kits.nodes.fitting import Fitted, fit
from experiments.kits.typed.baselines import RGCN, HANLite, TargetRows
from experiments.kits.typed.device import arrays_of, homogenised
from experiments.kits.typed.generators import CARRIERS, planted_metapath, planted_path
from experiments.kits.typed.operators import (
    metapaths,
    path_name,
    reachable,
    relation_operators,
    thinned,
)

RATE, REAL_RATE, DECAY = 5e-3, 1e-2, 1e-3
# Of HeCo's paper, from the target outwards and back.
GIVEN_PATHS = {
    "acm": ("p-a-p", "p-s-p"),
    "dblp": ("a-p-a", "a-p-c-p-a", "a-p-t-p-a"),
    "freebase": ("m-a-m", "m-d-m", "m-w-m"),
}


class PlantedResult(TypedDict):
    """By carrier of the label, and with shuffled labels: accuracy, weights, effects of deleting; arms."""

    a: dict[str, float]
    s: dict[str, float]
    shuffled: dict[str, float]
    arms: dict[str, float]


def planted(config: LatteConfig, trial: Trial) -> PlantedResult:
    """Whether two layers find the path that carries the label, name it, and depend on it.

    For each carrier: `found` and `uniform`, test accuracies with learned and equal weights of paths;
    `weight`, the planted path's mean weight in the second layer; `other`, the largest of another;
    `top` and `random`, how much lower the true class's logit is without a node's top path and without
    another; `top_link` and `random_link`, the same of single links. `arms`: test accuracies of two
    layers, of one, and of the GAT, means over several drawn graphs.
    """
    generator = trial.generator
    found: dict[str, dict[str, float]] = {}
    for carrier in CARRIERS:
        trial.report(f"the label by way of {carrier}", len(found), 3)
        data = planted_metapath(generator, carrier=carrier, targets=config.targets)
        graph = path_graph(data, wedges=True, shared_sizes=True)
        model, fitted = _two_layers(config, data, graph, generator)
        by_path = delete_paths(model, fitted.variables, graph, data.labels, generator)
        by_link = delete_links(model, fitted.variables, graph, data.labels, generator)
        test = data.splits[0].test
        found[carrier] = {
            "found": fitted.test,
            "uniform": _two_layers(config, data, graph, generator, uniform=1.0)[1].test,
            **_weights(model, fitted, graph, carrier),
            "top": float(by_path.top[test[by_path.nodes]].mean()),
            "random": float(by_path.other[test[by_path.nodes]].mean()),
            "top_link": float(by_link.top[test[by_link.nodes]].mean()),
            "random_link": float(by_link.other[test[by_link.nodes]].mean()),
        }
        if carrier == CARRIERS[0]:
            labels = generator.permutation(data.labels)
            model, fitted = _two_layers(config, data, graph, generator, labels=labels)
            shuffled = {"found": fitted.test, **_weights(model, fitted, graph, carrier)}
    arms = _mean_of([_arms(config, generator) for _ in range(config.draws)])
    return {"a": found["a"], "s": found["s"], "shuffled": shuffled, "arms": arms}


def _arms(config: LatteConfig, generator: np.random.Generator) -> dict[str, float]:
    data = planted_metapath(generator, targets=config.targets)
    graph = path_graph(data, wedges=True, shared_sizes=True)
    single = LATTE(data.num_classes, config.hidden, layers=1)
    short = path_graph(data, orders=1, shared_sizes=True)
    return {
        "latte": _two_layers(config, data, graph, generator)[1].test,
        "one_layer": _fitted(config, single, short, data, generator).test,
        "gat": _fitted(config, *_gat(config, data), data, generator).test,
    }


def threshold(config: LatteConfig, trial: Trial) -> dict[str, float]:
    """Test accuracy with all composed links and with the public code's 0.5; the share of them lost."""
    generator = trial.generator
    data = planted_metapath(generator, targets=config.targets)
    graph = path_graph(data, wedges=True, shared_sizes=True)
    released = _two_layers(config, data, graph, generator, threshold=0.5)
    model = LATTE(data.num_classes, config.hidden, threshold=0.5)
    kept = attentions(model, released[1].variables, graph)[-1].shares
    links = graph.of_order(2)
    there = sum(int((np.asarray(links[path].values) > 0).sum()) for path in kept)
    left = sum(int((shares.max(1) > 0).sum()) for shares in kept.values())
    return {
        "all": _two_layers(config, data, graph, generator)[1].test,
        "released": released[1].test,
        "lost": 1 - left / there,
        "lost_at_zero": 0.0,
    }


def proximity(config: LatteConfig, trial: Trial) -> dict[str, float]:
    """Test accuracies with few labels, with the proximity loss and without, over several drawn graphs."""
    generator, rows = trial.generator, []
    for _ in range(config.draws):
        data = planted_metapath(generator, targets=config.targets, train=config.few)
        graph = path_graph(data, shared_sizes=True)
        model = LATTE(data.num_classes, config.hidden, proximity=True)
        with_loss = _fitted(config, model, graph, data, generator, objective=with_proximity)
        wedged = path_graph(data, wedges=True, shared_sizes=True)
        without = _two_layers(config, data, wedged, generator)[1]
        rows.append({"with": with_loss.test, "without": without.test})
    return _mean_of(rows)


def real(config: LatteConfig, trial: Trial, *, name: str) -> dict[str, Any]:
    """Micro and Macro F1 in percent of LATTE and three rivals on one real graph, and path weights."""
    from sklearn.metrics import f1_score

    data: TypedGraph = trial.load(name)
    generator = trial.generator
    split = data.splits[(20, 40, 60).index(config.labels)]
    truth = data.labels[split.test]
    graph = path_graph(data, most=config.neighbours, generator=generator, unit_rows=True)
    latte = LATTE(data.num_classes, config.hidden)
    arms: dict[str, tuple[Any, Any]] = {
        "latte": (latte, graph),
        "rgcn": (
            RGCN(data.num_classes, config.hidden),
            arrays_of(data, relation_operators(data), unit_rows=True),
        ),
        "han": (
            HANLite(data.num_classes, config.hidden, semantic=config.hidden),
            _given_paths(config, data, generator),
        ),
        "gat": _gat(config, data),
    }
    found: dict[str, Any] = {}
    for arm, (model, given) in arms.items():
        trial.report(f"{arm} on {name}", len(found), len(arms))
        fitted = _fitted(
            config,
            model,
            given,
            data,
            generator,
            split=split,
            steps=config.real_steps,
            rate=REAL_RATE,
            patience=20,
        )
        guessed = fitted.logits.argmax(1)[split.test]
        found[arm] = {
            "micro": 100 * fitted.test,
            "macro": 100 * float(f1_score(truth, guessed, average="macro")),
        }
        if arm == "latte":
            found["weights"] = _mean_weights(latte, fitted, graph)
    return found


def _two_layers(
    config: LatteConfig,
    data: TypedGraph,
    graph: PathGraph,
    generator: np.random.Generator,
    *,
    labels: Any = None,
    **fields: float,
) -> tuple[LATTE, Fitted]:
    """LATTE-2 on a drawn graph with wedges; threshold and uniformity are data of one program."""
    model = LATTE(data.num_classes, config.hidden, threshold=0.0)
    given = {"threshold": 0.0, "uniform": 0.0, **fields}
    return model, _fitted(config, model, graph, data, generator, labels=labels, fields=given)


def _fitted(
    config: LatteConfig,
    model: Any,
    graph: Any,
    data: TypedGraph,
    generator: np.random.Generator,
    *,
    labels: Any = None,
    split: Any = None,
    steps: int = 0,
    rate: float = RATE,
    **given: Any,
) -> Fitted:
    return fit(
        model,
        graph,
        data.labels if labels is None else labels,
        split or data.splits[0],
        generator=generator,
        steps=steps or config.steps,
        learning_rate=rate,
        weight_decay=DECAY,
        rules=XAVIER,
        **given,
    )


def _gat(config: LatteConfig, data: TypedGraph) -> tuple[Any, Any]:
    """The rival that is blind to types, with a column for each node without features."""
    network = GAT(data.num_classes, config.hidden, heads=4, dropout=0.5)
    graph = normalised(homogenised(data, identities=True), how="none")
    return TargetRows(network, len(data.labels)), graph


def _given_paths(config: LatteConfig, data: TypedGraph, generator: np.random.Generator) -> Any:
    """Links of the paths that HAN is given."""
    adjacency, joined = relation_operators(data, how="none"), {}
    for path in (p for hops in (2, 4) for p in metapaths(adjacency, data.target, hops)):
        if path_name(path) in GIVEN_PATHS[data.name]:
            # From both ends to the middle: the other way round the middle of some is all but full.
            half = len(path) // 2
            ends = (reachable(adjacency, path[:half]), reachable(adjacency, path[half:]))
            joined[path] = thinned((ends[0] @ ends[1]).astype(bool), config.neighbours, generator)
    return arrays_of(data, joined, unit_rows=True)


def _mean_of(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _mean_weights(model: LATTE, fitted: Fitted, graph: PathGraph) -> dict[str, float]:
    """The last layer's mean weight of each path, and of the node itself."""
    target = graph.arrays.target
    weights = attentions(model, fitted.variables, graph)[-1].weights[target].mean(0).tolist()
    paths = [path for path in graph.of_order(model.layers) if path[0][2] == target]
    return dict(zip([*map(path_name, paths), "self"], weights, strict=True))


def _weights(model: LATTE, fitted: Fitted, graph: PathGraph, carrier: str) -> dict[str, float]:
    found = _mean_weights(model, fitted, graph)
    weight = found.pop(path_name(planted_path(carrier)))
    return {"weight": weight, "other": max(found.values())}


STUDIES = Studies(
    configs={
        "quick": LatteConfig(),
        "standard": LatteConfig(hidden=128, steps=250, real_steps=250, neighbours=64),
    },
    tiny=LatteConfig(targets=200, hidden=8, steps=5, draws=1, real_steps=2, neighbours=2),
    functions={
        "identities": identities,
        "planted": planted,
        "threshold": threshold,
        "proximity": proximity,
        **{name: functools.partial(real, name=name) for name in SETS},
    },
    num_seeds=3,
    slow=("planted", "threshold", "proximity", *SETS),
)
