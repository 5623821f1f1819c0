"""One step of packed execution against the program, and against the plain engine bit by bit."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from ntkexec.engines.packed.rows import WORD_BITS
from ntkexec.errors import CertificateError
from ntkexec.executor.buckets import fine
from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import Engine, decide
from ntkexec.executor.verification import StepCheck, check_step
from ntkexec.program.layout import Layout
from ntkexec.runtime import compilation

# Nodes that are compared at once; the plain engines hold numbers for each of their templates.
CHUNK = 1 << 15
# Where so few kinds of nodes are left, those that hold and decide the same are compared once: in most
# steps of a search there are some hundred kinds, however many nodes.
FEW_KINDS = 1 << 11


def check_packed_step(
    plain: Engine,
    layout: Layout,
    mask: Bool[np.ndarray, "n"],
    step: int,
    states: Bool[np.ndarray, "n k"],
    decided: Bool[np.ndarray, "n k"],
) -> StepCheck:
    """One step of all nodes.

    A plain engine decides by a node's own state, so nodes of the same state, for which the same was
    decided, are compared by one of them.

    Args:
        plain: the engine that decides number by number.
        layout: of the states, for messages.
        mask: False at padding nodes.
        step: its number.
        states: before it.
        decided: what the packed execution made of them, before messages were exchanged.

    Raises:
        CertificateError: the plain engine decides otherwise, so the state lies outside the bound
            that packed execution relies on.
    """
    some = alike = np.arange(len(states))
    width = min(CHUNK, fine(len(states)))
    if (few := _few_kinds(states, decided, mask)) is not None:
        (some, alike), width = few, FEW_KINDS
    chunks = []
    for start in range(0, len(some), width):
        nodes = some[start : start + width]
        # All chunks of a large graph share one compiled shape, small graphs that of their bucket.
        fill = width - len(nodes)
        padded = [np.pad(array[nodes], ((0, fill), (0, 0))).T for array in (states, decided)]
        (check, differs), _, _ = compilation.call(
            _check, plain, *map(jnp.asarray, (*padded, np.pad(mask[nodes], (0, fill))))
        )
        if (differs := np.asarray(differs)).any():
            bit, place = np.argwhere(differs)[0]
            raise CertificateError(
                f"step {step}, node {nodes[place]}: packed execution decides "
                f"{layout.bit_names[bit]} otherwise than the plain engine; the state lies outside "
                "the bound that packed execution relies on"
            )
        chunks.append(check._replace(wrong=np.asarray(check.wrong)[:, : len(nodes)]))
    return StepCheck(
        jnp.asarray(np.concatenate([check.wrong for check in chunks], axis=1)[:, alike]),
        jnp.stack([check.smallest_margin for check in chunks]).min(),
        jnp.stack([check.largest_matches for check in chunks]).max(axis=0),
    )


def _few_kinds(
    states: Bool[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"], mask: Bool[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "m"], Int[np.ndarray, "n"]] | None:
    """`_kinds` of nodes; None where there are many, or not many nodes."""
    found, sampled = None, len(states) // (2 * FEW_KINDS)
    # Some nodes have no more kinds than all: where there are many, a few thousand nodes show it.
    for every in (sampled, 1) if sampled else ():
        part = slice(None, None, every)
        found = _kinds(np.concatenate([states[part].T, decided[part].T, mask[None, part]]))
        if len(found[0]) > FEW_KINDS:
            return None
    return found


def _kinds(rows: Bool[np.ndarray, "b n"]) -> tuple[Int[np.ndarray, "m"], Int[np.ndarray, "n"]]:
    """The first column of each kind, ascending, and for every column the place of its kind there."""
    num_columns = rows.shape[1]
    first, kind = np.zeros(min(1, num_columns), np.int64), np.zeros(num_columns, np.int64)
    varying = rows[(rows != rows[:, :1]).any(axis=1)]
    for start in range(0, len(varying), WORD_BITS):
        word = np.zeros(num_columns, np.int64)
        for place, row in enumerate(varying[start : start + WORD_BITS]):
            word |= row.astype(np.int64) << place
        # So far there are fewer kinds than columns: both fit into one number.
        _, first, kind = np.unique(kind << WORD_BITS | word, return_index=True, return_inverse=True)
    order = np.argsort(first)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return first[order], places[kind]


def _check(
    plain: Engine,
    states: Bool[Array, "k n"],
    decided: Bool[Array, "k n"],
    mask: Bool[Array, "n"],
) -> tuple[StepCheck, Bool[Array, "k n"]]:
    matches = encode(plain.encoding, states)
    decision = decide(plain, matches)
    differs = (decided != decision.bits) & mask[None]
    return check_step(matches, decision, mask, decided), differs
