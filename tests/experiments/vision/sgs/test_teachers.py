"""The networks on noise images, several at once, against Flax's convolution one by one."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.vision.sgs.teachers import CHANNELS, SIZE, WIDTH, logits, patches


def test_networks_side_by_side_are_convolutions_of_their_own():
    keys = iter(jax.random.split(jax.random.key(0), 5))
    images = jax.random.normal(next(keys), (3, SIZE, SIZE, CHANNELS))
    networks = {
        "kernel": jax.random.normal(next(keys), (9 * CHANNELS, 2, WIDTH)),
        "bias": jax.random.normal(next(keys), (2, WIDTH)),
        "out": jax.random.normal(next(keys), (2, WIDTH)),
        "shift": jax.random.normal(next(keys), (2,)),
    }
    found = logits(networks, patches(images))
    for place in range(2):
        kernel = networks["kernel"][:, place].reshape(3, 3, CHANNELS, WIDTH)
        params = {"kernel": kernel, "bias": networks["bias"][place]}
        hidden = nn.relu(nn.Conv(WIDTH, (3, 3)).apply({"params": params}, images))
        wanted = jnp.asarray(hidden).mean((1, 2)) @ networks["out"][place]
        # Sums of 27 and 1,024 numbers in float32.
        np.testing.assert_allclose(
            found[:, place], wanted + networks["shift"][place], rtol=1e-4, atol=1e-5
        )
