"""Backbones of the studies: a tiny one that was trained, the real one, and their twins at random start."""

import dataclasses
import functools

import numpy as np

from experiments.data.carried import load_carried
from experiments.data.room import DataMissingError
from experiments.harness.study import NotMeasured, Trial
from experiments.kits.transformer.decoder import Params, Shape, initial
from experiments.kits.transformer.embedded import first_blocks
from experiments.kits.transformer.tasks import (
    VOCABULARY,
    comparison,
    copying,
    joined,
    modular_composition,
)
from experiments.kits.transformer.tiny import fit_decoder
from experiments.kits.transformer.weights import pretrained
from experiments.language.netllm.adapting import Backbone
from experiments.language.netllm.study_config import NetConfig
from ntkexec.errors import MissingExtraError

REAL = "smollm2-135m"


def tiny_backbone(config: NetConfig, trial: Trial) -> Backbone:
    """Trained on algorithmic text from the seed; the same for all studies of a seed."""
    return _tabled_off(*tiny_model(config, trial.seed))


def tiny_model(config: NetConfig, seed: int) -> tuple[Params, Shape]:
    """With its table of tokens."""
    return _fitted(config.blocks, config.width, config.pretraining, seed)


@functools.lru_cache(maxsize=2)
def _fitted(blocks: int, width: int, steps: int, seed: int) -> tuple[Params, Shape]:
    shape = Shape(
        blocks=blocks, width=width, heads=4, key_heads=2, hidden=2 * width, vocabulary=VOCABULARY
    )
    generator = np.random.default_rng([seed, 3])
    text = joined(
        modular_composition(generator, 2000, (1, 3), modulus=3), copying(generator, 2000),
        comparison(generator, 2000),
    )  # fmt: skip
    params, _ = fit_decoder(
        shape, text.tokens, text.counted, seed=seed, steps=steps, batch=32, rate=5e-3
    )
    return params, shape


def real_backbone(trial: Trial, blocks: int) -> Backbone:
    """The first blocks of SmolLM2-135M.

    Raises:
        NotMeasured: no blocks are asked for, or the model or what reads it is not installed.
    """
    if not blocks:
        raise NotMeasured("a real language model is adapted with --scale standard")
    try:
        return _tabled_off(*first_blocks(*_loaded(str(trial.data or "")), blocks))
    except (DataMissingError, MissingExtraError) as reason:
        raise NotMeasured(str(reason)) from None


@functools.lru_cache(maxsize=1)
def _loaded(data: str) -> tuple[Params, Shape]:
    model = pretrained(load_carried(REAL, data or None))
    return model.params, model.shape


def random_twin(backbone: Backbone, generator: np.random.Generator) -> Backbone:
    """The same architecture at random start."""
    return Backbone(backbone.shape, initial(backbone.shape, generator))


def _tabled_off(params: Params, shape: Shape) -> Backbone:
    """Without its table of tokens, which reads and writes no vectors."""
    none = np.zeros((1, shape.width), np.float32)
    return Backbone(dataclasses.replace(shape, vocabulary=1), {**params, "embedding": none})
