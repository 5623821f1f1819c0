"""Several ports side by side, a process each: memory stays bounded, and a crash is one port's own."""

import os
import queue
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import experiments

Tell = Callable[[str], None]


def measure_side_by_side(
    slugs: Sequence[str], options: Sequence[str], *, jobs: int, tell: Tell = lambda line: None
) -> dict[str, str]:
    """Measures ports with the command `experiment run`, each in a process, and stores the results.

    Each process gets its share of the processors, so that XLA's threads do not fight for them, and
    allocates memory of an accelerator as it needs it. All share the cache of compiled code.

    Args:
        slugs: of the ports.
        options: of the command, the folder of the results among them.
        jobs: processes at a time.
        tell: hears every line of progress, and when a port is done.

    Returns:
        By port, why it could not be measured; empty if all were.
    """
    shares: queue.SimpleQueue[set[int]] = queue.SimpleQueue()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    for place in range(jobs):
        shares.put(set(cores[place % len(cores) :: jobs]) if cores else set())
    running: list[subprocess.Popen[str]] = []

    def measure(slug: str) -> str:
        share = shares.get()
        try:
            if share:
                os.sched_setaffinity(0, share)  # of this thread, and of what it starts
            with subprocess.Popen(
                # Not by -m from here alone, where a folder of the user may be called experiments.
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "ntkexec",
                    "experiment",
                    "run",
                    slug,
                    *options,
                    "--json",
                ],
                env=_environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                running.append(process)
                return _followed(process, tell)
        finally:
            shares.put(share)

    failures: dict[str, str] = {}
    with ThreadPoolExecutor(jobs) as threads:
        try:
            for slug, failure in zip(slugs, threads.map(measure, slugs), strict=True):
                tell(f"{slug}: {failure or 'done'}")
                if failure:
                    failures[slug] = failure
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            for process in running:
                process.kill()
            raise
    return failures


def _followed(process: "subprocess.Popen[str]", tell: Tell) -> str:
    """Why a process could not measure, after it has ended; empty if it could."""
    assert process.stdout is not None
    assert process.stderr is not None
    with ThreadPoolExecutor(1) as reader:
        # Its report is judged here again; a full pipe would hold it up.
        report = reader.submit(process.stdout.read)
        last = ""
        for line in process.stderr:
            last = line.strip() or last
            tell(last)
        report.result()
    code = process.wait()
    if code in (0, 1):  # 1 is a verdict that surprises
        return ""
    return last.removeprefix("ntkexec: ") if code == 2 else f"its process ended with {code}: {last}"


def _environment() -> dict[str, str]:
    found = str(Path(experiments.__path__[0]).parent)
    path = os.pathsep.join(part for part in (found, os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
