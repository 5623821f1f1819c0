"""Seconds of CPU and of time that a command costs, beside the bare interpreter's.

The last command runs twice more with compiled code kept on disk (`NTKEXEC_CACHE`): the first run of
the two stores it, the second is the median of several that find it.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "ntkexec --help": [sys.executable, "-m", "ntkexec", "--help"],
    "import ntkexec": [sys.executable, "-c", "import ntkexec"],
    "import jax": [sys.executable, "-c", "import jax"],
}
RUN = "ntkexec run flooding karate --engine kernel"
REPEAT = 5


def cost(command: list[str], *, cache: str | None = None, repeat: int = REPEAT) -> dict[str, float]:
    """Median CPU time (user and system) and wall time of a child process."""
    environment = os.environ | {"NTKEXEC_CACHE": "0" if cache is None else cache}
    cpu, wall = [], []
    for _ in range(repeat):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"cpu_seconds": statistics.median(cpu), "seconds": statistics.median(wall)}


def run() -> dict[str, Any]:
    """CPU and wall seconds by command."""
    command = [sys.executable, "-m", *RUN.split()]
    rows = [{"command": name} | cost(found) for name, found in COMMANDS.items()]
    rows.append({"command": RUN} | cost(command))
    with tempfile.TemporaryDirectory() as cache:
        rows.append(
            {"command": "  with NTKEXEC_CACHE, first"} | cost(command, cache=cache, repeat=1)
        )
        rows.append({"command": "  with NTKEXEC_CACHE, again"} | cost(command, cache=cache))
    return {"rows": rows}
