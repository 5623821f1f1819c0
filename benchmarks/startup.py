"""What a command costs until it has answered: CPU and wall seconds, and how much XLA compiles for it.

Every command runs first with an empty folder for compiled code (`NTKEXEC_CACHE`), which it fills, and
then again, with its code on disk; the bare interpreter and imports stand beside them. A program
counts as compiled if it did not come from the disk, by JAX's own log.
"""

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

BARE = {
    "python -c pass": ("-c", "pass"),
    "import ntkexec": ("-c", "import ntkexec"),
    "import jax": ("-c", "import jax"),
    "ntkexec --help": ("-m", "ntkexec", "--help"),
    "ntkexec algorithms": ("-m", "ntkexec", "algorithms"),
}
RUNS = (
    "run flooding karate",
    "run flooding karate --engine kernel",
    "run bfs florentine",
    "run bfs karate --html {folder}/page.html",
    "run dfs petersen",
    "run multiply 13 29 --bits 8",
    "run leader-election karate",
)
REPEAT = 3
# Where code lies is ours to say; and what pip installs has byte-code, so that no command compiles Python.
NOT_OF_USERS = frozenset({"JAX_COMPILATION_CACHE_DIR", "PYTHONDONTWRITEBYTECODE"})
BYTE_CODE = "PYTHONPYCACHEPREFIX"

_FINISHED = re.compile(r"Finished XLA compilation of")
_FROM_DISK = re.compile(r"Persistent compilation cache hit for")


def compiled_programs(log: str) -> int:
    """Programs that XLA compiled, by what JAX logs with `JAX_LOG_COMPILES`."""
    return len(_FINISHED.findall(log)) - len(_FROM_DISK.findall(log))


def cost(command: Sequence[str], environment: dict[str, str]) -> dict[str, float]:
    """CPU time (user and system) and wall time of a Python process, and what it compiled."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command],
        check=True,
        capture_output=True,
        text=True,
        env={n: v for n, v in os.environ.items() if n not in NOT_OF_USERS} | environment,
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_seconds": cpu, "seconds": seconds, "compiled": compiled_programs(done.stderr)}


def median_cost(
    command: Sequence[str], environment: dict[str, str], repeat: int = REPEAT
) -> dict[str, float]:
    """The median of each number, over several processes one after the other."""
    found = [cost(command, environment) for _ in range(repeat)]
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def first_and_again(run: str, repeat: int = REPEAT) -> list[dict[str, Any]]:
    """A row for a command whose code nobody has compiled, and one for the same with code on disk."""
    with tempfile.TemporaryDirectory() as folder:
        command = ("-m", "ntkexec", *run.format(folder=folder).split())
        environment = {"JAX_LOG_COMPILES": "1"}
        first = [
            cost(command, environment | {"NTKEXEC_CACHE": f"{folder}/{attempt}"})
            for attempt in range(repeat)
        ]
        again = median_cost(command, environment | {"NTKEXEC_CACHE": f"{folder}/0"}, repeat)
    medians = {name: statistics.median(one[name] for one in first) for name in again}
    name = "ntkexec " + run.format(folder="FOLDER")
    return [{"command": name} | medians, {"command": "  code on disk"} | again]


def run() -> dict[str, Any]:
    """CPU and wall seconds by command."""
    with tempfile.TemporaryDirectory() as byte_code:
        os.environ[BYTE_CODE] = byte_code
        for one in RUNS:
            first_and_again(one, repeat=1)
        rows = [
            {"command": name} | median_cost(command, {"NTKEXEC_CACHE": "0"})
            for name, command in BARE.items()
        ]
        for one in RUNS:
            rows += first_and_again(one)
        del os.environ[BYTE_CODE]
    return {"rows": rows}
