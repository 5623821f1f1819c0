"""Choices by likelihood: sums and sums per letter, for functions and for decoders with tokens."""

import numpy as np
import pytest

from experiments.data.texts import Question, QuestionSet
from experiments.kits.transformer.decoder import Shape, initial
from experiments.kits.transformer.grading import asked, graded_scores, multiple_choice, wilson
from experiments.kits.transformer.likelihood import choices
from experiments.kits.transformer.weights import Pretrained
from ntkexec.errors import ExperimentError

QUESTIONS = (
    Question("Which is longer?", ("ab", "abcdefgh"), 1),
    Question("Which one?", ("abc", "bcd", "cde"), 0),
)


def test_long_choices_are_at_no_disadvantage_per_letter():
    def score(prompts, several):
        assert prompts[0] == "Question: Which is longer?\nAnswer:"
        assert several[1] == (" abc", " bcd", " cde")
        return [np.array([-2.0, -4.0]), np.array([-1.0, -1.0, -2.0])]

    found = multiple_choice(score, QuestionSet("two", QUESTIONS))
    assert found.right.tolist() == [False, True]  # of equal scores the first
    assert found.right_by_length.tolist() == [True, True]
    assert (found.accuracy, found.accuracy_by_length) == (0.5, 1.0)
    assert found.interval == wilson(1, 2)
    assert found.interval_by_length[1] == 1.0


def test_wilsons_interval_is_its_formula():
    z, p, n = 1.959963984540054, 0.3, 50
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson(15, 50) == pytest.approx((centre - half, centre + half), rel=1e-9)
    with pytest.raises(ExperimentError, match="3 successes of 2 trials"):
        wilson(3, 2)


def test_a_decoder_is_asked_through_its_tokens():
    class Letters:
        def encode(self, text, add_special_tokens):
            return type("Encoding", (), {"ids": [ord(letter) % 64 for letter in text]})

    shape = Shape(1, 8, 2, 1, 8, 64)
    model = Pretrained(shape, initial(shape, np.random.default_rng(0)), Letters(), 0)
    found = multiple_choice(model, QUESTIONS, block=2)
    prompts, several = zip(*map(asked, QUESTIONS), strict=True)
    tokens = [[model.tokens(one).tolist() for one in those] for those in several]
    direct = choices(
        model.params, shape, [model.tokens(p).tolist() for p in prompts], tokens, block=2
    )
    for one, other in zip(found.scores, direct, strict=True):
        np.testing.assert_array_equal(one, other)


def test_questions_without_choices_and_scores_of_others_are_refused():
    with pytest.raises(ExperimentError, match="and there are none"):
        multiple_choice(lambda p, c: [], [])
    with pytest.raises(ExperimentError, match="and one has none: 'How many"):
        multiple_choice(lambda p, c: [], [Question("How many?", (), 0, "#### 3")])
    for wrong in ([np.nan, 0.0, np.nan], np.zeros(2)):
        with pytest.raises(ExperimentError, match=r"'Which one\?' have the scores"):
            graded_scores(QUESTIONS, [np.zeros(2), np.array(wrong)])
    with pytest.raises(ExperimentError, match="2 questions have 5 choices"):
        multiple_choice(lambda p, c: [np.zeros(2), np.zeros(2)], QUESTIONS)
