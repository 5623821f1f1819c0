"""Complete certificates: this very ensemble executes its program exactly, on every graph."""

from ntkexec.complete.certificate import (
    CompleteCertificate,
    ComponentDecisions,
    Tightest,
    complete,
)
from ntkexec.complete.runs import ProgramRun
from ntkexec.complete.storage import to_data, write

__all__ = [
    "CompleteCertificate",
    "ComponentDecisions",
    "ProgramRun",
    "Tightest",
    "complete",
    "to_data",
    "write",
]
