"""The backend as networkx calls it: converts, declines, and runs."""

import functools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import networkx as nx

from ntkexec.errors import NtkexecError
from ntkexec.networkx_backend import calls, components, declining, distances, trees, weighted
from ntkexec.networkx_backend.info import (
    BREADTH_FIRST,
    COMPONENTS,
    DEPTH_FIRST,
    DISTANCES,
    FUNCTIONS,
    NAME,
    WEIGHTED,
)
from ntkexec.result import Result

LOG = logging.getLogger("ntkexec")
DECLINED = "networkx's %s is not run by ntkexec: %s"

# Any, here and below: arguments and results of networkx's functions.
_HOMES: dict[Any, tuple[str, ...]] = {
    distances: DISTANCES,
    trees: (*BREADTH_FIRST, *DEPTH_FIRST),
    weighted: WEIGHTED,
    components: COMPONENTS,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(module, name) for module, names in _HOMES.items() for name in names
}


class BackendGraph:
    """A graph of networkx on its way to the backend: the graph itself, read when a function runs.

    Args:
        networkx: the graph.
    """

    __networkx_backend__ = NAME

    def __init__(self, networkx: nx.Graph) -> None:
        self.networkx = networkx
        self.graph = networkx.graph

    def is_directed(self) -> bool:
        """As networkx asks it of any graph, like what follows."""
        return bool(self.networkx.is_directed())

    def is_multigraph(self) -> bool:
        return bool(self.networkx.is_multigraph())

    def __len__(self) -> int:
        return len(self.networkx)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.networkx)

    def __contains__(self, node: object) -> bool:
        return node in self.networkx


class Backend:
    """The entry point `networkx.backends`: networkx's functions as methods, and when they run.

    Attributes:
        last_run: of this thread's last call, the last one if it took several; None before the first
            call, after one without an answer, and after one whose answer needs no run, such as the
            distance of a node from itself. For what carries no certificate by itself: numbers, sets,
            trees, iterators.
    """

    def __init__(self) -> None:
        self._of_thread = threading.local()

    @property
    def last_run(self) -> Result | None:
        found: Result | None = getattr(self._of_thread, "run", None)
        return found

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in _FUNCTIONS:
            raise AttributeError(f"the backend {NAME} has no function {name!r}")
        return functools.partial(self._call, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *FUNCTIONS})

    def convert_from_nx(self, graph: Any, **kept: Any) -> BackendGraph:
        """Any graph of networkx; attributes are read from it when they are needed."""
        return graph if isinstance(graph, BackendGraph) else BackendGraph(graph)

    def convert_to_nx(self, result: Any, **kept: Any) -> Any:
        """A result as networkx has it, which all of them are."""
        return result.networkx if isinstance(result, BackendGraph) else result

    def can_run(self, name: str, args: Any, kwargs: Mapping[str, Any]) -> bool | str:
        """Whether a program computes this call; otherwise the reason why not."""
        reason = self.why_not(name, *args, **kwargs)
        if reason is None:
            return True
        LOG.log(_level(), DECLINED, name, reason)
        return reason

    def should_run(self, name: str, args: Any, kwargs: Mapping[str, Any]) -> bool | str:
        """Never by itself: whoever wants it says so."""
        return "an answer by ntkexec is exact and certified, and slower than networkx's own"

    def why_not(self, name: str, *args: Any, **kwargs: Any) -> str | None:
        """Why a call would be declined, or None if it would not.

        Args:
            name: networkx's function.
            args: its arguments, likewise `kwargs`.
        """
        if name not in _FUNCTIONS:
            return f"no program computes {name}"
        arguments, given = declining.bound(name, args, kwargs)
        graph = _unwrapped(arguments.pop("G"))
        return declining.why_not(name, graph, arguments, calls.options(given))

    def _call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        self._of_thread.run = None
        arguments, given = declining.bound(name, args, kwargs)
        graph = _unwrapped(arguments.pop("G"))
        # networkx keeps what it converted; here that is the graph itself, and it would warn of it.
        cache = getattr(graph, "__networkx_cache__", None)
        if cache is not None:
            cache.get("backends", {}).pop(NAME, None)
        call = calls.Call(graph, calls.options(given), self._record)
        reason = declining.why_not(name, graph, arguments, call.options)
        if reason is not None:
            raise NotImplementedError(f"{name} is not run by ntkexec: {reason}")
        try:
            return _FUNCTIONS[name](call, **arguments)
        except NotImplementedError as error:
            self._of_thread.run = None
            # networkx says only that there was one; what is known after the start is told here.
            LOG.log(_level(), DECLINED, name, error)
            raise
        except NtkexecError:
            self._of_thread.run = None
            raise

    def _record(self, result: Result) -> None:
        self._of_thread.run = result


def _unwrapped(graph: Any) -> nx.Graph:
    return graph.networkx if isinstance(graph, BackendGraph) else graph


def _level() -> int:
    """Whoever names the backend in a call is told why it does not answer."""
    priority = nx.config.backend_priority
    automatic = any(NAME in names for names in priority.values())
    return logging.INFO if automatic else logging.WARNING


BACKEND = Backend()
