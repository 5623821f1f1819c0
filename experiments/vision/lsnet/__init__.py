"""LSNet: convolutions whose small window is weighted by what a large one sees."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.lsnet.aggregation import far_field_share as far_field_share
    from experiments.vision.lsnet.aggregation import (
        small_kernel_aggregation as small_kernel_aggregation,
    )
    from experiments.vision.lsnet.layers import LargeKernelPerception as LargeKernelPerception
    from experiments.vision.lsnet.layers import LargeSmallStatic as LargeSmallStatic
    from experiments.vision.lsnet.layers import LSConv as LSConv
    from experiments.vision.lsnet.layers import lsconv_multiplications as lsconv_multiplications
    from experiments.vision.lsnet.network import LSNet as LSNet
    from experiments.vision.lsnet.network import fused as fused
    from experiments.vision.lsnet.network import lsnet_variant as lsnet_variant

__all__, __getattr__, __dir__ = lazy(
    __name__,
    aggregation=("far_field_share", "small_kernel_aggregation"),
    layers=(
        "LargeKernelPerception",
        "LargeSmallStatic",
        "LSConv",
        "lsconv_multiplications",
    ),
    network=("LSNet", "fused", "lsnet_variant"),
)
