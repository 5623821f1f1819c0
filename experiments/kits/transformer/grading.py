"""How often a model prefers the right one of several answers, with an interval.

```python
import numpy as np
from experiments.data.texts import Question
from experiments.kits.transformer.grading import multiple_choice

questions = [Question("Is it a fish?", ("no", "yes"), 0), Question("Two and two?", ("four", "five"), 0)]
found = multiple_choice(lambda prompts, choices: [-np.arange(len(c)) for c in choices], questions)
print(found.accuracy, found.interval)  # of a model that always prefers the first
```
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool

from experiments.data.texts import Question, QuestionSet
from experiments.files.words import quoted
from experiments.kits.transformer.likelihood import choices as likelihoods
from experiments.kits.transformer.weights import Pretrained
from ntkexec.errors import ExperimentError

Scorer = Callable[[Sequence[str], Sequence[Sequence[str]]], Sequence[np.ndarray]]
"""From prompts, and the continuations of each, to the log-likelihoods of those of each."""
Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True, eq=False)
class Grades:
    """What a model prefers.

    Args:
        right: which questions are answered by the most likely choice.
        right_by_length: by the likeliest choice per letter, so that long ones are at no disadvantage.
        scores: log-likelihood of every choice of each question.
    """

    right: Bool[np.ndarray, "N"]
    right_by_length: Bool[np.ndarray, "N"]
    scores: tuple[np.ndarray, ...]

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())

    @property
    def accuracy_by_length(self) -> float:
        return float(self.right_by_length.mean())

    @property
    def interval(self) -> Interval:
        """Of `accuracy`, 95 %, over questions like these."""
        return wilson(int(self.right.sum()), len(self.right))

    @property
    def interval_by_length(self) -> Interval:
        """Of `accuracy_by_length`, likewise."""
        return wilson(int(self.right_by_length.sum()), len(self.right))


def asked(question: Question) -> tuple[str, tuple[str, ...]]:
    """A question as a prompt, and its choices as continuations of it."""
    prompt = f"Question: {question.text}\nAnswer:"
    return prompt, tuple(f" {choice}" for choice in question.choices)


def multiple_choice(
    model: Pretrained | Scorer,
    questions: QuestionSet | Sequence[Question],
    *,
    template: Callable[[Question], tuple[str, tuple[str, ...]]] = asked,
    block: int = 16,
    length: int | None = None,
    path: Sequence[int] | None = None,
) -> Grades:
    """What a model prefers of each question's choices, by their likelihood as continuations.

    Args:
        model: a pretrained decoder, or whatever scores continuations.
        questions: with choices; of a set, those to measure on.
        template: from a question to a prompt and its continuations.
        block, length, path: for a pretrained decoder, as for `likelihood.choices`.

    Raises:
        ExperimentError: there are no questions, one has no choices, or scores are not of its choices.
    """
    asked_for = questions.test if isinstance(questions, QuestionSet) else tuple(questions)
    without = [one.text for one in asked_for if len(one.choices) < 2]
    if not asked_for or without:
        what = f"one has none: {quoted(without[0])}" if without else "there are none"
        raise ExperimentError(f"questions with choices are needed, and {what}")
    prompts, continuations = zip(*map(template, asked_for), strict=True)
    if isinstance(model, Pretrained):
        scores = likelihoods(
            model.params,
            model.shape,
            [model.tokens(one).tolist() for one in prompts],
            [[model.tokens(one).tolist() for one in several] for several in continuations],
            block=block,
            length=length,
            path=path,
        )
    else:
        scores = [np.asarray(one, float) for one in model(prompts, continuations)]
    sizes = [len(one.choices) for one in asked_for]
    if [one.shape for one in scores] != [(size,) for size in sizes]:
        raise ExperimentError(
            f"{len(asked_for)} questions have {sum(sizes)} choices, and the scores are of "
            f"{[one.shape for one in scores][:3]} ..."
        )
    return graded_scores(asked_for, scores)


def graded_scores(questions: Sequence[Question], scores: Sequence[np.ndarray]) -> Grades:
    """Grades of scores that are known already; of equal scores the first choice counts.

    Raises:
        ExperimentError: scores of other choices than a question's, or one that is no number.
    """
    right, by_length = [], []
    for question, found in zip(questions, scores, strict=True):
        if np.shape(found) != (len(question.choices),) or np.isnan(found).any():
            raise ExperimentError(
                f"{len(question.choices)} choices of {quoted(question.text)} have the scores {quoted(found)}"
            )
        letters = np.array([max(1, len(choice)) for choice in question.choices])
        right.append(int(np.argmax(found)) == question.answer)
        by_length.append(int(np.argmax(found / letters)) == question.answer)
    return Grades(np.array(right), np.array(by_length), tuple(scores))


def wilson(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """The interval of a probability by Wilson's score.

    Raises:
        ExperimentError: these are no successes of trials.

    Source: Wilson, Journal of the American Statistical Association 22 (1927).
    """
    from scipy.stats import binomtest

    if not 0 <= successes <= trials or trials < 1:
        raise ExperimentError(f"{successes} successes of {trials} trials are no proportion")
    found = binomtest(successes, trials).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)
