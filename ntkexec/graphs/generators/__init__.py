"""Graphs by name, such as `grid:8x8`, and at random."""

from ntkexec.graphs.generators.large import grid, random_regular
from ntkexec.graphs.generators.named import GENERATORS, describe, name_of, parse, unknown_name

__all__ = ["GENERATORS", "describe", "grid", "name_of", "parse", "random_regular", "unknown_name"]
