"""What is measured: gradients of the losses; fusions in a tiny world, and of experts of a real model."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.study import Studies, Trial
from experiments.kits.transformer.tiny import answered
from experiments.language.flexible_llm.distributions import loss_bounds, spread, top_k
from experiments.language.flexible_llm.fusing import Fused, Way, drawn_selector, fuse
from experiments.language.flexible_llm.selection import SourceSelector, fusion_loss, mixed
from experiments.language.flexible_llm.study_config import FlexibleConfig
from experiments.language.flexible_llm.study_real import real
from experiments.language.flexible_llm.study_world import (
    KNOWN,
    World,
    likelihoods,
    made,
)

WAYS: dict[str, Way] = {
    "text alone": "none", "average": "uniform", "MinCE": "least",
    "released": "released", "joint": "joint", "no feedback": "joint", "bilevel": "bilevel",
}  # fmt: skip


def exact(config: FlexibleConfig, trial: Trial) -> dict[str, float]:
    """Gradients of both kinds of the fusion loss: how far apart, relative to the larger one."""
    generator = trial.generator
    with jax.enable_x64(True):
        sources = jnp.asarray(generator.dirichlet(np.ones(11), size=(4, 6, 5)))
        raw, free = (jnp.asarray(generator.normal(size=sides)) for sides in ((6, 5, 11), (6, 4)))
        counted = jnp.ones((6, 5), bool)

        def loss(free: Any, raw: Any, kind: Any) -> Any:
            told = jax.nn.log_softmax(raw)
            return fusion_loss(mixed(jax.nn.softmax(free), sources), told, counted, kind=kind)

        ce, kl = (jax.grad(loss, (0, 1))(free, raw, kind) for kind in ("ce", "kl"))
        apart = [float(abs(a - b).max() / abs(a).max()) for a, b in zip(ce, kl, strict=True)]
    return {"weights": apart[0], "model": apart[1]}


def fused(config: FlexibleConfig, trial: Trial) -> dict[str, Any]:
    """Accuracy by task and use of the sources, by way of weighting and by number of sources."""
    with tempfile.TemporaryDirectory() as folder:
        world = made(
            trial.generator, examples=config.examples, texts=config.texts, tests=config.tests,
            steps=config.steps, noise=config.noise, kept=config.kept, folder=Path(folder),
        )  # fmt: skip
    before = _accuracy(world, world.target.params)
    found: dict[str, Any] = {}
    several = range(1, len(KNOWN))
    rounds = {name: (way, len(KNOWN)) for name, way in WAYS.items()}
    rounds |= {f"average of {number}": ("uniform", number) for number in several}
    fusions = {}
    for done, (name, (way, number)) in enumerate(rounds.items()):
        trial.report("fusions", done, len(rounds))
        one = _fusion(config, world, trial.seed, way, number, feedback=name != "no feedback")
        used = one.usage[-max(1, config.fused // 4) :]
        found[name] = {
            "accuracy": _accuracy(world, one.trained),
            "use": used.mean(0).tolist(),
            "entropy": float(_entropy(used).mean()),
        }
        fusions[name] = one
    fresh = {
        name: _unlearned(config, world, trial.seed, name == "released")
        for name in ("released", "joint")
    }
    return {
        "before": before,
        "ways": found,
        "shared": list(world.shared),
        "loss": world.loss.mean(1).tolist(),
        "learned": {
            name: float(abs(fusions[name].usage - usage).max()) for name, usage in fresh.items()
        },
        "bounds": _bounds(world),
    }


def _fusion(
    config: FlexibleConfig, world: World, seed: int, way: Way, number: int, *, feedback: bool
) -> Fused:
    return fuse(
        world.target.params, world.target.shape, world.corpus.tokens, world.corpus.counted,
        world.stored, world.loss, how=way, share=config.share, feedback=0.5 if feedback else 0.0,
        present=np.arange(len(KNOWN)) < number, held=world.held[:2], seed=seed, steps=config.fused,
        batch=config.batch, rate=config.rate, selector_rate=1e-2,
    )  # fmt: skip


def _accuracy(world: World, params: Any) -> list[float]:
    """Share of right answers, by task."""
    shape = world.target.shape
    return [float(answered(params, shape, part).mean()) for part in world.test.values()]


def _entropy(usage: np.ndarray) -> np.ndarray:
    """Of how a batch uses the sources, in nats."""
    return -np.where(usage > 0, usage * np.log(np.maximum(usage, 1e-30)), 0).sum(-1)


def _unlearned(config: FlexibleConfig, world: World, seed: int, redrawn: bool) -> np.ndarray:
    """How selectors that nobody trains use the sources of the same batches: fresh ones, or the first one."""
    rows = np.random.default_rng([seed, 2]).integers(
        len(world.corpus.tokens), size=(config.fused, config.batch)
    )
    scores = np.exp(-world.loss.T).astype(np.float32)[rows]
    key, sources = jax.random.key(seed), len(world.loss)

    def use(index: jax.Array, given: jax.Array) -> jax.Array:
        fresh = drawn_selector(jax.random.fold_in(key, index), sources)
        return jnp.asarray(SourceSelector(sources).apply(fresh, given)).mean(0)

    indices = np.arange(1, config.fused + 1) * redrawn
    return np.asarray(
        jax.lax.map(lambda one: use(*one), (jnp.asarray(indices), jnp.asarray(scores)))
    )


def _bounds(world: World) -> dict[str, Any]:
    """Errors of the stored loss and the width that is promised, relative to the loss, by tokens kept."""
    model = world.target
    told = np.asarray(likelihoods(model.shape, model.params, world.corpus.tokens))
    counted = world.corpus.counted[: world.dense.shape[1], 1:]
    told = told[: world.dense.shape[1], :-1].astype(float)[counted]
    rows = world.dense[:, counted].astype(float)
    rows /= rows.sum(-1, keepdims=True)
    true = -(rows * told[None]).sum(-1)
    found: dict[str, Any] = {}
    for kept in (1, 2, 4, 8, 16):
        stored = top_k(rows, kept)
        low, high = loss_bounds(stored, np.broadcast_to(told[None], rows.shape))
        off = abs(-(spread(stored, rows.shape[-1]) * told[None]).sum(-1) - true)
        found[str(kept)] = {
            "width": float((high - low).mean() / true.mean()),
            "error": float(off.mean() / true.mean()),
            "outside": float(np.maximum(np.maximum(low - true, true - high), 0).max()),
        }
    return found


QUICK = FlexibleConfig()
STUDIES = Studies(
    configs={"quick": QUICK, "standard": dataclasses.replace(QUICK, real=10)},
    tiny=FlexibleConfig(
        examples=64,
        steps=4,
        texts=24,
        tests=4,
        fused=3,
        batch=4,
        grown=1,
        real_texts=1,
        real_held=1,
    ),
    functions={"exact": exact, "fused": fused, "real": real},
    num_seeds=5,
    slow=("fused",),
)
