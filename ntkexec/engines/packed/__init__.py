"""Execution on packed states, 32 nodes to a machine word.

A certificate makes the Heaviside of the networks' mean a union of matched templates, so that a step
is AND, ANDNOT and OR of words. Read `plan`, `step` and `engine`, in that order.
"""

from ntkexec.engines.packed.engine import PackedEngine, packed_kernel_engine
from ntkexec.engines.packed.memo import memo_engine

__all__ = ["PackedEngine", "memo_engine", "packed_kernel_engine"]
