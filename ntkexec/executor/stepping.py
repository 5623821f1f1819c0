"""The loop on the host: for engines that hold states in another form, or decide outside of XLA."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from ntkexec.executor.options import Options
from ntkexec.executor.protocol import Engine
from ntkexec.executor.verification import StepCheck, Verification, finished, nothing_compared
from ntkexec.vocabulary import Until

Advance = Callable[[int, Bool[np.ndarray, "n k"]], tuple[Bool[np.ndarray, "n k"], StepCheck | None]]
"""Does a step, from its number and the states before it: the states after it, and its check."""


class Walk(NamedTuple):
    """What `step_by_step` did.

    states: after the last step.
    steps: how many.
    stopped: what ended it.
    verification: the sum of all checks, if asked for.
    trace: all states, if asked for.
    """

    states: Bool[np.ndarray, "n k"]
    steps: int
    stopped: Until
    verification: Verification | None
    trace: Bool[np.ndarray, "s n k"] | None


def step_by_step(
    engine: Engine,
    states: Bool[np.ndarray, "n k"],
    options: Options,
    advance: Advance,
    *,
    round_length: int,
) -> Walk:
    """Steps until the options say so.

    Args:
        engine: with what every step is compared.
        states: before the first step.
        options: how to execute.
        advance: does a step; with `options.verify` it checks it too.
        round_length: steps of a round.
    """
    mask, halt_bit = options.node_mask, options.halt_bit
    comparison = nothing_compared(engine, jnp.asarray(states.T)) if options.verify else None
    trace, round_start, step = [states], states, 0
    done = halt_bit is not None and bool(states[mask, halt_bit].all())
    while step < options.num_steps and not done:
        after, check = advance(step, states)
        if comparison is not None and check is not None:
            before = jnp.asarray(states.T)
            comparison = comparison.after(jnp.asarray(step, jnp.int32), before, check)
        step += 1
        if options.trace:
            trace.append(after)
        if halt_bit is not None:
            done = bool(after[mask, halt_bit].all())
        elif options.until == "fixed-point" and step % round_length == 0:
            done = np.array_equal(after[mask], round_start[mask])
            round_start = after
        states = after
    return Walk(
        states,
        step,
        options.until if done else "steps",
        None if comparison is None else finished(comparison),
        np.stack(trace) if options.trace else None,
    )
