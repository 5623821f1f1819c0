"""Sizes of all studies."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class PolynomialConfig:
    """Sizes of all studies, for each seed.

    Args:
        basis_nodes, basis_degrees: of graphs on which polynomials up to a degree are counted, and rank
            compared with that; lists of equal length.
        basis_inputs: random inputs X for a rank.
        degree: up to which uncomputable patterns are listed and used.
        untrained_width, untrained_blocks: of networks with random weights. Nothing follows the last
            product but means, so that three blocks refine as often as 2-FWL does in two rounds.
        pairs: of EXP's 600 that such a network sees.
        width, blocks: of the networks that are trained to count.
        steps, batch, rate: of their training by Adam.
    """

    basis_nodes: tuple[int, ...] = (3, 4, 6)
    basis_degrees: tuple[int, ...] = (2, 2, 2)
    basis_inputs: int = 80
    degree: int = 6
    untrained_width: int = 8
    untrained_blocks: int = 3
    pairs: int = 60
    width: int = 16
    blocks: int = 2
    steps: int = 600
    batch: int = 64
    rate: float = 1e-2

    def __post_init__(self) -> None:
        check_types(self)
        nodes, degrees = self.basis_nodes, self.basis_degrees
        require(self, basis_nodes=len(nodes) > 0 and min(nodes) > 2 and max(nodes) <= 10)
        require(
            self, basis_degrees=len(degrees) == len(nodes) and 0 <= min(degrees) <= max(degrees) < 4
        )
        require(self, degree=6 <= self.degree <= 7, pairs=0 < self.pairs <= 600)
        require(self, untrained_width=self.untrained_width > 0, width=self.width > 0)
        require(self, untrained_blocks=self.untrained_blocks > 1, blocks=self.blocks > 0)
        require(self, steps=self.steps > 0, batch=0 < self.batch <= 1500, rate=self.rate > 0)
        require(self, basis_inputs=self.basis_inputs >= 40)
