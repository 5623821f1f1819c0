"""Operator fusion: graphs of JAX functions, plans within a buffer, and how good explanations are."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.systems.op_fusion.cost import CostModel as CostModel
    from experiments.systems.op_fusion.exact import optimal_plan as optimal_plan
    from experiments.systems.op_fusion.explain import gnn_explainer as gnn_explainer
    from experiments.systems.op_fusion.explain import pg_explainer as pg_explainer
    from experiments.systems.op_fusion.fusing import FusionPlan as FusionPlan
    from experiments.systems.op_fusion.fusing import fuse as fuse
    from experiments.systems.op_fusion.networks import network as network
    from experiments.systems.op_fusion.plan import check_plan as check_plan
    from experiments.systems.op_fusion.plan import random_groups as random_groups
    from experiments.systems.op_fusion.plan import total_dram as total_dram
    from experiments.systems.op_fusion.predictor import example as example
    from experiments.systems.op_fusion.predictor import fit_predictor as fit_predictor
    from experiments.systems.op_fusion.rg_explain import rg_explainer as rg_explainer
    from experiments.systems.op_fusion.search import local_search as local_search
    from experiments.systems.op_fusion.search import nsga2 as nsga2
    from experiments.systems.op_fusion.search import random_search as random_search
    from experiments.systems.op_fusion.splitting import RandomSplitter as RandomSplitter
    from experiments.systems.op_fusion.splitting import TreeSplitter as TreeSplitter
    from experiments.systems.op_fusion.splitting import all_edges as all_edges
    from experiments.systems.op_fusion.splitting import occlusion as occlusion
    from experiments.systems.op_fusion.tracing import trace as trace

__all__, __getattr__, __dir__ = lazy(
    __name__,
    cost=("CostModel",),
    exact=("optimal_plan",),
    explain=("gnn_explainer", "pg_explainer"),
    fusing=("FusionPlan", "fuse"),
    networks=("network",),
    plan=("check_plan", "random_groups", "total_dram"),
    predictor=("example", "fit_predictor"),
    rg_explain=("rg_explainer",),
    search=("local_search", "nsga2", "random_search"),
    splitting=("RandomSplitter", "TreeSplitter", "all_edges", "occlusion"),
    tracing=("trace",),
)
