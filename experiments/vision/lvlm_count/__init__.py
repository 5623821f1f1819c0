"""LVLM-Count: counting many objects by dividing the picture around them."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.lvlm_count.counting import count_by_dividing as count_by_dividing
    from experiments.vision.lvlm_count.counting import error_budget as error_budget
    from experiments.vision.lvlm_count.division import equal_division as equal_division
    from experiments.vision.lvlm_count.division import (
        object_aware_division as object_aware_division,
    )
    from experiments.vision.lvlm_count.division import recursive_division as recursive_division
    from experiments.vision.lvlm_count.endpoint import Endpoint as Endpoint
    from experiments.vision.lvlm_count.icons import ReferenceCounter as ReferenceCounter
    from experiments.vision.lvlm_count.icons import count_kinds as count_kinds
    from experiments.vision.lvlm_count.icons import segment_icons as segment_icons
    from experiments.vision.lvlm_count.learned_counter import train_counter as train_counter
    from experiments.vision.lvlm_count.planning import fit_error_curve as fit_error_curve
    from experiments.vision.lvlm_count.scenes import draw_scene as draw_scene
    from experiments.vision.lvlm_count.segmentation import segment_by_colour as segment_by_colour
    from experiments.vision.lvlm_count.server import served as served

__all__, __getattr__, __dir__ = lazy(
    __name__,
    counting=("count_by_dividing", "error_budget"),
    division=("equal_division", "object_aware_division", "recursive_division"),
    endpoint=("Endpoint",),
    icons=("ReferenceCounter", "count_kinds", "segment_icons"),
    learned_counter=("train_counter",),
    planning=("fit_error_curve",),
    scenes=("draw_scene",),
    segmentation=("segment_by_colour",),
    server=("served",),
)
