"""DAMO-YOLO: a searched backbone, a wide neck, no head to speak of, and priors given by aligned costs."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.damo_yolo.backbone import Architecture as Architecture
    from experiments.vision.damo_yolo.backbone import Backbone as Backbone
    from experiments.vision.damo_yolo.backbone import Stage as Stage
    from experiments.vision.damo_yolo.detector import DamoYolo as DamoYolo
    from experiments.vision.damo_yolo.detector import ZeroHead as ZeroHead
    from experiments.vision.damo_yolo.detector import fused as fused
    from experiments.vision.damo_yolo.distillation import Taught as Taught
    from experiments.vision.damo_yolo.distillation import (
        channel_distillation as channel_distillation,
    )
    from experiments.vision.damo_yolo.entropy import Space as Space
    from experiments.vision.damo_yolo.entropy import entropy_score as entropy_score
    from experiments.vision.damo_yolo.entropy import evolve as evolve
    from experiments.vision.damo_yolo.neck import RepGFPN as RepGFPN
    from experiments.vision.damo_yolo.objective import Objective as Objective
    from experiments.vision.damo_yolo.objective import align_ota as align_ota

__all__, __getattr__, __dir__ = lazy(
    __name__,
    backbone=("Architecture", "Backbone", "Stage"),
    detector=("DamoYolo", "ZeroHead", "fused"),
    distillation=("Taught", "channel_distillation"),
    entropy=("Space", "entropy_score", "evolve"),
    neck=("RepGFPN",),
    objective=("Objective", "align_ota"),
)
