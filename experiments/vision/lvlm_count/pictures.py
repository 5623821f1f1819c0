"""Studies of the paper's own pictures: their division, and a vision model's answers where there is one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.harness.experiment import NotMeasured, Result, Study, Trial
from experiments.vision.lvlm_count.config import LvlmCountConfig
from experiments.vision.lvlm_count.datasets import DATASETS, Question, annotated, emoji_count, read
from experiments.vision.lvlm_count.divide import recursive, straight
from experiments.vision.lvlm_count.endpoint import Endpoint
from experiments.vision.lvlm_count.pipeline import count, oracle, split
from experiments.vision.lvlm_count.segment import Image, Objects, by_colour

FAINT = 0.02
"""Threshold for icons on pure white, set on the first six pictures, whose outlines can be very light."""
MANY = 20
"""Objects from which on the paper's claim is judged."""
ASKED = {
    "emoji-count": "errors of 23.57 to 16.57 for GPT-4o, as quoted by others",
    "fsc-147": "errors of 25.57 to 17.86 for GPT-4o, as quoted by others",
    "voc-2007": "no figures at hand",
}
"""Data sets of which a vision model is asked; the penguins have neither positions nor a plain ground."""


def emoji(config: LvlmCountConfig, trial: Trial) -> Result:
    """Emoji-Count's pictures: icons of all kinds found by colour, and what dividing does to them.

    Raises:
        NotMeasured: if the scale does without, or the pictures are not there.
    """
    if config.emoji_pictures == 0:
        raise NotMeasured("Emoji-Count takes --scale full and its files under --data")
    totals: dict[Path, int] = {}
    for question in emoji_count(trial.dataset("emoji-count")):
        totals[question.picture] = totals.get(question.picture, 0) + question.answer
    drawn = trial.generator.permutation(sorted(totals))[: config.emoji_pictures]
    rows: list[dict[str, Any]] = []
    for picture in drawn:
        trial.report("pictures", len(rows), len(drawn))
        total = totals[picture]
        objects = by_colour(read(picture), threshold=FAINT)
        aware = recursive(objects)
        side = max(2, round(len(aware.regions) ** 0.5))
        naive = straight(objects.shape, side, side)
        rows.append(
            {
                "picture": picture.name,
                "icons": total,
                "found": int(objects.max()),
                "parts": len(aware.regions),
                "largest": max(oracle(objects, aware.regions)),
                "split": split(objects, aware.regions),
                "split_by_grid": split(objects, naive.regions),
                "on_lines": sum(int((objects[tuple(path.T)] > 0).sum()) for path in aware.paths),
            }
        )
    return {"pictures": rows}


def asked(dataset: str) -> Study:
    """A study of a vision model on one of the paper's data sets, whole pictures against divided ones.

    The model is that of the configuration's `endpoint` and `model`. Objects are those of the data
    set's annotation where it has positions, else icons found by colour (as in the paper of all kinds,
    of which the model counts the one in question), so the study is of dividing and counting, not of
    segmenting.
    """

    def study(config: LvlmCountConfig, trial: Trial) -> Result:
        if not config.questions or not config.endpoint:
            raise NotMeasured(
                "needs a vision model and its data: --scale full --data DIR --set endpoint=URL "
                "--set model=NAME"
            )
        questions = DATASETS[dataset](trial.dataset(dataset))
        chosen = trial.generator.permutation(len(questions))[: config.questions]
        model = Endpoint(config.endpoint, config.model)
        rows = []
        for place, index in enumerate(chosen):
            trial.report("questions", place, len(chosen))
            rows.append(_answered(questions[index], model))
        spent = {"requests": model.requests, "bytes": model.sent_bytes, "tokens": model.tokens}
        return {"questions": rows, "spent": spent}

    return study


def _answered(question: Question, model: Endpoint) -> Mapping[str, Any]:
    image = read(question.picture)
    located = bool(question.points or question.boxes)
    objects = annotated(question, image) if located else by_colour(image, threshold=FAINT)

    def segmenter(image: Image, target: str) -> Objects:
        return objects

    if not objects.any():
        # Nothing to divide around: the method's answer is that for the whole picture.
        direct = model.count([image], question.target)[0]
        return {"answer": question.answer, "direct": direct, "divided": direct, "parts": 1}
    found = count(image, question.target, model, segmenter=segmenter)
    return {
        "answer": question.answer,
        "direct": found.direct,
        "divided": found.total,
        "parts": len(found.regions),
    }


def errors(record: Mapping[str, Any], way: str) -> np.ndarray:
    """Absolute errors of one way to count over the questions with many objects."""
    rows = [row for row in record["questions"] if row["answer"] >= MANY]
    return np.array([abs(row[way] - row["answer"]) for row in rows], float)
