"""Programs: each module writes one algorithm as templates and says what goes in and comes out."""

from ntkexec.programs import arithmetic
from ntkexec.programs.graph import bellman_ford, bfs, bfs_queue, dfs, flooding
from ntkexec.programs.instance import Algorithm, Instance
from ntkexec.programs.local.examples import FAMILIES

ALGORITHMS: dict[str, Algorithm] = {
    found.name: found
    for found in (
        flooding.ALGORITHM,
        bfs.ALGORITHM,
        bfs_queue.ALGORITHM,
        dfs.ALGORITHM,
        dfs.FOREST,
        bellman_ford.ALGORITHM,
    )
}
ALGORITHMS |= {family.name: family.algorithm() for family in FAMILIES}
ALGORITHMS |= {algorithm.name: algorithm for algorithm in arithmetic.ALGORITHMS}

__all__ = ["ALGORITHMS", "Algorithm", "Instance"]
