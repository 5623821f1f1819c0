"""Learnable commutative monoids: aggregators that are learned binary operators, folded as trees."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.lcm.folds import ensemble_fold as ensemble_fold
    from experiments.graphs.lcm.folds import prefix_fold as prefix_fold
    from experiments.graphs.lcm.folds import sequential_fold as sequential_fold
    from experiments.graphs.lcm.folds import tree_fold as tree_fold
    from experiments.graphs.lcm.laws import law_report as law_report
    from experiments.graphs.lcm.layers import LCMConv as LCMConv
    from experiments.graphs.lcm.layers import RecurrentConv as RecurrentConv
    from experiments.graphs.lcm.monoids import BinaryMonoid as BinaryMonoid
    from experiments.graphs.lcm.regularisers import associativity_loss as associativity_loss
    from experiments.graphs.lcm.regularisers import order_loss as order_loss

__all__, __getattr__, __dir__ = lazy(
    __name__,
    monoids=("BinaryMonoid",),
    folds=("tree_fold", "sequential_fold", "prefix_fold", "ensemble_fold"),
    regularisers=("associativity_loss", "order_loss"),
    laws=("law_report",),
    layers=("LCMConv", "RecurrentConv"),
)
