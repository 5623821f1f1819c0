"""Programs: each module writes one algorithm as templates and says what goes in and comes out."""

from ntkexec.programs import bellman_ford, bfs, dfs, flooding
from ntkexec.programs.instance import Algorithm, Instance

ALGORITHMS: dict[str, Algorithm] = {
    module.ALGORITHM.name: module.ALGORITHM for module in (flooding, bfs, dfs, bellman_ford)
}

__all__ = ["ALGORITHMS", "Algorithm", "Instance"]
