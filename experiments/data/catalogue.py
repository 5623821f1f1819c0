"""The data sets that the room knows: what each is, where it is looked for, and how to get it."""

from experiments.data.rows import (
    detection,
    language,
    node_sets,
    pictures,
    relations,
    segmentation,
    systems,
    weights,
    whole_graphs,
)
from experiments.data.sets import DataSet
from ntkexec.errors import ExperimentError, did_you_mean, shown


def by_name() -> dict[str, DataSet]:
    """All sets, in the order of the lists.

    Raises:
        ExperimentError: two rows have one name.
    """
    rows = (
        *node_sets.ROWS,
        *relations.ROWS,
        *whole_graphs.ROWS,
        *pictures.ROWS,
        *detection.ROWS,
        *segmentation.ROWS,
        *language.ROWS,
        *systems.ROWS,
        *weights.ROWS,
    )
    found: dict[str, DataSet] = {}
    for row in rows:
        if found.setdefault(row.name, row) is not row:
            raise ExperimentError(f"two data sets are called {shown(row.name)}")
    return found


def data_set(name: str) -> DataSet:
    """The set of a name.

    Raises:
        ExperimentError: there is none; names those nearest to it.
    """
    known = by_name()
    if name not in known:
        raise ExperimentError(
            f"there is no data set {shown(name)}{did_you_mean(name, known)}; 'ntkexec experiment data' "
            f"lists all"
        )
    return known[name]
