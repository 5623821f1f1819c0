"""Studies of searches with every way to split what does not fit."""

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from experiments.harness.experiment import Result, Trial
from experiments.systems.op_fusion.config import OpFusionConfig
from experiments.systems.op_fusion.cost import KB, CostModel
from experiments.systems.op_fusion.exact import optimal_plan
from experiments.systems.op_fusion.explain import gnn_explainer, pg_explainer
from experiments.systems.op_fusion.measure_validity import quiet, trained
from experiments.systems.op_fusion.networks import network
from experiments.systems.op_fusion.plan import PlanError, check_plan, random_plan, total_dram
from experiments.systems.op_fusion.rg_explain import rg_explainer
from experiments.systems.op_fusion.search import SEARCHES
from experiments.systems.op_fusion.splitting import (
    RandomSplitter,
    Selector,
    TreeSplitter,
    all_edges,
    occlusion,
    random_share,
)

LEARN_FROM = 31  # operators of the largest group that explainers are trained on
LEARN_ON = 128
RANDOM = "random split"
HALF, ALL, OCCLUSION = "random half", "all edges", "occlusion"
EXPLAINERS = ("GNNE", "PG", "RG")


@functools.lru_cache(maxsize=1)
def _explainers(config: OpFusionConfig, seed: int) -> dict[str, Selector]:
    predictor, train_set, _ = trained(config, "lbdf", seed, quiet)
    items = [e for e in train_set if e.invalid and len(e.graph.nodes) <= LEARN_FROM]
    # As many for every seed, so that nothing is compiled twice.
    items = [items[i % len(items)] for i in range(LEARN_ON)] if items else []
    keys = dict(zip(EXPLAINERS, jax.random.split(jax.random.key(seed), 3), strict=True))
    steps = config.explainer_steps
    return {
        "GNNE": gnn_explainer(predictor, key=keys["GNNE"], steps=config.mask_steps),
        "PG": pg_explainer(predictor, items, key=keys["PG"], steps=steps),
        "RG": rg_explainer(predictor, items, key=keys["RG"], steps=steps),
    }


def explainers(config: OpFusionConfig, trial: Trial) -> dict[str, Selector]:
    """The three explainers of the predictor that belongs to the seed, trained."""
    trial.report("training explainers", 0, 1)
    return _explainers(config, trial.seed)


def selector_of(way: str, config: OpFusionConfig, trial: Trial) -> Selector | None:
    """What names the edges in one way to split, always from the same start; none splits at random."""
    if way in EXPLAINERS:
        return explainers(config, trial)[way]
    makers: Mapping[str, Callable[[], Selector | None]] = {
        RANDOM: lambda: None,
        ALL: lambda: all_edges,
        HALF: lambda: random_share(np.random.default_rng([trial.seed, 4])),
        OCCLUSION: occlusion,
    }
    return makers[way]()


def one_search(
    cost: CostModel, search: str, selector: Selector | None, num_plans: int, seed: int
) -> dict[str, Any]:
    """What one search found with one way to split; all ways start from the same randomness."""
    splits = np.random.default_rng([seed, 2])
    split = (
        RandomSplitter(cost, splits) if selector is None else TreeSplitter(cost, selector, splits)
    )
    start = time.perf_counter()
    found = SEARCHES[search](cost, split, num_plans, np.random.default_rng([seed, 3]))
    seconds = time.perf_counter() - start
    try:
        check_plan(found.plan, cost)
        problem = ""
    except PlanError as error:
        problem = str(error)
    tally = split.tally
    return {
        "dram": found.dram,
        "problem": problem,
        "plans": len(found.history),
        "seconds": seconds,
        "queries": cost.queries,
        "groups": tally.groups,
        "rectified": tally.rectified,
        "selected": tally.selected,
        "select_seconds": tally.seconds,
        "edges": tally.edges,
    }


def searches(config: OpFusionConfig, trial: Trial) -> Result:
    """Every search with every way to split, on one network, beside the exact optimum."""
    graph = network(config.search_network).graph

    def fresh(remember: bool = True) -> CostModel:
        return CostModel(graph, "lbdf", config.search_buffer_kb * KB, remember=remember)

    start = time.perf_counter()
    best = optimal_plan(exact := fresh())
    seconds = time.perf_counter() - start
    found: dict[str, Any] = {}
    ways = (RANDOM, ALL, HALF, OCCLUSION, *EXPLAINERS)
    for search in SEARCHES:
        for way in ways:
            name = f"{search} {way}"
            trial.report(name, len(found), len(SEARCHES) * len(ways))

            def run(search: str = search, way: str = way) -> Result:
                selector = selector_of(way, config, trial)
                return one_search(fresh(), search, selector, config.plans, trial.seed)

            found[name] = trial.kept(name, run)
    plain = one_search(fresh(), "LS", all_edges, config.plans, trial.seed)
    forgetful = one_search(fresh(remember=False), "LS", all_edges, config.plans, trial.seed)
    return {
        "runs": found,
        "optimum": total_dram(best, exact),
        "optimum_seconds": seconds,
        "memory": {
            "with": plain["queries"],
            "without": forgetful["queries"],
            "same": plain["dram"] == forgetful["dram"],
        },
        "invalid_share": _invalid_share(fresh(), trial.generator),
    }


def _invalid_share(cost: CostModel, generator: np.random.Generator) -> float:
    """The share of a random plan's groups that a search must split."""
    groups = [group for _ in range(20) for group in random_plan(cost, generator)]
    return float(np.mean([not cost.is_valid(group) for group in groups]))


def large(config: OpFusionConfig, trial: Trial) -> Result:
    """NSGA-II on the network for which the largest saving is claimed, beside the exact optimum."""
    graph = network(config.large_network).graph
    found: dict[str, Any] = {}
    ways = (RANDOM, ALL, HALF, *EXPLAINERS)
    for way in ways:
        trial.report(f"NSGA-II with {way}", len(found), len(ways))

        def run(way: str = way) -> Result:
            cost = CostModel(graph, "lbdf", config.large_buffer_kb * KB)
            selector = selector_of(way, config, trial)
            return one_search(cost, "NSGA-II", selector, config.large_plans, trial.seed)

        found[way] = trial.kept(way, run)
    exact = CostModel(graph, "lbdf", config.large_buffer_kb * KB)
    return {"runs": found, "optimum": total_dram(optimal_plan(exact), exact)}
