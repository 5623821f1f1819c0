"""Experts of a real model, grown on three kinds of text, as sources that are fused back into it."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data.carried import load_carried
from experiments.data.room import DataMissingError
from experiments.files.sources import content
from experiments.harness.statistics import mean
from experiments.harness.study import NotMeasured, Trial
from experiments.kits.transformer.decoder import Shape, logits, run
from experiments.kits.transformer.experts import fingerprint, grow, nats, windows
from experiments.kits.transformer.keeping import kept
from experiments.kits.transformer.lora import initial_lora
from experiments.kits.transformer.weights import Pretrained, pretrained
from experiments.language.flexible_llm.distributions import TopK
from experiments.language.flexible_llm.fusing import Way, fuse
from experiments.language.flexible_llm.study_config import FlexibleConfig
from ntkexec.errors import MissingExtraError

ARMS: dict[str, Way] = {"text alone": "none", "average": "uniform", "joint": "joint"}
RANK, GROWN_SEED = 4, 0


def real(config: FlexibleConfig, trial: Trial) -> dict[str, Any]:
    """Nats a token of held-out text of each kind, by way of fusing; of the base and every expert too."""
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
    judged = np.concatenate(list(held.values()))
    made_from = _origin(config, model, sources, whole, judged)

    def by_piece(adapters: Any) -> np.ndarray:
        return nats(model.params, model.shape, judged, adapters=adapters)

    def measured() -> dict[str, np.ndarray]:
        rows = [_stored(config, model, whole, one) for one in sources.values()]
        found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return {**found, "held": np.stack([by_piece(one) for one in sources.values()])}

    trial.report("what experts expect", 1, 3)
    found = kept(shared, "expected", made_from, measured)
    stored = TopK(found["tokens"], found["mass"], found["tail"])
    told, use = {}, {}
    for done, (name, way) in enumerate(ARMS.items()):
        trial.report("fusions", done, len(ARMS))
        one = fuse(
            model.params, model.shape, whole, np.ones(whole.shape, bool), stored, found["loss"], how=way,
            share=config.share, adapters=first, seed=trial.seed, steps=config.real,
            batch=config.real_batch, rate=config.real_rate, selector_rate=1e-2,
        )  # fmt: skip
        told[name], use[name] = by_piece(one.trained), one.usage[-1].tolist()

    def by_kind(pieces: np.ndarray) -> dict[str, float]:
        parts = pieces.reshape(len(held), -1).mean(1)
        return dict(zip(held, parts.tolist(), strict=True))

    return {
        "ways": {name: by_kind(pieces) for name, pieces in told.items()},
        "sources": {name: by_kind(row) for name, row in zip(sources, found["held"], strict=True)},
        "use": use,
        # Nats that text alone has more, piece by piece: the mean, and its 95 % interval over pieces.
        "gains": {
            name: mean((told["text alone"] - told[name]).tolist()).to_data()
            for name in ("average", "joint")
        },
    }


def _origin(
    config: FlexibleConfig, model: Pretrained, sources: Any, corpus: np.ndarray, held: np.ndarray
) -> dict[str, Any]:
    """All that decides what sources expect in the corpus, and how they do on the held-out pieces."""
    parts = {"params": model.params, "sources": sources, "corpus": corpus, "held": held}
    named = {name: fingerprint(part) for name, part in parts.items()}
    return {"config": repr(config), "shape": repr(model.shape), "order": list(sources), **named}


def _texts(trial: Trial) -> dict[str, str]:
    return {
        "plays": content(trial.dataset("tiny-shakespeare")).decode("utf-8", "replace"),
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
    for start in range(0, len(texts), config.real_batch):
        rows = np.arange(start, start + config.real_batch) % len(texts)
        block = _rows(model.shape, config.real_kept, model.params, adapters, texts[rows])
        found.append([np.asarray(one) for one in block])
    tokens, mass, loss = (np.concatenate(one)[: len(texts)] for one in zip(*found, strict=True))
    tail = np.clip(1 - mass.astype(float).sum(-1), 0, None).astype(np.float32)
    return {"tokens": tokens.astype(np.int32), "mass": mass, "tail": tail, "loss": loss}


@functools.partial(jax.jit, static_argnums=(0, 1))
def _rows(shape: Shape, number: int, params: Any, adapters: Any, texts: Any) -> Any:
    texts = jnp.asarray(texts)
    told = jax.nn.log_softmax(
        logits(params, shape, run(params, shape, texts[:, :-1], adapters=adapters).last)
    )
    mass, tokens = jax.lax.top_k(told, number)
    chosen = jnp.take_along_axis(told, texts[:, 1:, None], -1)[..., 0]
    return tokens, jnp.exp(mass), -chosen.mean(-1)
