"""Complete certificates: this very ensemble executes its program exactly, on every graph."""

from ntkexec.complete.certificate import CompleteCertificate, Listed, Tightest, complete
from ntkexec.complete.executed import Executed, executed
from ntkexec.complete.storage import to_data, write
from ntkexec.program.promises import promises_kept

__all__ = [
    "CompleteCertificate",
    "Executed",
    "Listed",
    "Tightest",
    "complete",
    "executed",
    "promises_kept",
    "to_data",
    "write",
]
