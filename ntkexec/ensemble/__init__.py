"""Ensembles of trained two-layer networks: drawn, trained, stored, and evaluated."""

from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.gaussian import GaussianEnsemble
from ntkexec.ensemble.loading import StoredEnsemble, find_stored, load, read_manifest
from ntkexec.ensemble.network import TwoLayerNetwork
from ntkexec.ensemble.storage import draw, train
from ntkexec.ensemble.stored import Manifest
from ntkexec.ensemble.trained import Ensemble
from ntkexec.ensemble.training import Progress
from ntkexec.vocabulary import DRAWS, Descent, Draw

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
