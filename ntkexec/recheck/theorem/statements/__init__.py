"""One module for each statement; this is what the theorems say."""

from ..theorem import Statement
from . import (
    add,
    bellman_ford,
    bfs,
    bfs_split,
    depth_first,
    flooding,
    flooding_split,
    local,
    multiply,
    permute,
    queue_order,
    sbn,
)

STATEMENTS: dict[str, Statement] = {
    "add": add.theorem,
    "bellman-ford": bellman_ford.theorem,
    "bfs": bfs.theorem,
    "bfs-split": bfs_split.theorem,
    "bfs-queue": queue_order.theorem,
    "dfs": depth_first.theorem,
    "dfs-forest": depth_first.forest,
    "flooding": flooding.theorem,
    "flooding-split": flooding_split.theorem,
    "local": local.theorem,
    "multiply": multiply.theorem,
    "permute": permute.theorem,
    "sbn": sbn.theorem,
}
# Those that take a specification as data.
OF_DATA = {"local"}
