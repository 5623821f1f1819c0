"""The tiny world: every vocabulary cuts texts whole, and what is spoilt is wrong where it answers."""

import numpy as np
import pytest

from experiments.language.flexible_llm.study_world import (
    PAIRS,
    SINGLES,
    TASKS,
    _spoilt,
    cut,
    expected,
    written,
)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("by", [None, 1])
def test_all_answers_are_wrong_where_all_are_spoilt_and_questions_stay(name, by):
    generator = np.random.default_rng(0)
    examples = TASKS[name](generator, 200)
    wrong = _spoilt(generator, examples, 1.0, by=by)
    for right, spoilt in zip(written(examples), written(wrong), strict=True):
        question, answer = right.split("=")
        assert spoilt.startswith(f"{question}=")
        assert len(spoilt) == len(right)
        assert all(a != b for a, b in zip(answer, spoilt.split("=")[1], strict=True))
    same = _spoilt(generator, examples, 0.0, by=by)
    np.testing.assert_array_equal(same.tokens, examples.tokens)


@pytest.mark.parametrize("vocabulary", [SINGLES, SINGLES[::-1], PAIRS])
def test_every_vocabulary_cuts_the_whole_text_and_knows_where_it_answers(vocabulary):
    generator = np.random.default_rng(0)
    texts = [text for draw in TASKS.values() for text in written(draw(generator, 20))]
    found = cut(texts, vocabulary)
    for text, pieces, tokens, counted in zip(
        texts, found.pieces, found.tokens, found.counted, strict=True
    ):
        assert "".join(pieces) == text
        assert "".join(vocabulary[token] for token in tokens).rstrip(".") == text
        assert "".join(vocabulary[token] for token in tokens[counted]) == text.split("=")[1]


def test_a_source_with_pairs_has_a_say_where_its_tokens_end(monkeypatch):
    texts = ["y314=314"]

    def even(shape, params, tokens):
        return np.full((*tokens.shape, len(PAIRS)), -np.log(len(PAIRS)), np.float32)

    monkeypatch.setattr("experiments.language.flexible_llm.study_world.likelihoods", even)
    model = type("", (), {"shape": None, "params": None, "vocabulary": PAIRS})
    rows, loss, share = expected(model, cut(texts, SINGLES), texts)
    np.testing.assert_allclose(rows.sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(loss, np.log(len(PAIRS)), rtol=1e-6)
    assert share == pytest.approx(2 / 3)  # not within the pair "31"
    digits = rows[0, 4, 12:20]  # after "=": a digit, or a pair that begins with it
    np.testing.assert_allclose(digits, 9 / len(PAIRS), rtol=1e-5)
    assert rows[0, 5].argmax() == SINGLES.index("1")  # the text's own next token
