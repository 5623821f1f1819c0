"""Studies of the greedy tree on other networks: where it saves little, and a chain where it is optimal."""

from typing import Any

import numpy as np

from experiments.harness.experiment import Result, Trial
from experiments.systems.op_fusion.config import OpFusionConfig
from experiments.systems.op_fusion.cost import KB, CostModel
from experiments.systems.op_fusion.exact import optimal_plan
from experiments.systems.op_fusion.measure_search import ALL, RANDOM, one_search
from experiments.systems.op_fusion.networks import network
from experiments.systems.op_fusion.plan import check_plan, contract, fusable_edges, total_dram
from experiments.systems.op_fusion.splitting import TreeSplitter, all_edges

CHAIN, CHAIN_BUFFERS_KB = "vgg16", (128, 256, 512)


def elsewhere(config: OpFusionConfig, trial: Trial) -> Result:
    """LS with the tree over all edges and with random splitting, and the optimum, by network."""
    found: dict[str, Any] = {}
    for place, name in enumerate(config.other_networks):
        trial.report(f"LS on {name}", place, len(config.other_networks))
        graph = network(name).graph
        costs = {
            way: CostModel(graph, "lbdf", config.other_buffer_kb * KB)
            for way in (ALL, RANDOM, "optimum")
        }
        best = optimal_plan(costs["optimum"])
        found[name] = {
            ALL: one_search(costs[ALL], "LS", all_edges, config.plans, trial.seed),
            RANDOM: one_search(costs[RANDOM], "LS", None, config.plans, trial.seed),
            "optimum": total_dram(best, costs["optimum"]),
        }
    return {"networks": found}


def real_chain(config: OpFusionConfig, trial: Trial) -> Result:
    """DRAM of the tree on VGG16's fusable operators as one group for each run, over the optimum."""
    found = {}
    for buffer in CHAIN_BUFFERS_KB:
        cost = CostModel(network(CHAIN).graph, "lbdf", buffer * KB)
        # Nothing is left to chance unless the tree fails, which would show in the plan's cost.
        split = TreeSplitter(cost, all_edges, np.random.default_rng(trial.seed))
        runs = contract(cost, fusable_edges(cost))
        greedy = tuple(part for run in runs for part in split(run))
        best = optimal_plan(cost)
        check_plan(greedy, cost)
        check_plan(best, cost)
        found[str(buffer)] = {
            "greedy": total_dram(greedy, cost),
            "optimum": total_dram(best, cost),
            "groups": len(best),
        }
    return {"buffers_kb": found}
