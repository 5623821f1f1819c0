"""The SGS experiment."""

from experiments.experiment import Experiment, Paper
from experiments.sgs import exact
from experiments.sgs.claims import CHECKS
from experiments.sgs.config import SgsConfig

EXPERIMENT = Experiment(
    slug="sgs",
    title="Spatial gradient scaling: training one kernel as if it were branched",
    paper=Paper(
        title="Reparameterization through Spatial Gradient Scaling",
        authors="Detkov, Salameh, Fetrat Qharabagh, Zhang, Lui, Jui and Niu",
        year=2023,
        venue="ICLR",
        arxiv="2303.02733",
    ),
    configs={"quick": SgsConfig()},
    tiny=SgsConfig(steps=3),
    studies={"lemma": exact.lemma},
    checks=CHECKS,
)
