"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class SirConfig:
    """Sizes of all studies.

    Args:
        lookup_keys, lookup_graphs, lookup_steps, lookup_batch: dictionaries, a fifth for testing.
        count_classes, count_graphs, count_steps, count_batch: coloured graphs, likewise.
        count_runs: trainings of the layer on each seed's graphs, whose errors differ by powers of ten.
        cost_widths: of the layer whose products are counted.
        nodes_hidden, nodes_layers, nodes_steps, nodes_rate, nodes_dropout: network on minesweeper.
    """

    lookup_keys: int = 10
    lookup_graphs: int = 5000
    lookup_steps: int = 1000
    lookup_batch: int = 128
    count_classes: int = 4
    count_graphs: int = 1250
    count_steps: int = 8000
    count_batch: int = 32
    count_runs: int = 3
    cost_widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    nodes_hidden: int = 16
    nodes_layers: int = 5
    nodes_steps: int = 150
    nodes_rate: float = 0.02
    nodes_dropout: float = 0.1

    def __post_init__(self) -> None:
        check_types(self)
        positive = {
            field.name: getattr(self, field.name) > 0
            for field in dataclasses.fields(self)
            if field.name != "cost_widths"
        }
        widths = len(self.cost_widths) > 1 and min(self.cost_widths) > 0
        dropout = 0 <= self.nodes_dropout < 1
        require(self, **positive | {"cost_widths": widths, "nodes_dropout": dropout})
