"""All claims of the SGS experiment."""

from experiments.harness.experiment import Records
from experiments.vision.sgs import claims_estimator, claims_exact, claims_forecast, claims_measured
from ntkexec.check import Check

CHECKS: tuple[Check[Records], ...] = (
    *claims_exact.CHECKS,
    *claims_estimator.CHECKS,
    *claims_measured.CHECKS,
    *claims_forecast.CHECKS,
)
