"""The first step of an update: which templates a state matches, and how many write each bit.

States and matches are held bit-major, (bits, nodes): a template's condition then gathers whole
rows, which is many times faster on a CPU than picking single bits of every node.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Integer, Num

from ntkexec.program.problem import LearningProblem, ragged_to_padded
from ntkexec.runtime.devices import put


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Matches:
    """What an engine needs to know of the states of n nodes.

    matched: which templates match; shape (templates + 1, n), the last row always False.
    count: m, matched templates of every component; shape (components, n).
    matched_writers: a, matched writers of every bit; shape (bits, n).

    Counts come in the narrowest type that holds them; widen them before calculating.
    """

    matched: Bool[Array, "t n"]
    count: Integer[Array, "c n"]
    matched_writers: Integer[Array, "k n"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Groups:
    """Lists of templates of different length, whose matches are counted list by list.

    rows: (lists, size) each; unused places point at a row that never matches. A single matrix, or
        one for lists of about the same length, so that one long list does not make all of them long.
    order: of every list, where it stands in the matrices one after the other; None if in order.
    """

    rows: tuple[Integer[Array, "g s"], ...]
    order: Integer[Array, "k"] | None

    @property
    def num_lists(self) -> int:
        return sum(matrix.shape[0] for matrix in self.rows)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Encoding:
    """A learning problem as index arrays, all leaves of a pytree.

    condition_bits: (templates, conditions); unused places point at a row that is always True.
    condition_values: (templates, conditions), the required values.
    component_templates: of every component.
    writers: of every bit.
    num_writers: (bits,), w.
    component_of_bit: (bits,); the number of components for a bit that nothing writes.
    """

    condition_bits: Integer[Array, "t q"]
    condition_values: Bool[Array, "t q"]
    component_templates: Groups
    writers: Groups
    num_writers: Integer[Array, "k"]
    component_of_bit: Integer[Array, "k"]

    @property
    def num_components(self) -> int:
        return self.component_templates.num_lists


# Up to so many places a single matrix costs nothing that could be noticed.
FEW_PLACES = 1 << 16
# And if it is at least so full.
LEAST_FULL = 1 / 4


def groups(rows: Sequence[Sequence[int]], fill: int) -> Groups:
    """Lists of templates in few matrices of about the lists' own size.

    Args:
        rows: the lists.
        fill: the template that never matches.
    """
    sizes = np.array([len(row) for row in rows])
    places = len(rows) * sizes.max(initial=1)
    if places <= max(FEW_PLACES, sizes.sum() / LEAST_FULL):
        return Groups((put(ragged_to_padded(rows, fill)),), None)
    powers = np.ceil(np.log2(np.maximum(sizes, 1))).astype(int)
    members = [np.flatnonzero(powers == power) for power in np.unique(powers)]
    order = np.argsort(np.concatenate(members))
    matrices = (ragged_to_padded([rows[i] for i in found.tolist()], fill) for found in members)
    return Groups(tuple(map(put, matrices)), put(order, np.int32))


def index_arrays(problem: LearningProblem) -> Encoding:
    """The index arrays of a learning problem."""
    program = problem.program
    num_bits, num_templates = program.layout.num_bits, program.num_templates
    owner = problem.component_of_bit
    conditions = [entry.condition for entry in program.templates]
    return Encoding(
        condition_bits=put(ragged_to_padded([[b for b, _ in c] for c in conditions], num_bits)),
        condition_values=put(ragged_to_padded([[int(v) for _, v in c] for c in conditions], 1) > 0),
        component_templates=groups([c.templates for c in problem.components], num_templates),
        writers=groups(program.writers, num_templates),
        num_writers=put(program.num_writers, np.int32),
        component_of_bit=put(np.where(owner < 0, len(problem.components), owner), np.int32),
    )


def _with_constant_row(rows: Bool[Array, "k n"], value: bool) -> Bool[Array, "k+1 n"]:
    return jnp.concatenate([rows, jnp.full((1, rows.shape[1]), value)])


def encode(arrays: Encoding, states: Bool[Array, "k n"]) -> Matches:
    """Matches of every state, bit-major."""
    conditions = _with_constant_row(states, True)[arrays.condition_bits]
    matched = (conditions == arrays.condition_values[:, :, None]).all(axis=1)
    matched = _with_constant_row(matched, False)
    return Matches(
        matched=matched,
        count=_count(matched, arrays.component_templates),
        matched_writers=_count(matched, arrays.writers),
    )


def _count(matched: Bool[Array, "t n"], lists: Groups) -> Integer[Array, "g n"]:
    # The narrowest type that holds the count: sums of bytes are 10 times faster than of words.
    longest = max(matrix.shape[1] for matrix in lists.rows)
    narrow = jnp.uint8 if longest < 1 << 8 else jnp.uint16
    if longest >= 1 << 16:
        narrow = jnp.int32
    found = [matched[matrix].sum(axis=1, dtype=narrow) for matrix in lists.rows]
    if lists.order is None:
        return found[0]
    return jnp.concatenate(found)[lists.order]


# Up to so many columns, choosing by comparison beats gathering single elements on a CPU.
MAX_COMPARED = 64


def lookup(table: Num[Array, "g m"], index: Integer[Array, "g n"]) -> Num[Array, "g n"]:
    """`table[i, index[i, j]]` for every i and j; the indices must be valid."""
    if table.shape[1] > MAX_COMPARED:
        wide = index.astype(jnp.int32)
        return jnp.take_along_axis(table, wide, axis=1, mode="promise_in_bounds")
    found = jnp.broadcast_to(table[:, :1], index.shape)
    for m in range(1, table.shape[1]):
        found = jnp.where(index == m, table[:, m : m + 1], found)
    return found
