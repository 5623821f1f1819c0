"""A user's own program: found, called, and prepared; errors of its code are shown as the user's own."""

import contextlib
import dataclasses
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ntkexec.cli.loading import load_graph
from ntkexec.errors import NtkexecError, OwnCodeError, clean
from ntkexec.vocabulary import SelfLoops, Until

if TYPE_CHECKING:
    from ntkexec.program.program import Program
    from ntkexec.programs import Instance

_PACKAGE = str(Path(__file__).parents[1])


class Own(NamedTuple):
    """A program, and its execution where there is a graph with states to start from."""

    program: "Program"
    instance: "Instance | None"


def own_program(
    called: str,
    graph: str | None,
    /,
    *,
    state: Path | None,
    steps: int | None,
    needed: bool,
    until: Until | None = None,
    degree: int | None = None,
    word: int | None = None,
    slots: int | None = None,
    largest: int | None = None,
    self_loops: SelfLoops = "refuse",
    directed: bool | None = None,
    weights: str | None = None,
    weight_scale: int = 1,
    **refused: Any,
) -> Own:
    """The program of a file or of `module:function`, on a graph if there is one.

    Args:
        called: what the user wrote.
        graph: a generator or a file.
        state, steps, until: of its execution.
        needed: whether there must be an execution; otherwise there is one if states or steps are given.
        degree, word, slots: for a function that asks for them.
        largest: the largest degree of a graph that is not refused.
        self_loops, directed, weights, weight_scale: see `ntkexec.graphs.load`.
        refused: by option what only shipped algorithms take.

    Raises:
        OwnCodeError: the user's code ends in an error.
        NtkexecError: no such program, what is missing, or does not fit.
    """
    from ntkexec import pipeline
    from ntkexec.program import files
    from ntkexec.programs import Instance
    from ntkexec.programs.own import check_fits

    for name, value in refused.items():
        if value not in (None, [], False):
            raise NtkexecError(
                f"--{name.replace('_', '-')} is for shipped algorithms; {clean(called)} takes --state and "
                "--steps"
            )
    loaded = None
    if graph is not None:
        loaded = load_graph(
            None,
            graph,
            degree=largest,
            self_loops=self_loops,
            directed=directed,
            weights=weights,
            weight_scale=weight_scale,
        )
    # A file holds no code; whatever is wrong with it is no error of the user's module.
    with contextlib.nullcontext() if files.is_file_name(called) else of_the_user(called):
        found = pipeline.find_program(called, graph=loaded, degree=degree, word=word, slots=slots)
    given = state is not None or steps is not None
    if not isinstance(found, Instance) and not needed and not given:
        if loaded is not None and files.is_file_name(called):
            raise NtkexecError(
                f"{clean(called)} is the same on every graph: leave {clean(str(graph))} out, or give "
                "--state and --steps for an execution there, where there are such options"
            )
        if loaded is not None:
            check_fits(found, loaded)
        return Own(found, None)
    instance = pipeline.prepare(
        found,
        None if isinstance(found, Instance) and found.graph is loaded else loaded,
        initial=state,
        steps=steps,
        until=until,
    )
    shielded = dataclasses.replace(
        instance,
        decode=_shielded(called, instance.decode),
        reference=_shielded(called, instance.reference),
    )
    return Own(shielded.program, shielded)


@contextlib.contextmanager
def of_the_user(source: str) -> Iterator[None]:
    """Inside runs the user's code, which finds the current folder's modules as under `python`.

    What it prints goes to stderr: on stdout is what the command says, which programs read.

    Raises:
        OwnCodeError: it ends in an error that is none of ntkexec's.
    """
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.insert(0, os.getcwd())
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (NtkexecError, KeyboardInterrupt):
        raise
    except SystemExit as error:
        raise OwnCodeError(f"{clean(source)} ended by itself: exit {error.code}", "") from None
    # A stranger may raise what is no `Exception`; exit status 1 is for wrong answers alone.
    except BaseException as error:
        raise OwnCodeError(f"{clean(source)} ended in {_told(error)}", _trace(error)) from error


def _told(error: BaseException) -> str:
    """Its type, and the first line of what it says."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    lines = "".join(traceback.format_exception_only(error)).strip().splitlines()
    return next((line for line in lines if line.startswith(name)), lines[-1])


def _trace(error: BaseException) -> str:
    """Its lines outside of this package and of Python's import."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((_PACKAGE, "<frozen importlib"))
        and Path(frame.filename).parts[-2:] != ("importlib", "__init__.py")
    ]
    lines = [*traceback.format_list(frames), *traceback.format_exception_only(error)]
    return "Traceback (most recent call last):\n" + "".join(lines)


# Any: a function of an instance, whatever it takes.
def _shielded(source: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with of_the_user(source):
            return function(*arguments)

    return call
