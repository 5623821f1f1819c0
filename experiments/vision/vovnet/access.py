"""Memory access of any network, layer by layer: what it is, what it could be, the time it takes.

The paper's cost of a convolution is what it reads and writes, in elements: its input, its kernel, its
output. At a given number of multiplications that is least where input and output are equally large.
"""

import dataclasses
import math
import time
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from experiments.kits.convnets.operations import Convolution, Product
from experiments.kits.convnets.walker import walk
from experiments.kits.convnets.walks import Layer
from experiments.kits.convnets.xla import as_function
from ntkexec.errors import ExperimentError

Number = float | Float[np.ndarray, "..."]


def lower_bound(
    multiplications: Number, *, pixels: Number, taps: Number = 1, read: Number | None = None
) -> Number:
    """The least memory access of a convolution with so many multiplications, whatever its widths.

    With c_i and c_o channels it is pixels (c_i + c_o) + taps c_i c_o, and at a given product c_i c_o the
    sum is least where c_i = c_o.

    Args:
        multiplications: taps x pixels x c_i x c_o.
        pixels: of the output, of all pictures.
        taps: of the kernel: height times width.
        read: pixels of the input, if others, as with strides.

    Raises:
        ExperimentError: no pixels, no taps, or fewer than no multiplications.

    Source: Lee et al., arXiv:1904.09730, equation 2, whose first term is over the root of the taps; Ma et
    al., ECCV 2018, arXiv:1807.11164, for 1 x 1 kernels.
    """
    if np.min(multiplications) < 0 or np.min(pixels) <= 0 or np.min(taps) <= 0:
        raise ExperimentError(
            f"a convolution has pixels and taps; got {multiplications!r} multiplications, {pixels!r} pixels "
            f"and {taps!r} taps"
        )
    return 2 * np.sqrt((pixels if read is None else read) * multiplications / taps) + (
        multiplications / pixels
    )


@dataclasses.dataclass(frozen=True)
class Access:
    """A layer's memory access.

    Args:
        layer: with `memory_access` and `multiplications`, as the walker counts them.
        bound: the least memory access at as many multiplications; nan where nothing is a kernel.
        seconds: that the layer takes alone on the device at hand; nan if that was not measured.
    """

    layer: Layer
    bound: float
    seconds: float

    @property
    def excess(self) -> float:
        """How many times the least it accesses."""
        return self.layer.memory_access / self.bound


@dataclasses.dataclass(frozen=True)
class Accesses:
    """All layers of a network that multiply."""

    layers: tuple[Access, ...]

    @property
    def total(self) -> int:
        """Elements read and written."""
        return sum(each.layer.memory_access for each in self.layers)

    def table(self) -> str:
        """As text, one layer a line."""
        lines = [f"{'memory access':>15} {'x least':>8} {'multiplications':>16} {'us':>9}  layer"]
        for each in self.layers:
            counts = f"{each.layer.memory_access:15,} {each.excess:8.2f} "
            counts += f"{each.layer.multiplications:16,} {1e6 * each.seconds:9.1f}"
            lines.append(f"{counts}  {each.layer.path}")
        return "\n".join([*lines, f"{self.total:15,}"])


def memory_access(model: nn.Module, *inputs: Any, repeats: int = 0, **arguments: Any) -> Accesses:
    """What every layer of a Flax model reads and writes, beside the least possible and its time.

    Args:
        model: any linen module.
        inputs: arrays or `jax.ShapeDtypeStruct`; nothing is computed with them.
        repeats: timed runs of each distinct layer alone, of which the fastest counts; 0 for none.
        arguments: for the model's call.

    Raises:
        ExperimentError: for repeats below 0.
    """
    if repeats < 0:
        raise ExperimentError(f"a layer cannot be timed {repeats} times")
    layers = [layer for layer in walk(model, *inputs, **arguments).layers if layer.multiplications]
    taken = {layer.operation: float("nan") for layer in layers}
    if repeats:
        taken = {operation: _seconds(operation, repeats) for operation in taken}
    return Accesses(
        tuple(
            Access(layer, _least(layer) * layer.times, taken[layer.operation] * layer.times)
            for layer in layers
        )
    )


def _least(layer: Layer) -> float:
    """The least memory access of one run of a layer: its input and output as large as each other."""
    if not layer.kernel or not layer.inputs:
        return math.nan
    read, made = math.prod(layer.inputs[0]), math.prod(layer.outputs[0])
    return 2 * math.sqrt(read * made) + math.prod(layer.kernel)


def _seconds(operation: Any, repeats: int) -> float:
    """The fastest of some runs of an operation on ones, compiled alone."""
    if not isinstance(operation, Convolution | Product):
        return math.nan
    function, *shapes = as_function(operation)
    arrays = [jnp.ones(shape, jnp.float32) for shape in shapes]
    compiled = jax.jit(function).lower(*arrays).compile()
    jax.block_until_ready(compiled(*arrays))
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arrays))
        found.append(time.perf_counter() - start)
    return min(found)
