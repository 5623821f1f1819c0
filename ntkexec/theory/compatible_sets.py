"""The largest set of templates that one state can match: branch and bound, and integer programming.

Most components are easy: of templates that exclude one another in pairs, and of slots of which so
many are occupied, a search proves the largest set in a millisecond. What it does not prove in its
number of visits goes to HiGHS, which takes half a second to be imported alone.
"""

import functools
import operator
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ntkexec.errors import CertificateError
from ntkexec.program.invariants import Invariants
from ntkexec.program.templates import Template

MOST_VISITS = 2_000
"""Sets that the search looks at before it gives up."""

MOST_TEMPLATES = 1_000
"""Larger components are not searched."""


class Shape(NamedTuple):
    """Conditions of templates, and what is assumed of the bits that they read, by places of bits.

    conditions: by template, pairs of a place and the required value.
    at_most: pairs of a bound and groups of places, of which so many may hold a 1.
    """

    conditions: tuple[tuple[tuple[int, bool], ...], ...]
    at_most: tuple[tuple[int, tuple[tuple[int, ...], ...]], ...]


def shape_of(templates: Sequence[Template], invariants: Invariants) -> Shape:
    """The shape of a component."""
    place: dict[int, int] = {}
    for template in templates:
        for bit, _ in template.condition:
            place.setdefault(bit, len(place))
    return Shape(
        tuple(
            tuple((place[bit], bool(value)) for bit, value in template.condition)
            for template in templates
        ),
        tuple(
            sorted(
                (one.bound, tuple(sorted(tuple(sorted(place[b] for b in g)) for g in one.groups)))
                for one in invariants.among(place)
            )
        ),
    )


def largest(shape: Shape, time_limit: float) -> tuple[int, bool]:
    """Size of the largest set of templates that one state can match, and whether it is proven.

    Args:
        shape: of a component.
        time_limit: seconds for integer programming; where they end it, its upper bound is taken.

    Raises:
        CertificateError: integer programming failed.
    """
    size = by_search(shape)
    return by_programme(shape, time_limit) if size is None else (size, True)


class _Budget(NamedTuple):
    """An invariant that more than pairs of templates can break.

    most: groups of bits that may hold a 1.
    groups: of every group, the templates that need a 1 in it, as a mask.
    """

    most: int
    groups: tuple[int, ...]


class _Node(NamedTuple):
    """A set of templates that match together, to be continued.

    size: of the set.
    left: templates that may join it, as a mask; whoever is in conflict with the set is not.
    used: of every budget, the groups that the set needs, as a mask.
    """

    size: int
    left: int
    used: tuple[int, ...]


def by_search(shape: Shape, most_visits: int = MOST_VISITS) -> int | None:
    """The size of the largest set by branch and bound; None if the search was given up.

    A set of templates matches together if no two of them ask a bit for different values and if its
    1s break no invariant: of free bits all can be 0. Sets are masks. The bound of what can still
    join a set is a cover by cliques of templates that exclude one another in pairs.
    """
    if len(shape.conditions) > MOST_TEMPLATES:
        return None
    conflicts, budgets, possible = _exclusions(shape)
    budgeted = functools.reduce(operator.or_, (g for b in budgets for g in b.groups), 0)
    best, nodes = 0, [_Node(0, possible, (0,) * len(budgets))]
    while nodes:
        node = nodes.pop()
        best = max(best, node.size)
        if not node.left or node.size + _bound(node, conflicts, budgets) <= best:
            continue
        if not most_visits:
            return None
        most_visits -= 1
        excluded = {t: (conflicts[t] & node.left).bit_count() for t in _members(node.left)}
        alone = sum(1 << t for t, number in excluded.items() if not number) & ~budgeted
        if alone:
            size = node.size + alone.bit_count()
            nodes.append(_Node(size, node.left & ~alone, node.used))
            continue
        chosen = min(excluded, key=excluded.__getitem__)
        rest = node.left & ~(1 << chosen)
        taken = _with(node, chosen, rest & ~conflicts[chosen], budgets)
        others = conflicts[chosen] & rest
        # Of templates that exclude one another one can match; if the chosen one asks for nothing
        # that others want, taking it is as good as any.
        if taken.used != node.used or not _is_clique(others, conflicts):
            nodes.append(_Node(node.size, rest, node.used))
        nodes.append(taken)
    return best


def _members(mask: int) -> Iterator[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _exclusions(shape: Shape) -> tuple[list[int], list[_Budget], int]:
    """Which templates exclude which, the budgets, and which templates can match at all."""
    number = len(shape.conditions)
    asking: dict[tuple[int, bool], int] = {}
    for index, condition in enumerate(shape.conditions):
        for literal in condition:
            asking[literal] = asking.get(literal, 0) | 1 << index
    conflicts = [0] * number
    for index, condition in enumerate(shape.conditions):
        for place, value in condition:
            conflicts[index] |= asking.get((place, not value), 0)
    budgets, possible = [], (1 << number) - 1
    for most, places in shape.at_most:
        groups = [0] * len(places)
        for position, group in enumerate(places):
            for place in group:
                groups[position] |= asking.get((place, True), 0)
        needs = [sum(mask >> index & 1 for mask in groups) for index in range(number)]
        possible &= ~sum(1 << index for index in range(number) if needs[index] > most)
        if most == 1:
            anywhere = sum({1 << i for i in range(number) if needs[i]})
            for mask in groups:
                for index in _members(mask):
                    conflicts[index] |= anywhere & ~mask
        elif most and sum(map(bool, groups)) > most:
            budgets.append(_Budget(most, tuple(filter(None, groups))))
    return conflicts, budgets, possible


def _with(node: _Node, chosen: int, left: int, budgets: Sequence[_Budget]) -> _Node:
    """The node with one more template, and without those that no budget allows any more."""
    used = []
    for budget, before in zip(budgets, node.used, strict=True):
        needed = sum(1 << g for g, mask in enumerate(budget.groups) if mask >> chosen & 1)
        now = before | needed
        used.append(now)
        free = budget.most - now.bit_count()
        # Templates that need one, two, ... groups, or more, beyond those in use.
        missing = [0] * (free + 1)
        for group, mask in enumerate(budget.groups):
            if now >> group & 1:
                continue
            above = mask & left
            for count in range(free + 1):
                above, missing[count] = above & missing[count], missing[count] | above
        left &= ~missing[free]
    return _Node(node.size + 1, left, tuple(used))


def _bound(node: _Node, conflicts: Sequence[int], budgets: Sequence[_Budget]) -> int:
    """More than so many templates cannot join a set."""
    smallest = _cover(node.left, conflicts)
    for budget, used in zip(budgets, node.used, strict=True):
        left, parts = node.left, []
        for group, mask in enumerate(budget.groups):
            if not used >> group & 1:
                parts.append(_cover(left & mask, conflicts))
                left &= ~mask
        free = budget.most - used.bit_count()
        of_free_groups = sum(sorted(parts, reverse=True)[:free])
        smallest = min(smallest, _cover(left, conflicts) + of_free_groups)
    return smallest


def _cover(left: int, conflicts: Sequence[int]) -> int:
    """A number of cliques that cover all, one after the other by greed."""
    number = 0
    while left:
        number += 1
        clique = left
        while clique:
            lowest = clique & -clique
            left ^= lowest
            clique &= conflicts[lowest.bit_length() - 1]
    return number


def _is_clique(mask: int, conflicts: Sequence[int]) -> bool:
    return all(mask & ~conflicts[index] == 1 << index for index in _members(mask))


def by_programme(shape: Shape, time_limit: float) -> tuple[int, bool]:
    """The same by integer programming (HiGHS), and whether it is proven, not an upper bound.

    Variables: a 0/1 for every bit that some condition reads, one for every template (its maximum
    is integral by itself), one for every group of an invariant.

    Raises:
        CertificateError: it failed.
    """
    from scipy import optimize, sparse  # here, since most components do without

    num_templates = len(shape.conditions)
    num_bits = len({bit for condition in shape.conditions for bit, _ in condition})
    if num_bits == 0:
        return num_templates, True  # nothing is asked, and all match
    num_columns = num_bits + num_templates + sum(len(groups) for _, groups in shape.at_most)
    rows: list[tuple[dict[int, float], float]] = []  # (coefficients, upper bound)
    for index, condition in enumerate(shape.conditions):
        column = num_bits + index
        for bit, value in condition:
            sign = -1.0 if value else 1.0
            rows.append(({column: 1.0, bit: sign}, 0.0 if value else 1.0))
    column = num_bits + num_templates
    for bound, groups in shape.at_most:
        occupied: dict[int, float] = {}
        for group in groups:
            rows += [({bit: 1.0, column: -1.0}, 0.0) for bit in group]
            occupied[column] = 1.0
            column += 1
        rows.append((occupied, float(bound)))
    entries = [(r, c, v) for r, (row, _) in enumerate(rows) for c, v in row.items()]
    row_index, column_index, coefficients = zip(*entries, strict=True) if entries else ((), (), ())
    matrix = sparse.csr_array(
        (coefficients, (row_index, column_index)), shape=(len(rows), num_columns)
    )
    is_template = (np.arange(num_columns) >= num_bits) & (
        np.arange(num_columns) < num_bits + num_templates
    )
    result = optimize.milp(
        -is_template.astype(float),
        integrality=~is_template,
        bounds=optimize.Bounds(0, 1),
        constraints=optimize.LinearConstraint(matrix, ub=[upper for _, upper in rows]),
        # The default gap would let a large component end a little below its maximum.
        options={"time_limit": time_limit, "mip_rel_gap": 0},
    )
    if result.status == 0:
        return round(-result.fun), True
    if result.status != 1:
        raise CertificateError(f"integer programming failed: {result.message}")
    if result.mip_dual_bound is None or not np.isfinite(result.mip_dual_bound):
        return num_templates, False
    return min(num_templates, int(np.floor(-result.mip_dual_bound + 1e-6))), False
