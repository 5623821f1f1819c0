"""The progress bar on stderr, of every command: none where stderr is no terminal, none with --quiet."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ntkexec.runtime import stages

if TYPE_CHECKING:
    from ntkexec import ensemble

SECONDS = 2.0
"""A stage that is over sooner is not shown."""

Show = Callable[[str, float, float | None], None]
"""Called with the title of the work at hand, how much of it is done, and of how much, if it is known."""


def quiet() -> bool:
    """Whether the user asked for no progress, by `ntkexec --quiet`."""
    return not logging.getLogger("ntkexec").isEnabledFor(logging.WARNING)


def on_terminal() -> bool:
    """Whether stderr can show a bar."""
    return Console(stderr=True).is_terminal


@contextlib.contextmanager
def bar() -> Iterator[Show]:
    """Shows the stage that a command is at, once it takes long, and whatever else it is told.

    Gives `show(title, done, total)`; what is done is no longer shown.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    # Even a bar that shows nothing ends with an empty line where stderr is not a terminal.
    console = Console(stderr=True)
    hidden = console.quiet = not console.is_terminal or quiet()
    with Progress(*columns, console=console, transient=True, disable=hidden) as shown:
        if hidden:
            yield lambda title, done, total: None
            return
        task = shown.add_task("", total=None, visible=False)

        def show(title: str, done: float, total: float | None) -> None:
            if total is not None and done >= total:
                shown.update(task, visible=False)
            else:
                shown.update(task, description=title, completed=done, total=total, visible=True)

        stage = _Stage(shown)
        with stages.told_to(stage):
            try:
                yield show
            finally:
                stage(None)


def counted(show: Show, title: str) -> Callable[[int, int], None]:
    """What reports `(done, total)` of one piece of work, with both numbers after its title."""
    show(title, 0, None)
    return lambda done, total: show(f"{title}, {done:,} of {total:,}", done, total)


def of_training(show: Show) -> "Callable[[ensemble.Progress], None]":
    """What reports the progress of training networks."""

    def report(progress: "ensemble.Progress") -> None:
        done, total = progress.done, progress.total
        show(f"training: {done:,} of {total:,} networks", done, total)

    return report


class _Stage:
    """The task of the stage at hand, invisible at first."""

    def __init__(self, shown: Progress) -> None:
        self.shown, self.timer = shown, threading.Timer(0, lambda: None)
        self.task = shown.add_task("", total=None, visible=False)

    def __call__(self, name: str | None) -> None:
        self.timer.cancel()
        self.shown.reset(self.task, description=name or "", visible=False)
        if name is not None:
            self.timer = threading.Timer(SECONDS, self.shown.update, [self.task], {"visible": True})
            self.timer.daemon = True
            self.timer.start()
