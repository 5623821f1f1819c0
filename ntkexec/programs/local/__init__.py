"""Any algorithm of the LOCAL model, written in Python, as a certified program."""

from ntkexec.programs.local.algorithm import Fold, Local, Node, Step, Update
from ntkexec.programs.local.compiler import Compiled, Received, TableSize, compile
from ntkexec.programs.local.family import (
    Family,
    as_flag,
    as_node,
    identifier_bits,
    instance,
    num_identifiers,
)
from ntkexec.programs.local.simulation import simulate
from ntkexec.programs.local.sizes import Cost, cost
from ntkexec.programs.local.types import Bool, Enum, Identifier, Optional, Range, Record, Set, Tuple

__all__ = [
    "Bool",
    "Compiled",
    "Cost",
    "Enum",
    "Family",
    "Fold",
    "Identifier",
    "Local",
    "Node",
    "Optional",
    "Range",
    "Received",
    "Record",
    "Set",
    "Step",
    "TableSize",
    "Tuple",
    "Update",
    "as_flag",
    "as_node",
    "compile",
    "cost",
    "identifier_bits",
    "instance",
    "num_identifiers",
    "simulate",
]
