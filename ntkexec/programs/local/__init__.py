"""Any algorithm of the LOCAL model, written in Python, as a certified program."""

from ntkexec.programs.local.algorithm import Fold, Gather, Local, Node, Step, Update
from ntkexec.programs.local.compiler import Compiled, compile
from ntkexec.programs.local.costs import Cost, cost
from ntkexec.programs.local.family import (
    Family,
    Gathered,
    as_flag,
    as_node,
    identifier_bits,
    instance,
    num_identifiers,
)
from ntkexec.programs.local.monoids import Monoid, capped, least, union
from ntkexec.programs.local.simulation import simulate
from ntkexec.programs.local.split_instances import split_instance
from ntkexec.programs.local.split_rounds import SplitCompiled, compile_split
from ntkexec.programs.local.split_simulation import simulate_split
from ntkexec.programs.local.synchroniser import Received
from ntkexec.programs.local.tabulation import TableSize
from ntkexec.programs.local.types import Bool, Enum, Identifier, Optional, Range, Record, Set, Tuple

__all__ = [
    "Bool",
    "Compiled",
    "Cost",
    "Enum",
    "Family",
    "Fold",
    "Gather",
    "Gathered",
    "Identifier",
    "Local",
    "Monoid",
    "Node",
    "Optional",
    "Range",
    "Received",
    "Record",
    "Set",
    "SplitCompiled",
    "Step",
    "TableSize",
    "Tuple",
    "Update",
    "as_flag",
    "as_node",
    "capped",
    "compile",
    "compile_split",
    "cost",
    "identifier_bits",
    "instance",
    "least",
    "num_identifiers",
    "simulate",
    "simulate_split",
    "split_instance",
    "union",
]
