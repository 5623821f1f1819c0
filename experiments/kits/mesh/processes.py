"""Interpreters side by side, of which none outlives the call, whatever happens."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.files.words import shown
from ntkexec.errors import ExperimentError

LAST_LINES = 8
"""Of what a failed process said, that the error repeats."""
PAUSE = 0.02
"""Seconds between looks at the processes."""


def run_side_by_side(
    scripts: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    seconds: float,
    what: str,
) -> None:
    """Runs scripts side by side, and ends all of them where one fails or time is up.

    Args:
        scripts: of Python, each run by an interpreter of its own, whose input stays open and empty
            as long as this process lives.
        folder: for what they say.
        environment: of all.
        seconds: after which they are stopped.
        what: they run, for messages.

    Raises:
        ExperimentError: with the last lines of one that failed, or of the first that still ran.
    """
    children: list[subprocess.Popen[bytes]] = []
    logs = [folder / f"said-{index}" for index in range(len(scripts))]
    until = time.monotonic() + seconds
    try:
        for script, log in zip(scripts, logs, strict=True):
            with log.open("wb") as output:
                children.append(
                    subprocess.Popen(
                        # Not by the folder that it is started in, which may hold other `experiments`.
                        [sys.executable, "-P", "-u", "-c", script],
                        env=environment,
                        stdin=subprocess.PIPE,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                )
        while True:
            codes = [child.poll() for child in children]
            for code, log in zip(codes, logs, strict=True):
                if code:
                    raise ExperimentError(f"{what} {_ended(code)} in its process: {_last(log)}")
            if None not in codes:
                return
            if time.monotonic() > until:
                log = logs[codes.index(None)]
                raise ExperimentError(
                    f"{what} was stopped in its process after {seconds:g} s; it last said: {_last(log)}"
                )
            time.sleep(PAUSE)
    finally:
        for child in children:
            # Of the whole group: what a child has started ends with it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        for child in children:
            if child.stdin is not None:
                child.stdin.close()
            child.wait()


def _ended(code: int) -> str:
    if -code in set(signal.Signals):
        return f"was ended by {signal.Signals(-code).name}"
    return f"failed with {code}"


def _last(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    said = [shown(line) for line in lines if line][-LAST_LINES:]
    return " | ".join(said) or "nothing"
