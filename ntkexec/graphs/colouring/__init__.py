"""Colourings in which no two nodes within two hops share a colour: the slots of messages."""

from ntkexec.graphs.colouring.greedy import check_two_hop_colouring, two_hop_colouring

__all__ = ["check_two_hop_colouring", "two_hop_colouring"]
