"""A trained detector of digits on a user's own picture: `ntkexec experiment run damo-yolo --image FILE`."""

from experiments.harness.pictures import picture_application
from experiments.kits.detection.digits import NAMES
from experiments.vision.damo_yolo.detector import DamoYolo
from experiments.vision.damo_yolo.study import WEIGHTS
from experiments.vision.damo_yolo.study_config import DamoYoloConfig, digit_detector


def network_of(config: DamoYoloConfig) -> DamoYolo:
    """The network whose weights a run keeps: the teacher, which is trained the longest."""
    return digit_detector(config.teacher_width)


APPLICATION = picture_application(
    "damo-yolo", study="trained", what=WEIGHTS, network=network_of, names=NAMES
)
