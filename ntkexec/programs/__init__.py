"""Programs: each module writes one algorithm as templates and says what goes in and comes out."""

from ntkexec.programs.graph import bellman_ford, bfs, bfs_queue, dfs, flooding
from ntkexec.programs.instance import Algorithm, Instance
from ntkexec.programs.registry import ALGORITHMS, find_algorithm
from ntkexec.programs.sources import find_program, is_shipped, prepare

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Instance",
    "bellman_ford",
    "bfs",
    "bfs_queue",
    "dfs",
    "find_algorithm",
    "find_program",
    "flooding",
    "is_shipped",
    "prepare",
]
