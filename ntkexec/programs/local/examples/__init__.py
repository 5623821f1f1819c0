"""LOCAL algorithms that come along."""

from ntkexec.programs.local.examples import greedy, leader_election, spanning_tree
from ntkexec.programs.local.family import Family

FAMILIES: tuple[Family, ...] = (
    leader_election.FAMILY,
    leader_election.COMPONENTS,
    spanning_tree.FAMILY,
    greedy.COLOURING,
    greedy.INDEPENDENT_SET,
)

__all__ = ["FAMILIES"]
