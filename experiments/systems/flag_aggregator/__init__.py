"""The flag aggregator: gradients of many workers, some of them wrong, made one by a robust subspace."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.systems.flag_aggregator.attacks import ATTACKS as ATTACKS
    from experiments.systems.flag_aggregator.gram import gap_dimension as gap_dimension
    from experiments.systems.flag_aggregator.gram import gram_flag as gram_flag
    from experiments.systems.flag_aggregator.reference import svd_flag as svd_flag
    from experiments.systems.flag_aggregator.rules import RULES as RULES
    from experiments.systems.flag_aggregator.sharded import sharded_flag as sharded_flag
    from experiments.systems.flag_aggregator.transforms import aggregate_by as aggregate_by
    from experiments.systems.flag_aggregator.transforms import flag_aggregate as flag_aggregate

__all__, __getattr__, __dir__ = lazy(
    __name__,
    attacks=("ATTACKS",),
    gram=("gap_dimension", "gram_flag"),
    reference=("svd_flag",),
    rules=("RULES",),
    sharded=("sharded_flag",),
    transforms=("aggregate_by", "flag_aggregate"),
)
