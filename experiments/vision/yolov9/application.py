"""Digits on a user's own picture, from the command line."""

from experiments.harness.pictures import picture_application
from experiments.kits.detection.digits import NAMES
from experiments.vision.yolov9.network import GELAN, small_plan
from experiments.vision.yolov9.study_config import YoloConfig


def main_network(config: YoloConfig) -> GELAN:
    """The detector without its auxiliary branch, as a configuration has it trained."""
    return GELAN(small_plan(config.width, config.classes, config.levels))


APPLICATION = picture_application(
    "yolov9", study="detectors", what="integrated", network=main_network, names=NAMES
)
