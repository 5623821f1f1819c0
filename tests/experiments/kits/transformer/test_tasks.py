"""Tasks whose answers an independent reader of the words works out; grading takes no less and no more."""

import numpy as np
import pytest

from experiments.kits.transformer import tasks
from experiments.kits.transformer.tasks import PADDING, TASKS, WORDS, graded, joined
from ntkexec.errors import ExperimentError


def read(row, modulus):
    """The answer to the words before "=", and the steps that it takes."""
    words = [WORDS[token] for token in row[: list(row).index(WORDS.index("="))]]
    mark, *given = words
    if mark == "chase":
        *order, times, place = map(int, given)
        for _ in range(times):
            place = order[place]
        return [str(place)], times
    if mark == "compose":
        found, steps = int(given[0]), 0
        for word, term in zip(given[1::2], given[2::2], strict=True):
            found = (found * int(term) if word == "times" else found + int(term)) % modulus
            steps += 1
        return [str(found)], steps
    if mark == "copy":
        return given, 1
    one, other = map(int, given)
    if mark == "add":
        return [str((one + other) % modulus)], 1
    return ["less" if one < other else "more" if one > other else "same"], 1


@pytest.mark.parametrize(
    ("name", "options", "modulus"),
    [
        ("pointer_chasing", {"hops": (0, 6)}, None),
        ("pointer_chasing", {"hops": 2, "symbols": 16}, None),
        ("modular_composition", {"hops": (0, 6)}, 5),
        ("modular_composition", {"hops": 3, "modulus": 16}, 16),
        ("copying", {"items": 3}, None),
        ("comparison", {"symbols": 3}, None),
        ("addition", {"modulus": 7}, 7),
    ],
)
def test_answers_are_those_that_the_words_say(name, options, modulus):
    made = TASKS[name](np.random.default_rng(0), 60, **options)
    for row in range(len(made)):
        answer, steps = read(made.tokens[row], modulus)
        start, tokens = made.start[row], made.tokens[row]
        assert [WORDS[token] for token in tokens[start : start + len(answer)]] == answer
        assert (tokens[start + len(answer) :] == PADDING).all()
        assert made.difficulty[row] == steps
        assert made.counted[row].sum() == len(answer)
        assert (made.prompts[row] == np.where(np.arange(24) < start, tokens, PADDING)).all()
    if name == "pointer_chasing" and "symbols" not in options:
        assert set(made.difficulty) == set(range(7))


def test_joined_examples_keep_their_answers_and_are_graded():
    generator = np.random.default_rng(1)
    made = joined(tasks.copying(generator, 5), tasks.comparison(generator, 3))
    assert made.answers.shape == (8, 4)
    assert graded(made.answers, made.answers).all()
    longer = np.column_stack([made.answers, np.full(8, 7)])
    assert graded(made.answers, longer).all()
    for column, wrong in ((0, 8), (3, 5)):  # only copies have a fourth token
        other = made.answers.copy()
        other[:, column] += 1
        assert (~graded(made.answers, other)).sum() == wrong
    part = made.part(made.difficulty == 1).part([6])
    assert part.tokens.tolist() == [made.tokens[6].tolist()]


def test_tasks_that_do_not_fit_are_refused():
    generator = np.random.default_rng(2)
    with pytest.raises(ExperimentError, match="cannot make 3 examples of 12 tokens: chase takes"):
        tasks.pointer_chasing(generator, 3, 1, length=12)
    with pytest.raises(ExperimentError, match=r"from 0 to 6 hops can be asked for, not \(1, 7\)"):
        tasks.modular_composition(generator, 3, (1, 7))
    with pytest.raises(ExperimentError, match="symbols are from 2 to 16, not 17"):
        tasks.copying(generator, 3, symbols=17)
    with pytest.raises(ExperimentError, match=r"rows of lengths \[24, 9\] cannot be joined"):
        joined(tasks.copying(generator, 3), tasks.addition(generator, 3, length=9))
    with pytest.raises(ExperimentError, match=r"answers of shape \(1, 2\) do not grade \(1, 1\)"):
        graded([[3, 4]], [[3]])
