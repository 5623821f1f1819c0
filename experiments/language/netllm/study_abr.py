"""Bitrates: what an adapted decoder earns beside policies that need no learning."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from experiments.data.traces import Trace
from experiments.harness.study import Trial
from experiments.language.netllm.abr import Played, Player, Video, qoe, stream
from experiments.language.netllm.adapting import Adapted, Backbone, adapt
from experiments.language.netllm.links import Links
from experiments.language.netllm.rivals import Guesses, buffer_based, robust_mpc
from experiments.language.netllm.streaming import Experience, Streaming, collect, play, windows
from experiments.language.netllm.study_backbone import random_twin, real_backbone, tiny_backbone
from experiments.language.netllm.study_config import NetConfig

BITRATES = (300, 750, 1200, 1850, 2850, 4300)
CHUNKS = 48
TARGETS = (0.25, 0.5, 0.75, 1.0, 1.25)
"""Wished returns over the best of the experience."""
CARELESS = (0.0, 0.0, 0.1, 0.3)
"""Shares of choices at random, of the policies in turn from which is learned."""


class Room(NamedTuple):
    """What a seed learns from and is tested on.

    Args:
        video: the first of the two.
        experience: of BBA and MPC in turn, some of them careless, on training traces.
        links: test traces.
        start: seconds into them.
    """

    video: Video
    experience: Experience
    links: Links
    start: np.ndarray


def room(config: NetConfig, trial: Trial, tested: int) -> Room:
    """Drawn from the trial's generator."""
    traces, (first, *_) = trial.load("abr-fcc"), trial.load("video-chunks")
    video = Video.of(first.sizes[:CHUNKS], BITRATES)
    generator = trial.generator
    number = config.abr_episodes
    links, start = _drawn(traces.train, number, generator)
    experience, _ = _collected(
        links, video, start, generator.uniform(0.9, 1.1, (CHUNKS, number)).astype(np.float32),
        np.arange(number) % 2 == 0, np.resize(np.repeat(CARELESS, 2), number).astype(np.float32),
        jax.random.key(trial.seed),
    )  # fmt: skip
    experience = Experience(*map(np.asarray, experience))
    return Room(video, experience, *_drawn(traces.test, tested, generator))


def _drawn(
    traces: Sequence[Trace], number: int, generator: np.random.Generator
) -> tuple[Links, np.ndarray]:
    """Traces without repetition as long as there are any, and where in them videos begin."""
    order = np.concatenate(
        [generator.permutation(len(traces)) for _ in range(-(-number // len(traces)))]
    )
    # Of all of them, so that one length, and one program, is for every seed.
    links = Links.of([(one.seconds, one.megabits) for one in traces]).chosen(order[:number])
    return links, (generator.random(number) * links.period).astype(np.float32)


@jax.jit
def _collected(
    links: Links, video: Video, start: Any, factors: Any, planning: Any, careless: Any, key: jax.Array
) -> tuple[Experience, Played]:  # fmt: skip
    """What BBA or MPC does on each link, with a share of its choices at random."""
    buffered, planned = buffer_based(video), robust_mpc(video)

    def policy(memory: Any, player: Player) -> tuple[Any, jax.Array]:
        guesses, key = memory
        key, first, second = jax.random.split(key, 3)
        guesses, far = planned(guesses, player)
        _, near = buffered(None, player)
        number = len(careless)
        anything = jax.random.randint(first, (number,), 0, video.qualities)
        at_random = jax.random.uniform(second, (number,)) < careless
        return (guesses, key), jnp.where(at_random, anything, jnp.where(planning, far, near))

    begun = (Guesses.none(links), key)
    return collect(links, video, policy, begun, start=start, factors=factors)


@jax.jit
def _rivals(links: Links, video: Video, start: Any) -> dict[str, jax.Array]:
    """What policies that learn nothing earn on every link."""
    none = Guesses.none(links)
    arms: dict[str, tuple[Any, Any]] = {
        "bba": (buffer_based(video), None),
        "mpc": (robust_mpc(video), none),
        "mpc_small_jumps": (robust_mpc(video, jumps=1), none),
    }
    return {
        name: qoe(stream(links, video, policy, memory, start=start))
        for name, (policy, memory) in arms.items()
    }


def bitrates(config: NetConfig, trial: Trial) -> dict[str, Any]:
    """Mean reward a chunk on real test traces: of rivals, and of decoders adapted to the same experience.

    `trained` is a decoder that learned algorithmic text before, `cloning` is the same without returns,
    `random` never learned anything. `targets` are rewards by wished return, and `conditioning` how
    their ranks agree.
    """
    here = room(config, trial, config.abr_tested)
    backbone = tiny_backbone(config, trial)
    twin = random_twin(backbone, trial.generator)
    found = {name: _mean(one) for name, one in _rivals(here.links, here.video, here.start).items()}
    losses: dict[str, float] = {}
    for name, frozen, blind in (
        ("cloning", backbone, True), ("random", twin, False), ("trained", backbone, False)
    ):  # fmt: skip
        trial.report("adapting to bitrates", len(losses), 3)
        adapted = _adapted(config, here, frozen, trial.seed, blind=blind)
        losses[name] = float(adapted.losses[-20:].mean())
        found[name] = _mean(qoe(_play(config, here, adapted, blind=blind)))
    wished = {1.0: found["trained"]}  # as it was asked for above
    for target in TARGETS:
        if target not in wished:
            wished[target] = _mean(qoe(_play(config, here, adapted, target=target)))
    targets = [wished[target] for target in TARGETS]
    flat = [wished[1.0]] * len(TARGETS)
    return {
        "earned": found,
        "losses": losses,
        "collected": float(here.experience.rewards.mean()),
        "targets": targets,
        "conditioning": _agreement(targets),
        "conditioning_flat": _agreement(flat),
    }


def _agreement(earned: list[float]) -> float:
    """Spearman's correlation with the wished returns; 0 where nothing changes."""
    if np.ptp(earned) == 0:
        return 0.0
    return float(stats.spearmanr(TARGETS, earned).statistic)


def _adapted(
    config: NetConfig, here: Room, backbone: Backbone, seed: int, *, blind: bool = False
) -> Adapted:
    task = Streaming.of(backbone.shape.width, qualities=len(BITRATES), chunks=CHUNKS)
    return adapt(
        task, backbone, windows(here.experience, config.abr_window, blind=blind), seed=seed,
        steps=config.abr_steps, batch=config.abr_batch, rate=config.abr_rate, rank=config.rank,
    )  # fmt: skip


def _play(
    config: NetConfig, here: Room, adapted: Adapted, *, target: float = 1.0, blind: bool = False
) -> Played:
    return play(
        adapted, here.links, here.video, here.experience, window=config.abr_window, target=target,
        blind=blind, start=here.start,
    )  # fmt: skip


def _mean(rewards: Any) -> float:
    return float(np.asarray(rewards, np.float64).mean())


def bitrates_real(config: NetConfig, trial: Trial) -> dict[str, Any]:
    """As `bitrates`, of the real model's first blocks and of the same blocks at random start."""
    backbone = real_backbone(trial, config.real_blocks)
    here = room(config, trial, config.real_tested)
    found = {name: _mean(one) for name, one in _rivals(here.links, here.video, here.start).items()}
    losses, seconds = {}, {}
    task = Streaming.of(backbone.shape.width, qualities=len(BITRATES), chunks=CHUNKS)
    twin = random_twin(backbone, trial.generator)
    for name, frozen in (("random", twin), ("trained", backbone)):
        begun = time.process_time()
        adapted = adapt(
            task, frozen, windows(here.experience, config.real_window), seed=trial.seed,
            steps=config.real_steps, batch=config.real_batch, rate=config.real_rate,
            rank=config.rank,
        )  # fmt: skip
        learned = time.process_time()
        played = play(
            adapted, here.links, here.video, here.experience, window=config.real_window,
            start=here.start,
        )  # fmt: skip
        found[name] = _mean(qoe(played))
        seconds[name] = [learned - begun, time.process_time() - learned]
        losses[name] = [float(part.mean()) for part in np.array_split(adapted.losses, 4)]
    return {"earned": found, "losses": losses, "seconds": seconds}


FUNCTIONS: dict[str, Callable[..., Any]] = {"bitrates": bitrates, "bitrates_real": bitrates_real}
SLOW = ("bitrates",)
