"""Operator fusion: graphs of JAX functions, plans within a buffer, and how good explanations are."""

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.definition import EXPERIMENT
from experiments.systems.op_fusion.exact import optimal_plan
from experiments.systems.op_fusion.networks import network
from experiments.systems.op_fusion.plan import check_plan, total_dram
from experiments.systems.op_fusion.splitting import TreeSplitter, all_edges
from experiments.systems.op_fusion.tracing import trace

__all__ = [
    "EXPERIMENT",
    "CostModel",
    "TreeSplitter",
    "all_edges",
    "check_plan",
    "network",
    "optimal_plan",
    "total_dram",
    "trace",
]
