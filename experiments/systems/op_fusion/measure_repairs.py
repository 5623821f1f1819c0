"""A study of repaired plans: what splitting makes of plans that do not fit, judged by networkx."""

from typing import Any

import networkx as nx
import numpy as np

from experiments.harness.experiment import Result, Trial
from experiments.systems.op_fusion.config import OpFusionConfig
from experiments.systems.op_fusion.cost import KB, CostModel
from experiments.systems.op_fusion.graph import members
from experiments.systems.op_fusion.networks import network
from experiments.systems.op_fusion.plan import Plan, random_plan
from experiments.systems.op_fusion.splitting import (
    RandomSplitter,
    TreeSplitter,
    all_edges,
    random_share,
)

RULES = ("disjoint", "covering", "connected", "ordered", "fitting")


def repairs(config: OpFusionConfig, trial: Trial) -> Result:
    """Random plans with a group that does not fit, before and after splitting, that break a rule."""
    found: dict[str, Any] = {}
    for place, name in enumerate(config.networks):
        trial.report(f"repairing plans of {name}", place, len(config.networks))
        cost = CostModel(network(name).graph, "lbdf", config.fusable_buffer_kb * KB)
        generator = np.random.default_rng([trial.seed, place])
        splitters = (
            TreeSplitter(cost, all_edges, generator),
            TreeSplitter(cost, random_share(generator), generator),
            RandomSplitter(cost, generator),
        )
        before, after = dict.fromkeys(RULES, 0), dict.fromkeys(RULES, 0)
        repaired = groups = 0
        while repaired < config.repaired:
            plan = random_plan(cost, generator)
            if all(map(cost.is_valid, plan)):
                continue
            split = splitters[repaired % len(splitters)]
            made = tuple(part for group in plan for part in split(group))
            repaired += 1
            groups += len(made)
            for tally, judged in ((before, plan), (after, made)):
                for rule in broken_rules(judged, cost):
                    tally[rule] += 1
        found[name] = {"plans": repaired, "groups": groups, "before": before, "after": after}
    return {"networks": found}


def broken_rules(plan: Plan, cost: CostModel) -> list[str]:
    """Which of `RULES` a plan breaks; a second route to `plan.check_plan`."""
    graph = nx.DiGraph(list(cost.graph.edges))
    graph.add_nodes_from(range(len(cost.graph)))
    groups = [frozenset(members(group)) for group in plan]
    union = frozenset().union(*groups)
    whole = frozenset(members(cost.fusable()))
    kept = {
        "disjoint": sum(map(len, groups)) == len(union),
        "covering": union == whole,
        "connected": all(nx.is_weakly_connected(graph.subgraph(group)) for group in groups),
        "fitting": all(cost(group).memory < cost.buffer for group in plan),
    }
    # Operators of no group are executed by themselves.
    owner = {v: group for group in groups for v in group}
    crossing = {(owner.get(u, u), owner.get(v, v)) for u, v in graph.edges}
    between = nx.DiGraph((one, other) for one, other in crossing if one != other)
    kept["ordered"] = nx.is_directed_acyclic_graph(between)
    return [rule for rule in RULES if not kept[rule]]
