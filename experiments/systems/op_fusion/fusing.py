"""Fusing a JAX function: from the function to a plan within a buffer, and why it is split as it is."""

import dataclasses
from collections.abc import Callable, Collection, Iterable
from typing import Any

import jax
import numpy as np

from experiments.systems.op_fusion.cost import CostModel, Fusion
from experiments.systems.op_fusion.exact import OutOfReachError, optimal_plan
from experiments.systems.op_fusion.graph import OpGraph, members
from experiments.systems.op_fusion.plan import (
    Plan,
    PlanError,
    Quotient,
    check_plan,
    fusable_edges,
    total_dram,
)
from experiments.systems.op_fusion.search import SEARCHES
from experiments.systems.op_fusion.selectors import EXPLAINERS, SPLITTERS, selector_for
from experiments.systems.op_fusion.splitting import RandomSplitter, TreeSplitter
from experiments.systems.op_fusion.tracing import trace
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class FusedGroup:
    """Operators that share the buffer.

    Args:
        operators: their numbers in the graph.
        kinds: what they are.
        memory: bytes on chip that they need.
        dram: bytes that they move.
        bands: pieces of the last feature map, 1 under LBDF.
        reason: why a search made it a group of its own; empty in an exact plan, whose borders say all.
    """

    operators: tuple[int, ...]
    kinds: tuple[str, ...]
    memory: int
    dram: int
    bands: int
    reason: str


@dataclasses.dataclass(frozen=True)
class Border:
    """Two groups, one of which reads what the other writes, and why they are not one.

    Args:
        groups: their places in the order of execution.
        memory: bytes on chip that both together would need.
        saving: bytes of DRAM that fusing them would save.
        reason: in words.
    """

    groups: tuple[int, int]
    memory: int
    saving: int
    reason: str


@dataclasses.dataclass(frozen=True)
class FusionPlan:
    """How a function's operators are fused; `str` says it in words, `to_data` for JSON.

    Args:
        graph: the operators.
        fusion: "lbdf" or "brr".
        buffer: bytes on chip; a group needs strictly less.
        search: that found it.
        explainer: that named the edges to cut.
        groups: in the order of execution.
        apart: operators that do not fit even alone: executed apart, their DRAM is not counted.
        borders: between groups that meet.
        before: bytes moved if each operator is executed alone.
        after: bytes that the plan moves.
        optimum: bytes that the best plan moves; none where it is out of reach.
        problem: what is wrong with the plan; empty if it is valid.
    """

    graph: OpGraph = dataclasses.field(repr=False)
    fusion: Fusion
    buffer: float
    search: str
    explainer: str
    groups: tuple[FusedGroup, ...]
    apart: tuple[int, ...]
    borders: tuple[Border, ...]
    before: int
    after: int
    optimum: int | None
    problem: str = ""

    @property
    def valid(self) -> bool:
        """Whether groups are disjoint, connected, complete, can be ordered and fit."""
        return not self.problem

    @property
    def saving(self) -> float:
        """The share of DRAM traffic that fusing saves."""
        return 1 - self.after / self.before

    def to_data(self) -> dict[str, Any]:
        """The plan for JSON; of the graph, the operators' kinds and edges."""
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        kinds = [op.kind for op in self.graph.ops]
        graph = {"kinds": kinds, "edges": [list(edge) for edge in self.graph.edges]}
        groups, borders = (
            [dataclasses.asdict(one) for one in parts] for parts in (self.groups, self.borders)
        )
        return {
            **found,
            **{"graph": graph, "groups": groups, "borders": borders, "apart": list(self.apart)},
            **{"valid": self.valid, "saving": self.saving},
        }

    def __str__(self) -> str:
        known = "out of reach" if self.optimum is None else f"{self.optimum:,}"
        lines = [
            f"operators: {len(self.graph)}, groups: {len(self.groups)} ({self.fusion}, buffer "
            f"{self.buffer:,} bytes, search {self.search}, explainer {self.explainer})",
            f"DRAM {self.after:,} bytes, {self.before:,} before ({-self.saving:+.0%}); optimum {known}",
            f"valid: {self.problem or 'yes'}",
        ]
        for place, group in enumerate(self.groups):
            sizes = f"{group.memory:,} on chip, {group.dram:,} moved"
            lines.append(f"{place}: {' '.join(group.kinds)}: {sizes}; {group.reason}".rstrip("; "))
        lines += ["{}|{}: ".format(*border.groups) + border.reason for border in self.borders]
        if self.apart:
            named = ", ".join(f"{self.graph.ops[v].kind} ({v})" for v in self.apart)
            lines.append(f"too large for the buffer, executed apart: {named}")
        return "\n".join(lines)


def fuse(
    function: Callable[..., Any],
    *args: Any,
    buffer: float,
    weights: int | Collection[int] | None = None,
    fusion: Fusion = "lbdf",
    search: str = "best",
    explainer: str = "occlusion",
    plans: int = 100,
    element_bytes: int | None = None,
    seed: int = 0,
) -> FusionPlan:
    """A plan of which operators of a function share an on-chip buffer, with little DRAM traffic.

    Args:
        function: any JAX function; it is traced, nothing is computed.
        args: its arguments, pytrees of arrays or `jax.ShapeDtypeStruct`s; what is no array belongs
            into a `functools.partial`. See `trace` for what their rows are.
        buffer: bytes on chip; a group needs strictly less.
        weights: which arguments are weights, by position: they stay the same for all inputs. By
            default the first of several, none of one.
        fusion: "lbdf" (line buffers, weights on chip) or "brr" (band by band).
        search: "exact", "random", "local" or "nsga-ii"; "best" is exact where that is within reach,
            else local.
        explainer: what names the edges along which a search cuts a group that does not fit: "gnn", "pg"
            or "rg" (a predictor of validity is trained on groups of this function first, which takes
            a minute), "occlusion", "all edges", "random half"; "none" cuts at random.
        plans: that a search looks at.
        element_bytes: of one number; by default those of the widest input.
        seed: of the search and of training.

    Returns:
        The plan, with the exact optimum beside where that is within reach.

    Raises:
        ExperimentError: names the value that is not one of those, or the least bytes that an operator
            needs if none fits.
        OutOfReachError: if the exact search was asked for and there are too many parallel branches.
    """
    _require("search", search, ("best", "exact", *SEARCHES))
    _require("explainer", explainer, (*SPLITTERS, *EXPLAINERS))
    if isinstance(buffer, bool) or not isinstance(buffer, int | float | np.number):
        raise ExperimentError(f"a buffer is a number of bytes, and {buffer!r} is none")
    if not isinstance(plans, int) or plans < 1:
        raise ExperimentError(f"a search cannot look at {plans!r} plans, but at 1 or more")
    if weights is None:
        weights = (0,) if len(args) > 1 else ()
    kept = sorted({weights} if isinstance(weights, int) else set(weights))
    if unknown := set(kept) - set(range(len(args))):
        raise ExperimentError(
            f"argument {min(unknown)} cannot be weights: there are {len(args)} arguments"
        )
    inputs = [place for place in range(len(args)) if place not in kept]

    def ordered(held: tuple[Any, ...], *given: Any) -> Any:
        back = dict(zip((*kept, *inputs), (*held, *given), strict=True))
        return function(*(back[place] for place in range(len(args))))

    graph = trace(ordered, tuple(args[i] for i in kept), *(args[i] for i in inputs))
    if element_bytes is None:
        shapes = jax.eval_shape(lambda *given: given, *(args[i] for i in inputs))
        element_bytes = max(leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
    cost = CostModel(graph, fusion, buffer, element_bytes=element_bytes)
    if not cost.fusable():
        least = min(cost(1 << v).memory for v in range(len(graph)))
        raise ExperimentError(
            f"a buffer of {buffer:,} bytes holds no operator: the smallest needs more than {least:,}"
        )
    best = None
    try:
        best = optimal_plan(cost)
    except OutOfReachError:
        if search == "exact":
            raise
    reasons: dict[int, str] = {}
    if search == "best":
        search = "local" if best is None else "exact"
    if search == "exact" and best is not None:
        plan, explainer = best, "none"
    else:
        generator = np.random.default_rng([seed, 0])
        selector = selector_for(explainer, cost, generator, jax.random.key(seed))
        split: Any = (
            RandomSplitter(cost, generator)
            if selector is None
            else TreeSplitter(cost, selector, generator)
        )
        plan = SEARCHES[search](cost, split, plans, np.random.default_rng([seed, 1])).plan
        reasons = split.reasons
    optimum = None if best is None else total_dram(best, cost)
    return _described(plan, cost, reasons, search, explainer, optimum)


def _require(name: str, found: str, words: Iterable[str]) -> None:
    if found not in words:
        raise ExperimentError(f"{name} cannot be {found!r}, but {', '.join(words)}")


def _described(
    plan: Plan,
    cost: CostModel,
    reasons: dict[int, str],
    search: str,
    explainer: str,
    optimum: int | None,
) -> FusionPlan:
    graph, fusable = cost.graph, cost.fusable()
    quotient = Quotient(graph, plan)
    order = [index for index in quotient.order() if index < len(plan)]
    place = {index: i for i, index in enumerate(order)}
    groups = []
    for index in order:
        group, price = plan[index], cost(plan[index])
        ops = tuple(members(group))
        kinds = tuple(graph.ops[v].kind for v in ops)
        reason = reasons.get(group, "" if search == "exact" else f"as the {search} search drew it")
        groups.append(FusedGroup(ops, kinds, price.memory, price.dram, price.bands, reason))
    met = {(quotient.owner[u], quotient.owner[v]) for u, v in fusable_edges(cost)}
    borders = []
    for one, other in sorted(met, key=lambda pair: (place[pair[0]], place[pair[1]])):
        if one != other:
            both = cost(plan[one] | plan[other])
            saving = cost(plan[one]).dram + cost(plan[other]).dram - both.dram
            if not quotient.can_merge(one, other):
                reason = "another group must be executed between them"
            elif both.memory >= cost.buffer:
                reason = f"together they need {both.memory:,} bytes, which do not fit"
            else:
                reason = f"together they would fit, and save {saving:,} bytes"
            borders.append(Border((place[one], place[other]), both.memory, saving, reason))
    try:
        check_plan(plan, cost)
        problem = ""
    except PlanError as error:
        problem = str(error)
    return FusionPlan(
        graph=graph,
        fusion=cost.fusion,
        buffer=cost.buffer,
        search=search,
        explainer=explainer,
        groups=tuple(groups),
        apart=tuple(members(graph.everything & ~fusable)),
        borders=tuple(borders),
        before=total_dram((1 << v for v in members(fusable)), cost),
        after=total_dram(plan, cost),
        optimum=optimum,
        problem=problem,
    )
