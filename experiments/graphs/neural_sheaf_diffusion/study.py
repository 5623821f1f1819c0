"""What is measured of sheaf diffusion: exact statements, depth and heterophily, the published table."""

import dataclasses
from typing import Any, TypedDict

import flax.linen as nn
import numpy as np
from scipy import sparse

from experiments.data.nodes import NodeData, Split
from experiments.graphs.neural_sheaf_diffusion import study_exact
from experiments.graphs.neural_sheaf_diffusion.model import (
    RULES,
    BundleSheaf,
    SheafDiffusion,
    layer_sheaf,
)
from experiments.graphs.neural_sheaf_diffusion.report import sheaf_report
from experiments.graphs.neural_sheaf_diffusion.study_config import SETTINGS, SheafConfig
from experiments.harness.study import Studies, Trial
from experiments.kits.graph.baselines import GCN, MLP
from experiments.kits.graph.operators import normalised
from experiments.kits.graph.padding import padded
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.nodes.fitting import Fitted, fit, graph_of
from experiments.kits.nodes.generators import contextual_sbm


class DepthResult(TypedDict):
    """Test accuracies on a heterophilous graph, by model and layers."""

    shallow: dict[str, float]
    deep: dict[str, float]
    symmetric_share: float
    holonomy: float


def depth(config: SheafConfig, trial: Trial) -> DepthResult:
    """A bundle of rotations against GCN, MLP and the same model without learned maps."""
    data = contextual_sbm(
        trial.generator,
        nodes=config.nodes,
        classes=config.classes,
        features=config.features,
        degree=config.degree,
        homophily=config.homophily,
        signal=config.signal,
        validation=config.nodes // 4,
    )
    graph, room = graph_of(data), round((1.3 * config.degree + 1) * config.nodes)
    found: dict[str, dict[str, float]] = {}
    for name, layers in (("shallow", config.shallow), ("deep", config.deep)):
        bundle = BundleSheaf(config.classes, stalk=2, channels=8, layers=layers, dropout=0.2)
        gcn = GCN(config.classes, hidden=16, layers=layers, dropout=0.2)
        mlp = MLP(config.classes, hidden=16, dropout=0.2)
        models: dict[str, tuple[nn.Module, dict[str, float]]] = {
            "sheaf": (bundle, {"learned": 1.0, "asymmetric": 1.0}),
            "identity": (bundle, {"learned": 0.0, "asymmetric": 1.0}),
            "gcn": (gcn, {}),
            **(
                {"mlp": (mlp, {})}
                if name == "shallow"
                else {"symmetric": (bundle, {"learned": 1.0, "asymmetric": 0.0})}
            ),
        }
        found[name] = {}
        for done, (kind, (model, fields)) in enumerate(models.items()):
            trial.report(f"{kind}, {layers} layers", done, len(models))
            fitted = _fitted(
                model, graph, data, data.splits[0], trial, room=room, fields=fields,
                steps=config.steps,
            )  # fmt: skip
            found[name][kind] = fitted.test
            if (name, kind) == ("deep", "sheaf"):
                told = sheaf_report(layer_sheaf(bundle, fitted.variables, graph, layers - 1))
    return {
        "shallow": found["shallow"],
        "deep": found["deep"],
        "symmetric_share": told.symmetric_share,
        "holonomy": float(told.holonomy.mean()),
    }


class PublishedResult(TypedDict):
    """Percentages right on test nodes, by set and model: means over this seed's splits."""

    accuracy: dict[str, dict[str, float]]
    splits: list[int]


def published(config: SheafConfig, trial: Trial) -> PublishedResult:
    """The paper's models in its settings on its sets and splits, and two baselines."""
    sets = {name: trial.load(name) for name in config.sets}
    numbers = [(trial.seed * config.splits + i) % 10 for i in range(config.splits)]
    accuracy: dict[str, dict[str, float]] = {}
    for done, (name, data) in enumerate(sets.items()):
        trial.report(name, done, len(sets))
        data = dataclasses.replace(data, features=sparse.csr_matrix(data.features))
        graph, (kind, fields, training) = graph_of(data, rows="sum"), SETTINGS[name]
        baseline = {"weight_decay": 5e-4, "pick": training["pick"]}
        models: dict[str, tuple[nn.Module, dict[str, Any]]] = {
            "sheaf": (kind(data.num_classes, **fields), training),
            "gcn": (GCN(data.num_classes), baseline),
            "mlp": (MLP(data.num_classes), baseline),
        }
        accuracy[name] = {}
        for which, (model, options) in models.items():
            options = {**options, "steps": config.epochs, "patience": config.patience}
            found = [
                _fitted(model, graph, data, data.splits[number], trial, **options).test
                for number in numbers
            ]
            accuracy[name][which] = 100 * float(np.mean(found))
    return {"accuracy": accuracy, "splits": numbers}


def _fitted(
    model: nn.Module,
    graph: GraphsTuple,
    data: NodeData,
    split: Split,
    trial: Trial,
    *,
    room: int = 0,
    **options: Any,
) -> Fitted:
    """All models of a seed begin with the same draws; only GCN reads normalised edges.

    With `room` for directed edges, graphs of one size share a program, whatever their edges.
    """
    labels = data.labels
    if isinstance(model, GCN):
        graph = normalised(graph)
    if isinstance(model, SheafDiffusion):
        options["rules"] = RULES
    if room:
        graph = padded(graph, len(labels) + 1, room).graph
        labels = np.append(labels, -1)
        split = Split(
            *(np.append(part, False) for part in (split.train, split.validation, split.test))
        )
    return fit(model, graph, labels, split, generator=trial.generator, **options)


QUICK = SheafConfig()
STANDARD = dataclasses.replace(
    QUICK, graphs=20, draws=300, sets=tuple(SETTINGS), splits=10, epochs=1500, patience=200
)
TINY = SheafConfig(
    graphs=1, draws=9, nodes=60, shallow=1, deep=2, steps=3, splits=1, epochs=3, patience=0
)
STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "limit": study_exact.limit,
        "separation": study_exact.separations,
        "energy": study_exact.energy,
        "symmetry": study_exact.symmetry,
        "depth": depth,
        "published": published,
    },
    num_seeds=5,
    slow=("depth", "published"),
)
