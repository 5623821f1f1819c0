"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require


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
