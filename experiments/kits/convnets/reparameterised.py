"""A convolution trained as the sum of two branches, and the one convolution that it is at inference.

from experiments.kits.convnets.reparameterised import RepConv, merged

layer = RepConv(16)
few = merged(variables, epsilon=layer.epsilon)  # layer.apply takes both, with the same outputs
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.folding import fold_tree
from experiments.kits.convnets.layers import Activation, ConvBN, pair
from ntkexec.errors import ExperimentError

BRANCHES = {"wide", "point"}


class RepConv(nn.Module):
    """The sum of a k x k and a 1 x 1 convolution, each with its normalisation, then a nonlinearity.

    Applied to variables that `merged` made, it is one k x k convolution with a bias. Padding is explicit,
    half a window on both sides: only so does the window's centre lie on the pixel that the 1 x 1
    convolution reads, also where both are strided.

    Args:
        features: output channels.
        kernel: side of the window, an odd number.
        strides: of both windows.
        activation: applied last; `None` for none.
        momentum, epsilon: of both normalisations.

    Source: Ding et al. (RepVGG), arXiv:2101.03697, without its identity branch.
    """

    features: int
    kernel: int = 3
    strides: int = 1
    activation: Activation | None = nn.relu
    momentum: float = 0.9
    epsilon: float = 1e-5

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n h2 w2 o"]:
        if self.kernel % 2 == 0 or self.kernel < 1:
            raise ExperimentError(f"a window of {self.kernel} has no centre: its side is odd")
        if not self.is_initializing() and self.has_variable("params", "merged"):
            half = self.kernel // 2
            x = nn.Conv(
                self.features,
                pair(self.kernel),
                strides=pair(self.strides),
                padding=[(half, half)] * 2,
                name="merged",
            )(images)
        else:
            fields: dict[str, Any] = {
                "strides": self.strides,
                "activation": None,
                "momentum": self.momentum,
                "epsilon": self.epsilon,
            }
            wide = ConvBN(self.features, self.kernel, name="wide", **fields)
            point = ConvBN(self.features, 1, name="point", **fields)
            x = wide(images, train=train) + point(images, train=train)
        return x if self.activation is None else self.activation(x)


def merged(variables: Mapping[str, Any], *, epsilon: float = 1e-5) -> dict[str, Any]:
    """Variables with which a model of `ConvBN` and `RepConv` computes the same with fewer numbers.

    Args:
        variables: of a model, with `params` and `batch_stats`; they are not changed.
        epsilon: of all its normalisations.

    Raises:
        ExperimentError: there is nothing to fold, or a normalisation lacks its running averages.
    """
    folded = fold_tree(variables, epsilon=epsilon)
    return {**folded, "params": _merged(folded["params"])}


def _merged(params: Mapping[str, Any]) -> dict[str, Any]:
    if set(params) == BRANCHES:
        wide, point = (params[name]["conv"] for name in ("wide", "point"))
        half = wide["kernel"].shape[0] // 2
        centre = jnp.pad(point["kernel"], ((half, half), (half, half), (0, 0), (0, 0)))
        kernel, bias = wide["kernel"] + centre, wide["bias"] + point["bias"]
        return {"merged": {"kernel": kernel, "bias": bias}}
    return {
        name: _merged(inner) if isinstance(inner, Mapping) else inner
        for name, inner in params.items()
    }
