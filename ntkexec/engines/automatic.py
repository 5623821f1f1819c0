"""The engine of a run that names none: trained networks, evaluated at every node or once for all.

On a large graph most of a run is the evaluation of the same networks at the same few sets of matches,
node by node. `ensemble-memo` evaluates them once at every set that there can be, and decides the same
bit for bit; what it does not calculate is the margin of every decision of the run.
"""

from ntkexec.engines.registry import EngineSpec, find_engine
from ntkexec.program.work import Work

WORTH_SECONDS = 10.0
"""Margins of the run are worth so much time."""


def engine_for(work: Work, *, verify: bool, margins: bool, certain: bool = False) -> EngineSpec:
    """The engine that is taken.

    Args:
        work: the run.
        verify: whether every step is compared: with the plain engine, or if that is left out with the
            program.
        margins: whether they are asked for.
        certain: only what is known beforehand to be possible: of networks that have not been trained,
            nobody knows whether they have few enough sets of matches.
    """
    plain, tabulated = find_engine("ensemble"), find_engine("ensemble-memo")
    if margins or work.halts or (certain and not work.ready):
        return plain
    saved = plain.seconds(work, verify=verify) - tabulated.seconds(work, verify=False)
    return tabulated if saved > WORTH_SECONDS else plain
