"""Adaptive bitrate streaming as a pure function: a player that downloads chunk by chunk over a trace.

Useful alone: `stream` plays any policy over hundreds of traces at once, in any float type, inside of
`jax.jit`, `jax.vmap` or a training loop. What a download takes is looked up in the trace's running sum, not
found segment by segment; in float64 the two agree to rounding.

```python
import jax.numpy as jnp
import numpy as np
from experiments.language.netllm import Links, Video, qoe, stream

links = Links.of([(np.arange(60.0), np.full(60, 2.0))])  # seconds, megabits a second
video = Video.of(np.outer(np.ones(48), [150e3, 600e3, 2e6]), [300, 1200, 4000])
played = stream(links, video, lambda carry, player: (carry, jnp.where(player.buffer > 10, 2, 0)), None)
print(qoe(played))  # (1,): quality, less what stalls and switches cost, a chunk
```

Source: Mao et al., Pensieve, SIGCOMM 2017, section 5, and its public simulator; Wu et al.,
    NetLLM, arXiv:2402.02338, appendix A.2.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from experiments.language.netllm.links import Links
from ntkexec.errors import ExperimentError

PAYLOAD = 0.95
"""Share of a link's bits that are a chunk's."""
ROUND_TRIP = 0.08
"""Seconds between asking and the first bit."""
BUFFER_MOST, NAP = 60.0, 0.5
"""Seconds of buffer above which a player waits, and the seconds that it waits at once."""
STALL_COST, SWITCH_COST = 4.3, 1.0
"""Of a second of stalling, and of a change by a megabit a second."""
PAST = 6
"""Chunks of which a player remembers speed and time."""
FIRST_QUALITY = 1
"""Of a video with more than one."""


class Video(NamedTuple):
    """What is streamed; see `Video.of`.

    Args:
        sizes: bytes of every chunk in every quality.
        bitrates: of the qualities in kilobits a second, growing.
        seconds: of a chunk.
    """

    sizes: Float[ArrayLike, "C Q"]
    bitrates: Float[ArrayLike, "Q"]
    seconds: Float[ArrayLike, ""]

    @classmethod
    def of(
        cls, sizes: Float[ArrayLike, "C Q"], bitrates: Sequence[float], *, seconds: float = 4.0
    ) -> "Video":
        """A video that fits together.

        Raises:
            ExperimentError: sizes of other qualities, bitrates that do not grow, nothing in a chunk.
        """
        table, rates = np.asarray(sizes, float), np.asarray(bitrates, float)
        if table.ndim != 2 or table.shape[1:] != rates.shape or not table.size:
            raise ExperimentError(f"sizes of shape {table.shape} are not of {rates.size} qualities")
        if (np.diff(rates) <= 0).any() or not (table > 0).all() or not seconds > 0:
            raise ExperimentError(
                f"bitrates {rates.tolist()} do not grow, or a chunk has no bytes or no time"
            )
        return cls(table, rates, np.asarray(seconds, float))

    @property
    def chunks(self) -> int:
        return int(np.shape(self.sizes)[0])

    @property
    def qualities(self) -> int:
        return int(np.shape(self.sizes)[1])


class Player(NamedTuple):
    """What a player knows before it asks for its next chunk; each field has one row for each link.

    Args:
        place: seconds into its trace.
        buffer: seconds of video that are there.
        chunk: number of the next chunk.
        quality: of the last chunk.
        speeds: of the last chunks, megabytes a second, the newest last; 0 before the first.
        times: that they took in seconds.
    """

    place: Float[Array, "N"]
    buffer: Float[Array, "N"]
    chunk: Int[Array, "N"]
    quality: Int[Array, "N"]
    speeds: Float[Array, "N past"]
    times: Float[Array, "N past"]


class Played(NamedTuple):
    """What came of a chunk, or of all, along a further first axis.

    Args:
        quality: in which it was asked for.
        delay: seconds from asking to having it.
        stall: of them without a picture.
        nap: seconds that were waited afterwards, since the buffer was full.
        buffer: seconds of video afterwards.
        reward: megabits a second, less what stalling and changing cost.
    """

    quality: Int[Array, "N"]
    delay: Float[Array, "N"]
    stall: Float[Array, "N"]
    nap: Float[Array, "N"]
    buffer: Float[Array, "N"]
    reward: Float[Array, "N"]


def waiting(links: Links, place: Float[ArrayLike, "N"] | None = None) -> Player:
    """Players that have nothing yet, at some second of their traces; by default at the first.

    Their last quality is the second, as in the public simulator; `streamed` knows of videos with one.
    """
    number, kind = len(links.period), links.period.dtype
    zeros = jnp.zeros(number, kind)
    none = jnp.zeros(number, jnp.int32)
    past = jnp.zeros((number, PAST), kind)
    begun = zeros if place is None else jnp.asarray(place, kind) % links.period
    return Player(begun, zeros, none, none + FIRST_QUALITY, past, past)


def advance(
    links: Links,
    video: Video,
    player: Player,
    quality: Int[Array, "N"],
    *,
    factor: Float[ArrayLike, "N"] | float = 1.0,
    round_trip: float = ROUND_TRIP,
) -> tuple[Player, Played]:
    """Downloads a chunk for every player.

    Args:
        links, video: as for `stream`.
        player: before it; not behind the last chunk.
        quality: of the chunk; of a number beyond the video's qualities the nearest is asked for, and
            recorded.
        factor: by which delays are longer than the trace says; the public simulator draws from 0.9 to 1.1.
        round_trip: seconds.

    Returns:
        Players after it, and what came of it.
    """
    kind = links.period.dtype
    quality = jnp.clip(quality, 0, video.qualities - 1)
    size = jnp.asarray(video.sizes, kind)[player.chunk, quality]  # bytes
    needed = size / (1e6 / 8) / PAYLOAD
    taken, place = jax.vmap(_download)(links, player.place, needed)
    delay = (taken + round_trip) * jnp.asarray(factor, kind)
    stall = jnp.maximum(delay - player.buffer, 0)
    full = jnp.maximum(player.buffer - delay, 0) + jnp.asarray(video.seconds, kind)
    nap = jnp.ceil(jnp.maximum(full - BUFFER_MOST, 0) / NAP) * NAP
    buffer = full - nap
    rates = jnp.asarray(video.bitrates, kind) / 1000
    change = jnp.abs(rates[quality] - rates[player.quality])
    reward = rates[quality] - STALL_COST * stall - SWITCH_COST * change
    after = Player(
        (place + nap) % links.period, buffer, player.chunk + 1, quality.astype(jnp.int32),
        _shifted(player.speeds, size / 1e6 / delay), _shifted(player.times, delay),
    )  # fmt: skip
    return after, Played(after.quality, delay, stall, nap, buffer, reward)


def _download(link: Any, place: Array, needed: Array) -> tuple[Array, Array]:
    """Seconds until a link has carried so much, and where in its trace that is."""
    begin = jnp.maximum(jnp.searchsorted(link.end, place, side="right") - 1, 0)
    following = jnp.minimum(begin + 1, len(link.end) - 1)
    inner = jnp.where(jnp.isfinite(link.end[following]), place - link.end[begin], 0)
    target = link.sent[begin] + inner * link.rate[following] + needed
    rounds = jnp.floor(target / link.total)
    rest = jnp.maximum(target - rounds * link.total, 0)
    # Rounding may leave a rest of all that there is.
    whole = rest >= link.total
    rest, rounds = jnp.where(whole, 0, rest), rounds + whole
    # The first segment that carries more than is needed: never one without bandwidth.
    segment = jnp.maximum(jnp.searchsorted(link.sent, rest, side="right"), 1)
    ended = link.end[segment - 1] + (rest - link.sent[segment - 1]) / link.rate[segment]
    return rounds * link.period + ended - place, ended


def _shifted(rows: Array, newest: Array) -> Array:
    return jnp.concatenate([rows[:, 1:], newest[:, None]], 1)


Policy = Callable[[Any, Player], tuple[Any, Int[Array, "N"]]]
"""Of what it remembers and the players: what it remembers then, and the qualities."""


def stream(links: Links, video: Video, policy: Policy, memory: Any, **options: Any) -> Played:
    """Plays a video over every link: what came of every chunk, arrays of shape (chunks, N).

    Args:
        links, video, policy, memory, options: see `streamed`.

    Raises:
        ExperimentError: more chunks than there are.
    """
    return streamed(links, video, policy, memory, **options)[1]


def streamed(
    links: Links,
    video: Video,
    policy: Policy,
    memory: Any,
    *,
    start: Float[ArrayLike, "N"] | None = None,
    factors: Float[ArrayLike, "C N"] | None = None,
    chunks: int | None = None,
    round_trip: float = ROUND_TRIP,
    first: int | None = None,
    told: Callable[[Any, Player, Played], Any] = lambda memory, player, played: memory,
) -> tuple[Any, Played]:
    """What the policy remembers in the end, and what `stream` returns.

    Args:
        links: one for each player.
        video: the same for all.
        policy: chooses every chunk but the first; see `advance` for qualities that there are not.
        memory: what the policy begins with, a pytree.
        start: seconds into the traces.
        factors: see `advance`, of every chunk.
        chunks: of the video, from its first; by default all.
        round_trip: see `advance`.
        first: quality of the first chunk, before anything is known; by default the second, or the only
            one.
        told: what a policy remembers once it knows what came of its choice.

    Raises:
        ExperimentError: more chunks than there are, or a first quality that there is not.
    """
    before = min(FIRST_QUALITY, video.qualities - 1)
    first = before if first is None else first
    if not 0 <= first < video.qualities:
        raise ExperimentError(f"no first chunk is in quality {first} of {video.qualities}")
    number = video.chunks if chunks is None else chunks
    if not 1 <= number <= video.chunks:
        raise ExperimentError(f"a video of {video.chunks} chunks has no first {number}")
    links = Links(*map(jnp.asarray, links))
    kind = links.period.dtype
    scale = jnp.ones((number, len(links.period)), kind)
    scale = scale if factors is None else jnp.asarray(factors, kind)[:number]

    def step(carry: Any, factor: Array) -> tuple[Any, Played]:
        player, memory = carry
        memory, quality = policy(memory, player)
        quality = jnp.where(player.chunk == 0, first, quality)
        after, played = advance(links, video, player, quality, factor=factor, round_trip=round_trip)
        return (after, told(memory, after, played)), played

    begun = waiting(links, start)
    begun = begun._replace(quality=jnp.full_like(begun.quality, before))
    (_, memory), played = jax.lax.scan(step, (begun, memory), scale)
    return memory, played


def qoe(played: Played) -> Float[Array, "N"]:
    """Mean reward of every link's chunks after the first, which no policy chose.

    Raises:
        ExperimentError: nothing but a first chunk was played.
    """
    if len(played.reward) < 2:
        raise ExperimentError("of a single chunk there is no mean reward: no policy chose it")
    return played.reward[1:].mean(0)


def observed(video: Video, player: Player) -> Float[Array, "N 6 past"]:
    """What learned policies see, in the public code's rows and units.

    Last bitrate over the largest; buffer in tens of seconds; speeds in megabytes a second; times in tens of
    seconds; sizes of the next chunk in megabytes; the share of chunks that is left. What is a single number
    stands in its row's last column, after zeros.
    """
    kind = player.buffer.dtype
    rates = jnp.asarray(video.bitrates, kind)
    sizes = jnp.asarray(video.sizes, kind)[jnp.minimum(player.chunk, video.chunks - 1)] / 1e6
    sizes = jnp.pad(sizes, ((0, 0), (0, max(PAST - video.qualities, 0))))[:, :PAST]
    single = (
        rates[player.quality] / rates[-1], player.buffer / 10,
        (video.chunks - player.chunk) / video.chunks,
    )  # fmt: skip
    last, buffer, left = (
        jnp.pad(one.astype(kind)[:, None], ((0, 0), (PAST - 1, 0))) for one in single
    )
    return jnp.stack([last, buffer, player.speeds, player.times / 10, sizes, left], 1)
