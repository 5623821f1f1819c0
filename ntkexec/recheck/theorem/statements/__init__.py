"""One module for each statement; this is what the theorems say."""

from ..theorem import Statement
from . import bfs, local

STATEMENTS: dict[str, Statement] = {
    "bfs": bfs.theorem,
    "local": local.theorem,
}
