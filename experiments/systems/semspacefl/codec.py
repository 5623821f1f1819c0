"""Pictures over a noisy link without bits between: a learnt encoder and decoder around a channel.

A picture in [0, 1] becomes k complex symbols of unit mean power; these are received with noise and decoded.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from experiments.kits.initialisation import FLAX, Rule, initial_by_numpy
from ntkexec.errors import ExperimentError

RULES: dict[str, Rule] = {
    **FLAX,
    "PReLU_0/negative_slope": lambda generator, shape, fan_in: np.full(shape, 0.25),
}


def _rectifier() -> nn.PReLU:
    return nn.PReLU(negative_slope_init=0.25)


class Neighbours(nn.Module):
    """Features plus a 3 x 3 convolution of them, zeros around and PReLU after.

    The convolution is one product of matrices: `jax.vmap` over models keeps it one, where XLA would make a
    grouped convolution of a convolution.
    """

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        height, width = x.shape[1:3]
        framed = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        seen = [framed[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
        return x + _rectifier()(nn.Dense(x.shape[-1])(jnp.concatenate(seen, axis=-1)))


class SemanticCodec(nn.Module):
    """Joint source and channel coding of colour pictures by three layers on either side.

    Args:
        numbers: real numbers that are sent for each patch of 4 x 4 pixels; two make a symbol, so that
            there are `numbers / 96` symbols for each number of the picture (16: 1/6, 8: 1/12).
        width: channels of the hidden layers.
    """

    numbers: int = 16
    width: int = 32

    def setup(self) -> None:
        if self.numbers < 2 or self.numbers % 2 or self.width < 1:
            raise ExperimentError(
                f"{self.numbers} numbers for a patch make no symbols, or a width of {self.width} no layer"
            )
        self.encoder, self.decoder = (
            nn.Sequential([nn.Dense(self.width), Neighbours(), nn.Dense(last)])
            for last in (self.numbers, 48)
        )

    def encode(self, pictures: Float[Array, "b h w 3"]) -> Complex[Array, "b k"]:
        """Symbols of mean power 1 for each picture; height and width are multiples of 4."""
        number, height, width, _ = pictures.shape
        if not jnp.issubdtype(pictures.dtype, jnp.floating):
            raise ExperimentError(
                f"pictures are floats from 0 to 1, not {pictures.dtype}: divide by 255"
            )
        if height % 4 or width % 4:
            raise ExperimentError(f"pictures of {height} x {width} are not cut by patches of 4 x 4")
        cut = pictures.reshape(number, height // 4, 4, width // 4, 4, 3).swapaxes(2, 3)
        patches = cut.reshape(number, height // 4, width // 4, 48)
        return with_unit_power(symbols(self.encoder(2 * patches - 1).reshape(number, -1)))

    def decode(
        self, received: Complex[Array, "b k"], shape: tuple[int, int]
    ) -> Float[Array, "b h w 3"]:
        """Pictures of that height and width."""
        number, high, wide = len(received), shape[0] // 4, shape[1] // 4
        real = jnp.stack([received.real, received.imag], -1)
        patches = self.decoder(real.reshape(number, high, wide, self.numbers))
        cut = patches.reshape(number, high, wide, 4, 4, 3).swapaxes(2, 3)
        return cut.reshape(number, *shape, 3) + 0.5

    def __call__(
        self,
        pictures: Float[Array, "b h w 3"],
        key: Array,
        snr: Float[Array, ""] | float,
    ) -> Float[Array, "b h w 3"]:
        """Pictures as they are received.

        Args:
            pictures: between 0 and 1.
            key: of the noise.
            snr: of the channel, in decibels; the codec is not told.
        """
        _, height, width, _ = pictures.shape
        return self.decode(channel(self.encode(pictures), key, snr), (height, width))


def initial_codec(codec: SemanticCodec, size: int, generator: np.random.Generator) -> Any:
    """Parameters before training, for pictures of that height and width."""
    example = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    return initial_by_numpy(codec, generator, example, key, snr=10.0, rules=RULES)["params"]


def check_pictures(pictures: Any) -> None:
    """Raises an `ExperimentError` unless pictures are floats from 0 to 1."""
    seen = np.asarray(pictures)
    if seen.dtype.kind in "iub" or not (seen.min(initial=0) >= 0 and seen.max(initial=0) <= 1):
        raise ExperimentError(
            f"pictures are floats from 0 to 1, not {seen.dtype} from {seen.min():g} to {seen.max():g}; "
            "divide what goes to 255 by it"
        )


def symbols(numbers: Float[Array, "b n"]) -> Complex[Array, "b n/2"]:
    """Every two real numbers as one complex one."""
    return jax.lax.complex(numbers[:, ::2], numbers[:, 1::2])


def with_unit_power(sent: Complex[Array, "b k"]) -> Complex[Array, "b k"]:
    """Each row scaled to mean |z|^2 = 1; a row of zeros stays."""
    power = (sent.real**2 + sent.imag**2).mean(1, keepdims=True)
    return sent * jax.lax.rsqrt(jnp.where(power > 0, power, 1))


def channel(
    sent: Complex[Array, "b k"], key: Array, snr: Float[Array, ""] | float
) -> Complex[Array, "b k"]:
    """What is received: each symbol and complex Gaussian noise.

    Args:
        sent: of unit mean power.
        key: of the noise.
        snr: mean power over that of the noise, in decibels.
    """
    scale = jnp.sqrt(10 ** (-jnp.asarray(snr, jnp.float32) / 10) / 2)
    real, imaginary = scale * jax.random.normal(key, (2, *sent.shape), sent.real.dtype)
    return sent + jax.lax.complex(real, imaginary)


def psnr(pictures: Float[Array, "b h w 3"], received: Float[Array, "b h w 3"]) -> Float[Array, "b"]:
    """Decibels of each picture: -10 log10 of its mean squared error; average these, not the errors."""
    return -10 * jnp.log10(((pictures - received) ** 2).mean((1, 2, 3)))


def codec_loss(
    codec: Any,  # a module, called with fields of its own
    params: Any,
    pictures: Array,
    key: Array,
) -> Array:
    """Mean squared error at an SNR that is drawn for the batch, uniform from 0 to 20 dB."""
    drawn, noise = jax.random.split(key)
    snr = jax.random.uniform(drawn, (), maxval=20.0)
    received = codec.apply({"params": params}, pictures, noise, snr)
    return jnp.mean((received - pictures) ** 2)


@functools.lru_cache
def loss_of(codec: SemanticCodec) -> Any:
    """`codec_loss` of a codec, the same function for equal codecs, so that nothing is compiled twice."""
    return functools.partial(codec_loss, codec)
