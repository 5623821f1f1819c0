"""All claims of the LVLM-Count experiment."""

from experiments.harness.experiment import Records
from experiments.vision.lvlm_count import claims_counting, claims_division, claims_pictures
from ntkexec.check import Check

CHECKS: tuple[Check[Records], ...] = (
    *claims_division.CHECKS,
    *claims_counting.CHECKS,
    *claims_pictures.CHECKS,
)
