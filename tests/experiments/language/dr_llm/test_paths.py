"""Paths by counts are the decoder's own; all of them at once; questions walked with nothing run twice."""

import jax
import numpy as np
import pytest

from experiments.kits.transformer import cache, decoder, likelihood, tasks
from experiments.kits.transformer.decoder import Shape
from experiments.language.dr_llm.packed import Walker, pack
from experiments.language.dr_llm.paths import (
    all_counts,
    answers_of_all,
    blocks_of,
    right_along,
    run_path,
)
from experiments.language.dr_llm.router import initial_routers, route
from ntkexec.errors import ExperimentError

SHAPE = Shape(3, 8, 2, 1, 12, tasks.VOCABULARY)
MADE = tasks.comparison(np.random.default_rng(0), 6, symbols=3, length=7)


def params_of(deviation=0.6):
    return decoder.initial(SHAPE, np.random.default_rng(0), deviation=deviation)


def in_words(params, tokens, path):
    """States of one text by a loop over blocks."""
    hidden = params["embedding"][tokens][None]
    place = np.arange(len(tokens))[None]
    sees = place[:, :, None] >= place[:, None]
    for number in path:
        own = {name: rows[number] for name, rows in params["blocks"].items()}
        keys, values = decoder.keys_and_values(own, SHAPE, hidden, place, None)
        hidden = decoder.block_of(own, SHAPE, hidden, place, keys, values, sees, None)
    return np.asarray(hidden[0])


@pytest.mark.slow
def test_a_path_of_counts_is_a_loop_over_its_blocks():
    with jax.enable_x64(True):
        params = jax.tree.map(lambda x: np.asarray(x, np.float64), params_of())
        counts = np.array([[1, 1, 1], [0, 0, 0], [2, 0, 1], [0, 3, 0], [1, 2, 2], [0, 0, 1]])
        found = np.asarray(run_path(params, SHAPE, MADE.tokens, counts))
        for row, times in enumerate(counts):
            expected = in_words(params, MADE.tokens[row], blocks_of(times))
            np.testing.assert_allclose(found[row], expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(found[1], params["embedding"][MADE.tokens[1]])
    for bad in (counts[:2], counts[:, :2]):
        with pytest.raises(ExperimentError, match=r"are given, \(6, 3\) are needed"):
            run_path(params, SHAPE, MADE.tokens, bad)
    with pytest.raises(ExperimentError, match="a block runs -1 times"):
        run_path(params, SHAPE, MADE.tokens, counts - 1)


def test_all_paths_at_once_are_the_paths_one_by_one():
    params = params_of(1.0)
    table = answers_of_all(params, SHAPE, MADE, block=4)
    counts = all_counts(3)
    assert table.shape == (6, 27)
    assert counts[3 * 3 * 2 + 1].tolist() == [2, 0, 1]
    for number in (0, 5, 13, 19, 26):
        alone = right_along(params, SHAPE, MADE, np.tile(counts[number], (6, 1)))
        np.testing.assert_array_equal(table[:, number], alone)
    assert 0 < table.mean() < 1
    with pytest.raises(ExperimentError, match=r"3 \*\* 9 paths are too many"):
        answers_of_all(params, Shape(9, 8, 2, 1, 12, 22), MADE)


def test_questions_are_walked_as_their_texts_would_be_and_beginnings_are_shared():
    params = params_of()
    prompts, choices = [[3, 1, 4], [5, 9]], [[[2], [7, 1, 8]], [[2, 8], [1], [6, 4]]]
    walker = Walker(params, SHAPE, pack(prompts, choices, 8))
    paths = [(1, 1, 1), (1, 1, 0), (1, 2, 1), (0, 1, 1)]
    rows = [0, 0, 0, 1]
    found = walker.along(rows, paths)
    for row, path, scores in zip(rows, paths, found, strict=True):
        expected = likelihood.choices(
            params, SHAPE, [prompts[row]], [choices[row]], length=8, path=blocks_of(path)
        )
        np.testing.assert_allclose(scores, expected[0], rtol=2e-4, atol=1e-4)
    # Blocks 0 and 1 of question 0 once, block 1 again, block 2 after each; two blocks of question 1.
    assert (walker.calls, walker.wanted) == (5 + 2, 3 + 2 + 4 + 2)
    known = {}
    walker.along([1], [(1, 1, 1)], keep=known.__setitem__)
    assert {path for _, path in known} == {(0,), (1,), (1, 0), (1, 1), (1, 1, 0), (1, 1, 1)}
    before = walker.calls
    again = walker.along([1, 1], [(1, 1, 1), (1, 1, 2)], known=known)
    assert walker.calls - before == 1
    np.testing.assert_array_equal(again[0], walker.along([1], [(1, 1, 1)])[0])

    def decide(block, hidden, own):
        return np.array([paths[1], paths[2]])[:, block]

    scores, decisions = walker.decided([0, 1], decide)
    np.testing.assert_array_equal(decisions, [paths[1], paths[2]])
    np.testing.assert_allclose(scores[0], found[1], rtol=1e-5)
    with pytest.raises(ExperimentError, match="question 0 needs 7 of 6 tokens"):
        pack(prompts, choices, 6)


@pytest.mark.slow
def test_a_routed_path_is_decoded_with_a_cache_as_without():
    params = params_of(1.0)
    routers = initial_routers(SHAPE, np.random.default_rng(3), hidden=4)
    routers["Dense_1"]["bias"] = np.float32([[9, 0, 0], [0, 0, 9], [0, 9, 0]])
    prompt = np.array([[3, 1, 4, 1, 5]])
    path = blocks_of(route(params, SHAPE, routers, prompt, [5]).decisions[0])
    assert path == [1, 1, 2]
    made = cache.generate(params, SHAPE, prompt, steps=4, path=path)[0]
    text = prompt[0].tolist()
    for _ in range(4):
        last = decoder.run(params, SHAPE, [text], path=path).last[0, -1]
        text.append(int(decoder.logits(params, SHAPE, last).argmax()))
    assert made.tolist() == text[5:]
