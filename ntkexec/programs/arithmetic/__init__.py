"""Arithmetic on one node: permute, add, multiply, and a machine that runs any program.

Source: Back de Luca, Giapitzakis and Fountoulakis, Learning to Add, Multiply, and Execute
    Algorithmic Instructions Exactly with Neural Networks, arXiv:2502.16763: permutations, addition,
    multiplication and SBN instructions are learned from logarithmically many examples. The programs
    here are our own.
"""

from ntkexec.programs.arithmetic import add, multiply, permute, sbn
from ntkexec.programs.arithmetic.assembly import Assembly, load, parse, shipped
from ntkexec.programs.arithmetic.one_node import nodes

ALGORITHMS = tuple(module.ALGORITHM for module in (permute, add, multiply, sbn))

__all__ = [
    "ALGORITHMS",
    "Assembly",
    "add",
    "load",
    "multiply",
    "nodes",
    "parse",
    "permute",
    "sbn",
    "shipped",
]
