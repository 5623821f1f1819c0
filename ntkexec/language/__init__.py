"""The instruction language in which programs are written."""

from ntkexec.language import idioms
from ntkexec.language.builder import Builder, initial_states
from ntkexec.language.fields import Record, Slots
from ntkexec.language.logic import FALSE, TRUE, Sum, all_of, any_of, minimise
from ntkexec.language.places import Place
from ntkexec.language.values import Choice, Number, either, equal, select
from ntkexec.program.fields import Flag, OneHot, Word

__all__ = [
    "FALSE",
    "TRUE",
    "Builder",
    "Choice",
    "Flag",
    "Number",
    "OneHot",
    "Place",
    "Record",
    "Slots",
    "Sum",
    "Word",
    "all_of",
    "any_of",
    "either",
    "equal",
    "idioms",
    "initial_states",
    "minimise",
    "select",
]
