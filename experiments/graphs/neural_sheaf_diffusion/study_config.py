"""How much is measured, and with which settings on real sets."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from experiments.graphs.neural_sheaf_diffusion.model import (
    BundleSheaf,
    DiagonalSheaf,
    SheafDiffusion,
)
from experiments.harness.configuration import check_types, require

Setting = tuple[Callable[..., SheafDiffusion], dict[str, Any], dict[str, Any]]
_CORNELL: Setting = (
    DiagonalSheaf,
    {"stalk": 4, "channels": 16, "layers": 2, "dropout": 0.7, "input_dropout": 0.2, "fixed": (1,)},
    {"learning_rate": 0.02, "weight_decay": 6.914e-4, "pick": "loss"},
)
_WIKIPEDIA = {
    "channels": 32,
    "layers": 5,
    "input_dropout": 0.7,
    "second_linear": True,
    "fixed": (1,),
}
SETTINGS: Mapping[str, Setting] = {
    "texas": (
        BundleSheaf,
        {"stalk": 3, "channels": 20, "layers": 4, "dropout": 0.7, "learner": "public"},
        {"learning_rate": 0.02, "weight_decay": 5e-3, "pick": "loss"},
    ),
    "wisconsin": (
        BundleSheaf,
        {"stalk": 3, "channels": 32, "layers": 2, "dropout": 0.7276, "fixed": (1, -1)},
        {"learning_rate": 0.02, "weight_decay": 6.686e-4, "pick": "loss"},
    ),
    "cornell": _CORNELL,
    "cornell-geomgcn": _CORNELL,
    "chameleon": (
        DiagonalSheaf,
        {"stalk": 4, **_WIKIPEDIA},
        {"learning_rate": 0.01, "weight_decay": 2.970e-4, "pick": "accuracy"},
    ),
    "squirrel": (
        BundleSheaf,
        {"stalk": 3, **_WIKIPEDIA},
        {"learning_rate": 0.01, "weight_decay": 1.122e-4, "pick": "accuracy"},
    ),
    "actor": (  # the public code has no script for it
        DiagonalSheaf,
        {"stalk": 3, "channels": 16, "layers": 2, "dropout": 0.5},
        {"learning_rate": 0.01, "weight_decay": 5e-3, "pick": "loss"},
    ),
}
"""The model, its fields and its training, as the public code's scripts have them by set. They decay the
learner by a number of its own on Cornell and Chameleon; here all parameters have the same."""


@dataclasses.dataclass(frozen=True)
class SheafConfig:
    """Sizes of all studies.

    Args:
        graphs: drawn for each exact statement.
        draws: layers drawn for the energy theorems.
        nodes, classes, features, degree, homophily, signal: of the drawn graphs with labels.
        shallow, deep: layers compared on them.
        steps: of training on them.
        sets: real graphs whose published figures are compared.
        splits: of each set, by each seed: seed s takes those after the first s * splits, in turn.
        epochs, patience: of training on real graphs, at most.
    """

    graphs: int = 3
    draws: int = 60
    nodes: int = 200
    classes: int = 4
    features: int = 16
    degree: float = 6.0
    homophily: float = 0.1
    signal: float = 0.7
    shallow: int = 2
    deep: int = 8
    steps: int = 100
    sets: tuple[str, ...] = ("texas", "wisconsin")
    splits: int = 2
    epochs: int = 300
    patience: int = 100

    def __post_init__(self) -> None:
        check_types(self)
        require(
            self,
            graphs=self.graphs > 0,
            draws=self.draws >= 9,
            nodes=self.nodes > 0,
            classes=self.classes > 1,
            features=self.features > 0,
            degree=0 < self.degree <= self.nodes / 4,
            homophily=0 <= self.homophily <= 1,
            signal=self.signal >= 0,
            shallow=self.shallow > 0,
            deep=self.deep > self.shallow,
            steps=self.steps > 0,
            sets=set(self.sets) <= set(SETTINGS),
            splits=0 < self.splits <= 10,
            epochs=self.epochs > 0,
            patience=self.patience >= 0,
        )
