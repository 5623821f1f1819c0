"""Which runs a universal ensemble serves: those that ask for nothing else, on graphs that fit."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ntkexec.ensemble.loading import StoredEnsemble
from ntkexec.programs import Instance, find_algorithm
from ntkexec.universal import checking, shipped
from ntkexec.universal.checking import Checked


@dataclasses.dataclass(frozen=True, eq=False)
class Served:
    """A run that needs no training.

    Args:
        instance: the same question, of the program that the networks have learned.
        stored: the networks.
        checked: their complete certificate.
    """

    instance: Instance
    stored: StoredEnsemble
    checked: Checked


def serve(
    algorithm: str,
    instance: Instance,
    inputs: Mapping[str, Any],
    *,
    remembered: Path | None = None,
    folder: Path = shipped.FOLDER,
) -> Served | None:
    """A universal ensemble for an instance, or None where there is none or it is too small.

    Args:
        algorithm: a shipped one, as it was asked for.
        instance: what was asked, with the least sizes that fit.
        inputs: what the algorithm asks; others among them are passed over.
        remembered: see `checking.check`.
        folder: of the ensembles.

    Raises:
        EnsembleError: the ensemble is damaged, or not what its certificate says.
    """
    name = instance.program.name
    if name not in shipped.names(folder):
        return None
    stored = shipped.stored(name, folder)
    sizes = stored.manifest.parameters
    if sizes.keys() != instance.sizes.keys() or any(
        instance.sizes[size] > sizes[size] for size in sizes
    ):
        return None
    chosen = find_algorithm(algorithm)
    asked = {name: value for name, value in inputs.items() if name in chosen.inputs}
    asked = {name: value for name, value in asked.items() if value is not None}
    if instance.split is None:
        again = chosen.prepare(instance.graph, sizes=sizes, **asked)
    else:
        assert chosen.split is not None
        again = chosen.split(instance.split, sizes=sizes, **asked)
    return Served(again, stored, checking.check(name, remembered, folder))
