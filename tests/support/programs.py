"""Random layouts, programs and states, programs with a known worst state, and the naive semantics.

Everything here is a second route: it walks over the declared fields and templates one by one and
shares no code with the arrays of the library.
"""

import itertools
import os
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from ntkexec.program.fields import Code, OneHot, Table
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import Template
from ntkexec.testing import layouts, small_programs

__all__ = ["layouts", "small_programs"]  # and what is defined here

# Derandomised: every run checks the same examples, so a failure in CI is one on every machine.
# The full run of `.ci/run` tries more.
EXAMPLES = int(os.environ.get("NTKEXEC_EXAMPLES", "50"))
MANY = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
FEW = settings(max_examples=25, deadline=None, derandomize=True, database=None)

# beartype, where the type-checking hook is on, picks the items that it checks by `random`, also of
# what is built inside a strategy; hypothesis warns of that, and warnings are errors.
TYPE_CHECKED_STRATEGIES = pytest.mark.filterwarnings("ignore:Do not use the .random. module")


# Layouts and values.


def fields_with_columns(layout: Layout) -> list[tuple[str, object, Table | None, list[list[int]]]]:
    """Path, leaf, table and one list of columns a slot, by counting from the left."""
    found, start = [], 0
    for field in (*layout.computation, *layout.messages):
        table = field if isinstance(field, Table) else None
        leaves = field.fields if table else (field,)
        columns: list[list[list[int]]] = [[] for _ in leaves]
        for _ in range(table.slots if table else 1):
            for position, leaf in enumerate(leaves):
                columns[position].append(list(range(start, start + leaf.num_bits)))
                start += leaf.num_bits
        for position, leaf in enumerate(leaves):
            path = f"{table.name}.{leaf.name}" if table else leaf.name
            found.append((path, leaf, table, columns[position]))
    return found


def is_valid(layout: Layout, state: Iterable[bool]) -> bool:
    """Whether one-hot fields hold at most one choice and tables at most `occupied` slots."""
    state = list(state)
    used: dict[str, set[int]] = {}
    for _, leaf, table, slots in fields_with_columns(layout):
        for slot, columns in enumerate(slots):
            ones = sum(bool(state[column]) for column in columns)
            if isinstance(leaf, OneHot) and ones > 1:
                return False
            if table and ones:
                used.setdefault(table.name, set()).add(slot)
    tables = [
        field for field in (*layout.computation, *layout.messages) if isinstance(field, Table)
    ]
    return all(
        table.occupied is None or len(used.get(table.name, ())) <= table.occupied
        for table in tables
    )


@st.composite
def layouts_with_values(draw: st.DrawFn, max_bits: int = 20) -> tuple[Layout, int, dict]:
    """A layout, a number of nodes, and values of every field that respect `occupied`."""
    layout, num_nodes = draw(layouts(max_bits)), draw(st.integers(1, 3))
    used: dict[tuple[str, int], list[bool]] = {}
    values = {}
    for path, leaf, table, slots in fields_with_columns(layout):
        low, high = leaf.value_range
        shape = (num_nodes, len(slots)) if table else (num_nodes,)
        array = np.zeros(shape, np.int64)
        for index in np.ndindex(shape):
            free = True
            if table and table.occupied is not None:
                key = (table.name, index[0])
                if key not in used:
                    order = draw(st.permutations(range(table.slots)))
                    used[key] = [slot in order[: table.occupied] for slot in range(table.slots)]
                free = used[key][index[1]]
            empty = -1 if isinstance(leaf, OneHot | Code) else 0
            array[index] = draw(st.integers(low, high)) if free else empty
        values[path] = array
    return layout, num_nodes, values


# Naive semantics.


def all_states(num_bits: int) -> np.ndarray:
    """Every assignment of the bits, shape (2^bits, bits)."""
    return np.array(list(itertools.product((False, True), repeat=num_bits)), bool)


def valid_states(layout: Layout) -> np.ndarray:
    return np.array([state for state in all_states(layout.num_bits) if is_valid(layout, state)])


def keeps(invariants, states):
    """Which states keep all of some invariants, by counting."""
    good = np.ones(len(states), bool)
    for one in invariants:
        used = np.stack([states[:, list(group)].any(axis=1) for group in one.groups])
        good &= used.sum(axis=0) <= one.bound
    return good


def is_matched(entry: Template, state: Iterable[bool]) -> bool:
    state = list(state)
    return all(bool(state[bit]) == value for bit, value in entry.condition)


def matched_table(program: Program, states: np.ndarray) -> np.ndarray:
    """Which template matches which state, shape (states, templates)."""
    columns = []
    for entry in program.templates:
        matched = np.ones(len(states), bool)
        for bit, value in entry.condition:
            matched &= states[:, bit] == value
        columns.append(matched)
    return np.stack(columns, axis=1)


def written_table(program: Program) -> np.ndarray:
    """Which template writes which bit, shape (templates, bits)."""
    table = np.zeros((len(program.templates), program.layout.num_bits), bool)
    for index, entry in enumerate(program.templates):
        for bit in entry.outputs:
            table[index, bit] = True
    return table


# Kernel regression, solved as a linear system rather than by the library's closed form.


def _kernels(cosine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """NTK and NNGP of a two-layer ReLU network at unit inputs, without the factor 1 / n0."""
    angle = np.arccos(np.clip(cosine, -1, 1))
    kappa_0 = (np.pi - angle) / np.pi
    kappa_1 = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
    return (kappa_1 + cosine * kappa_0) / 2, kappa_1 / 2


def regression(problem: LearningProblem, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances of every bit, (states, bits) both, of the NTK Gaussian process.

    Every component's training set is interpolated by solving with its Gram matrix.
    """
    shape = (len(states), problem.program.layout.num_bits)
    means, variances = np.zeros(shape), np.zeros(shape)
    matched, written = matched_table(problem.program, states), written_table(problem.program)
    for index, component in enumerate(problem.components):
        templates, bits = list(component.templates), list(component.bits)
        n0 = int(problem.num_inputs[index])
        targets = np.zeros((n0, len(bits)))
        targets[: len(templates)] = written[np.ix_(templates, bits)]
        inputs = np.zeros((len(states), n0))
        inputs[:, : len(templates)] = matched[:, templates]
        norms = np.linalg.norm(inputs, axis=1, keepdims=True)
        some = norms[:, 0] > 0  # without a match the output is 0 whatever the weights
        ntk, nngp = _kernels(np.eye(n0))
        ntk_cross, nngp_cross = _kernels(inputs[some] / norms[some])
        weights = np.linalg.solve(ntk, ntk_cross.T).T
        spread = 0.5 + ((weights @ nngp - 2 * nngp_cross) * weights).sum(axis=1)
        where = np.ix_(some, bits)
        means[where] = weights @ targets
        variances[where] = np.maximum(spread, 0)[:, None] / n0
    return means, variances


def expected_bits(program: Program, states: np.ndarray) -> np.ndarray:
    """One update, before messages are exchanged: which bits some matched template writes."""
    return matched_table(program, states).astype(int) @ written_table(program) > 0
