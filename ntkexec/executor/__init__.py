"""The message-passing loop, and what comes out of it."""

from ntkexec.executor.diagnosis import Diagnosis, diagnose
from ntkexec.executor.execution import Execution
from ntkexec.executor.loop import OwnLoop, exchange_bits, execute
from ntkexec.executor.options import Executing, Options
from ntkexec.executor.protocol import Decision, Engine, decide
from ntkexec.executor.verification import NO_STEP, Verification
from ntkexec.vocabulary import Until

__all__ = [
    "NO_STEP",
    "Decision",
    "Diagnosis",
    "Engine",
    "Executing",
    "Execution",
    "Options",
    "OwnLoop",
    "Until",
    "Verification",
    "decide",
    "diagnose",
    "exchange_bits",
    "execute",
]
