"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class LcmConfig:
    """Sizes of all studies.

    Args:
        pairs: of rows for commutativity.
        orders: random orders of each set, for the three folds.
        largest: sets of 1 to so many rows are counted on.
        bits, width: of labels and of all vectors.
        most: elements of a training set, at most; tests are on that many, twice and four times as many.
        batch, steps, rate: sets a step, steps of Adam, the rate at the first.
        associativity, order: strengths of the two penalties.
        nodes, degree, pool: of the training graphs, whose number of edges is fixed, and how many.
        test_degree: mean degree of the graphs of the test.
        graph_steps: one graph a step.
        real_steps, real_width: of the networks on real data.
    """

    pairs: int = 10_000
    orders: int = 20
    largest: int = 257
    bits: int = 6
    width: int = 32
    most: int = 16
    batch: int = 32
    steps: int = 1000
    rate: float = 0.01
    associativity: float = 1.0
    order: float = 10.0
    nodes: int = 64
    degree: int = 8
    pool: int = 16
    test_degree: int = 24
    graph_steps: int = 700
    real_steps: int = 100
    real_width: int = 16

    def __post_init__(self) -> None:
        check_types(self)
        names = [f.name for f in dataclasses.fields(self) if f.name != "most"]
        require(self, **{name: getattr(self, name) > 0 for name in names})
        require(self, most=self.most > 1, bits=self.bits < 31, largest=self.largest > 2)
        require(self, degree=self.degree < self.nodes, test_degree=self.test_degree < self.nodes)


QUICK = LcmConfig()
STANDARD = LcmConfig(
    width=64, batch=128, steps=3000, rate=0.005, graph_steps=3000, real_steps=300, real_width=32
)
TINY = LcmConfig(
    pairs=50, orders=2, largest=9, bits=3, width=4, most=4, batch=4, steps=3, nodes=8, degree=3,
    pool=2, test_degree=4, graph_steps=3, real_steps=3, real_width=4,
)  # fmt: skip
