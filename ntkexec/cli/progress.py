"""A progress bar on stderr, for whatever takes more than two seconds."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from ntkexec.runtime import stages

SECONDS = 2.0
"""What is done sooner is not shown."""

Report = Callable[[int, int], None]


def quiet() -> bool:
    """Whether the user asked for no progress, by `ntkexec --quiet`."""
    return not logging.getLogger("ntkexec").isEnabledFor(logging.WARNING)


@contextlib.contextmanager
def bar() -> Iterator[Callable[[str], Report]]:
    """Gives `show(name)`, which starts a task and gives its `report(done, total)`."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    # Even a bar that shows nothing ends with an empty line where stderr is not a terminal.
    hidden = not console.is_terminal or quiet()
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=hidden
    ) as progress:

        def show(name: str) -> Report:
            for old in progress.task_ids:
                progress.remove_task(old)
            task = progress.add_task(name, total=None)

            def report(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)

            return report

        yield show


@contextlib.contextmanager
def stages_shown() -> Iterator[Progress]:
    """Shows which stage a command is at, once it takes long; other tasks may be added."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    hidden = not console.is_terminal or quiet()
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        if hidden:
            yield bar
            return
        shown = _Shown(bar)
        with stages.told_to(shown):
            try:
                yield bar
            finally:
                shown(None)


class _Shown:
    """The task of the stage at hand, invisible at first."""

    def __init__(self, bar: Progress) -> None:
        self.bar, self.timer = bar, threading.Timer(0, lambda: None)
        self.task = bar.add_task("", total=None, visible=False)

    def __call__(self, name: str | None) -> None:
        self.timer.cancel()
        self.bar.reset(self.task, description=name or "", visible=False)
        if name is not None:
            self.timer = threading.Timer(SECONDS, self.bar.update, [self.task], {"visible": True})
            self.timer.daemon = True
            self.timer.start()
