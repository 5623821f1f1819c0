"""The stacked decoder: beside a plain loop in NumPy, causal, along any path, and with its cache exact."""

import dataclasses

import jax
import numpy as np
import pytest

from experiments.kits.transformer import cache, decoder, likelihood, lora
from experiments.kits.transformer.decoder import Shape
from ntkexec.errors import ExperimentError

SHAPE = Shape(blocks=3, width=8, heads=4, key_heads=2, hidden=12, vocabulary=11)
TOKENS = np.array([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]])
PATHS = (None, [0, 0, 2, 2, 2])


@pytest.fixture(autouse=True)
def in_double():
    with jax.enable_x64(True):
        yield


def params_of(shape=SHAPE, seed=0):
    params = decoder.initial(shape, np.random.default_rng(seed), deviation=0.5)
    return jax.tree.map(lambda x: np.asarray(x, np.float64), params)


def by_loops(params, shape, tokens, path):
    """One text, head by head and token by token, from the paper's formulas."""
    width = shape.head_width

    def normed(rows, scale):
        return rows / np.sqrt((rows**2).mean(-1, keepdims=True) + shape.epsilon) * scale

    def turned(row, place):
        found = row.copy()
        for i in range(width // 2):
            angle = place * shape.base ** (-2 * i / width)
            pair = (2 * i, 2 * i + 1) if shape.pairs == "neighbours" else (i, i + width // 2)
            x, y = row[list(pair)]
            found[pair[0]] = x * np.cos(angle) - y * np.sin(angle)
            found[pair[1]] = x * np.sin(angle) + y * np.cos(angle)
        return found

    hidden = params["embedding"][tokens]
    for number in path:
        block = {name: rows[number] for name, rows in params["blocks"].items()}
        rows = normed(hidden, block["attention_norm"])
        mixed = np.zeros_like(hidden)
        for head in range(shape.heads):
            own = slice(head * width, (head + 1) * width)
            shared = head // (shape.heads // shape.key_heads)
            theirs = slice(shared * width, (shared + 1) * width)
            queries, keys = (rows @ block["query"])[:, own], (rows @ block["key"])[:, theirs]
            values = (rows @ block["value"])[:, theirs]
            for t in range(len(tokens)):
                scores = np.array(
                    [turned(queries[t], t) @ turned(keys[s], s) for s in range(t + 1)]
                )
                weights = np.exp(scores / width**0.5)
                mixed[t, own] = weights @ values[: t + 1] / weights.sum()
        hidden = hidden + mixed @ block["output"]
        rows = normed(hidden, block["mlp_norm"])
        gate = rows @ block["gate"]
        hidden = hidden + (gate / (1 + np.exp(-gate)) * (rows @ block["up"])) @ block["down"]
    return hidden, normed(hidden, params["norm"]) @ params["embedding"].T


@pytest.mark.parametrize("pairs", ["neighbours", "halves"])
def test_a_run_is_the_papers_formulas_along_any_path(pairs):
    shape = Shape(blocks=3, width=8, heads=4, key_heads=2, hidden=12, vocabulary=11, pairs=pairs)
    params = params_of(shape)
    for path in PATHS:
        found = decoder.run(params, shape, TOKENS, path=path)
        scores = decoder.logits(params, shape, found.last)
        for row, tokens in enumerate(TOKENS):
            last, expected = by_loops(params, shape, tokens, path or range(3))
            np.testing.assert_allclose(found.last[row], last, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(scores[row], expected, rtol=1e-12, atol=1e-12)


def test_a_path_of_all_blocks_is_no_path_and_states_are_kept_in_order():
    params = params_of()
    found = decoder.run(params, SHAPE, TOKENS, keep=True)
    along = decoder.run(params, SHAPE, TOKENS, path=[0, 1, 2], keep=True)
    np.testing.assert_array_equal(found.inner, along.inner)
    np.testing.assert_array_equal(found.inner[0], params["embedding"][TOKENS])
    np.testing.assert_array_equal(found.inner[-1], found.last)
    shorter = decoder.run(params, SHAPE, TOKENS, path=[0, 1])
    np.testing.assert_allclose(found.inner[2], shorter.last, rtol=1e-13)


def test_no_token_sees_a_later_one_and_every_one_sees_the_first():
    params = params_of()

    def outputs(table):
        return decoder.run({**params, "embedding": table}, SHAPE, TOKENS[:1]).last[0].sum(-1)

    moved = np.abs(jax.jit(jax.jacobian(outputs))(params["embedding"])).max(-1) > 0
    for t in range(6):
        seen = {int(token) for token in TOKENS[0, : t + 1]}
        assert set(np.flatnonzero(moved[t])) == seen


def test_padding_that_is_said_to_be_none_changes_nothing():
    params = params_of()
    real = np.array([[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1]], bool)
    found = decoder.run(params, SHAPE, TOKENS, real=real).last
    other = decoder.run(params, SHAPE, np.where(real, TOKENS, 7), real=real).last
    np.testing.assert_array_equal(np.asarray(found)[real], np.asarray(other)[real])
    assert np.isfinite(found).all()  # also of tokens that see nothing at all


@pytest.mark.parametrize("path", PATHS)
def test_the_cache_is_exact_under_skipped_and_repeated_blocks(path):
    params = params_of()
    whole = decoder.run(params, SHAPE, TOKENS, path=path).last
    kept = cache.empty(params, SHAPE, 2, 6, steps=path and len(path))
    parts = []
    for part in (TOKENS[:, :3], TOKENS[:, 3:4], TOKENS[:, 4:]):
        found, kept = cache.advance(params, SHAPE, part, kept, path=path)
        parts.append(found)
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=1e-12, atol=1e-13)
    assert kept.length.tolist() == [6, 6]
    with pytest.raises(ExperimentError, match="room for 6 tokens, holds 6, and 1 are to come"):
        cache.advance(params, SHAPE, TOKENS[:, :1], kept, path=path)


def test_generation_takes_the_likeliest_token_for_prompts_of_any_lengths():
    params = params_of(seed=3)
    lengths = [2, 4]
    made = cache.generate(params, SHAPE, TOKENS[:, :4], steps=5, lengths=lengths)
    for row, length in enumerate(lengths):
        text = TOKENS[row, :length].tolist()
        for _ in range(5):
            _, scores = by_loops(params, SHAPE, np.array(text), range(3))
            text.append(int(scores[-1].argmax()))
        assert made[row].tolist() == text[length:]
    (stopped,) = cache.generate(params, SHAPE, TOKENS[:1], steps=4, stop=int(made[0, 0]), path=[1])
    assert len(stopped) == 4
    for bad in ({"steps": 0}, {"steps": 1, "lengths": [0, 3]}, {"steps": 1, "lengths": [3, 9]}):
        with pytest.raises(ExperimentError, match="cannot make"):
            cache.generate(params, SHAPE, TOKENS, **bad)


def test_adapters_begin_as_nothing_and_can_be_merged():
    params, names = params_of(), decoder.MATRICES
    own = lora.initial_lora(SHAPE, np.random.default_rng(1), rank=2, names=names)
    plain = decoder.run(params, SHAPE, TOKENS).last
    np.testing.assert_array_equal(decoder.run(params, SHAPE, TOKENS, adapters=own).last, plain)
    rng = np.random.default_rng(2)
    own = {n: {**one, "up": rng.normal(size=one["up"].shape)} for n, one in own.items()}
    for path in PATHS:
        apart = decoder.run(params, SHAPE, TOKENS, path=path, adapters=own).last
        into = decoder.run(lora.merged(params, own), SHAPE, TOKENS, path=path).last
        np.testing.assert_allclose(apart, into, rtol=1e-10, atol=1e-11)
    assert np.abs(apart - plain).max() > 1e-3
    with pytest.raises(ExperimentError, match="cannot adapt table with rank 2; matrices are query"):
        lora.initial_lora(SHAPE, rng, rank=2, names=["table"])


def test_likelihoods_of_texts_and_of_continuations():
    params = params_of()
    found = likelihood.log_likelihoods(params, SHAPE, TOKENS)
    for row, tokens in enumerate(TOKENS):
        _, scores = by_loops(params, SHAPE, tokens, range(3))
        logs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
        expected = logs[np.arange(5), tokens[1:]]
        np.testing.assert_allclose(found[row], expected, rtol=1e-10)
        mean = np.exp(-expected.mean())
        assert likelihood.perplexity(params, SHAPE, tokens) == pytest.approx(mean)
    first, second = likelihood.choices(
        params, SHAPE, [[3, 1], [2]], [[[4], [4, 1, 5, 9]], [[6, 5, 3]]], block=2
    )
    np.testing.assert_allclose(first, [found[0, 1], found[0, 1:].sum()], rtol=1e-10)
    np.testing.assert_allclose(second, [found[1, :3].sum()], rtol=1e-10)
    with pytest.raises(ExperimentError, match="needs a token"):
        likelihood.choices(params, SHAPE, [[3]], [[[]]])
    with pytest.raises(ExperimentError, match="a text has 3 tokens, and 2 are room for"):
        likelihood.choices(params, SHAPE, [[3]], [[[1, 1]]], length=2)
    with pytest.raises(ExperimentError, match="texts need two tokens"):
        likelihood.log_likelihoods(params, SHAPE, TOKENS[:, :1])


def test_paths_tokens_and_parameters_that_do_not_fit_are_named_and_never_clipped():
    params = params_of()
    deeper = params_of(dataclasses.replace(SHAPE, blocks=4))
    calls = (
        lambda *given, **more: decoder.run(*given, **more),
        lambda *given, **more: cache.generate(*given, steps=1, **more),
        lambda *given, **more: likelihood.log_likelihoods(*given, **more),
    )
    for call in calls:
        for path, found in (([0, 3], 3), ([-1, 0], -1), (np.array([9]), 9)):
            with pytest.raises(ExperimentError, match=f"from 0 to 2, and {found} is not"):
                call(params, SHAPE, TOKENS, path=path)
        for path in ([0.5], [[0]], 1, np.array([True])):
            with pytest.raises(ExperimentError, match="blocks of a path are whole numbers"):
                call(params, SHAPE, TOKENS, path=path)
        with pytest.raises(ExperimentError, match="from 0 to 10, and 11 is not"):
            call(params, SHAPE, TOKENS + 2)
        with pytest.raises(ExperimentError, match="are whole numbers along 2 axes, not float64"):
            call(params, SHAPE, TOKENS.astype(float))
        with pytest.raises(ExperimentError, match=r"blocks/query are of shape \(4, 8, 8\)"):
            call(deeper, SHAPE, TOKENS, path=[0])
        with pytest.raises(ExperimentError, match="norm are absent"):
            call({"embedding": params["embedding"], "blocks": params["blocks"]}, SHAPE, TOKENS)
    four = lora.initial_lora(dataclasses.replace(SHAPE, blocks=4), np.random.default_rng(0), rank=1)
    with pytest.raises(ExperimentError, match="are not of 3 blocks"):
        decoder.run(params, SHAPE, TOKENS, path=[0], adapters=four)

    def last(params, tokens, path):
        return decoder.run(params, SHAPE, tokens, path=path).last

    # Within a program only sizes and types are known; a path that is written there is looked at.
    inside = jax.jit(last)(params, TOKENS, np.array([0, 2]))
    np.testing.assert_allclose(inside, last(params, TOKENS, [0, 2]), rtol=1e-12)
    with pytest.raises(ExperimentError, match="from 0 to 2, and 7 is not"):
        jax.jit(lambda params, tokens: last(params, tokens, [7]))(params, TOKENS)
    with pytest.raises(ExperimentError, match="not float64"):
        jax.jit(last)(params, TOKENS, np.array([0.5]))
    mixed = jax.jit(lambda params, number: last(params, TOKENS, [0, number]))(params, 2)
    np.testing.assert_allclose(mixed, inside, rtol=1e-12)
    assert decoder.run(params, SHAPE, TOKENS, path=[]).last.shape == (2, 6, 8)


def test_parameters_are_counted_and_shapes_that_are_none_are_refused():
    params = params_of()
    counted = sum(x.size for x in jax.tree.leaves(params))
    assert counted == SHAPE.num_parameters()
    real = Shape(30, 576, 9, 3, 1536, 49_152)  # SmolLM2-135M
    assert real.num_parameters() == 134_515_008
    for bad in ({"key_heads": 3}, {"heads": 8}, {"blocks": 0}, {"pairs": "thirds"}):
        sides = {"blocks": 1, "width": 8, "heads": 4, "key_heads": 2, "hidden": 4, "vocabulary": 3}
        with pytest.raises(ExperimentError, match=r"no decoder has|cannot be rotated"):
            Shape(**{**sides, **bad})
