"""What somebody gives for the nodes of a graph: a value for each of them, and none that is spread."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from ntkexec.errors import LayoutError, ProgramError, shown


def as_array(value: object, what: str) -> np.ndarray:
    """Numbers as an array.

    Args:
        value: an array, or lists of the same lengths.
        what: what they are, for errors.

    Raises:
        ProgramError: it is masked, or its rows have different lengths.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise ProgramError(f"{what} are masked; fill in what is hidden")
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ProgramError(f"{what} are no array: {error}") from None


def column(
    path: str, value: object, names: Sequence[Hashable], shape: tuple[int, ...], place: str
) -> np.ndarray:
    """The values of a field, a row for each node.

    Args:
        path: the field.
        value: an array or lists in the order of the nodes, or by the name of a node.
        names: of the nodes.
        shape: what all values of the field have.
        place: who gives them.

    Raises:
        NtkexecError: a node without a value, or another shape. Nothing is spread: one value would be
            the answer at nodes that nobody spoke of.
    """
    if isinstance(value, Mapping):
        if missing := [name for name in names if name not in value]:
            raise ProgramError(f"no {path} for node {shown(missing[0])} in {place}")
        value = [value[name] for name in names]
    found = as_array(value, f"values of {path!r} of {place}")
    if found.shape != shape:
        raise LayoutError(
            f"field {path!r} takes shape {shape}, with values for each node, not {found.shape} as in "
            f"{place}"
        )
    return found
