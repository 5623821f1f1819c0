"""Searches for a plan with little DRAM traffic; every group that does not fit is split at once."""

import dataclasses
from collections.abc import Callable

import numpy as np

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.graph import Group, members
from experiments.systems.op_fusion.plan import (
    Plan,
    contract,
    edit,
    fusable_edges,
    random_plan,
    total_dram,
)
from ntkexec.errors import MissingExtraError

Splitter = Callable[[Group], Plan]
POPULATION = 10


@dataclasses.dataclass(frozen=True)
class Found:
    """The best plan of a search.

    Args:
        plan: its groups, all of which fit.
        dram: bytes that it moves.
        history: the best so far after each plan that was looked at.
    """

    plan: Plan
    dram: int
    history: tuple[int, ...]


class _Best:
    """Repairs and prices plans, and keeps the best."""

    def __init__(self, cost: CostModel, split: Splitter) -> None:
        self.cost, self.split = cost, split
        self.plan: Plan = ()
        self.history: list[int] = []

    def __call__(self, plan: Plan) -> tuple[Plan, int]:
        repaired = tuple(part for group in plan for part in self.split(group))
        dram = total_dram(repaired, self.cost)
        if not self.history or dram < self.history[-1]:
            self.plan = repaired
        self.history.append(min(dram, self.history[-1] if self.history else dram))
        return repaired, dram

    def found(self) -> Found:
        return Found(self.plan, self.history[-1], tuple(self.history))


def random_search(
    cost: CostModel, split: Splitter, num_plans: int, generator: np.random.Generator
) -> Found:
    """The best of independent random plans (RS)."""
    best = _Best(cost, split)
    for _ in range(num_plans):
        best(random_plan(cost, generator))
    return best.found()


def local_search(
    cost: CostModel, split: Splitter, num_plans: int, generator: np.random.Generator
) -> Found:
    """The best of a population whose members are edited; the ten best survive (LS)."""
    best = _Best(cost, split)
    people = [best(random_plan(cost, generator)) for _ in range(min(POPULATION, num_plans))]
    while len(best.history) < num_plans:
        children = [
            best(edit(plan, cost, generator)) for plan, _ in people[: num_plans - len(best.history)]
        ]
        unique = {frozenset(plan): (plan, dram) for plan, dram in (*people, *children)}
        people = sorted(unique.values(), key=lambda item: item[1])[:POPULATION]
    return best.found()


def nsga2(
    cost: CostModel, split: Splitter, num_plans: int, generator: np.random.Generator
) -> Found:
    """The best plan for DRAM on the way of NSGA-II over DRAM and on-chip memory.

    A plan is one bit for each edge: whether it is fused. Fusing goes in topological order and leaves
    out edges that would close a circle. A repaired plan writes its bits back.

    Raises:
        MissingExtraError: if pymoo is not installed.
    """
    try:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.problem import ElementwiseProblem
        from pymoo.core.repair import Repair
        from pymoo.operators.crossover.ux import UniformCrossover
        from pymoo.operators.mutation.bitflip import BitflipMutation
        from pymoo.optimize import minimize
    except ImportError as error:
        raise MissingExtraError("NSGA-II needs pymoo: install ntkexec[experiments]") from error
    edges = fusable_edges(cost)
    best = _Best(cost, split)
    known: dict[bytes, tuple[Plan, int]] = {}

    def bits(plan: Plan) -> np.ndarray:
        owner = {v: place for place, group in enumerate(plan) for v in members(group)}
        return np.array([owner[u] == owner[v] for u, v in edges])

    class Repaired(Repair):
        def _do(self, problem: object, X: np.ndarray, **_: object) -> np.ndarray:
            rows = []
            for row in X:
                chosen = [edge for edge, fused in zip(edges, row, strict=True) if fused]
                plan, dram = best(contract(cost, chosen))
                rows.append(bits(plan))
                known[rows[-1].tobytes()] = (plan, dram)
            return np.array(rows)

    class Problem(ElementwiseProblem):
        def __init__(self) -> None:
            super().__init__(n_var=len(edges), n_obj=2, xl=0, xu=1, vtype=bool)

        def _evaluate(self, x: np.ndarray, out: dict[str, object], **_: object) -> None:
            plan, dram = known[np.asarray(x, bool).tobytes()]
            out["F"] = [dram, max(cost(group).memory for group in plan)]

    start = [bits(random_plan(cost, generator)) for _ in range(POPULATION)]
    algorithm = NSGA2(
        pop_size=POPULATION,
        sampling=np.array(start),
        crossover=UniformCrossover(),
        mutation=BitflipMutation(),
        repair=Repaired(),
        # Duplicates would otherwise be drawn again, without end where there are few plans.
        eliminate_duplicates=False,
    )
    minimize(
        Problem(),
        algorithm,
        ("n_gen", max(1, num_plans // POPULATION)),
        seed=int(generator.integers(2**31)),
    )
    return best.found()


Search = Callable[[CostModel, Splitter, int, np.random.Generator], Found]
SEARCHES: dict[str, Search] = {"random": random_search, "local": local_search, "nsga-ii": nsga2}
"""The paper's RS, LS and NSGA-II, by what users call them."""
