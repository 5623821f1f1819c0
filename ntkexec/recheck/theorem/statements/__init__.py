"""One module for each statement; this is what the theorems say."""

from ..theorem import Statement
from . import bfs

STATEMENTS: dict[str, Statement] = {"bfs": bfs.theorem}
