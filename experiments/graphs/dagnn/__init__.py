"""DAGNN: deep graph networks that predict first, spread after, and weigh hops node by node."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.graphs.dagnn.depth import advise_depth as advise_depth
    from experiments.graphs.dagnn.model import DAGNN as DAGNN
    from experiments.graphs.dagnn.model import propagate as propagate
    from experiments.graphs.dagnn.smoothing import smoothness as smoothness
    from experiments.graphs.dagnn.smoothing import stationary_limit as stationary_limit

__all__, __getattr__, __dir__ = lazy(
    __name__,
    depth=("advise_depth",),
    model=("DAGNN", "propagate"),
    smoothing=("smoothness", "stationary_limit"),
)
