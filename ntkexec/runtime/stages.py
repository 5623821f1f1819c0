"""What is being done at the moment, for whoever shows progress.

Long work says what it is; nobody need listen. A program says it while it is compiled from
statements, the certificate, XLA's compilation, and every execution.
"""

import contextlib
from collections.abc import Callable, Iterator

Listener = Callable[[str | None], None]
"""Called with what begins, and with what goes on when it has ended; None for nothing."""

_listeners: list[Listener] = []
_stack: list[str] = []


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """What is done inside, in words such as `certifying`; stages may be nested."""
    if not _listeners:
        yield
        return
    _stack.append(name)
    _tell()
    try:
        yield
    finally:
        _stack.pop()
        _tell()


@contextlib.contextmanager
def told_to(listener: Listener) -> Iterator[None]:
    """Lets a listener know of all stages that begin inside."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def _tell() -> None:
    for listener in _listeners:
        listener(_stack[-1] if _stack else None)
