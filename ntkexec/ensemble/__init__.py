"""Ensembles of trained two-layer networks: drawn, trained, stored, and run as an update engine."""

from ntkexec.ensemble.engine import Ensemble, EnsembleEngine, ensemble_engine
from ntkexec.ensemble.network import TwoLayerNetwork
from ntkexec.ensemble.storage import Manifest, load, read_manifest, train
from ntkexec.ensemble.training import EnsembleConfig, Progress

__all__ = [
    "Ensemble",
    "EnsembleConfig",
    "EnsembleEngine",
    "Manifest",
    "Progress",
    "TwoLayerNetwork",
    "ensemble_engine",
    "load",
    "read_manifest",
    "train",
]
