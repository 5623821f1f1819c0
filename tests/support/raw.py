"""Random raw templates, with rows that repeat a condition and rows that write nothing among them, and
what they do, computed from the matrices alone."""

import numpy as np
from hypothesis import strategies as st

FREE = -1


@st.composite
def raw_matrices(draw, max_bits=6, max_rows=7):
    """Conditions and targets; often a row repeats another's condition, or writes nothing."""
    num_bits = draw(st.integers(1, max_bits))
    row = st.lists(st.sampled_from((FREE, FREE, 0, 1)), min_size=num_bits, max_size=num_bits)
    conditions = draw(st.lists(row, min_size=1, max_size=max_rows))
    for _ in range(draw(st.integers(0, 3))):
        conditions.append(draw(st.sampled_from(conditions)))
    then = st.lists(st.integers(0, 1), min_size=num_bits, max_size=num_bits)
    nothing = st.just([0] * num_bits)
    targets = draw(
        st.lists(then | then | nothing, min_size=len(conditions), max_size=len(conditions))
    )
    if not np.any(targets):
        targets[draw(st.integers(0, len(targets) - 1))][draw(st.integers(0, num_bits - 1))] = 1
    return np.array(conditions), np.array(targets), draw(st.integers(0, num_bits))


def matched_rows(conditions, states):
    """Which row every state matches, (states, rows)."""
    return ((conditions == FREE) | (conditions == states[:, None, :])).all(axis=2)


def updated(conditions, targets, states):
    """One update, before messages are exchanged, as a sum of products."""
    return matched_rows(conditions, states).astype(int) @ targets > 0


def next_states(conditions, targets, message_start, states, adjacency):
    """A whole step on a graph, and whether two contributions to a message bit met.

    Args:
        adjacency: 1 where a column's node is heard by a row's.
    """
    after = updated(conditions, targets, states).astype(int)
    heard = after[:, message_start:] + adjacency @ after[:, message_start:]
    after[:, message_start:] = heard
    return after > 0, bool((heard > 1).any())
