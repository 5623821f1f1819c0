"""Spatial gradient scaling: for Optax, for Flax, and the experiment that checks it."""

from experiments.vision.sgs.audit import Audit, audit
from experiments.vision.sgs.branches import (
    ACB,
    DBB,
    PLAIN,
    REPVGG,
    Branch,
    merge,
    normalised,
    predicted_scaling,
)
from experiments.vision.sgs.definition import EXPERIMENT
from experiments.vision.sgs.dependence import measured_scaling, model_scalings
from experiments.vision.sgs.forecast import Forecast, forecast
from experiments.vision.sgs.layers import (
    BranchedConv,
    DynamicBlock,
    NormalisedBlock,
    ScaledConv,
    merged,
)
from experiments.vision.sgs.scaling import (
    at_kernels,
    scale_gradient,
    spatial_gradient_scaling,
    spatial_update_scaling,
    with_scalings,
)

__all__ = [
    "ACB",
    "DBB",
    "EXPERIMENT",
    "PLAIN",
    "REPVGG",
    "Audit",
    "Branch",
    "BranchedConv",
    "DynamicBlock",
    "Forecast",
    "NormalisedBlock",
    "ScaledConv",
    "at_kernels",
    "audit",
    "forecast",
    "measured_scaling",
    "merge",
    "merged",
    "model_scalings",
    "normalised",
    "predicted_scaling",
    "scale_gradient",
    "spatial_gradient_scaling",
    "spatial_update_scaling",
    "with_scalings",
]
