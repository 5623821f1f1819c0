"""Depth-first search: the nodes simulate the textbook's stack machine (`simulation`, `world`), and what
they need to know of its run holds in every graph (`stack`, `facts`).
"""

from .claims import forest, theorem

__all__ = ["forest", "theorem"]
