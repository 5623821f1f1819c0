"""Programs: each module writes one algorithm as templates and says what goes in and comes out."""

from ntkexec.programs import bfs, flooding
from ntkexec.programs.instance import Algorithm, Instance

ALGORITHMS: dict[str, Algorithm] = {a.name: a for a in (flooding.ALGORITHM, bfs.ALGORITHM)}

__all__ = ["ALGORITHMS", "Algorithm", "Instance"]
