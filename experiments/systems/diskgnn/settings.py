"""Sizes of all studies of DiskGNN, and the graphs that they are made on."""

import dataclasses

import numpy as np
from scipy import sparse

from experiments.harness.configuration import check_types, require
from experiments.systems.diskgnn.problems import power_law
from experiments.systems.diskgnn.sampling import SamplePlan, sample_offline

PLENTY = 2**28
"""Bytes of features where it is not memory that is studied."""


@dataclasses.dataclass(frozen=True)
class DiskGnnConfig:
    """Sizes of all studies.

    Args:
        degree: edges drawn for each node of a drawn graph.
        read_nodes, read_batches, read_batch, read_fanout: of the graph whose reads are counted: nodes,
            batches of an epoch, targets of each, neighbours of each node in both hops.
        width: of the features; rows of 512 bytes lie eight to a page.
        odd_width: of features whose rows lie across pages.
        share: of all rows that a policy may hold in memory.
        space: of the packed files, in multiples of all rows.
        parts: partitions of the graph.
        delay_ms: that is added to every read where overlap is measured.
        delayed: batches there.
        nodes, batches, batch, fanout: of the graph that is trained on.
        hidden: width of the network.
        rate: of Adam.
        epochs: of training.
        stressed_fanout, stressed_rate, stressed_epochs: where batches are drawn once under stress.
        tested: nodes.
        allowed: share of the feature file that training may hold, of CiteSeer and Gowalla.
        real_batch, real_fanout, real_hidden, real_rate: of their batches and networks.
        gowalla_width, gowalla_train: of features drawn for Gowalla, and nodes trained on there.
    """

    degree: int = 6
    read_nodes: int = 4000
    read_batches: int = 24
    read_batch: int = 48
    read_fanout: int = 8
    width: int = 128
    odd_width: int = 100
    share: float = 0.1
    space: float = 2.0
    parts: int = 20
    delay_ms: int = 12
    delayed: int = 30
    nodes: int = 20_000
    batches: int = 60
    batch: int = 64
    fanout: int = 5
    hidden: int = 64
    rate: float = 0.002
    epochs: int = 8
    stressed_fanout: int = 2
    stressed_rate: float = 0.01
    stressed_epochs: int = 12
    tested: int = 10_000
    allowed: float = 0.25
    real_batch: int = 4
    real_fanout: int = 3
    real_hidden: int = 16
    real_rate: float = 0.01
    gowalla_width: int = 128
    gowalla_train: int = 400

    def __post_init__(self) -> None:
        check_types(self)
        counts = {
            f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self) if f.type is int
        }
        require(
            self,
            **counts,
            share=0 < self.share < 1,
            space=self.space > 0,
            rate=self.rate > 0,
            real_rate=self.real_rate > 0,
            stressed_rate=self.stressed_rate > 0,
            allowed=0 < self.allowed <= 1,
        )
        require(
            self,
            read_batches=2 * self.read_batches * self.read_batch <= self.read_nodes,
            batches=2 * self.batches * self.batch + self.tested <= self.nodes,
            stressed_fanout=self.stressed_fanout <= self.fanout,
            parts=1 / self.share <= self.parts <= self.nodes,
        )

    @property
    def fanouts(self) -> tuple[int, int]:
        return (self.fanout, self.fanout)


def graph_and_plan(
    config: DiskGnnConfig, generator: np.random.Generator
) -> tuple[sparse.csr_array, SamplePlan]:
    """A graph with a power law, and an epoch of batches of its nodes that have neighbours."""
    nodes = config.read_nodes
    graph = power_law(generator, nodes=nodes, edges=config.degree * nodes)
    targets = generator.permutation(np.flatnonzero(np.diff(graph.indptr)))
    targets = targets[: config.read_batches * config.read_batch]
    plan = sample_offline(
        graph,
        targets,
        batch=config.read_batch,
        fanouts=(config.read_fanout,) * 2,
        generator=generator,
    )
    return graph, plan
