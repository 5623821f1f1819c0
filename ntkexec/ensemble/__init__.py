"""Ensembles of trained two-layer networks: drawn, trained, stored, and evaluated."""

from typing import TYPE_CHECKING, Any

from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.gaussian import GaussianEnsemble
from ntkexec.ensemble.loading import StoredEnsemble, find_stored, load, read_manifest
from ntkexec.ensemble.storage import draw, train
from ntkexec.ensemble.stored import Manifest
from ntkexec.ensemble.trained import Ensemble
from ntkexec.ensemble.training import Progress
from ntkexec.vocabulary import DRAWS, Descent, Draw

if TYPE_CHECKING:
    from ntkexec.ensemble.network import TwoLayerNetwork

__all__ = [
    "DRAWS",
    "Descent",
    "Draw",
    "Ensemble",
    "EnsembleConfig",
    "GaussianEnsemble",
    "Manifest",
    "Progress",
    "StoredEnsemble",
    "TwoLayerNetwork",
    "draw",
    "find_stored",
    "load",
    "read_manifest",
    "train",
]


# Any: a name of a module may be whatever.
def __getattr__(name: str) -> Any:
    if name == "TwoLayerNetwork":
        # On first use: it is a module of Flax, and most ensembles are trained without.
        from ntkexec.ensemble.network import TwoLayerNetwork

        return TwoLayerNetwork
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
