"""One module for each statement; this is what the theorems say."""

from ..theorem import Statement
from . import bellman_ford, bfs, depth_first, flooding

STATEMENTS: dict[str, Statement] = {
    "bellman-ford": bellman_ford.theorem,
    "bfs": bfs.theorem,
    "dfs": depth_first.theorem,
    "dfs-forest": depth_first.forest,
    "flooding": flooding.theorem,
}
