"""Tiny decoders: the loss is the likelihood's, dropping nothing is a run, and adapters train alone."""

import jax
import numpy as np
import pytest

from experiments.kits.transformer import tasks
from experiments.kits.transformer.cache import generate
from experiments.kits.transformer.decoder import Shape, initial, logits, run
from experiments.kits.transformer.likelihood import log_likelihoods
from experiments.kits.transformer.lora import initial_lora
from experiments.kits.transformer.tiny import answered, fit_decoder, prediction_loss, with_dropped
from ntkexec.errors import ExperimentError

SHAPE = Shape(2, 16, 2, 1, 32, tasks.VOCABULARY)
MADE = tasks.comparison(np.random.default_rng(0), 40, symbols=3, length=8)


@pytest.mark.slow
def test_the_loss_is_the_mean_of_what_counts_and_dropped_blocks_are_not_on_the_path():
    params = initial(SHAPE, np.random.default_rng(1), deviation=0.5)
    tokens = MADE.tokens[:6]
    stays = np.ones((2, 6), bool)
    np.testing.assert_array_equal(
        with_dropped((params, None), SHAPE, tokens, stays), run(params, SHAPE, tokens).last
    )
    stays[0, 3] = False
    mixed = with_dropped((params, None), SHAPE, tokens, stays)
    alone = run(params, SHAPE, tokens[3:4], path=[1]).last
    np.testing.assert_allclose(mixed[3:4], alone, rtol=1e-5, atol=1e-5)
    counted = MADE.counted[:6]
    loss = prediction_loss((params, None), SHAPE, tokens, counted, np.ones((2, 6), bool))
    told = log_likelihoods(params, SHAPE, tokens)
    assert float(loss) == pytest.approx(-told[counted[:, 1:]].mean(), rel=1e-5)


def test_answers_in_one_pass_are_those_of_generation():
    params = initial(SHAPE, np.random.default_rng(2), deviation=1.0)
    made = tasks.copying(np.random.default_rng(3), 200, items=2, symbols=2, length=8)
    found = answered(params, SHAPE, made)
    prompts = made.tokens[:, : int(made.start[0])]
    exact = tasks.graded(made.answers, generate(params, SHAPE, prompts, steps=2))
    np.testing.assert_array_equal(found, exact)
    scores = np.asarray(logits(params, SHAPE, run(params, SHAPE, made.tokens[:, :-1]).last))
    own = np.where(made.counted[:, 1:], scores.argmax(-1), made.tokens[:, 1:])
    relabelled = tasks.Examples(
        np.column_stack([made.tokens[:, :1], own]), made.start, own[:, 3:5], made.difficulty
    )
    assert answered(params, SHAPE, relabelled).mean() > found.mean()


@pytest.mark.slow
def test_a_task_is_learned_the_same_by_the_same_seed_and_by_adapters_alone():
    given = {"seed": 0, "steps": 150, "batch": 32, "rate": 1e-2}
    params, losses = fit_decoder(SHAPE, MADE.tokens, MADE.counted, **given)
    again, _ = fit_decoder(SHAPE, MADE.tokens, MADE.counted, **given)
    jax.tree.map(np.testing.assert_array_equal, params, again)
    assert losses[:10].mean() > 1 > 0.2 > losses[-10:].mean()
    assert answered(params, SHAPE, MADE).all()
    begun = initial_lora(SHAPE, np.random.default_rng(1), rank=4)
    other = tasks.comparison(np.random.default_rng(1), 40, symbols=5, length=8)
    own, later = fit_decoder(
        SHAPE, other.tokens, other.counted, adapters=begun, start=params, drop=0.2, **given
    )
    assert jax.tree.structure(own) == jax.tree.structure(begun)
    assert later[-10:].mean() < later[:10].mean()


def test_trainings_that_are_none_are_refused():
    with pytest.raises(ExperimentError, match="no target counts"):
        fit_decoder(SHAPE, MADE.tokens, MADE.counted & False, seed=0, steps=1)
    for bad in ({"steps": 0}, {"rate": 0.0}, {"drop": 1.0}, {"batch": 0}):
        with pytest.raises(ExperimentError, match="cannot train"):
            fit_decoder(SHAPE, MADE.tokens, MADE.counted, **{"seed": 0, "steps": 1, **bad})
