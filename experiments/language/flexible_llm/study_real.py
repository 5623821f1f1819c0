"""Experts of a real model, grown on three kinds of text, as sources that are fused back into it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data.carried import load_carried
from experiments.data.room import DataMissingError
from experiments.harness.study import NotMeasured, Trial
from experiments.kits.transformer.decoder import logits, run
from experiments.kits.transformer.experts import grow, nats, windows
from experiments.kits.transformer.kept import kept
from experiments.kits.transformer.lora import initial_lora
from experiments.kits.transformer.weights import Pretrained, pretrained
from experiments.language.flexible_llm.distributions import TopK
from experiments.language.flexible_llm.fusing import Way, fuse
from experiments.language.flexible_llm.study_config import FlexibleConfig
from ntkexec.errors import MissingExtraError

ARMS: dict[str, Way] = {"text alone": "none", "average": "uniform", "joint": "joint"}
RANK, GROWN_SEED = 4, 0


def real(config: FlexibleConfig, trial: Trial) -> dict[str, Any]:
    """Nats a token of held-out text of each kind, by way of fusing; of the base and of every expert too."""
    if not config.real:
        raise NotMeasured(
            "fusing experts of SmolLM2-135M takes minutes: it is measured with --scale standard"
        )
    texts = _texts(trial)
    try:
        model = pretrained(load_carried("smollm2-135m", trial.data))
    except (DataMissingError, MissingExtraError) as reason:
        raise NotMeasured(str(reason)) from None
    # What does not depend on the seed lies beside the folders of the seeds.
    shared = None if trial.folder is None else trial.folder.parent / "grown"
    pieces = {name: _pieces(config, model, text) for name, text in texts.items()}
    training, corpus, held = (
        {name: parts[place] for name, parts in pieces.items()} for place in range(3)
    )
    trial.report("experts", 0, len(texts))
    experts = grow(
        model.params, model.shape, training, seed=GROWN_SEED, steps=config.grown, rank=RANK,
        batch=config.real_batch, rate=config.real_rate, folder=shared,
    )  # fmt: skip
    first = initial_lora(model.shape, np.random.default_rng(GROWN_SEED), rank=RANK)
    sources = {"base": first, **{name: one.adapters for name, one in experts.items()}}
    whole = np.concatenate(list(corpus.values()))
    made_from = {
        "config": repr(config),
        "losses": {n: e.losses.tolist() for n, e in experts.items()},
    }

    def measured() -> dict[str, np.ndarray]:
        rows = [_stored(config, model, whole, one) for one in sources.values()]
        judged = [
            nats(model.params, model.shape, part, adapters=one)
            for one in sources.values()
            for part in held.values()
        ]
        told = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return {**told, "held": np.stack(judged).reshape(len(sources), len(held), -1)}

    trial.report("what experts expect", 1, 3)
    found = kept(shared, "expected", made_from, measured)
    stored = TopK(found["tokens"], found["mass"], found["tail"])
    ways, use = {}, {}
    for done, (name, way) in enumerate(ARMS.items()):
        trial.report("fusions", done, len(ARMS))
        one = fuse(
            model.params, model.shape, whole, np.ones(whole.shape, bool), stored, found["loss"], how=way,
            share=config.share, adapters=first, seed=trial.seed, steps=config.real,
            batch=config.real_batch, rate=config.real_rate, selector_rate=1e-2,
        )  # fmt: skip
        ways[name] = {
            kind: float(nats(model.params, model.shape, part, adapters=one.trained).mean())
            for kind, part in held.items()
        }
        use[name] = one.usage[-1].tolist()
    return {
        "ways": ways,
        "use": use,
        "sources": {
            name: dict(zip(held, row.mean(-1).tolist(), strict=True))
            for name, row in zip(sources, found["held"], strict=True)
        },
    }


def _texts(trial: Trial) -> dict[str, str]:
    return {
        "plays": trial.load("tiny-shakespeare"),
        "sums": "\n".join(one.text for one in trial.load("gsm8k").train),
        "reviews": "\n".join(one.text for one in trial.load("sst-2").train),
    }


def _pieces(config: FlexibleConfig, model: Pretrained, text: str) -> tuple[np.ndarray, ...]:
    """Pieces of one text to grow on, to fuse on and to judge by, in this order in the text."""
    number = config.grown * config.real_batch
    sizes = (number, config.real_texts, config.real_held)
    # A token of such text has some three characters; not more than needed is cut.
    tokens = model.tokens(text[: 6 * sum(sizes) * config.real_length])
    found = windows(tokens, config.real_length)[: sum(sizes)]
    return tuple(np.split(found, np.cumsum(sizes)[:2]))


def _stored(
    config: FlexibleConfig, model: Pretrained, texts: np.ndarray, adapters: Any
) -> dict[str, np.ndarray]:
    """The likeliest tokens after each but the last, and the loss, of every text."""
    found = []
    for row in texts:
        tokens, mass, loss = _expected(config, model, row[None], adapters)
        found.append((tokens[0], mass[0], loss[0]))
    tokens, mass, loss = (np.stack(one) for one in zip(*found, strict=True))
    tail = np.clip(1 - mass.astype(float).sum(-1), 0, None).astype(np.float32)
    return {"tokens": tokens.astype(np.int32), "mass": mass, "tail": tail, "loss": loss}


def _expected(config: FlexibleConfig, model: Pretrained, texts: np.ndarray, adapters: Any) -> Any:
    return jax.tree.map(
        np.asarray, _rows(model.shape, config.real_kept, model.params, adapters, texts)
    )


def _rows_of(shape: Any, number: int, params: Any, adapters: Any, texts: Any) -> Any:
    texts = jnp.asarray(texts)
    told = jax.nn.log_softmax(
        logits(params, shape, run(params, shape, texts[:, :-1], adapters=adapters).last)
    )
    mass, tokens = jax.lax.top_k(told, number)
    chosen = jnp.take_along_axis(told, texts[:, 1:, None], -1)[..., 0]
    return tokens, jnp.exp(mass), -chosen.mean(-1)


_rows = jax.jit(_rows_of, static_argnums=(0, 1))
