"""What is measured of operator fusion: predictors of validity, searches with explainers, and optima."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TypedDict

import jax
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.systems.op_fusion.cost import KB, CostModel, Fusion
from experiments.systems.op_fusion.exact import OutOfReachError, optimal_plan
from experiments.systems.op_fusion.graph import chain
from experiments.systems.op_fusion.networks import NETWORKS, network
from experiments.systems.op_fusion.plan import check_plan, random_groups, total_dram
from experiments.systems.op_fusion.predictor import (
    LARGEST,
    Example,
    Predictor,
    example,
    fit_predictor,
    scores,
    summed_features,
)
from experiments.systems.op_fusion.search import SEARCHES
from experiments.systems.op_fusion.selectors import EXPLAINERS, SPLITTERS, invalid_ones
from experiments.systems.op_fusion.splitting import (
    RandomSplitter,
    Selector,
    TreeSplitter,
    all_edges,
)

SMALL = ("vgg16", "squeezenet", "mobilenet-v2", "resnet-18")
WAYS = ("none", "all edges", "random half", *EXPLAINERS)
"""What names the edges along which groups are cut; "none" cuts at random."""
COUNTEREXAMPLE = (chain([450, 500, 500, 450], [1, 1, 400, 1, 1]), 1450)
"""A chain and a buffer for which a cut into two is dearer than one into three."""


@dataclasses.dataclass(frozen=True)
class OpFusionConfig:
    """Sizes of all studies.

    Args:
        zoo: networks whose best plans are found.
        zoo_buffer_kb: their buffer.
        networks: from which groups are drawn, for predictors under LBDF.
        brr_networks: the same for BRR, which squeeze and excitation does not suit.
        buffers_kb: buffers of the predictor's groups under LBDF, rising.
        brr_buffers_kb: the same under BRR, which needs less.
        groups: drawn for each network and buffer.
        steps: of training a predictor.
        hidden: width of a predictor.
        layers: of a predictor.
        explainer_steps: of training PGExplainer and RG-Explainer; GNNExplainer fits a mask for a quarter.
        search_network: where searches and explainers are compared.
        search_buffer_kb: its buffer.
        plans: that every search looks at.
        large_network: where the largest saving is claimed.
        large_buffer_kb: its buffer.
        large_plans: that NSGA-II looks at there.
    """

    zoo: tuple[str, ...] = tuple(NETWORKS)
    zoo_buffer_kb: int = 256
    networks: tuple[str, ...] = (*SMALL, "efficientnet-b0")
    brr_networks: tuple[str, ...] = SMALL
    buffers_kb: tuple[int, ...] = (128, 256, 512, 1024, 2048)
    brr_buffers_kb: tuple[int, ...] = (32, 64, 128, 256)
    groups: int = 80
    steps: int = 500
    hidden: int = 32
    layers: int = 4
    explainer_steps: int = 200
    search_network: str = "mobilenet-v2"
    search_buffer_kb: int = 128
    plans: int = 50
    large_network: str = "efficientnet-b3"
    large_buffer_kb: int = 256
    large_plans: int = 40

    def __post_init__(self) -> None:
        check_types(self)
        counts = {
            f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self) if f.type is int
        }
        named = {
            name: bool(getattr(self, name)) and set(getattr(self, name)) <= set(NETWORKS)
            for name in ("zoo", "networks", "brr_networks")
        }
        require(
            self,
            **counts,
            **named,
            buffers_kb=len(self.buffers_kb) > 2 and min(self.buffers_kb) > 0,
            brr_buffers_kb=bool(self.brr_buffers_kb) and min(self.brr_buffers_kb) > 0,
            search_network=self.search_network in NETWORKS,
            large_network=self.large_network in NETWORKS,
        )


QUICK = OpFusionConfig()
STANDARD = OpFusionConfig(
    networks=(*QUICK.networks, "resnet-50", "efficientnet-b3"),
    brr_networks=(*QUICK.brr_networks, "resnet-50"),
    groups=300,
    steps=3000,
    hidden=128,
    explainer_steps=500,
    plans=500,
    large_plans=500,
)
FULL = dataclasses.replace(
    STANDARD,
    networks=(*QUICK.networks, "resnet-101", "efficientnet-b3"),
    groups=1500,
    steps=20_000,
    explainer_steps=3000,
    plans=2000,
    large_plans=5000,
)
TINY = OpFusionConfig(
    zoo=("squeezenet", "resnet-18"),
    networks=("squeezenet", "resnet-18"),
    brr_networks=("squeezenet",),
    buffers_kb=(128, 256, 512),
    brr_buffers_kb=(64,),
    groups=24,
    steps=5,
    hidden=4,
    layers=1,
    explainer_steps=5,
    search_network="squeezenet",
    plans=12,
    large_network="squeezenet",
    large_plans=10,
)


class OptimumResult(TypedDict):
    """Best plans of whole networks; a chain on which the greedy tree is not optimal."""

    plans: dict[str, dict[str, int]]
    unsolved: int
    greedy: int
    best: int
    greedy_over_best: float


def optimum(config: OpFusionConfig, trial: Trial) -> OptimumResult:
    """Best plans of whole networks under LBDF, and greedy against optimal on a chain of four."""
    plans = {}
    for place, name in enumerate(config.zoo):
        trial.report(f"best plan of {name}", place, len(config.zoo))
        if found := _best(name, config.zoo_buffer_kb):
            plans[name] = found
    graph, buffer = COUNTEREXAMPLE
    cost = CostModel(graph, "lbdf", buffer)
    split = TreeSplitter(cost, all_edges, trial.generator)
    greedy, best = (
        total_dram(plan, cost) for plan in (split(graph.everything), optimal_plan(cost))
    )
    return {
        "plans": plans,
        "unsolved": len(config.zoo) - len(plans),
        "greedy": greedy,
        "best": best,
        "greedy_over_best": greedy / best,
    }


@functools.cache
def _best(name: str, buffer_kb: int) -> dict[str, int]:
    """The best plan of a network, which no seed changes; empty if it is out of reach."""
    cost = CostModel(network(name).graph, "lbdf", buffer_kb * KB)
    try:
        plan = optimal_plan(cost)
    except OutOfReachError:
        return {}
    check_plan(plan, cost)
    sizes = {"groups": len(plan), "operators": cost.fusable().bit_count()}
    return {"dram": total_dram(plan, cost), **sizes}


@functools.lru_cache(maxsize=2)
def _trained(
    config: OpFusionConfig, fusion: Fusion, seed: int
) -> tuple[Predictor, tuple[Example, ...], tuple[Example, ...]]:
    """A predictor, the groups that it was trained on, and those that it was not.

    It depends on the seed alone, so that the studies of one seed explain the one that was tested.
    """
    generator = np.random.default_rng([seed, 1])
    lbdf = fusion == "lbdf"
    data = []
    for name in config.networks if lbdf else config.brr_networks:
        for buffer in config.buffers_kb if lbdf else config.brr_buffers_kb:
            cost = CostModel(network(name).graph, fusion, buffer * KB)
            groups = random_groups(cost, config.groups, generator, largest=LARGEST)
            data += [example(cost, group) for group in groups]
    shuffled = [data[i] for i in generator.permutation(len(data))]
    num_train = len(data) * 9 // 10
    train_set, test_set = tuple(shuffled[:num_train]), tuple(shuffled[num_train:])
    predictor = fit_predictor(
        train_set,
        key=jax.random.key(seed),
        generator=generator,
        steps=config.steps,
        hidden=config.hidden,
        layers=config.layers,
        batch_size=min(64, num_train),
    )
    return predictor, train_set, test_set


class ValidityResult(TypedDict):
    """Scores of predictions by type of fusion and predictor; shares of valid groups by buffer."""

    lbdf: dict[str, dict[str, float]]
    brr: dict[str, dict[str, float]]
    buffers_kb: Sequence[int]
    valid: list[float]
    first_gain: float
    last_gain: float


def validity(config: OpFusionConfig, trial: Trial) -> ValidityResult:
    """How well it is predicted on groups held out, by the graph network and by what knows no graph;
    and which share of groups is valid at each buffer."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    fusions: tuple[Fusion, ...] = ("lbdf", "brr")
    for place, fusion in enumerate(fusions):
        trial.report(f"predicting validity under {fusion}", place, 2)
        predictor, train_set, test_set = _trained(config, fusion, trial.seed)
        truth, seen = (np.array([e.invalid for e in part]) for part in (test_set, train_set))
        model = make_pipeline(StandardScaler(), LogisticRegression(C=100.0, max_iter=2000))
        model.fit(summed_features(train_set), seen)
        predicted = {
            "gnn": predictor(test_set) > 0.5,
            "logistic": model.predict(summed_features(test_set)).astype(bool),
            "majority": np.full(len(truth), seen.mean() > 0.5),
        }
        found[fusion] = {way: scores(truth, guess) for way, guess in predicted.items()}
    memories = []
    for name in config.networks:
        cost = CostModel(network(name).graph, "lbdf", min(config.buffers_kb) * KB)
        groups = random_groups(cost, config.groups, trial.generator)
        memories += [cost(group).memory for group in groups]
    valid = [float(np.mean(np.array(memories) < kb * KB)) for kb in config.buffers_kb]
    return {
        "lbdf": found["lbdf"],
        "brr": found["brr"],
        "buffers_kb": config.buffers_kb,
        "valid": valid,
        "first_gain": valid[1] - valid[0],
        "last_gain": valid[-1] - valid[-2],
    }


@functools.lru_cache(maxsize=1)
def _explainers(config: OpFusionConfig, seed: int) -> Mapping[str, Selector]:
    """The three explainers of the predictor that belongs to the seed, trained."""
    predictor, train_set, _ = _trained(config, "lbdf", seed)
    items = invalid_ones(train_set)
    keys = jax.random.split(jax.random.key(seed), len(EXPLAINERS))
    return {
        name: make(predictor, items, key, config.explainer_steps)
        for (name, make), key in zip(EXPLAINERS.items(), keys, strict=True)
    }


class SearchesResult(TypedDict):
    """What searches found, by search and by what named the edges.

    Args:
        optimum: least DRAM of any plan.
        dram: of the best plan found.
        efficiency: the optimum over that: 1 is the best that there is.
        rectified: share of the invalid groups that the tree split without falling back on chance.
    """

    optimum: int
    dram: dict[str, dict[str, int]]
    efficiency: dict[str, dict[str, float]]
    rectified: dict[str, dict[str, float]]


def searches(config: OpFusionConfig, trial: Trial) -> SearchesResult:
    """Every search with every way to name edges, on one network."""
    size = (config.search_network, config.search_buffer_kb, config.plans)
    return _compared(config, trial, size, tuple(SEARCHES))


def large(config: OpFusionConfig, trial: Trial) -> SearchesResult:
    """NSGA-II on the network for which the largest saving is claimed."""
    size = (config.large_network, config.large_buffer_kb, config.large_plans)
    return _compared(config, trial, size, ("nsga-ii",))


def _compared(
    config: OpFusionConfig, trial: Trial, size: tuple[str, int, int], names: Sequence[str]
) -> SearchesResult:
    which, buffer_kb, plans = size
    graph = network(which).graph

    def run(search: str, way: str) -> dict[str, float]:
        """One search; all ways start from the same randomness."""
        cost = CostModel(graph, "lbdf", buffer_kb * KB)
        splits = np.random.default_rng([trial.seed, 2])
        explained = way in EXPLAINERS
        select = _explainers(config, trial.seed)[way] if explained else SPLITTERS[way](splits)
        chance = RandomSplitter(cost, splits)
        tree = None if select is None else TreeSplitter(cost, select, splits)
        plan = SEARCHES[search](
            cost, chance if tree is None else tree, plans, np.random.default_rng([trial.seed, 3])
        ).plan
        check_plan(plan, cost)
        by_chance = len(tree.by_chance) / max(1, len(tree.whole)) if tree else 0.0
        return {"dram": total_dram(plan, cost), "rectified": 1 - by_chance}

    best = _best(which, buffer_kb)["dram"]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for search in names:
        for place, way in enumerate(WAYS):
            trial.report(f"{search} search with {way}", place, len(WAYS))
            kept = trial.kept(f"{search} {way}", functools.partial(run, search, way))
            found.setdefault(search, {})[way] = dict(kept)
    return {
        "optimum": best,
        "dram": {s: {w: int(v["dram"]) for w, v in row.items()} for s, row in found.items()},
        "efficiency": {
            s: {w: best / v["dram"] for w, v in row.items()} for s, row in found.items()
        },
        "rectified": {s: {w: v["rectified"] for w, v in row.items()} for s, row in found.items()},
    }


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD, "full": FULL},
    tiny=TINY,
    functions={"optimum": optimum, "validity": validity, "searches": searches, "large": large},
    num_seeds=5,
    slow=("validity", "searches", "large"),
)
