"""The learned function: a two-layer ReLU network in the NTK parametrisation."""

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
