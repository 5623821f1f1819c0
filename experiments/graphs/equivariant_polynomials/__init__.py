"""Equivariant graph polynomials: a basis, what models can contract, and networks with what they cannot."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.equivariant_polynomials.contracting import contraction as contraction
    from experiments.graphs.equivariant_polynomials.contracting import evaluate as evaluate
    from experiments.graphs.equivariant_polynomials.contracting import (
        is_computable as is_computable,
    )
    from experiments.graphs.equivariant_polynomials.contracting import missing as missing
    from experiments.graphs.equivariant_polynomials.contracting import plan as plan
    from experiments.graphs.equivariant_polynomials.contracting import (
        polynomial_features as polynomial_features,
    )
    from experiments.graphs.equivariant_polynomials.networks import GIN as GIN
    from experiments.graphs.equivariant_polynomials.networks import PPGN as PPGN
    from experiments.graphs.equivariant_polynomials.networks import PPGNPlus as PPGNPlus
    from experiments.graphs.equivariant_polynomials.networks import pair_channels as pair_channels
    from experiments.graphs.equivariant_polynomials.patterns import Pattern as Pattern
    from experiments.graphs.equivariant_polynomials.patterns import dimension as dimension
    from experiments.graphs.equivariant_polynomials.patterns import (
        enumerate_basis as enumerate_basis,
    )

__all__, __getattr__, __dir__ = lazy(
    __name__,
    patterns=("Pattern", "dimension", "enumerate_basis"),
    contracting=(
        "contraction",
        "evaluate",
        "is_computable",
        "missing",
        "plan",
        "polynomial_features",
    ),
    networks=("GIN", "PPGN", "PPGNPlus", "pair_channels"),
)
