"""One call for any evaluator of architectures, any of the methods, and a budget."""

import functools
from collections.abc import Callable, Mapping

import numpy as np

from experiments.graphs.auto_gnn.controller import rcnas
from experiments.graphs.auto_gnn.space import Architecture, ArchitectureSpace
from experiments.kits.search.ledger import Ledger, Trace
from experiments.kits.search.methods import METHODS
from ntkexec.errors import ExperimentError

RCNAS: Mapping[str, Callable[..., Trace]] = {
    "rcnas": rcnas,
    "rcnas uniform": functools.partial(rcnas, guidance="uniform"),
    "rcnas argmax": functools.partial(rcnas, guidance="argmax"),
}


def search(
    evaluate: Callable[[Architecture], float],
    method: str = "rcnas",
    budget: int = 100,
    *,
    generator: np.random.Generator,
    space: ArchitectureSpace | None = None,
) -> Trace:
    """What a method finds within a budget; an architecture is evaluated once.

    Args:
        evaluate: scores an architecture, more is better: a formula, a table, a training by `build`.
        method: `rcnas`, its other guidances `rcnas uniform` and `rcnas argmax`, or one of the kit:
            `random`, `hill climbing`, `evolution`, `policy gradient`.
        budget: evaluations.
        generator: draws all.
        space: the paper's with two layers, unless given.

    Returns:
        The trace, of candidates of `space.choices`; `space.architecture(trace.best)` is what was found.
        Its value flatters: train it anew before it is tested.

    Raises:
        ExperimentError: there is no such method.
    """
    where = ArchitectureSpace() if space is None else space
    ledger = Ledger(lambda candidate: evaluate(where.architecture(candidate)), budget)
    if method in RCNAS:
        return RCNAS[method](where, ledger, generator)
    if method not in METHODS:
        raise ExperimentError(f"{method!r} is none of {', '.join([*RCNAS, *METHODS])}")
    return METHODS[method](where.choices, ledger, generator)
