"""Texts of one problem and of two: whose answer stands where, and what an expert has to know."""

import numpy as np
import pytest

from experiments.kits.transformer.tasks import WORDS
from experiments.language.mixture_of_thoughts.texts import KINDS, lessons, mixed, problems


def right(words):
    """The answer to a problem, as a person would find it."""
    kind, *given, equals = words
    assert equals == "="
    if kind == "add":
        return str((int(given[0]) + int(given[1])) % KINDS["addition"]["modulus"])
    if kind == "compare":
        first, second = map(int, given)
        return "less" if first < second else "more" if first > second else "same"
    first, second = int(given[0]), int(given[2])
    found = first * second if given[1] == "times" else first + second
    return str(found % KINDS["modular_composition"]["modulus"])


@pytest.mark.parametrize("kinds", [[0], [1], [2], [0, 1], [2, 0], [1, 2]])
def test_answers_stand_after_all_problems_in_their_order(kinds):
    texts = problems(np.random.default_rng(0), 40, kinds)
    for tokens, start, owner in zip(texts.tokens, texts.start, texts.owner, strict=True):
        words, parts = [WORDS[token] for token in tokens], []
        begun = 0
        for place in [place for place, word in enumerate(words) if word == "="]:
            parts.append(words[begun : place + 1])
            begun = place + 1
        assert begun == start
        assert [right(part) for part in parts] == words[start : start + len(kinds)]
        assert owner[start : start + len(kinds)].tolist() == kinds
        assert (owner >= 0).sum() == len(kinds)
        assert set(words[start + len(kinds) :]) <= {"."}


def test_lessons_count_an_experts_own_answers_alone_in_half_of_the_texts_beside_others():
    texts, known = lessons(np.random.default_rng(0), 80, 1)
    assert known.sum(1).tolist() == [1] * 80
    assert (texts.owner[known] == 1).all()
    assert (texts.counted.sum(1) == 2).sum() == 40


def test_mixed_texts_are_as_many_of_each_list():
    texts = mixed(np.random.default_rng(0), 30, [[0], [1, 2]])
    assert len(texts) == 30
    assert (texts.counted.sum(1) == 1).sum() == 15
    assert (texts.prompts.sum(1) == texts.start).all()
    assert not (texts.prompts & texts.counted).any()
