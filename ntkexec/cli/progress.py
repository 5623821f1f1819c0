"""A progress bar on stderr, for whatever takes more than two seconds."""

import contextlib
import logging
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

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
