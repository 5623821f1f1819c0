"""Processes of our own: fresh interpreters that run one function, hear notes, and never outlive us."""

import collections
import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import experiments
from experiments.files.words import shown
from experiments.systems.lifl.store import discard
from experiments.systems.lifl.wire import Notes
from ntkexec.errors import ExperimentError

Serve = Callable[[Notes, Mapping[str, Any]], None]
STARTING = 60.0
"""Seconds that a process may take to come up, on a machine that is busy."""
LAST = 2000
"""Characters of what a process said last that an error repeats."""


class Child:
    """A process that runs a function, and is told and asked by notes.

    The interpreter is fresh and loads nothing of the program that started it, so that a script of a
    user needs no guard and its JAX is not loaded again. It ends when the other end of its notes is
    closed, whatever closed it, and then unlinks the memory that its settings name, which nobody else
    may be left to do; Ctrl-C reaches the starting process alone.

    Args:
        serve: a function at the top level of its module.
        settings: its second argument, which JSON can hold.
        inherited: numbers of open files that it gets, under the same numbers.
        counted: gets the number and the bytes of its notes, see `Notes`.
    """

    def __init__(
        self,
        serve: Serve,
        settings: Mapping[str, Any],
        inherited: Sequence[int] = (),
        counted: "collections.Counter[str] | None" = None,
    ) -> None:
        if os.name != "posix":
            raise ExperimentError("processes that inherit pipes need a POSIX system")
        ours, theirs = socket.socketpair()
        self.notes = Notes(ours, counted)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        code = (
            f"from {serve_alone.__module__} import {serve_alone.__name__}\n"
            f"from {serve.__module__} import {serve.__qualname__} as serve\n"
            f"{serve_alone.__name__}(serve)"
        )
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", code, str(theirs.fileno())],
                pass_fds=(theirs.fileno(), *inherited),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                start_new_session=True,
                env=_environment(),
            )
        except BaseException:
            ours.close()
            self._said.close()
            raise
        finally:
            theirs.close()
        with contextlib.suppress(OSError):  # its end is noticed by whom it does not answer
            self.notes.send(settings)  # not as an argument, which all users of the machine can see

    def wait_until_ready(self) -> dict[str, Any]:
        """What the process says when it is up.

        Raises:
            ExperimentError: it ended, with what it said last.
        """
        return self.next_note(STARTING)

    def next_note(
        self, seconds: float, wanted: Callable[[dict[str, Any]], bool] = lambda note: True
    ) -> dict[str, Any]:
        """The next note that is wanted; others until then are forgotten.

        Raises:
            ExperimentError: the process ended, or says nothing for so long.
        """
        until = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.notes, selectors.EVENT_READ)
            while (left := until - time.monotonic()) > 0 and selector.select(left):
                try:
                    for note in self.notes.read():
                        if wanted(note):
                            return note
                except EOFError:
                    raise ExperimentError(self.why_it_ended()) from None
        raise ExperimentError(f"a process said nothing for {seconds:g} s{self._last()}")

    def ask(self, note: Mapping[str, Any], seconds: float = STARTING) -> dict[str, Any]:
        """Sends a note and gives back the answer; see `next_note`."""
        try:
            self.notes.send(note)
        except OSError:
            raise ExperimentError(self.why_it_ended()) from None
        return self.next_note(seconds, lambda answer: answer.get("said") == note)

    def why_it_ended(self) -> str:
        """In words, after its notes have ended."""
        try:
            code = self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            return f"a process closed its notes{self._last()}"
        name = f" ({signal.Signals(-code).name})" if -code in set(signal.Signals) else ""
        return f"a process ended with {code}{name}{self._last()}"

    def _last(self) -> str:
        self._said.seek(0)
        said = self._said.read()[-LAST:].decode(errors="replace").strip()
        return f"; it last said: {shown(said[-300:])}" if said else ""

    def kill(self) -> None:
        """Ends the process at once; it holds nothing that would have to be saved."""
        self.process.kill()

    def stop(self) -> None:
        """Ends the process, waits for it and closes what belongs to it; safe to call again."""
        try:
            self.process.kill()
        finally:
            self.process.wait()
            self.notes.connection.close()
            self._said.close()


def serve_alone(serve: Serve) -> None:
    """What a started process does, and nothing after it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    notes = Notes(socket.socket(fileno=int(sys.argv[1])))
    settings: dict[str, Any] = {}
    # These say that who started it is gone.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        settings = notes.first()
        serve(notes, settings)
    if "layout" in settings:
        discard(settings["layout"]["name"])
    sys.stderr.flush()
    # Views of shared memory may be left; there is nothing to be tidied up but what the system tidies.
    os._exit(0)


def ready(
    selector: selectors.BaseSelector, poll: float | None, seconds: float | None = None
) -> list[tuple[selectors.SelectorKey, int]]:
    """What can be read: the system wakes the process, at most `seconds` later if these are given, or it
    looks every `poll` seconds."""
    if poll is None or seconds is not None:
        return selector.select(seconds)
    while not (found := selector.select(0)):
        time.sleep(poll)
    return found


def _environment() -> dict[str, str]:
    found = str(Path(experiments.__path__[0]).parent)
    path = os.pathsep.join(part for part in (found, os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
