"""One module for each statement; this is what the theorems say."""

from ..theorem import Statement
from . import bfs, depth_first, flooding

STATEMENTS: dict[str, Statement] = {
    "bfs": bfs.theorem,
    "dfs": depth_first.theorem,
    "dfs-forest": depth_first.forest,
    "flooding": flooding.theorem,
}
