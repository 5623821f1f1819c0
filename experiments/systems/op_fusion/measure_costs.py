"""Studies of graphs and costs: everything here is exact and compared with a second route."""

import itertools
import math
from typing import Any

import numpy as np

from experiments.harness.experiment import Result, Trial
from experiments.systems.op_fusion.config import OpFusionConfig
from experiments.systems.op_fusion.cost import KB, CostModel, windows
from experiments.systems.op_fusion.dataset import random_groups
from experiments.systems.op_fusion.graph import Group, OpGraph, members
from experiments.systems.op_fusion.networks import NETWORKS, network
from experiments.systems.op_fusion.plan import random_plan, total_dram
from experiments.systems.op_fusion.simulator import simulated_windows


def graphs(config: OpFusionConfig, trial: Trial) -> Result:
    """Parameters of every network and the weights of its graph, each beside what they should be.

    Folding a batch normalisation removes its scale and leaves a bias, so a graph keeps as many
    numbers as the network has parameters, less those scales.
    """
    found = {}
    for place, name in enumerate(config.zoo):
        trial.report(f"tracing {name}", place, len(config.zoo))
        made = network(name)
        published = NETWORKS[name][2]
        found[name] = {
            "parameters": made.parameters,
            "published": published,
            "weights": sum(op.weights for op in made.graph.ops),
            "expected_weights": published - made.scales,
            "operators": len(made.graph),
            "edges": len(made.graph.edges),
        }
    return {"networks": found}


def costs(config: OpFusionConfig, trial: Trial) -> Result:
    """Mismatches of the cost models with their simulator and their identities, and how memory
    behaves when groups grow."""
    generator = trial.generator
    total = len(config.networks)
    found: dict[str, Any] = {"networks": {}}
    for place, name in enumerate(config.networks):
        trial.report(f"costs of {name}", place, total)
        graph = network(name).graph
        cost = CostModel(graph, "lbdf", config.fusable_buffer_kb * KB)
        found["networks"][name] = {
            **_windows(graph, config.simulated, generator),
            **_identity(cost, generator),
            **_growth(cost, generator),
        }
    found["brr"] = {
        name: _brr(network(name).graph, config.simulated, generator) for name in config.brr_networks
    }
    return found


def grown(graph: OpGraph, size: int, generator: np.random.Generator) -> Group:
    """A connected group of at most so many operators, grown from a random one."""
    group = 1 << int(generator.integers(len(graph)))
    while group.bit_count() < size:
        near = 0
        for v in members(group):
            near |= graph.predecessors[v] | graph.successors[v]
        choices = list(members(near & ~group))
        if not choices:
            break
        group |= 1 << choices[generator.integers(len(choices))]
    return group


def _windows(graph: OpGraph, num_groups: int, generator: np.random.Generator) -> dict[str, Any]:
    """Tensors whose rows on chip by the closed form are not what execution row by row shows."""
    compared = wrong = without_floor = 0
    while compared < num_groups:
        group = grown(graph, int(generator.integers(2, 13)), generator)
        sinks = [v for v in members(group) if not graph.successors[v] & group]
        if len(sinks) > 1:
            continue
        formula, executed = windows(graph, group), simulated_windows(graph, group)
        compared += 1
        wrong += formula != executed
        # What a reader who only adds up kernels would say: the broken twin.
        kernels = {
            t: max(r.kernel for v in members(group) for r in graph.ops[v].reads if r.source == t)
            for t in executed
        }
        without_floor += kernels != executed
    return {"groups": compared, "mismatches": wrong, "kernel_mismatches": without_floor}


def _identity(cost: CostModel, generator: np.random.Generator) -> dict[str, Any]:
    """How far a plan's DRAM is from a sum over tensors, and whether merging ever raises it."""
    graph, fusable = cost.graph, cost.fusable()
    worst = raised = 0
    for _ in range(4):
        plan = random_plan(cost, generator)
        owner = {v: group for group in plan for v in members(group)}
        expected = sum(graph.ops[v].weights for v in members(fusable))
        for t in range(-len(graph.inputs), len(graph)):
            mine = owner.get(t)
            readers = {v for v, _ in graph.consumers.get(t, ())}
            groups = {owner[v] for v in readers if v in owner}
            outside = t in graph.outputs or any(owner.get(v) != mine for v in readers)
            written = mine is not None and outside
            expected += graph.tensor(t).size * (len(groups - {mine}) + written)
        worst = max(worst, abs(expected - total_dram(plan, cost)))
        for u, v in graph.edges:
            if u in owner and v in owner and owner[u] != owner[v]:
                merged = cost(owner[u] | owner[v]).dram
                raised += merged > cost(owner[u]).dram + cost(owner[v]).dram
    return {"identity_error": worst, "merges_that_raise": raised}


def _growth(cost: CostModel, generator: np.random.Generator) -> dict[str, Any]:
    """How often one more operator lowers a group's memory, and whether it undercuts the bound."""
    graph = cost.graph
    extensions = lowered = undercut = 0
    for _ in range(60):
        group = grown(graph, int(generator.integers(2, 13)), generator)
        near = 0
        for v in members(group):
            near |= graph.predecessors[v] | graph.successors[v]
        for v in members(near & ~group):
            larger = group | 1 << v
            extensions += 1
            lowered += cost(larger).memory < cost(group).memory
            undercut += cost(larger).memory < cost.least_memory(group)
    return {"extensions": extensions, "lowered": lowered, "undercut": undercut}


def _brr(graph: OpGraph, num_groups: int, generator: np.random.Generator) -> dict[str, Any]:
    """Violations of what must hold between BRR at growing buffers and LBDF."""
    unbounded = CostModel(graph, "brr", math.inf)
    lbdf = CostModel(graph, "lbdf", math.inf)
    buffers = [CostModel(graph, "brr", 2**power * KB) for power in range(4, 14, 2)]
    unequal = rising = cheaper = 0
    for group in random_groups(unbounded, num_groups, generator, largest=40):
        unequal += unbounded(group).dram != lbdf(group).dram
        moved = [cost(group).dram for cost in buffers if cost.is_valid(group)]
        rising += any(later > earlier for earlier, later in itertools.pairwise(moved))
        cheaper += any(dram < lbdf(group).dram for dram in moved)
    return {"unequal": unequal, "rising": rising, "cheaper": cheaper, "groups": num_groups}
