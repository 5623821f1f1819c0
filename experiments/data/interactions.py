"""Who used what, to train on and to test with: what every format of users and items leads to."""

import dataclasses
from typing import TypeAlias

import numpy as np
from scipy import sparse

from ntkexec.errors import ExperimentError, shown

Table: TypeAlias = sparse.csr_array
"""Rows by columns, float32 ones where there is a pair; columns sorted in every row."""


@dataclasses.dataclass(frozen=True, eq=False)
class Interactions:
    """Pairs of a user and an item, each of which is trained on, tested with, or neither; it checks itself.

    Args:
        name: of the set.
        train: (users, items) float32 CSR, 1 where a user is known to have used an item.
        test: of the same shape; no pair is in both.
        social: (users, users) of the same kind, where users name each other; mostly none.
        note: what somebody who uses the set must know, in words; mostly nothing.

    Raises:
        ExperimentError: what is said here does not hold.
    """

    name: str
    train: Table
    test: Table
    social: Table | None = None
    note: str = ""

    def __post_init__(self) -> None:
        where = f"the set {shown(self.name)}"
        users, items = self.train.shape
        _check(self.train, (users, items), f"{where}: train")
        _check(self.test, (users, items), f"{where}: test")
        if self.social is not None:
            _check(self.social, (users, users), f"{where}: social")
        if twice := self.train.multiply(self.test).nnz:
            raise ExperimentError(f"{where} trains on {twice} of the pairs that it tests with")

    @property
    def num_users(self) -> int:
        return int(self.train.shape[0])

    @property
    def num_items(self) -> int:
        return int(self.train.shape[1])


def table_of(users: np.ndarray, items: np.ndarray, shape: tuple[int, int]) -> Table:
    """Pairs as a table of ones; a pair that comes twice counts once.

    Args:
        users, items: of each pair, whole numbers from 0 and below `shape`.
        shape: of the table.
    """
    keys = np.unique(users.astype(np.int64) * shape[1] + items)
    rows = keys // max(shape[1], 1)
    starts = np.searchsorted(rows, np.arange(shape[0] + 1)).astype(np.int32)
    columns = (keys % max(shape[1], 1)).astype(np.int32)
    made = sparse.csr_array((np.ones(len(keys), np.float32), columns, starts), shape=shape)
    made.has_canonical_format = True
    return made


def _check(table: Table, shape: tuple[int, int], where: str) -> None:
    if not isinstance(table, sparse.csr_array) or table.dtype != np.float32:
        raise ExperimentError(f"{where} must be a float32 csr_array, not {type(table).__name__}")
    if table.shape != shape:
        raise ExperimentError(f"{where} has the shape {table.shape}, and {shape} is needed")
    if not table.has_canonical_format:
        raise ExperimentError(f"{where} must hold each pair once, its columns sorted")
    if table.nnz and not (table.data == 1).all():
        raise ExperimentError(f"{where} holds {float(table.data[table.data != 1][0]):g}, not ones")
