"""Which nodes are trained on: so many of each class, as citation benchmarks do."""

import numpy as np
from jaxtyping import Int64

from experiments.data.nodes import Split
from ntkexec.errors import ExperimentError


def per_class(
    labels: Int64[np.ndarray, " n"],
    generator: np.random.Generator,
    *,
    train: int,
    validation: int,
    test: int | None = None,
) -> Split:
    """A random split with equally many nodes of each class to train on.

    Args:
        labels: -1 where unknown; those nodes are in no part.
        generator: draws it.
        train: of each class.
        validation: of all other nodes together.
        test: of what is then left; None for all of it.

    Raises:
        ExperimentError: a class, or what is left, is too small.
    """
    order = generator.permutation(np.flatnonzero(labels >= 0))
    masks = np.zeros((3, len(labels)), bool)
    for label in np.unique(labels[order]):
        members = order[labels[order] == label]
        if len(members) < train:
            raise ExperimentError(
                f"class {label} has {len(members)} nodes, and {train} of each are to be trained on"
            )
        masks[0, members[:train]] = True
    left = order[~masks[0, order]]
    rest = len(left) - validation
    if rest < (1 if test is None else test):
        raise ExperimentError(
            f"{len(left)} nodes are left for {validation} to pick by and "
            f"{'some' if test is None else test} to test on"
        )
    masks[1, left[:validation]] = True
    masks[2, left[validation : None if test is None else validation + test]] = True
    return Split(*masks)
