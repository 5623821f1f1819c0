"""Parameter-free spatial layers: blocks, residual networks and transformers in which pools mix pixels."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.pflayer.resnets import R50 as R50
    from experiments.vision.pflayer.resnets import R50_HYBRID as R50_HYBRID
    from experiments.vision.pflayer.resnets import R50_MAX as R50_MAX
    from experiments.vision.pflayer.resnets import Bottleneck as Bottleneck
    from experiments.vision.pflayer.resnets import EffBottleneck as EffBottleneck
    from experiments.vision.pflayer.resnets import MaxBottleneck as MaxBottleneck
    from experiments.vision.pflayer.resnets import PfResNet as PfResNet
    from experiments.vision.pflayer.spatial import Spatial as Spatial
    from experiments.vision.pflayer.spatial import mixed as mixed
    from experiments.vision.pflayer.spatial import with_operations as with_operations
    from experiments.vision.pflayer.transformers import PIT_S as PIT_S
    from experiments.vision.pflayer.transformers import PIT_S_MAX as PIT_S_MAX
    from experiments.vision.pflayer.transformers import VIT_S as VIT_S
    from experiments.vision.pflayer.transformers import VIT_S_MAX as VIT_S_MAX
    from experiments.vision.pflayer.transformers import EffLayer as EffLayer
    from experiments.vision.pflayer.transformers import PfViT as PfViT

__all__, __getattr__, __dir__ = lazy(
    __name__,
    resnets=(
        "R50",
        "R50_HYBRID",
        "R50_MAX",
        "Bottleneck",
        "EffBottleneck",
        "MaxBottleneck",
        "PfResNet",
    ),
    spatial=("Spatial", "mixed", "with_operations"),
    transformers=("PIT_S", "PIT_S_MAX", "VIT_S", "VIT_S_MAX", "EffLayer", "PfViT"),
)
