"""Raw templates: two matrices, a row for each template and a column for each bit of a state."""

import operator
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int8
from numpy.typing import ArrayLike

from ntkexec.errors import ProgramError, shown
from ntkexec.program.fields import Bits
from ntkexec.program.layout import Layout
from ntkexec.program.limits import LITERALS_VARIABLE, max_literals
from ntkexec.program.templates import Template

FREE = -1
"""In a matrix of whole numbers, a bit that a template does not read; in one of floats it is nan."""

STATE, INBOX = "state", "inbox"
"""The fields of a raw program: bits that stay with the node, bits that are exchanged."""


def raw_layout(num_bits: int, message_start: int) -> Layout:
    """Bits without a meaning: `message_start` of them stay with the node, the others are messages.

    Raises:
        ProgramError: no bits, or a start that is not among them.
    """
    if num_bits < 1:
        raise ProgramError("a program has at least one bit, and these rows have no columns")
    try:
        start = operator.index(message_start)
    except TypeError:
        start = FREE
    if isinstance(message_start, bool | np.bool_) or not 0 <= start <= num_bits:
        raise ProgramError(
            f"message_start is a number from 0 to {num_bits}, the column where messages begin, not "
            f"{shown(message_start)}; {num_bits} where there are none"
        )
    return Layout(
        (Bits(STATE, start),) if start else (),
        (Bits(INBOX, num_bits - start),) if start < num_bits else (),
    )


def is_raw(layout: Layout) -> bool:
    """Whether it is that of a raw program, in which bits have no meaning."""
    return layout == raw_layout(layout.num_bits, layout.num_computation_bits)


def parse_rows(
    conditions: ArrayLike, targets: ArrayLike, labels: Sequence[str] | None = None
) -> tuple[int, tuple[Template, ...]]:
    """The number of bits, and the templates in the order of the rows.

    Args:
        conditions: by template and bit 0, 1 or free; see `FREE`.
        targets: by template and bit whether it is written.
        labels: by template what it is for; by default nothing.

    Raises:
        ProgramError: names the row, the column and the value, and what would fit.
    """
    asked, written = _conditions(conditions), _targets(targets)
    if asked.shape != written.shape:
        raise ProgramError(
            f"conditions have the shape {asked.shape} and targets {written.shape}; both have a row for "
            "each template and a column for each bit"
        )
    if not len(asked):
        raise ProgramError("there are no templates: conditions and targets have no rows")
    if asked.shape[1] > max_literals():
        raise ProgramError(
            f"a state has {asked.shape[1]:,} bits; the limit is {max_literals():,} "
            f"({LITERALS_VARIABLE} sets another)"
        )
    literals = int((asked != FREE).sum() + written.sum())
    if literals > max_literals():
        raise ProgramError(
            f"these templates have {literals:,} conditions and outputs; the limit is "
            f"{max_literals():,} ({LITERALS_VARIABLE} sets another)"
        )
    if isinstance(labels, str):
        raise ProgramError(f"labels are a text for each template, not one text, {shown(labels)}")
    told = [""] * len(asked) if labels is None else list(labels)
    if len(told) != len(asked):
        raise ProgramError(f"there are {len(told)} labels for {len(asked)} templates")
    templates = []
    for row, then, label in zip(asked, written, told, strict=True):
        bits = np.flatnonzero(row != FREE)
        condition = zip(bits.tolist(), (row[bits] == 1).tolist(), strict=True)
        templates.append(Template(tuple(condition), tuple(np.flatnonzero(then).tolist()), label))
    return asked.shape[1], tuple(templates)


def as_matrices(
    templates: Sequence[Template], num_bits: int
) -> tuple[Int8[np.ndarray, "n0 k"], Bool[np.ndarray, "n0 k"]]:
    """Conditions, `FREE` where a template does not read a bit, and targets: what `parse_rows` takes."""
    conditions = np.full((len(templates), num_bits), FREE, np.int8)
    targets = np.zeros((len(templates), num_bits), bool)
    for row, then, entry in zip(conditions, targets, templates, strict=True):
        for bit, value in entry.condition:
            row[bit] = value
        then[list(entry.outputs)] = True
    return conditions, targets


def _conditions(given: ArrayLike) -> Int8[np.ndarray, "n0 k"]:
    matrix = _matrix("conditions", given)
    if matrix.dtype.kind == "b":
        raise ProgramError(
            "conditions are truth values, which have none for a bit that a template leaves free: give "
            "whole numbers (0, 1, and -1 for free) or floats (0, 1, and nan)"
        )
    free = matrix == FREE
    if matrix.dtype.kind == "f":
        free |= np.isnan(matrix)
    _check("conditions", matrix, free | (matrix == 0) | (matrix == 1), "0, 1 or free (-1 or nan)")
    return np.where(free, FREE, matrix == 1).astype(np.int8)


def _targets(given: ArrayLike) -> Bool[np.ndarray, "n0 k"]:
    matrix = _matrix("targets", given)
    _check("targets", matrix, (matrix == 0) | (matrix == 1), "0 or 1")
    return matrix == 1


def _matrix(name: str, given: ArrayLike) -> np.ndarray:
    """Numbers by row and column."""
    if isinstance(given, np.ma.MaskedArray):
        raise ProgramError(f"{name} are masked; fill in what is free: -1 or nan")
    try:
        matrix = np.asarray(given)
    except ValueError as error:
        raise ProgramError(f"{name} are no matrix: {error}") from None
    if matrix.size and matrix.dtype.kind not in "biuf":
        raise ProgramError(f"{name} are whole numbers or floats, not {matrix.dtype} values")
    if matrix.ndim != 2:
        raise ProgramError(
            f"{name} have a row for each template and a column for each bit, not the shape "
            f"{matrix.shape}"
        )
    return matrix


def _check(name: str, matrix: np.ndarray, fits: Bool[np.ndarray, "n0 k"], allowed: str) -> None:
    if not fits.all():
        row, column = np.argwhere(~fits)[0].tolist()
        raise ProgramError(
            f"row {row} of {name} has {matrix[row, column].item()!r} in column {column}; {allowed} fits"
        )
