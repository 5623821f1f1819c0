"""CATNet: dense feature pyramids, spatial context and hierarchical regions for detectors."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.catnet.arms import matched as matched
    from experiments.vision.catnet.context import ContextAggregation as ContextAggregation
    from experiments.vision.catnet.context import SpatialContextPyramid as SpatialContextPyramid
    from experiments.vision.catnet.costs import detector_costs as detector_costs
    from experiments.vision.catnet.detector import RULES as RULES
    from experiments.vision.catnet.detector import CatDetector as CatDetector
    from experiments.vision.catnet.pyramids import FPN as FPN
    from experiments.vision.catnet.pyramids import PAFPN as PAFPN
    from experiments.vision.catnet.pyramids import DenseFPN as DenseFPN
    from experiments.vision.catnet.regions import HierarchicalFusion as HierarchicalFusion
    from experiments.vision.catnet.regions import HierarchicalRoI as HierarchicalRoI
    from experiments.vision.catnet.regions import SingleLevelRoI as SingleLevelRoI
    from experiments.vision.catnet.regions import pasted as pasted
    from experiments.vision.catnet.resampling import adaptive_max_pool as adaptive_max_pool
    from experiments.vision.catnet.training import fit as fit
    from experiments.vision.catnet.training import look as look

__all__, __getattr__, __dir__ = lazy(
    __name__,
    arms=("matched",),
    context=("ContextAggregation", "SpatialContextPyramid"),
    costs=("detector_costs",),
    detector=("RULES", "CatDetector"),
    pyramids=("FPN", "PAFPN", "DenseFPN"),
    regions=("HierarchicalFusion", "HierarchicalRoI", "SingleLevelRoI", "pasted"),
    resampling=("adaptive_max_pool",),
    training=("fit", "look"),
)
