"""All claims of operator fusion by graph explanation."""

from experiments.harness.experiment import Records
from experiments.systems.op_fusion import (
    claims_costs,
    claims_elsewhere,
    claims_plans,
    claims_predictor,
    claims_search,
)
from ntkexec.check import Check

CHECKS: tuple[Check[Records], ...] = (
    *claims_costs.CHECKS,
    *claims_predictor.CHECKS,
    *claims_search.CHECKS,
    *claims_plans.CHECKS,
    *claims_elsewhere.CHECKS,
)
