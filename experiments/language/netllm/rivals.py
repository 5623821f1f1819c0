"""Policies that learn nothing: by the buffer alone, and by planning ahead with a careful guess of the speed.

```python
import numpy as np
from experiments.language.netllm import Links, Video, qoe, robust_mpc, stream
from experiments.language.netllm.rivals import Guesses

links = Links.of([(np.arange(60.0), np.full(60, 2.0))])
video = Video.of(np.outer(np.ones(48), [150e3, 600e3, 2e6]), [300, 1200, 4000])
print(qoe(stream(links, video, robust_mpc(video), Guesses.none(links))))
```

Source: Huang et al., A buffer-based approach to rate adaptation, SIGCOMM 2014; Yin et al., A
    control-theoretic approach for dynamic adaptive video streaming over HTTP, SIGCOMM 2015; both as the
    code of Pensieve and NetLLM has them, but that code plans with the sizes of the chunk after the next.
"""

import functools
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments.language.netllm.abr import (
    STALL_COST,
    SWITCH_COST,
    Player,
    Policy,
    Video,
)
from experiments.language.netllm.links import Links
from ntkexec.errors import ExperimentError

RESERVOIR, CUSHION = 5.0, 10.0
"""Seconds of buffer: below the first the worst quality, above both together the best."""
HORIZON, REMEMBERED = 5, 5


def buffer_based(video: Video) -> Policy:
    """Quality grows with the buffer, in a straight line between two levels (BBA)."""

    def policy(memory: Any, player: Player) -> tuple[Any, Int[Array, "N"]]:
        share = jnp.clip((player.buffer - RESERVOIR) / CUSHION, 0, 1)
        return memory, jnp.floor(share * (video.qualities - 1)).astype(jnp.int32)

    return policy


class Guesses(NamedTuple):
    """What MPC remembers: its last guess of the speed, and by how much it was off the last times.

    Args:
        speed: megabytes a second; 0 where it has not guessed yet.
        errors: relative, the newest last.
    """

    speed: Float[Array, "N"]
    errors: Float[Array, "N past"]

    @classmethod
    def none(cls, links: Links) -> "Guesses":
        zeros = jnp.zeros((len(links.period), REMEMBERED), links.period.dtype)
        return cls(zeros[:, 0], zeros)


def robust_mpc(
    video: Video, *, horizon: int = HORIZON, jumps: int | None = None, robust: bool = True
) -> Policy:
    """The first choice of the best plan for the next chunks, over all plans; begins with `Guesses.none`.

    The speed is guessed as the harmonic mean of the last five, divided by 1 + the largest of the last five
    errors of that guess where `robust`. A plan ends with the video.

    Args:
        video: whose sizes are known ahead.
        horizon: chunks of a plan.
        jumps: by how many qualities neighbours in a plan may differ, the first from the last chunk; by
            default by any number. The public code of NetLLM has 1, for fewer plans.
        robust: else MPC.

    Raises:
        ExperimentError: no horizon, or more than a million plans.
    """
    plans = _plans(video.qualities, horizon, jumps)

    def policy(memory: Guesses, player: Player) -> tuple[Guesses, Int[Array, "N"]]:
        kind = player.buffer.dtype
        tiny = jnp.finfo(kind).tiny
        newest = player.speeds[:, -1]
        error = jnp.where(
            memory.speed > 0, jnp.abs(memory.speed - newest) / jnp.maximum(newest, tiny), 0
        )
        errors = jnp.concatenate([memory.errors[:, 1:], error[:, None]], 1)
        past = player.speeds[:, -REMEMBERED:]
        known = past > 0
        slowness = jnp.where(known, 1 / jnp.where(known, past, 1), 0).sum(1)
        harmonic = known.sum(1).astype(kind) / jnp.maximum(slowness, tiny)
        speed = harmonic / (1 + errors.max(1)) if robust else harmonic
        choice = jax.vmap(functools.partial(planned, video, plans, jumps=jumps))(
            player.buffer, player.quality, player.chunk, jnp.maximum(speed, 1e-6)
        )
        return Guesses(harmonic, errors), choice

    return policy


def planned(
    video: Video,
    plans: Int[np.ndarray, "P H"],
    buffer: Float[Array, ""],
    quality: Int[Array, ""],
    chunk: Int[Array, ""],
    speed: Float[Array, ""],
    *,
    jumps: int | None = None,
) -> Int[Array, ""]:
    """The first quality of the plan that earns most if the link keeps its speed; of equals the last.

    Args:
        video: of the next chunks.
        plans: that are tried.
        buffer, quality, chunk: of a player.
        speed: megabytes a second.
        jumps: see `robust_mpc`.
    """
    kind = buffer.dtype
    rates = jnp.asarray(video.bitrates, kind) / 1000
    sizes = jnp.asarray(video.sizes, kind) / 1e6
    second, table = jnp.asarray(video.seconds, kind), jnp.asarray(plans, jnp.int32)

    def step(carry: Any, ahead: Any) -> tuple[Any, None]:
        left, before, earned = carry
        number, chosen = ahead
        there = number < video.chunks
        taken = sizes[jnp.minimum(number, video.chunks - 1)][chosen] / speed
        stalled = jnp.maximum(taken - left, 0)
        gained = rates[chosen] - STALL_COST * stalled
        gained = gained - SWITCH_COST * jnp.abs(rates[chosen] - rates[before])
        left = jnp.where(there, jnp.maximum(left - taken, 0) + second, left)
        return (left, jnp.where(there, chosen, before), earned + jnp.where(there, gained, 0)), None

    number = len(plans)
    begun = (
        jnp.full(number, buffer, kind), jnp.full(number, quality, jnp.int32), jnp.zeros(number, kind)
    )  # fmt: skip
    ahead = (chunk + jnp.arange(table.shape[1]), table.T)
    _, _, earned = jax.lax.scan(step, begun, ahead)[0]
    if jumps is not None:
        earned = jnp.where(jnp.abs(table[:, 0] - quality) <= jumps, earned, -jnp.inf)
    return table[number - 1 - earned[::-1].argmax(), 0]


@functools.cache
def _plans(qualities: int, horizon: int, jumps: int | None) -> np.ndarray:
    if horizon < 1 or qualities**horizon > 1e6 or (jumps is not None and jumps < 1):
        raise ExperimentError(
            f"cannot try plans of {horizon} chunks in {qualities} qualities with jumps of {jumps}"
        )
    plans = np.array(list(itertools.product(range(qualities), repeat=horizon)), np.int32)
    if jumps is not None and horizon > 1:
        plans = plans[(np.abs(np.diff(plans, axis=1)) <= jumps).all(1)]
    return plans
