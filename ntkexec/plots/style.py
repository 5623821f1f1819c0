"""What all plots have in common."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ntkexec.errors import MissingExtraError, NtkexecError
from ntkexec.runtime import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe-Ito, safe for colour-blind readers.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
GREY = "#666666"


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure, in inches, that no window manager knows of.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtraError(
            "plots need matplotlib, which is not installed: install ntkexec[plots]"
        ) from None
    return Figure(figsize=(width, height), layout="constrained")


def new_axes(
    x_label: str, y_label: str, *, width: float = 8, height: float = 4.8
) -> tuple["Figure", "Axes"]:
    """A figure, in inches, with one pair of labelled axes, a grid and the colours of all plots.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = new_figure(width, height)
    axes = figure.subplots()
    axes.set_prop_cycle(color=COLOURS)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    return figure, axes


def check_target(path: Path) -> None:
    """Raises, before any work is done, if a figure could not be saved there.

    Raises:
        MissingExtraError: matplotlib is not installed.
        NtkexecError: nothing can be written there, or matplotlib does not know the format.
    """
    known = new_figure(1, 1).canvas.get_supported_filetypes()
    if path.suffix.removeprefix(".") not in {"", *known}:
        raise NtkexecError(f"cannot draw {path}: formats are {', '.join(sorted(known))}")
    files.check_target(path)


def save(figure: "Figure", path: Path) -> None:
    """Writes a figure, whole or not at all; the file's ending says in which format.

    Raises:
        NtkexecError: matplotlib does not know the format.
    """
    content = io.BytesIO()
    try:
        figure.savefig(content, format=path.suffix.removeprefix(".") or "png", dpi=130)
    except ValueError as error:
        raise NtkexecError(f"cannot draw {path}: {error}") from error
    files.write(path, content.getvalue())
