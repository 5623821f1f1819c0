"""E2GC: groups of a constant size, the energy model behind them, and a planner of groups."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.e2gc.energy_model import Convolution as Convolution
    from experiments.vision.e2gc.energy_model import arithmetic_intensity as arithmetic_intensity
    from experiments.vision.e2gc.energy_model import balanced_group_size as balanced_group_size
    from experiments.vision.e2gc.energy_model import energy as energy
    from experiments.vision.e2gc.grouping import GroupConv as GroupConv
    from experiments.vision.e2gc.grouping import Grouping as Grouping
    from experiments.vision.e2gc.grouping import block_diagonal as block_diagonal
    from experiments.vision.e2gc.networks import MobileNetV1 as MobileNetV1
    from experiments.vision.e2gc.networks import ResNeXt50 as ResNeXt50
    from experiments.vision.e2gc.planning import cheapest_group_sizes as cheapest_group_sizes
    from experiments.vision.e2gc.planning import plan_groups as plan_groups

__all__, __getattr__, __dir__ = lazy(
    __name__,
    energy_model=("Convolution", "arithmetic_intensity", "balanced_group_size", "energy"),
    grouping=("GroupConv", "Grouping", "block_diagonal"),
    networks=("MobileNetV1", "ResNeXt50"),
    planning=("cheapest_group_sizes", "plan_groups"),
)
