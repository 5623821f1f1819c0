"""Ctrl-C: exit status 130 and one line, whenever it comes."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

TYPE_CHECKING = False  # as in `ntkexec`: the less is imported here, the sooner it has an effect
if TYPE_CHECKING:
    from sys import UnraisableHookArgs

STATUS = 130
_IMPORTING = "<frozen importlib._bootstrap>"


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Inside, an interrupt is a KeyboardInterrupt wherever one can be cleaned up after.

    While modules are imported nothing has been begun, and compiled ones do not survive an exception;
    where Python would only print it and go on, as while it collects garbage, nobody would notice.
    There the process ends at once.
    """
    old_hook = sys.unraisablehook

    def hook(unraisable: "UnraisableHookArgs") -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            leave()
        old_hook(unraisable)

    try:
        old_handler = signal.signal(signal.SIGINT, _interrupted)
    except ValueError:  # not the main thread, which alone is interrupted
        yield
        return
    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = old_hook
        signal.signal(signal.SIGINT, old_handler)


def _interrupted(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTING:
            leave()
        frame = frame.f_back
    raise KeyboardInterrupt


def say() -> None:
    """The line on stderr."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write("ntkexec: interrupted\n")
        sys.stderr.flush()


def leave() -> None:
    """Ends the process, whatever it is doing."""
    say()
    os._exit(STATUS)
