"""How a command ends: its exit status, and one line on stderr if something is amiss.

0: done, and exact or certified where that is the question. 1: not exact, not certified, or a
statement fails; nothing else ends so. 2: bad input, an error in a module of the user's own, a file that
cannot be written, too little memory, a device that is not there. 70: a fault of ntkexec itself, with a
traceback. 130: interrupted.
"""

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from ntkexec.errors import NtkexecError, OwnCodeError, clean

BAD_INPUT, FAULT = 2, 70
COMPLETE = "_NTKEXEC_COMPLETE"
"""Set by shells that ask how a word could go on."""


def run(argv: Sequence[str] | None) -> int:
    """Carries out a command and returns its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal cannot show must not take the answer away.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = _carry_out(argv)
        # None where there is no standard output.
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    # Whatever it is: exit status 1 is for wrong answers alone.
    except Exception as error:
        return _failed(error)


def _carry_out(argv: Sequence[str] | None) -> int:
    import typer

    from ntkexec.cli.app import app

    command = typer.main.get_command(app)
    words = sys.argv[1:] if argv is None else list(argv)
    if COMPLETE in os.environ:
        try:
            command.main(words, prog_name="ntkexec")
        except SystemExit as exit_:
            return exit_.code if isinstance(exit_.code, int) else 0
    # Not `main` of the framework, which makes the status 1 of a closed pipe and of input that ends.
    try:
        with command.make_context("ntkexec", words) as context:
            command.invoke(context)
    except typer.Exit as exit_:
        return exit_.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    return 0


def _failed(error: Exception) -> int:
    if isinstance(error, BrokenPipeError):
        # Whoever read the output has had enough of it, and nobody is there to be told.
        _drop_output()
        return BAD_INPUT
    if hasattr(error, "format_message") and hasattr(error, "show"):
        return _misused(error)
    said = _cause(error)
    if said is None:
        traceback.print_exception(error)
        said = f"this is a fault of ntkexec, please report it: {type(error).__name__}: {error}"
        _say(said)
        return FAULT
    if isinstance(error, OSError):
        _drop_output()
    if isinstance(error, OwnCodeError):
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(error.trace)
    _say(said)
    return BAD_INPUT


# Any: an error of the framework for command lines, known by what it can do.
def _misused(error: Any) -> int:
    """An option or an argument that is none; shown with the command's usage."""
    if isinstance(getattr(error, "message", None), str) and "\n" not in error.message:
        error.message = clean(str(error.message))
    error.show()
    return int(error.exit_code)


def _cause(error: Exception) -> str | None:
    """What went wrong outside of ntkexec, in words; None for a fault of its own."""
    text = str(error)
    if isinstance(error, NtkexecError):
        return text
    if isinstance(error, EOFError):
        return f"input ended too soon: {text}"
    if isinstance(error, OSError):
        return _of_file(error)
    if isinstance(error, MemoryError) or text.startswith("RESOURCE_EXHAUSTED"):
        return f"out of memory: {text.removeprefix('RESOURCE_EXHAUSTED: ') or 'no more is there'}"
    if isinstance(error, RecursionError):
        return "the input is nested too deeply"
    if isinstance(error, OverflowError):
        return f"a number is too large: {text}"
    if isinstance(error, ValueError) and text.startswith("Exceeds the limit"):  # of Python's `int`
        return f"a number has too many digits: {text}"
    if isinstance(error, ValueError) and text.lower().startswith("invalid") and "JAX" in text:
        return f"a setting of JAX in the environment: {text}"
    return _no_device()


def _no_device() -> str | None:
    """What is said of devices that were asked for and are not there; JAX has no one error for it."""
    asked, jax = os.environ.get("JAX_PLATFORMS"), sys.modules.get("jax")
    if not asked or jax is None:
        return None
    try:
        jax.devices()
    except Exception as error:
        reason = f": {error}" if str(error) else ""
        return f"JAX_PLATFORMS is {asked!r}, of which no device is here; 'cpu' always is{reason}"
    return None


def _of_file(error: OSError) -> str:
    if error.filename is None:
        return f"cannot write the output: {error.strerror or error}"
    return f"{os.fspath(error.filename)!r}: {error.strerror}"


def _say(message: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(f"ntkexec: {clean(str(message))}", file=sys.stderr, flush=True)


def _drop_output() -> None:
    """Lets the interpreter end without another try to write what could not be written."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout is not None:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)
