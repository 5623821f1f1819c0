"""The first step of an update: which templates a state matches, and how many write each bit.

States and matches are held bit-major, (bits, nodes): a template's condition then gathers whole
rows, which is many times faster on a CPU than picking single bits of every node.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Integer, Num

from ntkexec.problem import LearningProblem, ragged_to_padded


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Matches:
    """What an engine needs to know of the states of n nodes.

    matched: which templates match; shape (templates + 1, n), the last row always False.
    count: m, matched templates of every component; shape (components, n).
    active: a, matched writers of every bit; shape (bits, n).

    Counts come in the narrowest type that holds them; widen them before calculating.
    """

    matched: Bool[Array, "t n"]
    count: Integer[Array, "c n"]
    active: Integer[Array, "k n"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Encoding:
    """A learning problem as index arrays, all leaves of a pytree.

    condition_bits: (templates, conditions); unused places point at a row that is always True.
    condition_values: (templates, conditions), the required values.
    component_templates: (components, size); unused places point at a row that never matches.
    writers: (bits, writers), likewise.
    num_writers: (bits,), w.
    component_of_bit: (bits,); the number of components for a bit that nothing writes.
    """

    condition_bits: Integer[Array, "t q"]
    condition_values: Bool[Array, "t q"]
    component_templates: Integer[Array, "c s"]
    writers: Integer[Array, "k w"]
    num_writers: Integer[Array, "k"]
    component_of_bit: Integer[Array, "k"]


def encoding(problem: LearningProblem) -> Encoding:
    """The index arrays of a learning problem."""
    program = problem.program
    num_bits, num_templates = program.layout.num_bits, program.num_templates
    writers: list[list[int]] = [[] for _ in range(num_bits)]
    for index, entry in enumerate(program.templates):
        for bit in entry.outputs:
            writers[bit].append(index)
    owner = problem.component_of_bit
    conditions = [entry.condition for entry in program.templates]
    return Encoding(
        condition_bits=jnp.asarray(
            ragged_to_padded([[b for b, _ in c] for c in conditions], num_bits)
        ),
        condition_values=jnp.asarray(
            ragged_to_padded([[int(v) for _, v in c] for c in conditions], 1).astype(bool)
        ),
        component_templates=jnp.asarray(
            ragged_to_padded([c.templates for c in problem.components], num_templates)
        ),
        writers=jnp.asarray(ragged_to_padded(writers, num_templates)),
        num_writers=jnp.asarray(program.num_writers, jnp.int32),
        component_of_bit=jnp.asarray(
            np.where(owner < 0, len(problem.components), owner), jnp.int32
        ),
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
        active=_count(matched, arrays.writers),
    )


def _count(matched: Bool[Array, "t n"], groups: Integer[Array, "g s"]) -> Integer[Array, "g n"]:
    # The narrowest type that holds the count: sums of bytes are 10 times faster than of words.
    narrow = jnp.uint8 if groups.shape[1] < 1 << 8 else jnp.uint16
    if groups.shape[1] >= 1 << 16:
        narrow = jnp.int32
    return matched[groups].sum(axis=1, dtype=narrow)


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
