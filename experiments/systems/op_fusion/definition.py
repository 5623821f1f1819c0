"""The operator-fusion experiment."""

from experiments.harness.experiment import Experiment, Paper
from experiments.systems.op_fusion import (
    measure_costs,
    measure_elsewhere,
    measure_optimum,
    measure_repairs,
    measure_search,
    measure_validity,
)
from experiments.systems.op_fusion.claims import CHECKS
from experiments.systems.op_fusion.config import FULL, QUICK, STANDARD, TINY

EXPERIMENT = Experiment(
    slug="op-fusion",
    title="Operator fusion guided by graph explanation, against the exact optimum",
    paper=Paper(
        title="Applying Graph Explanation to Operator Fusion",
        authors="Mills, Fetrat Qharabagh, Qiu, Han, Salameh, Lu, Jui and Niu",
        year=2024,
        arxiv="2501.00636",
    ),
    configs={"quick": QUICK, "standard": STANDARD, "full": FULL},
    tiny=TINY,
    studies={
        "graphs": measure_costs.graphs,
        "costs": measure_costs.costs,
        "chains": measure_optimum.chains,
        "optimum": measure_optimum.optimum,
        "validity": measure_validity.validity,
        "buffers": measure_validity.buffers,
        "repairs": measure_repairs.repairs,
        "searches": measure_search.searches,
        "large": measure_search.large,
        "elsewhere": measure_elsewhere.elsewhere,
        "chain": measure_elsewhere.real_chain,
    },
    checks=CHECKS,
    slow_studies=("validity", "searches", "large"),
)
