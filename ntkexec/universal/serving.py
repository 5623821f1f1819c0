"""Which runs a universal ensemble serves: those that ask for nothing else, on graphs that fit."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ntkexec.ensemble.loading import StoredEnsemble
from ntkexec.errors import ProgramError
from ntkexec.graphs import Graph, SplitGraph
from ntkexec.programs import Algorithm, Instance, split_choice
from ntkexec.universal import checking, shipped
from ntkexec.universal.checking import Checked


@dataclasses.dataclass(frozen=True, eq=False)
class Served:
    """What a run needs that trains nothing.

    Args:
        stored: the networks.
        checked: their complete certificate.
    """

    stored: StoredEnsemble
    checked: Checked


# Any: what an algorithm asks is of many types.
def fitted(
    algorithm: Algorithm,
    where: Graph | SplitGraph,
    asked: Mapping[str, Any],
    folder: Path = shipped.FOLDER,
) -> Instance | None:
    """An algorithm on a graph, of the sizes of a universal ensemble; None where none is large enough.

    Args:
        algorithm: a shipped one.
        where: the graph as it is, or the one that was split.
        asked: what the algorithm asks, by name.
        folder: of the ensembles.

    Raises:
        EnsembleError: the ensemble is damaged.
        NtkexecError: an input that fits no sizes.
    """
    is_split = isinstance(where, SplitGraph)
    name = split_choice.split_name(algorithm.name) if is_split else algorithm.name
    build = algorithm.split if is_split else algorithm.prepare
    if name not in shipped.names(folder) or build is None:
        return None
    try:
        return build(where, sizes=shipped.stored(name, folder).manifest.parameters, **asked)
    except ProgramError:
        return None


def serve(
    instance: Instance, *, remembered: Path | None = None, folder: Path = shipped.FOLDER
) -> Served | None:
    """The universal ensemble of an instance's program and sizes, or None where there is none.

    Args:
        instance: what is to run, as `fitted` gives it.
        remembered: see `checking.check`.
        folder: of the ensembles.

    Raises:
        EnsembleError: the ensemble is damaged, or not what its certificate says.
    """
    name = instance.program.name
    if name not in shipped.names(folder):
        return None
    stored = shipped.stored(name, folder)
    if stored.manifest.parameters != dict(instance.sizes):
        return None
    return Served(stored, checking.check(name, remembered, folder))
