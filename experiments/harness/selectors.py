"""Numbers of a record, selected by a path or by a function."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments.harness.study import Record, Records
from ntkexec.errors import ExperimentError

Of = str | Callable[[Record], float]
"""A number of a record: a path such as "depth.accuracy.gcn.16", or a function of the record."""
ManyOf = str | Callable[[Record], Sequence[float]]
"""A list of numbers of a record, likewise."""


def value_of(record: Record, of: Of) -> float:
    """The number that a selector means.

    Raises:
        NotMeasured: if its study was not measured.
        ExperimentError: if there is nothing at that path, or no number.
    """
    found = _at(record, of) if isinstance(of, str) else of(record)
    if isinstance(found, bool) or not isinstance(found, int | float | np.number):
        raise ExperimentError(f"seed {record.seed} has no number at {of!r}")
    return float(found)


def values_of(records: Records, of: Of) -> list[float]:
    """The selected number of every record; see `value_of`."""
    return [value_of(record, of) for record in records]


def many_of(record: Record, of: ManyOf) -> np.ndarray:
    """The selected list of numbers of a record, of shape (n,) with n at least 2; see `value_of`."""
    found = np.asarray(_at(record, of) if isinstance(of, str) else of(record), float)
    if found.ndim != 1 or found.size < 2:
        raise ExperimentError(f"seed {record.seed} has no list of numbers at {of!r}")
    return found


def _at(record: Record, path: str) -> Any:
    study, *steps = path.split(".")
    found: Any = record[study]
    for step in steps:
        try:
            found = found[int(step)] if isinstance(found, list | tuple) else found[step]
        except (LookupError, TypeError, ValueError):
            raise ExperimentError(f"seed {record.seed} has no {step!r} of {path!r}") from None
    return found
