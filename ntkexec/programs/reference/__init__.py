"""What each program must compute, in plain Python and networkx, independent of templates."""

NONE = -(2**63)
"""Stands for no value in a field of an answer that can be negative; elsewhere -1 does."""
