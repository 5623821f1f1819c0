"""Reusable parts of programs. Those that take several steps open phases of their own."""

from ntkexec.language.idioms import costs
from ntkexec.language.idioms.addition import add, increment
from ntkexec.language.idioms.choosing import argmin, minimum, priority
from ntkexec.language.idioms.comparison import equal, less
from ntkexec.language.idioms.counting import Counter, counter

__all__ = [
    "Counter",
    "add",
    "argmin",
    "costs",
    "counter",
    "equal",
    "increment",
    "less",
    "minimum",
    "priority",
]
