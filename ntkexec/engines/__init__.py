"""Update engines: ways to evaluate the learned function, interchangeable in the loop.

`boolean` is the program itself, `linear` a read-out without networks, `kernel` the infinitely large
ensemble of infinitely wide networks in closed form, `neural_tangents` the same by an independent
library, `trained` networks that were trained, `gaussian` networks of infinite width; `packed` decides
32 nodes to a machine word. `registry` knows them all by name.
"""

from ntkexec.engines.boolean import BooleanEngine, boolean_engine
from ntkexec.engines.kernel import KernelEngine, kernel_engine
from ntkexec.engines.linear import LinearEngine, linear_engine
from ntkexec.engines.registry import ENGINE_SPECS, EngineSpec, find_engine, make_engine
from ntkexec.engines.trained import EnsembleEngine, ensemble_engine

__all__ = [
    "ENGINE_SPECS",
    "BooleanEngine",
    "EngineSpec",
    "EnsembleEngine",
    "KernelEngine",
    "LinearEngine",
    "boolean_engine",
    "ensemble_engine",
    "find_engine",
    "kernel_engine",
    "linear_engine",
    "make_engine",
]
