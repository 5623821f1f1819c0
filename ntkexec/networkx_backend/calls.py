"""One call of a function of networkx: its graph, its options, and the runs that answer it."""

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import networkx as nx
import numpy as np

from ntkexec.certifying import Certifying
from ntkexec.ensemble.sizing import Ensembling
from ntkexec.errors import InexactError, NtkexecError, did_you_mean
from ntkexec.executor import Executing
from ntkexec.graphs import Graph, from_networkx, split
from ntkexec.graphs.splitting import check_split_degree
from ntkexec.networkx_backend.info import DEFAULTS, NAME
from ntkexec.pipeline import run
from ntkexec.programs.instance import Instance
from ntkexec.result import Result
from ntkexec.theory.certificate import Certificate

LIMITS = ("max_degree", "max_steps")
SPLIT = "split_degree"
KNOWN = {
    *DEFAULTS,
    *(f.name for c in (Certifying, Ensembling, Executing) for f in dataclasses.fields(c)),
} - {"until", "trace"}


class Answer(dict[Any, Any]):
    """A dictionary as networkx returns it, which knows the run that it was read off.

    It compares, copies and pickles as the plain dictionary.

    Args:
        values: by node.
        run: the last run that was made for it.
    """

    def __init__(self, values: Mapping[Any, Any] | Iterable[tuple[Any, Any]], run: Result) -> None:
        super().__init__(values)
        self.run = run

    @property
    def certificate(self) -> Certificate:
        """Why, or under which bound, the run is exact."""
        return self.run.certificate

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call: those of its own, then networkx's configuration, then the defaults.

    Raises:
        NtkexecError: there is no such option, or a limit, `verify` or `split_degree` has a value that it
            cannot have.
    """
    for name in given:
        if name not in KNOWN:
            raise NtkexecError(
                f"the backend has no option {name!r}{did_you_mean(name, KNOWN)}; it takes "
                f"{', '.join(sorted(KNOWN))}"
            )
    configured = nx.config.backends.get(NAME, {})
    chosen = {**DEFAULTS, **configured, **given}
    for name in LIMITS:
        _check_limit(name, chosen[name], optional=DEFAULTS[name] is None)
    if chosen[SPLIT] is not None:
        check_split_degree(chosen[SPLIT])
    if not isinstance(chosen["verify"], bool):
        raise NtkexecError(f"verify is True or False, not {chosen['verify']!r}")
    return chosen


def _check_limit(name: str, value: object, *, optional: bool) -> None:
    """Raises NtkexecError unless it is a whole number from 0 on; None says that there is none."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        rule = "a whole number from 0 on" + (", or None" if optional else "")
        raise NtkexecError(f"{name} is {rule}, not {value!r}")


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """A graph of networkx and how programs are to run on it.

    Args:
        graph: as the caller has it; nothing is kept of it after the call.
        options: see `options`.
        record: told of every run that gives an answer.
    """

    graph: nx.Graph
    options: Mapping[str, Any]
    record: Callable[[Result], None]

    @property
    def nodes(self) -> list[Hashable]:
        """By identifier, which is the order of insertion."""
        return list(self.graph)

    @property
    def label(self) -> str:
        """What to call the graph in messages."""
        return str(self.graph.name) or "graph"

    def indices(self, nodes: Iterable[Hashable]) -> list[int]:
        """The identifiers of nodes that are there."""
        index = {node: i for i, node in enumerate(self.graph)}
        return [index[node] for node in nodes]

    def converted(
        self, *, reverse: bool = False, undirected: bool = False, sort_neighbors: Any = None
    ) -> Graph:
        """The graph as programs take it, without weights; ports follow networkx.

        Args:
            reverse: against the directions, if it has them.
            undirected: without them.
            sort_neighbors: as for `networkx.bfs_edges`.
        """
        graph = self.graph
        if graph.is_directed() and undirected:
            graph = graph.to_undirected(as_view=True)
        elif graph.is_directed() and reverse:
            graph = graph.reverse(copy=False)
        order: Any = "adjacency" if sort_neighbors is None else sort_neighbors
        return from_networkx(graph, port_order=order, self_loops="drop", label=self.label)

    # Any: what the algorithm asks.
    def instance(
        self,
        whole: Callable[..., Instance],
        parts: Callable[..., Instance],
        graph: Graph,
        **asked: Any,
    ) -> Instance:
        """An algorithm on a graph, or on its nodes split into trees where that is an option of the call.

        Args:
            whole: `whole(graph, **asked)` gives it on the graph as it is.
            parts: `parts(split_graph, **asked)` gives it on the split one.
            graph: where.
            asked: the algorithm's inputs.
        """
        degree = self.options[SPLIT]
        return whole(graph, **asked) if degree is None else parts(split(graph, degree), **asked)

    def run(self, instance: Instance) -> Result:
        """Executes a program.

        Raises:
            NotImplementedError: it may take more steps than are allowed.
            InexactError: the learned update decided a bit otherwise than the program.
        """
        most = self.options["max_steps"]
        if instance.num_steps > most:
            raise NotImplementedError(
                f"{instance.program.name} may take {instance.num_steps:,} steps on this graph; "
                f"max_steps is {most:,}"
            )
        asked = {
            name: value for name, value in self.options.items() if name not in (*LIMITS, SPLIT)
        }
        result = run(instance, **asked)
        found = result.execution.verification
        if found is not None and found.wrong_bits:
            raise InexactError(
                f"the engine {result.engine!r} decided {found.wrong_bits} bits of "
                f"{instance.program.name} otherwise than the program; no answer is given"
            )
        self.record(result)
        return result

    def column(self, result: Result, field: str) -> list[int]:
        """A field of the answer by identifier, as Python's numbers."""
        return [int(value) for value in np.asarray(result.answer[field]).tolist()]
