"""Studies against the exact optimum: greedy splitting on chains, and whole networks."""

import time
from typing import Any

import numpy as np

from experiments.harness.experiment import Result, Trial
from experiments.systems.op_fusion.config import OpFusionConfig
from experiments.systems.op_fusion.cost import KB, CostModel
from experiments.systems.op_fusion.exact import optimal_plan
from experiments.systems.op_fusion.graph import OpGraph, chain
from experiments.systems.op_fusion.networks import network
from experiments.systems.op_fusion.plan import check_plan, lower_bound, total_dram
from experiments.systems.op_fusion.splitting import TreeSplitter, all_edges
from ntkexec.errors import ExperimentError

COUNTEREXAMPLE = (chain([450, 500, 500, 450], [1, 1, 400, 1, 1]), 1450)
"""A chain and a buffer for which a cut into two is dearer than one into three."""


def gap(graph: OpGraph, buffer: float, generator: np.random.Generator) -> dict[str, Any]:
    """DRAM of the greedy tree over all edges, and of the best plan, for a network as one group."""
    cost = CostModel(graph, "lbdf", buffer)
    greedy = TreeSplitter(cost, all_edges, generator)(graph.everything)
    best = optimal_plan(cost)
    check_plan(greedy, cost)
    check_plan(best, cost)
    return {
        "greedy": total_dram(greedy, cost),
        "optimum": total_dram(best, cost),
        "greedy_groups": len(greedy),
        "optimum_groups": len(best),
    }


def random_chain(generator: np.random.Generator) -> tuple[OpGraph, float]:
    """A chain of 6 to 16 operators with log-uniform weights and tensors, and a buffer that holds
    each operator but not all."""
    num = int(generator.integers(6, 17))
    weights = np.exp(generator.uniform(np.log(10), np.log(1000), num)).astype(int).tolist()
    tensors = np.exp(generator.uniform(np.log(10), np.log(1000), num + 1)).astype(int).tolist()
    graph = chain(weights, tensors)
    every = CostModel(graph, "lbdf", float("inf"))
    least = max(every(1 << v).memory for v in range(num))
    most = every(graph.everything).memory
    return graph, float(least + 1 + generator.uniform(0, 0.6) * (most - least - 1))


def chains(config: OpFusionConfig, trial: Trial) -> Result:
    """Greedy against optimal on the counterexample and on random chains."""
    generator = trial.generator
    found = []
    for place in range(config.chains):
        trial.report("random chains", place, config.chains)
        found.append(gap(*random_chain(generator), generator))
    return {"counterexample": gap(*COUNTEREXAMPLE, generator), "random": found}


def optimum(config: OpFusionConfig, trial: Trial) -> Result:
    """Best plans of whole networks, how long finding them took, and the bound for any plan."""
    found: dict[str, Any] = {}
    pairs = [(name, "lbdf") for name in config.zoo] + [(n, "brr") for n in config.brr_exact]
    for place, (name, fusion) in enumerate(pairs):
        trial.report(f"best plan of {name}", place, len(pairs))
        if fusion == "brr" and trial.seed:
            continue  # exact and the same for every seed, and not as quick
        cost = CostModel(
            network(name).graph, "brr" if fusion == "brr" else "lbdf", config.fusable_buffer_kb * KB
        )
        start = time.perf_counter()
        try:
            plan = optimal_plan(cost)
        except ExperimentError as error:
            found[f"{name} {fusion}"] = {"unsolved": str(error)}
            continue
        seconds = time.perf_counter() - start
        check_plan(plan, cost)
        found[f"{name} {fusion}"] = {
            "dram": total_dram(plan, cost),
            "bound": lower_bound(cost),
            "groups": len(plan),
            "fusable": cost.fusable().bit_count(),
            "seconds": seconds,
        }
    return {"plans": found}
