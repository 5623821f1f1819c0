"""What all claims of the LVLM-Count experiment share: sources, bounds, and how one is put."""

from collections.abc import Callable
from typing import Any

from experiments.harness.experiment import Records
from ntkexec.check import Check, Measurement

PAPER = "Fetrat Qharabagh et al., arXiv:2412.00686"
OURS = "derived in this folder's README"
SIGN = "the claim is a sign; the whole interval must lie on its side"
EXACT = "the claim is exact"
OVER_SEEDS = "95 % t interval over seeds"
LEAST: dict[str, Any] = {"relation": "at least"}
Measure = Callable[[Records], Measurement]


def claim(
    name: str,
    text: str,
    how: str,
    bound: float,
    bound_from: str,
    measure: Measure,
    broken: Measure,
    **more: Any,
) -> Check[Records]:
    """A check of this experiment; its source is our own derivation unless `more` names another."""
    more = {"source": OURS, **more}
    return Check(
        name=name,
        claim=text,
        how=how,
        bound=bound,
        bound_from=bound_from,
        measure=measure,
        broken=broken,
        **more,
    )
