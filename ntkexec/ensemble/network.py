"""The learned function: a two-layer ReLU network in the NTK parametrisation."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class TwoLayerNetwork(nn.Module):
    """f(x) = s_w / sqrt(h) W2 relu(s_w / sqrt(n0) W1 x + s_b b1) + s_b b2, weights unit Gaussian.

    Attributes:
        num_inputs: n0, length of x.
        width: h, hidden units.
        num_outputs: bits that it predicts.
        weight_std: s_w.
        bias_std: s_b; 0 leaves the biases out. The closed forms hold for 0.
        dtype: of weights and outputs.

    Source: Jacot et al., arXiv:1806.07572, equation 1.
    """

    num_inputs: int
    width: int
    num_outputs: int
    weight_std: float = 1.0
    bias_std: float = 0.0
    dtype: jnp.dtype = jnp.float32

    def setup(self) -> None:
        normal = nn.initializers.normal(1.0)
        self.hidden = self.param("hidden", normal, (self.num_inputs, self.width), self.dtype)
        self.output = self.param("output", normal, (self.width, self.num_outputs), self.dtype)
        if self.bias_std:
            self.hidden_bias = self.param("hidden_bias", normal, (self.width,), self.dtype)
            self.output_bias = self.param("output_bias", normal, (self.num_outputs,), self.dtype)

    def __call__(self, x: Float[Array, "n n0"]) -> Float[Array, "n o"]:
        """Outputs for one input per row."""
        return self._read_out(jnp.matmul(x, self.hidden, precision=jax.lax.Precision.HIGHEST))

    def on_basis(self) -> Float[Array, "n0 o"]:
        """Outputs for all standard basis vectors, the training inputs: `self(identity)`."""
        return self._read_out(self.hidden)

    def _read_out(self, inner: Float[Array, "n h"]) -> Float[Array, "n o"]:
        before = self.weight_std / self.num_inputs**0.5 * inner
        if self.bias_std:
            before = before + self.bias_std * self.hidden_bias[None]
        after = jnp.matmul(nn.relu(before), self.output, precision=jax.lax.Precision.HIGHEST)
        outputs = self.weight_std / self.width**0.5 * after
        return outputs + self.bias_std * self.output_bias[None] if self.bias_std else outputs


# Any: the pytree of weights that Flax makes.
def initial(network: TwoLayerNetwork, key: Array, *, antisymmetric: bool = False) -> Any:
    """Weights before training.

    Args:
        network: the network.
        key: what is drawn.
        antisymmetric: two copies of a network of half the width, one of them subtracted: the output
            is 0 everywhere, the kernel the one that half as many units have.

    Source: Zhang et al., arXiv:1905.07777 (antisymmetrical initialisation).
    """
    if not antisymmetric:
        return network.init(key, method="on_basis")
    half = network.clone(width=network.width // 2)
    drawn: Any = half.init(key, method="on_basis")
    found = dict(drawn["params"])
    found["hidden"] = jnp.concatenate([found["hidden"]] * 2, axis=1)
    found["output"] = jnp.concatenate([found["output"], -found["output"]], axis=0)
    if network.bias_std:
        found["hidden_bias"] = jnp.concatenate([found["hidden_bias"]] * 2)
        found["output_bias"] = jnp.zeros_like(found["output_bias"])
    return {"params": found}
