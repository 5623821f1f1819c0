"""Seconds of CPU that a command costs before it does anything, beside the bare interpreter's."""

import resource
import statistics
import subprocess
import sys
from typing import Any

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "ntkexec --help": [sys.executable, "-m", "ntkexec", "--help"],
    "import ntkexec": [sys.executable, "-c", "import ntkexec"],
    "import jax": [sys.executable, "-c", "import jax"],
    "ntkexec run flooding karate --engine kernel": [
        *(sys.executable, "-m", "ntkexec"),
        *("run", "flooding", "karate", "--engine", "kernel"),
    ],
}
REPEAT = 5


def cpu_seconds(command: list[str]) -> float:
    """Median CPU time of a child process, user and system."""
    times = []
    for _ in range(REPEAT):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(times)


def run() -> dict[str, Any]:
    """CPU seconds by command."""
    return {"rows": [{"command": n, "cpu_seconds": cpu_seconds(c)} for n, c in COMMANDS.items()]}
