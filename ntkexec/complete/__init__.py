"""Complete certificates: this very ensemble executes its program exactly, on every graph."""

from ntkexec.complete.certificate import (
    CompleteCertificate,
    ComponentDecisions,
    Tightest,
    complete,
)
from ntkexec.complete.runs import ProgramRun
from ntkexec.complete.storage import to_data, write
from ntkexec.program.promises import promises_kept

__all__ = [
    "CompleteCertificate",
    "ComponentDecisions",
    "ProgramRun",
    "Tightest",
    "complete",
    "promises_kept",
    "to_data",
    "write",
]
