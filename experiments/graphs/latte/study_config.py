"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require

SETS = ("acm", "dblp", "freebase")


@dataclasses.dataclass(frozen=True)
class LatteConfig:
    """Sizes of all studies, for each seed.

    Args:
        targets: of the drawn graphs.
        hidden: width of all networks.
        steps: on drawn graphs.
        few: labels of each class where the proximity loss is compared.
        draws: graphs over which accuracies of a seed are averaged where arms are compared.
        real_steps: on real graphs, at most; 20 without a better validation accuracy end it.
        neighbours: that a node keeps of each composed path on real graphs, for LATTE and for HAN.
        labels: of each class on real graphs: 20, 40 or 60.
    """

    targets: int = 300
    hidden: int = 32
    steps: int = 150
    few: int = 5
    draws: int = 3
    real_steps: int = 30
    neighbours: int = 16
    labels: int = 20

    def __post_init__(self) -> None:
        check_types(self)
        require(self, targets=self.targets >= 200, few=0 < self.few <= 20)
        require(self, hidden=self.hidden > 0 and self.hidden % 4 == 0, steps=self.steps > 0)
        require(
            self,
            draws=self.draws > 0,
            real_steps=self.real_steps > 0,
            neighbours=self.neighbours > 0,
        )
        require(self, labels=self.labels in (20, 40, 60))
