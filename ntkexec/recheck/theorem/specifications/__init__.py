"""What programs do at one node, from pseudo-code: written by hand, and independent of templates.

A specification takes the fields of a node and returns those after a step; fields that it does not name
are kept if the node computes with them, and empty if they are messages.
"""
