"""All algorithms by name."""

from ntkexec.errors import NtkexecError
from ntkexec.programs import arithmetic
from ntkexec.programs.graph import bellman_ford, bfs, bfs_queue, dfs, flooding
from ntkexec.programs.instance import Algorithm
from ntkexec.programs.local.examples import FAMILIES
from ntkexec.runtime.suggest import did_you_mean

ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        flooding.ALGORITHM,
        bfs.ALGORITHM,
        bfs_queue.ALGORITHM,
        dfs.ALGORITHM,
        dfs.FOREST,
        bellman_ford.ALGORITHM,
        *(family.algorithm() for family in FAMILIES),
        *arithmetic.ALGORITHMS,
    )
}
"""In the order in which they are listed."""


def find_algorithm(name: str) -> Algorithm:
    """The algorithm of a name.

    Raises:
        NtkexecError: there is none; suggests the nearest name.
    """
    if name not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise NtkexecError(
            f"no algorithm {name!r}; there is {known}{did_you_mean(name, ALGORITHMS)}"
        )
    return ALGORITHMS[name]
