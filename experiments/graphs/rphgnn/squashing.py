"""Many matrices of one node each row into one of a fixed width: by random projections, or with loss.

What is drawn depends on a matrix's name, not on its place among the others.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from ntkexec.errors import ExperimentError, shown

Rows: TypeAlias = Float[np.ndarray, "n d"]
Parts: TypeAlias = Mapping[str, Rows]
Projection: TypeAlias = Callable[[np.random.Generator, int, int], Float[np.ndarray, "d w"]]


def sparse_projection(
    generator: np.random.Generator, rows: int, columns: int, *, sparsity: float = 3.0
) -> Float[np.ndarray, "d w"]:
    """Entries sqrt(s), 0, -sqrt(s) with probabilities 1/(2s), 1 - 1/s, 1/(2s).

    Args:
        generator: draws them.
        rows, columns: of the matrix.
        sparsity: s, at least 1; two thirds of the entries are 0 at 3.

    Raises:
        ExperimentError: s is below 1.

    Source: Achlioptas, JCSS 2003; Li, Hastie and Church, KDD 2006.
    """
    if not sparsity >= 1:
        raise ExperimentError(f"of a sparse projection 1 / s entries are not 0; s is {sparsity!r}")
    draws = generator.random((rows, columns))
    signs = (draws >= 1 - 0.5 / sparsity).astype(np.float64) - (draws < 0.5 / sparsity)
    found: np.ndarray = np.sqrt(sparsity) * signs
    return found


def gaussian_projection(
    generator: np.random.Generator, rows: int, columns: int
) -> Float[np.ndarray, "d w"]:
    """Standard normal entries."""
    return generator.normal(size=(rows, columns))


PROJECTIONS: Mapping[str, Projection] = {
    "sparse": sparse_projection,
    "gaussian": gaussian_projection,
}
SQUASHES = (*PROJECTIONS, "sum", "concat")
"""`sum` adds what has one width; `concat` loses nothing, and its width grows with every iteration."""


def named(seed: int, name: str) -> np.random.Generator:
    """Randomness for a name alone."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def unit_rows(x: Rows) -> Rows:
    """Each row over its length; rows of zeros stay."""
    lengths = np.sqrt(np.square(x).sum(1, keepdims=True))
    return x / np.where(lengths > 0, lengths, 1).astype(x.dtype)


def random_squash(
    parts: Parts,
    width: int,
    *,
    generator: np.random.Generator,
    squash: str = "sparse",
    normalise: bool = True,
) -> Rows:
    """`sum over parts h of unit_rows(h Pi_h)`, a matrix Pi_h of its own for each.

    Args:
        parts: by name, all with n rows.
        width: of the result; given to it by `sum` and `concat`.
        generator: one draw is taken, whatever the parts are.
        squash: one of `SQUASHES`; the last two draw nothing.
        normalise: whether rows are divided by their length before they are added. Without it, the
            result is one projection of all parts side by side.

    Raises:
        ExperimentError: there is nothing to squash, no such way, or `sum` is given other widths.

    Source: Hu, Hooi and He, arXiv:2310.14481, Random Projection Squashing; as in CrawlScript/RpHGNN
        (`project_norm_sum`, and `norm_sum` for `sum`).
    """
    if squash not in SQUASHES:
        raise ExperimentError(f"{shown(squash)} is none of {', '.join(SQUASHES)}")
    if not parts:
        raise ExperimentError("there is nothing to squash")
    seed = int(generator.integers(2**32))

    def scaled(x: Rows) -> Rows:
        return unit_rows(x) if normalise else x

    order = sorted(parts)  # so that sums are rounded alike
    if squash == "concat":
        return np.concatenate([scaled(parts[name]) for name in order], 1)
    if squash == "sum":
        if widths := {part.shape[1] for part in parts.values()} - {width}:
            raise ExperimentError(
                f"{width} columns cannot be added to {min(widths)}; give all types one width"
            )
        return np.sum([scaled(parts[name]) for name in order], axis=0)
    projected = (
        scaled(project(parts[name], width, named(seed, name), squash=squash)) for name in order
    )
    found: np.ndarray = sum(projected, np.zeros((1, 1), parts[order[0]].dtype))
    return found


def project(x: Rows, width: int, generator: np.random.Generator, *, squash: str = "sparse") -> Rows:
    """`x Pi` with a matrix drawn for it; x may be a SciPy matrix."""
    matrix = PROJECTIONS[squash](generator, x.shape[1], width).astype(x.dtype)
    return np.asarray(x @ matrix)
