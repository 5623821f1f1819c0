"""Text as data: questions with answers to choose from or to work out, sentences with classes."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Question:
    """A question whose answer can be graded.

    Args:
        text: of the question.
        choices: of which one is right; empty where the answer is written.
        answer: the right choice, counted from 0; 0 where there are none.
        written: the answer in words or as a number, as the file has it; empty where it is chosen.
    """

    text: str
    choices: tuple[str, ...]
    answer: int
    written: str = ""


@dataclasses.dataclass(frozen=True)
class QuestionSet:
    """Questions of one kind.

    Args:
        name: of the set.
        test: to measure on.
        train: the others, where there are any.
    """

    name: str
    test: tuple[Question, ...]
    train: tuple[Question, ...] = ()


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A sentence, or a pair of them, with its class.

    Args:
        text: the sentence, or the first of a pair.
        label: counted from 0; see `SentenceSet.labels`.
        second: of a pair; empty for one sentence.
    """

    text: str
    label: int
    second: str = ""


@dataclasses.dataclass(frozen=True)
class SentenceSet:
    """Sentences with classes.

    Args:
        name: of the set.
        labels: what the classes are called in the file.
        train, validation, test: validation is empty where the files have only two parts.
    """

    name: str
    labels: tuple[str, ...]
    train: tuple[Sentence, ...]
    validation: tuple[Sentence, ...]
    test: tuple[Sentence, ...]
