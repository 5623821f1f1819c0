"""Several ports side by side, a process each: memory stays bounded, and a crash is one port's own."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import experiments

Tell = Callable[[str], None]
PATIENCE = 3.0
"""Seconds that an interrupted process has to clean up."""


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
    starting, stopped = threading.Lock(), threading.Event()

    def tell_unless_stopped(line: str) -> None:
        if not stopped.is_set():
            tell(line)

    def measure(slug: str) -> str:
        share = shares.get()
        try:
            if share:
                os.sched_setaffinity(0, share)  # of this thread, and of what it starts
            # None starts unnoticed while the others are stopped.
            with starting:
                if stopped.is_set():
                    return ""
                process = subprocess.Popen(
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
                )
                running.append(process)
            with process:
                return _followed(slug, process, tell_unless_stopped)
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
            try:
                with starting:
                    stopped.set()
                threads.shutdown(wait=False, cancel_futures=True)
            finally:  # also where somebody interrupts twice
                _stop(running)
            raise
    return failures


def _stop(running: "Sequence[subprocess.Popen[str]]") -> None:
    """Interrupts processes, which clean up, and kills those that take long."""
    until = time.monotonic() + PATIENCE
    try:
        for process in running:
            process.send_signal(signal.SIGINT)
        while time.monotonic() < until and any(process.poll() is None for process in running):
            time.sleep(0.05)
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait()


def _followed(slug: str, process: "subprocess.Popen[str]", tell: Tell) -> str:
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
    if code == 2:
        return last.removeprefix("ntkexec: ").removeprefix(f"{slug}: ")
    name = f" ({signal.Signals(-code).name})" if -code in set(signal.Signals) else ""
    return f"its process ended with {code}{name}" + (f"; it last said: {last}" if last else "")


def _environment() -> dict[str, str]:
    found = str(Path(experiments.__path__[0]).parent)
    path = os.pathsep.join(part for part in (found, os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
