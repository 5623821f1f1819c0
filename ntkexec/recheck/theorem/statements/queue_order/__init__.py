"""Breadth-first search in queue order: what the token says (`messages`), the textbook's tree (`tree`) and
a walk through it (`walk`), and that the nodes follow it (`branches`, `order`).
"""

from .claims import theorem

__all__ = ["theorem"]
