"""Arrays that name nodes: whole numbers of nodes that there are, or an error that says what they are."""

import numpy as np
from jaxtyping import Int64, Shaped

from experiments.data.formats.arrays import described
from ntkexec.errors import ExperimentError


def node_numbers(
    values: Shaped[np.ndarray, "..."], num_nodes: int, what: str, *, columns: int | None = None
) -> Int64[np.ndarray, "..."]:
    """The array with 64 bits a number.

    Args:
        values: a list of nodes, or a table of them.
        num_nodes: that there are.
        what: they are, for messages.
        columns: of a table, such as 2 for edges; None for a list.

    Raises:
        ExperimentError: other shapes; numbers that are not whole, or Boolean; a node that there is not.
    """
    given = np.asarray(values)
    shape = "a list" if columns is None else f"rows of {columns}"
    right = given.ndim == 1 if columns is None else given.ndim == 2 and given.shape[1] == columns
    if not right:
        advice = "; transpose it" if given.ndim == 2 and given.shape[0] == columns else ""
        raise ExperimentError(f"{what} must be {shape}, got {described(given)}{advice}")
    # An empty list has no type of its own: NumPy makes fractions of it.
    if given.size and given.dtype.kind not in "iu":
        advice = "; np.flatnonzero makes them of a mask" if given.dtype.kind == "b" else ""
        raise ExperimentError(
            f"{what} must be whole numbers of nodes, got {described(given)}{advice}"
        )
    if given.size and not (given.min() >= 0 and given.max() < num_nodes):
        wrong = given.min() if given.min() < 0 else given.max()
        raise ExperimentError(f"{what}: there is no node {wrong}, but 0 to {num_nodes - 1}")
    return given.astype(np.int64)
