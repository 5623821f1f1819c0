"""Where a program comes from: a shipped name, a file, `module:function`, or the object itself."""

import functools
import importlib
import inspect
import os
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TypeAlias

import networkx as nx

from ntkexec.errors import NtkexecError, clean, did_you_mean, shown
from ntkexec.graphs import Graph, load
from ntkexec.program import files
from ntkexec.program.program import Program
from ntkexec.programs import registry
from ntkexec.programs.instance import Instance
from ntkexec.programs.own import Reference, States, ended_by, own_instance
from ntkexec.runtime import keywords
from ntkexec.vocabulary import Until

# Any: whatever a function gives is looked at.
Source = str | os.PathLike[str] | Program | Instance | Callable[..., Any]
"""A program: a name in `ALGORITHMS`, a file of raw templates, `module:function`, or the object."""

Where: TypeAlias = Graph | nx.Graph | str | os.PathLike[str]
"""A graph, a file of one, or a generator such as `grid:8x8`."""

SIZES = ("degree", "word", "slots")
OF_OWN = ("initial", "steps", "reference")
"""What only somebody's own program is given."""
# Any: how a graph is read unless somebody says otherwise.
_AS_IT_IS: dict[str, Any] = {"weights": None, "weight_scale": 1, "directed": None}


def is_shipped(source: Source) -> bool:
    """Whether it is the name of one of the shipped algorithms, or of none that there is."""
    return isinstance(source, str) and not (files.is_file_name(source) or ":" in source)


def find_program(
    source: Source, *, graph: Graph | None = None, **sizes: int | None
) -> Program | Instance:
    """Somebody's own program, or its execution on a graph.

    A function is called with those of graph, degree, word and slots that it has parameters for.
    Where a graph is given it also gives its degree and its colours, if no others are.

    Args:
        source: a file, `module:function`, or the object itself; of a module any object that is none.
        graph: on which the program is to run.
        sizes: degree, word and slots; None is as good as left out.

    Raises:
        NtkexecError: there is no such file, module or name in it, or it gives something else.
    """
    if isinstance(source, os.PathLike) or (isinstance(source, str) and files.is_file_name(source)):
        return files.load(source)
    found = find_object(source, graph=graph, **sizes)
    if isinstance(found, Program | Instance):
        return found
    name = source if isinstance(source, str) else getattr(source, "__name__", "the program")
    raise NtkexecError(
        f"{clean(name)} gives {shown(type(found).__name__)}; a Program or an Instance is needed"
    )


def find_object(source: object, *, graph: Graph | None = None, **sizes: int | None) -> object:
    """What `module:function` gives, or the object itself: called if it is a function.

    Args:
        source: `module:function`, or the object.
        graph, sizes: see `find_program`.

    Raises:
        NtkexecError: there is no such module or name in it, or a function asks for something else.
    """
    name = getattr(source, "__name__", "the program")
    found = source
    if isinstance(source, str):
        found, name = _named(source), source
    if not isinstance(found, Program | Instance) and callable(found):
        found = found(**_arguments(name, found, graph, sizes))
    return found


@keywords.renamed(algorithm="program")
def prepare(
    program: Source,
    graph: Where | None = None,
    *,
    initial: States | None = None,
    steps: int | None = None,
    until: Until | None = None,
    reference: Reference | None = None,
    weights: str | None = None,
    weight_scale: int = 1,
    directed: bool | None = None,
    **inputs: Any,
) -> Instance:
    """A program on a graph, ready to run.

    Args:
        program: a name in `ALGORITHMS`, a file of raw templates, `module:function`, a `Program`, an
            `Instance`, or a function that gives one of them.
        graph: a graph, a file, or a generator such as `grid:8x8`; an `Instance` brings its own.
        initial, steps, until, reference: of somebody's own program, see `own_instance`. A reference is
            called with the graph as it is given here, or loaded if that is a file or a generator. Of
            these an `Instance` takes until alone, and where its program's own execution judges, that
            ends so too.
        weights: edge attribute that holds the weights, 1 by default; a `Graph` brings its own.
        weight_scale, directed: how to read the graph, see `ntkexec.graphs.load`; not for a `Graph`.
        inputs: what a shipped algorithm asks, and its `sizes`; or degree, word and slots for a function.

    Raises:
        NtkexecError: no such program, what is missing, or an input that does not fit.
    """
    reading: dict[str, Any] = {
        "weights": weights,
        "weight_scale": weight_scale,
        "directed": directed,
    }
    of_own = {"initial": initial, "steps": steps, "reference": reference}
    asked = [name for name, value in of_own.items() if value is not None]
    if is_shipped(program):
        assert isinstance(program, str)
        registry.find_algorithm(program)
        refuse_start(program, of_own)
        if graph is None:
            raise NtkexecError(f"{program} needs a graph, such as 'karate', 'grid:8x8' or a file")
        return registry.prepare(program, graph, **reading, **inputs)
    given = {name: value for name, value in inputs.items() if value is not None}
    if odd := given.keys() - {*SIZES}:
        raise NtkexecError(
            f"a program of one's own takes initial, steps, until, reference and, for a function, "
            f"{', '.join(SIZES)}, not {min(odd)!r}"
        )
    loaded = None
    if graph is not None:
        loaded = _loaded(graph, **reading)
    found = find_program(program, graph=loaded, **given)
    if isinstance(found, Instance):
        if isinstance(program, Instance):
            asked += [name for name, value in reading.items() if value != _AS_IT_IS[name]]
            asked += sorted(given)
        if asked or (graph is not None and found.graph is not loaded):
            what = asked[0] if asked else "graph"
            raise NtkexecError(
                f"an instance of {found.program.name} brings its own {what}; give its program instead"
            )
        return ended_by(found, until)
    if loaded is None:
        raise NtkexecError(f"{found.name} needs a graph, such as 'karate', 'grid:8x8' or a file")
    return own_instance(
        found,
        loaded,
        initial=initial,
        steps=steps,
        until=until,
        reference=reference,
        given_graph=graph if isinstance(graph, nx.Graph) else loaded,
    )


def refuse_start(algorithm: str, of_own: Mapping[str, object]) -> None:
    """Raises NtkexecError if a shipped algorithm is given what only somebody's own program takes.

    Args:
        algorithm: its name.
        of_own: initial, steps and reference, by name.
    """
    for name, value in of_own.items():
        if value is not None:
            raise NtkexecError(f"{algorithm} starts by itself; {name} is for programs of one's own")


def _loaded(
    graph: Where, *, weights: str | None, weight_scale: int, directed: bool | None
) -> Graph:
    if not isinstance(graph, Graph):
        return load(graph, weight=weights, weight_scale=weight_scale, directed=directed)
    if {"weights": weights, "weight_scale": weight_scale, "directed": directed} != _AS_IT_IS:
        raise NtkexecError(
            "weights, weight_scale and directed say how a graph is loaded; this one is loaded already"
        )
    return graph


def _named(text: str) -> object:
    """What `module:name` names; as Python would import it."""
    module_name, colon, path = text.partition(":")
    parts = [*module_name.split("."), *path.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise NtkexecError(
            f"{shown(text)} is no program; one's own is a file ({' or '.join(files.SUFFIXES)}) or "
            "module:function"
        )
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # One that the module itself misses is the module's own error.
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise
        raise NtkexecError(
            f"there is no module {shown(error.name)}, neither here nor installed, for {shown(text)}"
        ) from None
    assert isinstance(found, ModuleType)
    public = [name for name, value in vars(found).items() if name[0] != "_" and callable(value)]
    try:
        return functools.reduce(getattr, path.split("."), found)
    except AttributeError:
        raise NtkexecError(
            f"module {module_name} has no {shown(path)}{did_you_mean(path, public)}"
        ) from None


# Any: arguments of a stranger's function.
def _arguments(
    name: str, function: Callable[..., Any], graph: Graph | None, sizes: dict[str, int | None]
) -> dict[str, Any]:
    """Those of graph, degree, word and slots that a function has parameters for."""
    known: dict[str, Any] = {"graph": graph} | {size: sizes.get(size) for size in SIZES}
    if graph is not None:
        known["degree"] = graph.degree if known["degree"] is None else known["degree"]
        known["slots"] = graph.num_colours if known["slots"] is None else known["slots"]
    elif known["slots"] is None and known["degree"] is not None:
        known["slots"] = known["degree"] ** 2 + 1
    given = {}
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise NtkexecError(
            f"{clean(name)} does not say what parameters it has; give a Program, or a function that "
            f"takes some of graph, {', '.join(SIZES)}"
        ) from None
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        value = known.get(parameter.name)
        if value is not None and parameter.kind != parameter.POSITIONAL_ONLY:
            given[parameter.name] = value
        elif parameter.default is parameter.empty:
            raise NtkexecError(_missing(name, parameter.name))
    return given


def _missing(name: str, parameter: str) -> str:
    if parameter == "graph":
        return f"{clean(name)} asks for a graph; give one"
    if parameter in SIZES:
        return f"{clean(name)} asks for {parameter}; give --{parameter}, or {parameter}=..."
    return (
        f"{clean(name)} has a parameter {shown(parameter)} without a default; what it can be given is "
        f"graph, {', '.join(SIZES)}"
    )
