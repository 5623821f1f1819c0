"""The margins of a traced run, by step."""

from typing import Any

import numpy as np

from ntkexec.errors import NtkexecError
from ntkexec.executor.deciding import decided
from ntkexec.result import Result
from ntkexec.runtime import devices


def margins(result: Result) -> dict[str, Any]:
    """What `ntkexec.plots.margins` draws.

    Args:
        result: a run with a trace.

    Raises:
        NtkexecError: no trace.
    """
    trace = result.execution.trace
    if trace is None:
        raise NtkexecError("margins need the states of all steps; run with trace=True")
    found: dict[str, Any] = {"ones": [], "zeros": [], "wrong": []}
    for states in trace[:-1]:
        matches, decision = decided(result.update, devices.put(states.T))
        relative = np.asarray(decision.means) - np.asarray(decision.thresholds)
        should_be = np.asarray(matches.matched_writers) > 0
        found["ones"].append(_spread(relative[should_be]))
        found["zeros"].append(_spread(relative[~should_be]))
        found["wrong"].append(int((np.asarray(decision.bits) != should_be).sum()))
    program, graph = result.instance.program, result.instance.graph
    return found | {"title": f"{program.name} on {graph.label}, engine {result.engine}"}


def _spread(values: np.ndarray) -> list[float] | None:
    """Smallest, middle and largest; None for no values."""
    if not values.size:
        return None
    return [float(v) for v in np.quantile(values, [0, 0.5, 1])]
