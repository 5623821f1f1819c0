"""LOCAL algorithms that come along."""

from ntkexec.programs.local.examples import (
    automata,
    bipartite,
    cole_vishkin,
    greedy,
    leader_election,
    neighbourhoods,
    spanning_tree,
)
from ntkexec.programs.local.family import Family

FAMILIES: tuple[Family, ...] = (
    leader_election.FAMILY,
    leader_election.COMPONENTS,
    spanning_tree.FAMILY,
    bipartite.FAMILY,
    neighbourhoods.ECCENTRICITY,
    neighbourhoods.SIZE,
    neighbourhoods.TRIANGLES,
    greedy.COLOURING,
    greedy.INDEPENDENT_SET,
    cole_vishkin.FAMILY,
    automata.RULE_110,
    automata.LIFE,
)

__all__ = ["FAMILIES"]
