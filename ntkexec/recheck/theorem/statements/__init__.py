"""One module for each statement; this is what the theorems say."""

from ..theorem import Statement
from . import add, bfs, local, multiply, permute, sbn

STATEMENTS: dict[str, Statement] = {
    "bfs": bfs.theorem,
    "local": local.theorem,
    "add": add.theorem,
    "multiply": multiply.theorem,
    "permute": permute.theorem,
    "sbn": sbn.theorem,
}
