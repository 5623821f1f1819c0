"""One step of packed execution against the program, and against the plain engine bit by bit."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from ntkexec.errors import CertificateError
from ntkexec.executor.buckets import fine
from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import Engine, decide
from ntkexec.executor.verification import StepCheck, check_step
from ntkexec.program.layout import Layout
from ntkexec.runtime import compilation

# Nodes that are compared at once; the plain engines hold numbers for each of their templates.
CHUNK = 1 << 15


def check_packed_step(
    plain: Engine,
    layout: Layout,
    mask: Bool[np.ndarray, "n"],
    step: int,
    states: Bool[np.ndarray, "n k"],
    decided: Bool[np.ndarray, "n k"],
) -> StepCheck:
    """One step of all nodes.

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
    chunks = []
    for start in range(0, len(states), CHUNK):
        part = slice(start, start + CHUNK)
        size = len(states[part])
        # All chunks of a large graph share one compiled shape, small graphs that of their bucket.
        fill = min(CHUNK, fine(len(states))) - size
        padded = [np.pad(array[part], ((0, fill), (0, 0))).T for array in (states, decided)]
        (check, differs), _, _ = compilation.call(
            _check, plain, *map(jnp.asarray, (*padded, np.pad(mask[part], (0, fill))))
        )
        if (differs := np.asarray(differs)).any():
            bit, node = np.argwhere(differs)[0]
            raise CertificateError(
                f"step {step}, node {start + node}: packed execution decides "
                f"{layout.bit_names[bit]} otherwise than the plain engine; the state lies outside "
                "the bound that packed execution relies on"
            )
        chunks.append(check._replace(wrong=np.asarray(check.wrong)[:, :size]))
    return StepCheck(
        jnp.concatenate([check.wrong for check in chunks], axis=1),
        jnp.stack([check.smallest_margin for check in chunks]).min(),
        jnp.stack([check.largest_matches for check in chunks]).max(axis=0),
    )


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
