"""Spatial gradient scaling: for Optax, for Flax, and what it can and cannot replace."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.sgs.auditor import audit as audit
    from experiments.vision.sgs.branches import ACB as ACB
    from experiments.vision.sgs.branches import REPVGG as REPVGG
    from experiments.vision.sgs.branches import Branch as Branch
    from experiments.vision.sgs.branches import adam_scaling as adam_scaling
    from experiments.vision.sgs.branches import merge as merge
    from experiments.vision.sgs.branches import predicted_scaling as predicted_scaling
    from experiments.vision.sgs.estimation import measured_scaling as measured_scaling
    from experiments.vision.sgs.estimation import model_scalings as model_scalings
    from experiments.vision.sgs.forecasting import forecast as forecast
    from experiments.vision.sgs.layers import BranchedConv as BranchedConv
    from experiments.vision.sgs.layers import ScaledConv as ScaledConv
    from experiments.vision.sgs.layers import merged as merged
    from experiments.vision.sgs.scaling import at_kernels as at_kernels
    from experiments.vision.sgs.scaling import spatial_gradient_scaling as spatial_gradient_scaling
    from experiments.vision.sgs.scaling import spatial_update_scaling as spatial_update_scaling
    from experiments.vision.sgs.scaling import with_scalings as with_scalings

__all__, __getattr__, __dir__ = lazy(
    __name__,
    auditor=("audit",),
    branches=("ACB", "REPVGG", "Branch", "adam_scaling", "merge", "predicted_scaling"),
    estimation=("measured_scaling", "model_scalings"),
    forecasting=("forecast",),
    layers=("BranchedConv", "ScaledConv", "merged"),
    scaling=(
        "at_kernels",
        "spatial_gradient_scaling",
        "spatial_update_scaling",
        "with_scalings",
    ),
)
