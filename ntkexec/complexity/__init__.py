"""Ensemble complexity: how many networks execute a program exactly, against every bound."""

from ntkexec.complexity.bounds import Bounds
from ntkexec.complexity.cases import Cases, collect
from ntkexec.complexity.growth import Trend, trends
from ntkexec.complexity.own_bounds import OwnBound
from ntkexec.complexity.probability import Certainty, certainty
from ntkexec.complexity.samples import random_instances
from ntkexec.complexity.studies import Study, study
from ntkexec.complexity.sweeps import Sweep, random_executions, sweep, variants

__all__ = [
    "Bounds",
    "Cases",
    "Certainty",
    "OwnBound",
    "Study",
    "Sweep",
    "Trend",
    "certainty",
    "collect",
    "random_executions",
    "random_instances",
    "study",
    "sweep",
    "trends",
    "variants",
]
