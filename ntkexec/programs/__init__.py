"""Programs: each module writes one algorithm as templates and says what goes in and comes out."""

from ntkexec.programs.instance import Algorithm, Instance
from ntkexec.programs.registry import ALGORITHMS, find_algorithm, prepare

__all__ = ["ALGORITHMS", "Algorithm", "Instance", "find_algorithm", "prepare"]
