"""Ensemble complexity: how many networks execute a program exactly, against every bound."""

from ntkexec.complexity.bounds import Bounds
from ntkexec.complexity.cases import Cases, collect
from ntkexec.complexity.growth import Trend, trends
from ntkexec.complexity.probability import Certainty, certainty
from ntkexec.complexity.samples import random_instances
from ntkexec.complexity.studies import Study, study

__all__ = [
    "Bounds",
    "Cases",
    "Certainty",
    "Study",
    "Trend",
    "certainty",
    "collect",
    "random_instances",
    "study",
    "trends",
]
