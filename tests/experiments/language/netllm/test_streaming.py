"""A playing model sees what it saw in training, and wishes for what it has not got yet."""

import jax
import numpy as np
import pytest

from experiments.kits.transformer.decoder import Shape, initial
from experiments.language.netllm import (
    Backbone,
    Links,
    Streaming,
    Video,
    adapt,
    buffer_based,
    collect,
    play,
)
from experiments.language.netllm.streaming import windows

BITRATES = (300, 750, 1200, 1850, 2850, 4300)
CHUNKS, WINDOW = 9, 3


@pytest.fixture(scope="module")
def parts():
    generator = np.random.default_rng(0)
    video = Video.of(np.outer(generator.uniform(0.8, 1.2, CHUNKS), BITRATES) * 500, BITRATES)
    traces = [(np.arange(80.0), generator.uniform(0.2, 3, 80)) for _ in range(5)]
    links = Links.of(traces)
    shape = Shape(blocks=2, width=8, heads=2, key_heads=1, hidden=16, vocabulary=1)
    backbone = Backbone(shape, initial(shape, generator, deviation=0.4))
    experience, _ = collect(links, video, buffer_based(video), None)
    task = Streaming.of(8, chunks=CHUNKS, features=4)
    adapted = adapt(
        task, backbone, windows(experience, WINDOW), seed=0, steps=60, batch=8, rate=2e-2, rank=2
    )
    return adapted, links, video, experience


@pytest.mark.slow
def test_a_playing_model_computes_what_training_does_on_the_same_windows(parts):
    adapted, links, video, experience = parts
    played = play(adapted, links, video, experience, window=WINDOW, target=0.9)
    qualities = np.asarray(played.quality)
    again, _ = collect(links, video, lambda kept, player: (kept, kept[player.chunk[0]]), qualities)
    np.testing.assert_array_equal(again.actions, qualities[1:].T)
    low, high = experience.range
    steps = CHUNKS - 1
    gained = np.clip((np.asarray(again.rewards) - low) / (high - low), 0, 1) / steps
    before = np.cumsum(np.pad(gained, ((0, 0), (1, 0))), axis=1)[:, :-1]
    wished = 0.9 * experience.returns()[:, 0].max() - before
    inputs = windows(again._replace(states=np.asarray(again.states)), WINDOW)
    at = np.maximum(np.arange(steps)[:, None] + np.arange(-WINDOW + 1, 1)[None], 0)
    inputs["returns"] = wished[:, at].reshape(-1, WINDOW).astype(np.float32)
    scores = np.asarray(adapted.outputs(inputs))[:, -1].reshape(len(gained), steps, -1)
    chosen = np.take_along_axis(scores, again.actions[..., None], -1)[..., 0]
    # The best up to rounding in float32.
    np.testing.assert_allclose(chosen, scores.max(-1), atol=1e-3)
    assert len(np.unique(qualities[1:])) > 1


@pytest.mark.slow
def test_adapting_lowers_the_loss_and_leaves_the_backbone_as_it_was(parts):
    adapted = parts[0]
    assert adapted.losses[-10:].mean() < 0.8 * adapted.losses[:5].mean()
    assert set(adapted.trained) == {"task", "adapters"}
    moved = [np.abs(one["up"]).max() for one in adapted.trained["adapters"].values()]
    assert min(moved) > 0
    whole = adapt(
        adapted.task, adapted.backbone, windows(parts[3], WINDOW), seed=0, steps=2, batch=8,
        everything=True,
    )  # fmt: skip
    leaves = zip(
        jax.tree.leaves(whole.trained["backbone"]["blocks"]),
        jax.tree.leaves(adapted.backbone.params["blocks"]), strict=True,
    )  # fmt: skip
    assert all(np.abs(after - before).max() > 0 for after, before in leaves)
