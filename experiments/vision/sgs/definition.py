"""The SGS experiment."""

from experiments.harness.experiment import Experiment, Paper
from experiments.vision.sgs import (
    bias,
    cifar,
    cost,
    estimator,
    exact,
    forecast_study,
    imagenet,
    limits,
    pictures,
    teachers,
)
from experiments.vision.sgs.claims import CHECKS
from experiments.vision.sgs.config import FULL, QUICK, STANDARD, TINY

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
    configs={"quick": QUICK, "standard": STANDARD, "full": FULL},
    tiny=TINY,
    studies={
        "lemma": exact.lemma,
        "decay": limits.decay_order,
        "merge": limits.merging,
        "adam": limits.adam,
        "factors": limits.learnable_factors,
        "audit": limits.audits,
        "bias": bias.implicit_bias,
        "profile": bias.right_profile,
        "answers": estimator.known_answers,
        "images": estimator.images,
        "teachers": teachers.teachers,
        "digits": pictures.digits,
        "shapes": pictures.shapes,
        "profiles": forecast_study.profiles,
        "networks": forecast_study.networks,
        "cost": cost.costs,
        "cifar": cifar.cifar,
        "imagenet": imagenet.imagenet,
    },
    checks=CHECKS,
    slow_studies=(
        *("lemma", "decay", "adam", "audit", "images"),
        *("teachers", "digits", "shapes", "networks", "cost"),
    ),
)
