"""The authors' Emoji-Count, read from its files, and the score of counts on it."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from experiments.files.sources import content, picture
from experiments.files.words import quoted, shown
from experiments.vision.lvlm_count.segmentation import Image
from ntkexec.errors import ExperimentError

LARGEST = 1_000_000
"""The largest number of objects in a picture that is believed."""


@dataclasses.dataclass(frozen=True)
class Question:
    """How many objects of a kind a picture shows.

    Args:
        picture: its file.
        target: what is counted, in words.
        answer: the true number.
    """

    picture: Path
    target: str
    answer: int


@dataclasses.dataclass(frozen=True)
class Score:
    """The paper's metrics of counts.

    Args:
        accuracy: share of counts that are right.
        mean_absolute_error, root_mean_squared_error: in objects.
    """

    accuracy: float
    mean_absolute_error: float
    root_mean_squared_error: float


def scored(counts: Float[np.ndarray, "n"], answers: Int[np.ndarray, "n"]) -> Score:
    """Accuracy, mean absolute and root mean squared error of counts."""
    errors = np.asarray(counts, float) - np.asarray(answers, float)
    return Score(
        float((errors == 0).mean()), float(np.abs(errors).mean()), float((errors**2).mean() ** 0.5)
    )


def assigned(counts: Float[np.ndarray, "k"], answers: Int[np.ndarray, "m"]) -> np.ndarray:
    """By an oracle, a count for each question about one picture: the nearest to the answers, each once.

    It is what a counter of nameless kinds is scored by; it knows the answers, so an arbitrary list of
    plausible counts gains by it too. Questions beyond the number of counts get 0.

    Args:
        counts: of the kinds that were found.
        answers: to the questions.

    Returns:
        The count that stands for each answer.
    """
    padded = np.concatenate([np.asarray(counts, float), np.zeros(len(answers))])
    rows, columns = linear_sum_assignment(np.abs(padded[:, None] - np.asarray(answers)[None]))
    found = np.zeros(len(answers))
    found[columns] = padded[rows]
    return found


def read_picture(path: Path) -> Image:
    """The picture's RGB pixels, transparent ones on white.

    Raises:
        ExperimentError: for a file that is no picture.
        MissingExtraError: without Pillow.
    """
    layer = picture(path, "RGBA")
    from PIL import Image as Pillow

    white = Pillow.new("RGBA", layer.size, "white")
    return np.asarray(Pillow.alpha_composite(white, layer).convert("RGB"))


def emoji_questions(folder: Path) -> tuple[Question, ...]:
    """Emoji-Count: look-alike icons on white, 415 questions on 82 pictures; no positions.

    Args:
        folder: holds `benchmark_data.json` and `images/`.

    Raises:
        ExperimentError: names the file, and the entry that is none.

    Source: the paper's public code, data under CC BY 4.0.
    """
    listed = folder / "benchmark_data.json"
    try:
        rows = json.loads(content(listed).decode("utf-8-sig"))
    except RecursionError as error:
        raise ExperimentError(f"{shown(listed)} is nested too deeply") from error
    except ValueError as error:
        if isinstance(error, ExperimentError):
            raise
        raise ExperimentError(f"{shown(listed)} is no JSON: {shown(error)}") from error
    if not isinstance(rows, list) or not rows:
        raise ExperimentError(f"{shown(listed)} holds no list of questions")
    return tuple(
        _question(row, folder, f"{shown(listed)}, entry {number}")
        for number, row in enumerate(rows, 1)
    )


def _question(row: Any, folder: Path, place: str) -> Question:
    entry: Mapping[str, Any] = row if isinstance(row, dict) else {}
    name, target = entry.get("image_file"), entry.get("object_of_interest")
    if (
        not isinstance(name, str)
        or not name.strip()
        or not name.isprintable()
        or "\\" in name
        or PurePosixPath(name).is_absolute()
        or ".." in PurePosixPath(name).parts
    ):
        raise ExperimentError(f"{place}: {quoted(name)} names no file of the data set")
    if not isinstance(target, str) or not target.strip():
        raise ExperimentError(f"{place}: no 'object_of_interest', but {quoted(target)}")
    answer = entry.get("answer")
    if type(answer) is not int or not 0 <= answer <= LARGEST:
        raise ExperimentError(
            f"{place}: 'answer' is no whole number up to {LARGEST}, but {quoted(answer)}"
        )
    return Question(folder / "images" / name, target, answer)
