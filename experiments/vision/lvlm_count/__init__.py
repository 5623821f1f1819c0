"""LVLM-Count: division around objects, counters, and the experiment that checks them."""

from experiments.vision.lvlm_count.addresses import EndpointError
from experiments.vision.lvlm_count.counters import LearnedCounter, train_counter
from experiments.vision.lvlm_count.definition import EXPERIMENT
from experiments.vision.lvlm_count.divide import Division, object_aware, recursive, straight
from experiments.vision.lvlm_count.endpoint import Endpoint
from experiments.vision.lvlm_count.pipeline import Budget, Counted, budget, count, oracle
from experiments.vision.lvlm_count.planning import ErrorCurve, fitted
from experiments.vision.lvlm_count.scenes import Scene, scene
from experiments.vision.lvlm_count.segment import by_colour

__all__ = [
    "EXPERIMENT",
    "Budget",
    "Counted",
    "Division",
    "Endpoint",
    "EndpointError",
    "ErrorCurve",
    "LearnedCounter",
    "Scene",
    "budget",
    "by_colour",
    "count",
    "fitted",
    "object_aware",
    "oracle",
    "recursive",
    "scene",
    "straight",
    "train_counter",
]
