"""Studies of the authors' Emoji-Count: counted without a model, through a server here, by a model."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypedDict

import numpy as np

from experiments.harness.study import NotMeasured, Trial
from experiments.vision.lvlm_count.counting import (
    count_by_dividing,
    count_parts,
    num_split,
)
from experiments.vision.lvlm_count.division import (
    equal_division,
    object_aware_division,
    recursive_division,
)
from experiments.vision.lvlm_count.emoji import (
    Question,
    assigned,
    emoji_questions,
    read_picture,
    scored,
)
from experiments.vision.lvlm_count.endpoint import Endpoint
from experiments.vision.lvlm_count.icons import (
    ReferenceCounter,
    appearances,
    kinds_of,
    segment_icons,
    typical_side,
)
from experiments.vision.lvlm_count.segmentation import Image
from experiments.vision.lvlm_count.server import served

NAME = "emoji-count"
GUESS = 40
"""Always said: the floor, near the mean of the answers, 39.9."""
LEAST, MOST = 30, 50
"""Between these lie all answers."""
DRAWS = 20
"""Lists of arbitrary counts that an oracle assigns, for each picture."""
PILOT = tuple(f"image_{number:05}.png" for number in range(1, 11))
"""Pictures on which the settings of `icons` were made."""


class Config(Protocol):
    """What these studies need of the configuration."""

    @property
    def folds(self) -> int: ...
    @property
    def served_pictures(self) -> int: ...
    @property
    def questions(self) -> int: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def model(self) -> str: ...


def fold(questions: tuple[Question, ...], folds: int, seed: int) -> dict[Path, list[Question]]:
    """The seed's share of the pictures, each with its questions: seeds in a row share them out.

    Which pictures make a fold is drawn once for all seeds; folds have pictures in common only with
    those of seeds that are `folds` apart.
    """
    found: dict[Path, list[Question]] = {}
    for question in questions:
        found.setdefault(question.picture, []).append(question)
    order = np.random.default_rng(0).permutation(len(found))
    pictures = [sorted(found)[place] for place in order]
    return {picture: found[picture] for picture in pictures[seed % folds :: folds]}


class EmojiResult(TypedDict):
    """A fold of Emoji-Count, counted without a model.

    Ways: icons of each kind, kinds named by an oracle, their number found or known from the questions;
    arbitrary numbers that it names likewise; an equal share of all icons for each question; always 40.
    """

    pictures: int
    questions: int
    relative_error: float
    relative_error_of_half: float
    exact_totals: float
    exact_numbers_of_kinds: float
    accuracy: dict[str, float]
    absolute: dict[str, float]
    squared: dict[str, float]
    absolute_without_pilot: float


def without_model(config: Config, trial: Trial) -> EmojiResult:
    """Icons found by shape and gathered into kinds by appearance, against the annotated numbers."""
    pictures = fold(emoji_questions(trial.dataset(NAME)), config.folds, trial.seed)
    columns: dict[str, list[float]] = {}
    off, half, right = [], [], []
    generator = trial.generator
    for place, (picture, questions) in enumerate(pictures.items()):
        trial.report("pictures", place, len(pictures))
        answers = np.array([question.answer for question in questions])
        image = read_picture(picture)
        objects = segment_icons(image)
        looks = appearances(image, objects, side=typical_side(objects))
        kinds, known = (np.bincount(kinds_of(looks, number=n)) for n in (None, len(answers)))
        off.append(abs(len(looks) / answers.sum() - 1))
        half.append(abs(len(looks) / 2 / answers.sum() - 1))
        right.append(len(kinds) == len(answers))
        draws = generator.integers(LEAST, MOST + 1, size=(DRAWS, len(answers)))
        row = {
            "answer": answers,
            "kinds": assigned(kinds, answers),
            "kinds of known number": assigned(known, answers),
            "shares": np.full(len(answers), len(looks) / len(answers)),
            "constant": np.full(len(answers), GUESS),
            "pilot": np.full(len(answers), picture.name in PILOT),
            **{f"draw {i}": assigned(draws[i], answers) for i in range(DRAWS)},
        }
        for name, column in row.items():
            columns.setdefault(name, []).extend(column.tolist())
    answers = np.array(columns.pop("answer"))
    pilot = np.array(columns.pop("pilot"), bool)
    scores = {name: scored(np.array(column), answers) for name, column in columns.items()}
    arbitrary = [scores.pop(f"draw {i}") for i in range(DRAWS)]

    def told(metric: str) -> dict[str, float]:
        found = {name: float(getattr(score, metric)) for name, score in scores.items()}
        return {**found, "arbitrary": float(np.mean([getattr(s, metric) for s in arbitrary]))}

    unseen = np.abs(np.array(columns["kinds"]) - answers)[~pilot]
    return {
        "pictures": len(pictures),
        "questions": len(answers),
        "relative_error": float(np.mean(off)),
        "relative_error_of_half": float(np.mean(half)),
        "exact_totals": float(np.mean(np.array(off) == 0)),
        "exact_numbers_of_kinds": float(np.mean(right)),
        "accuracy": told("accuracy"),
        "absolute": told("mean_absolute_error"),
        "squared": told("root_mean_squared_error"),
        "absolute_without_pilot": float(unseen.mean()) if len(unseen) else 0.0,
    }


class ServedResult(TypedDict):
    """Emoji-Count through the endpoint's adapter and a server on this machine."""

    pictures: int
    questions: int
    requests: int
    bytes: int
    parts: float
    damage: int
    damage_by_grid: int
    deviation: int
    deviation_by_grid: int
    accuracy: float
    absolute: float
    squared: float


def through_server(config: Config, trial: Trial) -> ServedResult:
    """Pictures divided, sent part by part, counted by a server, and added up.

    The server recognises icons by the looks of one reference of each name, and an oracle told the
    names; so the study is of dividing, asking, reading and adding up, and of no model.
    """
    pictures = fold(emoji_questions(trial.dataset(NAME)), config.folds, trial.seed)
    chosen = trial.generator.permutation(len(pictures))[: config.served_pictures]
    rows: list[Mapping[str, int]] = []
    damage = {"damage": 0, "damage_by_grid": 0}
    parts = requests = sent = 0
    for place, index in enumerate(sorted(chosen)):
        trial.report("pictures", place, len(chosen))
        picture, questions = [*pictures.items()][index]
        image = read_picture(picture)
        objects = segment_icons(image)
        known = _references(image, objects, questions)
        one, every = object_aware_division(objects), recursive_division(objects)
        for way in (one, every):
            on_lines = sum(int((objects[tuple(path.T)] > 0).sum()) for path in way.paths)
            damage["damage"] += num_split(objects, way.regions) + on_lines
            side = max(2, round(len(way.regions) ** 0.5))
            grid = equal_division(objects.shape, side, side)
            damage["damage_by_grid"] += num_split(objects, grid.regions)
        parts += len(one.regions)
        naive = equal_division(objects.shape, len(one.regions))
        with served(known.answer) as address:
            model = Endpoint(address, "stand-in", key="")
            for question in questions:
                rows.append(
                    {
                        "answer": question.answer,
                        "whole": model.count([image], question.target)[0],
                        "sum": sum(count_parts(image, question.target, model, one.regions)),
                        "naive": sum(count_parts(image, question.target, known, naive.regions)),
                    }
                )
        requests, sent = requests + model.requests, sent + model.sent_bytes
    score = scored(*(np.array([row[name] for row in rows]) for name in ("sum", "answer")))
    return {
        "pictures": len(chosen),
        "questions": len(rows),
        "requests": requests,
        "bytes": sent,
        "parts": parts / len(chosen),
        "damage": damage["damage"],
        "damage_by_grid": damage["damage_by_grid"],
        "deviation": sum(abs(row["sum"] - row["whole"]) for row in rows),
        "deviation_by_grid": sum(abs(row["naive"] - row["whole"]) for row in rows),
        "accuracy": score.accuracy,
        "absolute": score.mean_absolute_error,
        "squared": score.root_mean_squared_error,
    }


@dataclasses.dataclass(frozen=True)
class _Remembering:
    """A counter that looks at each picture once, however many names it is asked for."""

    counter: ReferenceCounter
    seen: dict[bytes, list[str]] = dataclasses.field(default_factory=dict)

    def count(self, pictures: Sequence[Image], target: str) -> list[int]:
        return [self.answer(picture, target) for picture in pictures]

    def answer(self, picture: Image, target: str) -> int:
        key = repr(picture.shape).encode() + picture.tobytes()
        if key not in self.seen:
            self.seen[key] = self.counter.names(picture)
        return self.seen[key].count(target)


def _references(image: Image, objects: np.ndarray, questions: list[Question]) -> _Remembering:
    """Mean looks of the kind that an oracle assigns to each name."""
    side = typical_side(objects)
    looks = appearances(image, objects, side=side)
    kinds = kinds_of(looks, number=len(questions))
    counts = np.bincount(kinds)
    answers = np.array([question.answer for question in questions])
    stands = assigned(counts, answers)
    free = list(range(len(counts)))
    references: dict[str, Any] = {}
    for question, count in zip(questions, stands, strict=True):
        # Where fewer kinds were found than are asked for, a name has none.
        for kind in [kind for kind in free if counts[kind] == count][:1]:
            free.remove(kind)
            references[question.target] = looks[kinds == kind].mean(0)
    return _Remembering(ReferenceCounter(references, side))


class ModelResult(TypedDict):
    """A vision model's mean absolute errors."""

    questions: int
    requests: int
    tokens: int
    accuracy: dict[str, float]
    absolute: dict[str, float]


def with_model(config: Config, trial: Trial) -> ModelResult:
    """A vision model asked of whole pictures and, icons found without it, of divided ones.

    Raises:
        NotMeasured: no server is named.
    """
    if not config.endpoint or not config.questions:
        raise NotMeasured(
            "needs a vision model: --data DIR --set endpoint=URL --set model=NAME, and the key, if "
            "any, in OPENAI_API_KEY"
        )
    questions = emoji_questions(trial.dataset(NAME))
    chosen = trial.generator.permutation(len(questions))[: config.questions]
    asked = Endpoint(config.endpoint, config.model)
    rows = []
    for place, index in enumerate(chosen):
        trial.report("questions", place, len(chosen))
        question = questions[index]
        image = read_picture(question.picture)
        found = count_by_dividing(image, question.target, asked, segmenter=segment_icons)
        rows.append((question.answer, found.direct, found.total))
    answers, whole, divided = np.array(rows).T
    scores = {"whole": scored(whole, answers), "divided": scored(divided, answers)}
    return {
        "questions": len(rows),
        "requests": asked.requests,
        "tokens": asked.tokens,
        "accuracy": {name: score.accuracy for name, score in scores.items()},
        "absolute": {name: score.mean_absolute_error for name, score in scores.items()},
    }
