"""Batch normalisation folded into the convolution before it: the same function with fewer numbers."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Array, Float

from ntkexec.errors import ExperimentError


def fold(
    kernel: Float[Array, "*window o"],
    scale: Float[Array, "o"],
    bias: Float[Array, "o"],
    mean: Float[Array, "o"],
    variance: Float[Array, "o"],
    epsilon: float,
) -> tuple[Float[Array, "*window o"], Float[Array, "o"]]:
    """Kernel and bias of the one layer that a convolution and its normalisation are at inference.

    Args:
        kernel: outputs along the last axis; of a convolution in any number of groups, or dense.
        scale, bias: of the normalisation.
        mean, variance: its running averages.
        epsilon: added to the variance.
    """
    factor = scale / (variance + epsilon) ** 0.5
    return kernel * factor.reshape((1,) * (kernel.ndim - 1) + (-1,)), bias - mean * factor


def fold_tree(variables: Mapping[str, Any], *, epsilon: float = 1e-5) -> dict[str, Any]:
    """Variables in which every normalisation that stands beside a convolution is folded into it.

    A pair of `conv` and `norm`, as `ConvBN` names them, becomes a `conv` with a bias. The same model takes
    the new variables and gives the same outputs at inference; it cannot be trained further with them.
    Variables do not say in which order a model applies them, so of pairs that are no `ConvBN` it is yours
    to know that the normalisation follows the convolution at once, with this epsilon.

    Args:
        variables: of a model, with `params` and `batch_stats`; they are not changed.
        epsilon: of all these normalisations.

    Raises:
        ExperimentError: there is nothing to fold, or a `norm` lacks its running averages.
    """
    rest = dict(variables)
    params, stats, number = _folded(
        rest.pop("params", {}), rest.pop("batch_stats", {}), epsilon, "the model"
    )
    if not number:
        raise ExperimentError(
            f"there is nothing to fold: no pair of conv and norm among {', '.join(params) or 'nothing'}"
        )
    return {"params": params, **({"batch_stats": stats} if stats else {}), **rest}


def _folded(
    params: Mapping[str, Any], stats: Mapping[str, Any], epsilon: float, path: str
) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Parameters, running averages that are left, and how many pairs were folded."""
    new, left, number = dict(params), dict(stats), 0
    if {"conv", "norm"} <= set(params):
        if "norm" not in stats:
            raise ExperimentError(f"the norm of {path} has no running averages")
        norm, averages = new.pop("norm"), left.pop("norm")
        kernel, bias = fold(
            params["conv"]["kernel"],
            norm["scale"],
            norm["bias"],
            averages["mean"] - params["conv"].get("bias", 0),
            averages["var"],
            epsilon,
        )
        new["conv"], number = {**params["conv"], "kernel": kernel, "bias": bias}, 1
    for name, inner in params.items():
        if name not in ("conv", "norm") and isinstance(inner, Mapping):
            below = left.pop(name, {})
            new[name], below, found = _folded(inner, below, epsilon, f"{path}/{name}")
            number += found
            if below:
                left[name] = below
    return new, left, number
