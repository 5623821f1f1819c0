"""Bitrates by a language model: other policies' experience, windows of it, playing for a wished return.

A chunk is eight tokens: the return that is still wished for, six of what a player sees, and the choice, which
is read off at the sixth; so no choice sees itself. A window never crosses the end of a video.

Source: Wu et al., arXiv:2402.02338, section 4.3 and A.2; Chen et al., Decision Transformer, arXiv:2106.01345.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from experiments.kits.transformer.decoder import Params, Shape
from experiments.language.netllm.abr import (
    PAST,
    Played,
    Player,
    Policy,
    Video,
    observed,
    stream,
    streamed,
)
from experiments.language.netllm.adapting import Adapted, outputs_of
from experiments.language.netllm.encoder import Encoder, Modality
from experiments.language.netllm.head import Head
from experiments.language.netllm.links import Links
from ntkexec.errors import ExperimentError

TOKENS = 8
"""Of a chunk."""


class Experience(NamedTuple):
    """What policies did, chunk by chunk; each chunk but a video's first, which nobody chose.

    Args:
        states: what the player saw before, see `observed`.
        actions: qualities that were chosen.
        rewards: that they earned.
    """

    states: Float[np.ndarray, "E S 6 past"]
    actions: Int[np.ndarray, "E S"]
    rewards: Float[np.ndarray, "E S"]

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest reward."""
        return float(self.rewards.min()), float(self.rewards.max())

    def normalised(self) -> Float[np.ndarray, "E S"]:
        """Rewards from 0 to 1 over all that was collected."""
        low, high = self.range
        return np.asarray((self.rewards - low) / max(high - low, 1e-12))

    def returns(self) -> Float[np.ndarray, "E S"]:
        """Normalised rewards from a chunk to the end, over the number of chunks; the code divides by 1000."""
        ahead = np.cumsum(self.normalised()[:, ::-1].astype(np.float64), axis=1)[:, ::-1]
        return np.asarray(ahead / self.rewards.shape[1])


def collect(
    links: Links, video: Video, policy: Policy, memory: Any, **options: Any
) -> tuple[Experience, Played]:
    """What a policy does on every link; `options` are those of `stream`. Works within `jax.jit`.

    Raises:
        ExperimentError: a single chunk, which no policy chose; and see `streamed`.
    """
    number, steps = len(links.period), options.get("chunks") or video.chunks
    if steps < 2:
        raise ExperimentError("a single chunk is no experience: no policy chose it")
    kind = jnp.asarray(links.period).dtype
    empty = jnp.zeros((steps, number, 6, PAST), kind)
    told = options.pop("told", lambda memory, player, played: memory)

    def watching(carry: Any, player: Player) -> tuple[Any, Array]:
        inner, seen = carry
        inner, quality = policy(inner, player)
        return (inner, seen.at[player.chunk[0]].set(observed(video, player))), quality

    def after(carry: Any, player: Player, played: Played) -> Any:
        return told(carry[0], player, played), carry[1]

    (_, seen), played = streamed(links, video, watching, (memory, empty), told=after, **options)
    by_video = (jnp.swapaxes(one[1:], 0, 1) for one in (seen, played.quality, played.reward))
    return Experience(*by_video), played  # type: ignore[arg-type]


def windows(experience: Experience, length: int, *, blind: bool = False) -> dict[str, np.ndarray]:
    """Every window of chunks in a row, as examples for `Streaming`.

    The first of a video are filled up on the left; those places are not `real`.

    Args:
        experience: of any policies.
        length: of a window.
        blind: whether returns are hidden: then what is learned is to do as those policies did.

    Raises:
        ExperimentError: windows longer than a video.
    """
    videos, steps = experience.actions.shape
    if not 1 <= length <= steps:
        raise ExperimentError(f"videos of {steps} chunks have no windows of {length}")
    at = np.arange(steps)[:, None] + np.arange(-length + 1, 1)[None]
    real = np.broadcast_to(at >= 0, (videos, steps, length))
    at = np.maximum(at, 0)
    returns = experience.returns().astype(np.float32) * (not blind)
    found = {
        "returns": returns[:, at], "states": experience.states[:, at].astype(np.float32),
        "actions": experience.actions[:, at].astype(np.int32),
        "time": np.broadcast_to(at, real.shape).astype(np.int32), "real": real,
    }  # fmt: skip
    return {name: one.reshape(-1, *one.shape[2:]) for name, one in found.items()}


@dataclasses.dataclass(frozen=True)
class Streaming:
    """The task: encoders of what a player knows, a head that scores bitrates.

    Args:
        encoder, head: see `Streaming.of`.
    """

    encoder: Encoder
    head: Head

    @classmethod
    def of(
        cls, width: int, *, qualities: int = 6, chunks: int = 48, features: int = 32
    ) -> "Streaming":
        """For a backbone's width and videos of so many qualities and chunks."""
        seen = (
            ("last", "numbers", 1), ("buffer", "numbers", 1), ("speeds", "series", PAST),
            ("times", "series", PAST), ("sizes", "numbers", qualities), ("left", "numbers", 1),
        )  # fmt: skip
        modalities = (
            Modality("return", "linear", 1),
            *(Modality(name, kind, size, features) for name, kind, size in seen),
            Modality("action", "linear", 1),
        )
        return cls(Encoder(modalities, width, chunks), Head("choices", qualities))

    def initial(self, generator: np.random.Generator, width: int) -> Params:
        """See `Task`.

        Raises:
            ExperimentError: a backbone of another width.
        """
        if width != self.encoder.width:
            raise ExperimentError(f"the encoder is {self.encoder.width} wide, the backbone {width}")
        return {
            "encoder": self.encoder.initial(generator),
            "head": self.head.initial(generator, width),
        }

    def tokens(
        self, params: Params, inputs: Any
    ) -> tuple[Float[Array, "B T D"], Bool[Array, "B T"]]:
        """Eight tokens a chunk, in the order of time."""
        states = inputs["states"]
        qualities = self.head.size
        given = {
            "return": inputs["returns"][..., None], "last": states[..., 0, -1:],
            "buffer": states[..., 1, -1:], "speeds": states[..., 2, :], "times": states[..., 3, :],
            "sizes": states[..., 4, :qualities], "left": states[..., 5, -1:],
            "action": (inputs["actions"][..., None] + 1) / qualities,
        }  # fmt: skip
        found = self.encoder.tokens(params["encoder"], given, inputs["time"])
        batch, steps = found.shape[:2]
        return found.reshape(batch, steps * TOKENS, -1), jnp.repeat(inputs["real"], TOKENS, axis=1)

    def outputs(
        self, params: Params, states: Float[Array, "B T D"], inputs: Any
    ) -> Float[Array, "B W qualities"]:
        """Scores of every chunk's bitrates, read before its action."""
        return self.head.outputs(params["head"], states[:, TOKENS - 2 :: TOKENS])

    def loss(self, outputs: Float[Array, "B W qualities"], inputs: Any) -> Float[Array, ""]:
        """Cross-entropy of what was chosen, over real chunks."""
        told = jnp.take_along_axis(outputs, inputs["actions"][..., None], -1)[..., 0]
        surprise = jax.nn.logsumexp(outputs, -1) - told
        return (surprise * inputs["real"]).sum() / jnp.maximum(inputs["real"].sum(), 1)


class History(NamedTuple):
    """What a playing model remembers: its window, and the return that it still wishes for."""

    returns: Float[Array, "N W"]
    states: Float[Array, "N W 6 past"]
    actions: Int[Array, "N W"]
    time: Int[Array, "N W"]
    real: Bool[Array, "N W"]
    goal: Float[Array, "N"]


def play(
    adapted: Adapted,
    links: Links,
    video: Video,
    experience: Experience,
    *,
    window: int,
    target: Float[ArrayLike, "N"] | float = 1.0,
    blind: bool = False,
    start: Float[ArrayLike, "N"] | None = None,
) -> Played:
    """Streams over every link by the most likely bitrate; one call of the backbone a chunk.

    Args:
        adapted: to `Streaming`.
        links, video: in float32.
        experience: that it learned from, for the best return and the range of rewards.
        window: chunks that it sees, as in training.
        target: the wished return over the best of the experience, of each link or of all.
        blind: as in training.
        start: seconds into the traces.
    """
    best = float(experience.returns()[:, 0].max())
    number = len(links.period)
    goal = np.broadcast_to(np.asarray(target, np.float32) * best, (number,)) * (not blind)
    begun = np.zeros(number, np.float32) if start is None else np.asarray(start, np.float32)
    low, high = experience.range
    steps = experience.rewards.shape[1]
    return _played(
        adapted.task, adapted.backbone.shape, window, adapted.backbone.params, adapted.trained,
        links, video, jnp.asarray(goal), jnp.asarray(begun),
        jnp.asarray([low, max(high - low, 1e-12), steps, float(not blind)], jnp.float32),
    )  # fmt: skip


@functools.partial(jax.jit, static_argnames=("task", "shape", "window"))
def _played(
    task: Streaming, shape: Shape, window: int, params: Params, trained: Params, links: Links,
    video: Video, goal: Array, start: Array, scale: Array,
) -> Played:  # fmt: skip
    low, spread, steps, sees = scale

    def policy(memory: History, player: Player) -> tuple[History, Array]:
        chosen = player.chunk > 0
        memory = History(
            _shifted(memory.returns, memory.goal), _shifted(memory.states, observed(video, player)),
            _shifted(memory.actions, jnp.zeros_like(player.quality)),
            _shifted(memory.time, jnp.maximum(player.chunk - 1, 0)),
            _shifted(memory.real, chosen), memory.goal,
        )  # fmt: skip
        inputs = {name: one for name, one in memory._asdict().items() if name != "goal"}
        outputs = outputs_of(task, shape, params, trained, inputs)
        quality = task.head.answer(outputs[:, -1]).astype(jnp.int32)
        return memory._replace(actions=memory.actions.at[:, -1].set(quality)), quality

    def told(memory: History, player: Player, played: Played) -> History:
        # Rewards beyond what was seen count as the nearest that was; the first chunk's does not.
        gained = jnp.clip((played.reward - low) / spread, 0, 1) / steps * sees
        return memory._replace(goal=memory.goal - jnp.where(player.chunk > 1, gained, 0))

    number = len(links.period)
    none = jnp.zeros((number, window), jnp.int32)
    begun = History(
        jnp.zeros((number, window)), jnp.zeros((number, window, 6, PAST)), none, none,
        jnp.zeros((number, window), bool), goal,
    )  # fmt: skip
    return stream(links, video, policy, begun, start=start, told=told)


def _shifted(rows: Array, newest: Array) -> Array:
    return jnp.concatenate([rows[:, 1:], newest[:, None]], 1)
