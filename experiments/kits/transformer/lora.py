"""Low-rank adapters of chosen matrices, stacked over blocks like the matrices themselves.

Source: Hu et al., LoRA, arXiv:2106.09685, section 4.1.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Array

from experiments.kits.transformer.decoder import MATRICES, Params, Shape
from ntkexec.errors import ExperimentError

Adapters = dict[str, dict[str, Array]]


def initial_lora(
    shape: Shape,
    generator: np.random.Generator,
    *,
    rank: int,
    scale: float = 1.0,
    names: Sequence[str] = ("query", "value"),
) -> Adapters:
    """Adapters that change nothing yet: `up` is zero.

    Args:
        shape: of the decoder.
        generator: of `down`, normal with deviation in ** -0.5.
        rank: of every adapter; trainable numbers are `blocks * rank * (in + out)` for each name.
        scale: alpha / rank, contained in `down`.
        names: of the matrices, of `decoder.MATRICES`.

    Raises:
        ExperimentError: a matrix that there is not, or no rank.
    """
    sides = shape.sides()
    if rank < 1 or not set(names) <= set(sides):
        raise ExperimentError(
            f"cannot adapt {', '.join(names)} with rank {rank}; matrices are {', '.join(MATRICES)}"
        )
    made: Adapters = {}
    for name in names:
        rows, columns = sides[name]
        down = generator.normal(size=(shape.blocks, rows, rank)) * scale * rows**-0.5
        up = np.zeros((shape.blocks, rank, columns))
        made[name] = {"down": down.astype(np.float32), "up": up.astype(np.float32)}  # type: ignore[dict-item]
    return made


def merged(params: Params, adapters: Adapters) -> Params:
    """Parameters in which the adapters are contained, so that a run costs what it did without."""
    blocks = dict(params["blocks"])
    for name, one in adapters.items():
        blocks[name] = blocks[name] + one["down"] @ one["up"]
    return {**params, "blocks": blocks}
