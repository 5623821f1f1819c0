"""Complete certificates: this very ensemble executes its program exactly, on every graph."""

from ntkexec.complete.certificate import CompleteCertificate, Listed, Tightest, complete
from ntkexec.complete.executed import Executed, executed
from ntkexec.complete.storage import to_data, write

__all__ = [
    "CompleteCertificate",
    "Executed",
    "Listed",
    "Tightest",
    "complete",
    "executed",
    "to_data",
    "write",
]
