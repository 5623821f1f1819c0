"""YOLOv9: a detector whose paths are all aggregated, and an auxiliary branch that only training has."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.yolov9.guidance import GuidedLoss as GuidedLoss
    from experiments.vision.yolov9.guidance import ProgrammableGradient as ProgrammableGradient
    from experiments.vision.yolov9.guidance import without_auxiliary as without_auxiliary
    from experiments.vision.yolov9.layers import SPPELAN as SPPELAN
    from experiments.vision.yolov9.layers import ADown as ADown
    from experiments.vision.yolov9.layers import RepNCSPELAN as RepNCSPELAN
    from experiments.vision.yolov9.layers import fused as fused
    from experiments.vision.yolov9.network import GELAN as GELAN
    from experiments.vision.yolov9.network import PLANS as PLANS
    from experiments.vision.yolov9.network import initial_rules as initial_rules
    from experiments.vision.yolov9.network import small_plan as small_plan
    from experiments.vision.yolov9.probe import information as information
    from experiments.vision.yolov9.probe import information_curve as information_curve
    from experiments.vision.yolov9.reversible import ReversibleBranch as ReversibleBranch

__all__, __getattr__, __dir__ = lazy(
    __name__,
    guidance=("GuidedLoss", "ProgrammableGradient", "without_auxiliary"),
    layers=("ADown", "RepNCSPELAN", "SPPELAN", "fused"),
    network=("GELAN", "PLANS", "initial_rules", "small_plan"),
    probe=("information", "information_curve"),
    reversible=("ReversibleBranch",),
)
