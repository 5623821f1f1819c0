"""Rows."""

from experiments.data.catalogue import DataSet

ROWS: tuple[DataSet, ...] = ()
