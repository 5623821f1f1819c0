"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class TangnnConfig:
    """Sizes of all studies, for each seed.

    Args:
        cost_nodes: of the graphs on which operations are counted.
        beacon_nodes, beacon_m: of a graph, and how many are selected.
        beacon_graphs, beacon_steps, beacon_batch: for training; a tenth as many graphs for testing.
        beacon_more: whether attention over all nodes is trained, too, and a vector that shuns the flag.
        citation_graphs, citation_steps: likewise.
        link_nodes, link_steps: of a graph some of whose edges are held out.
        cora_steps, cora_runs: the scripts have 80 epochs.
        cora_variants: trained on Cora; no public_tiled, which reads dense features only.
        molecule_steps, molecule_batch: of both regressions; molecules are split 8:1:1.
        cycle_graphs: with counted cycles, split likewise.
    """

    cost_nodes: tuple[int, ...] = (512, 2048, 8192)
    beacon_nodes: int = 32
    beacon_m: int = 2
    beacon_graphs: int = 1000
    beacon_steps: int = 600
    beacon_batch: int = 16
    beacon_more: bool = False
    citation_graphs: int = 1000
    citation_steps: int = 800
    link_nodes: int = 300
    link_steps: int = 200
    cora_steps: int = 80
    cora_runs: int = 1
    cora_variants: tuple[str, ...] = ("base",)
    molecule_steps: int = 400
    molecule_batch: int = 16
    cycle_graphs: int = 400

    def __post_init__(self) -> None:
        check_types(self)
        positive = {
            field.name: getattr(self, field.name) > 0
            for field in dataclasses.fields(self)
            if field.name not in ("cost_nodes", "beacon_more", "cora_variants")
        }
        nodes = len(self.cost_nodes) > 1 and min(self.cost_nodes) > 32
        require(self, **positive | {"cost_nodes": nodes})
        require(
            self, beacon_nodes=self.beacon_nodes > self.beacon_m, link_nodes=self.link_nodes >= 100
        )
        require(
            self, beacon_graphs=self.beacon_graphs >= 10, citation_graphs=self.citation_graphs >= 10
        )
        require(self, cora_variants=set(self.cora_variants) <= {"base", "LC", "FLC", "NAI", "TAI"})
        require(self, cycle_graphs=self.cycle_graphs >= 10)
