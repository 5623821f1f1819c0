"""Spatial gradient scaling: for Optax, for Flax, and the experiment that checks it."""

from experiments.sgs.definition import EXPERIMENT
from experiments.sgs.scaling import spatial_gradient_scaling

__all__ = ["EXPERIMENT", "spatial_gradient_scaling"]
