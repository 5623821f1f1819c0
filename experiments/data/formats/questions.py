"""Questions in JSON lines: choices and the right one's number, yes or no, or a worked-out answer."""

import json
import math
from pathlib import Path
from typing import Any

from experiments.data.texts import Question, QuestionSet
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

YES_OR_NO = ("no", "yes")
WORKED = "####"
"""Before the number that ends a worked-out answer of GSM8K."""


def read(path: Path, name: str, key: str) -> QuestionSet:
    """Questions of a folder's `..._test.jsonl` and `..._train....jsonl`.

    Args:
        path: of the folder.
        name: of the set.
        key: what its files' names begin with; empty where they are `test.jsonl` and `train.jsonl`.

    Raises:
        ExperimentError: names the file and the line that does not fit.
    """
    stem = "" if key == name and (path / "test.jsonl").is_file() else f"{name.replace('-', '_')}_"
    test = _lines(path / f"{stem}test.jsonl")
    others = sorted(path.glob(f"{stem}train*.jsonl"))
    return QuestionSet(name, test, tuple(one for file in others for one in _lines(file)))


def number_of(written: str) -> float | None:
    """The number that a worked-out answer ends with; none if it ends with none."""
    _, mark, last = written.rpartition(WORKED)
    try:
        found = float(last.strip().replace(",", "").replace("$", "")) if mark else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _lines(path: Path) -> tuple[Question, ...]:
    where = shown(path)
    try:
        lines = content(path).decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{where} is no UTF-8 text: byte {error.start}") from None
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_question(json.loads(line)))
            except (ValueError, RecursionError) as error:
                raise ExperimentError(f"line {number} of {where} is no question: {error}") from None
    if not found:
        raise ExperimentError(f"{where} holds no questions")
    return tuple(found)


def _question(fields: Any) -> Question:
    if not isinstance(fields, dict) or not isinstance(fields.get("question"), str):
        raise ValueError("it has no question in words")
    text, choices, answer = fields["question"], fields.get("choices"), fields.get("answer")
    if choices is None:
        if isinstance(answer, bool):
            return Question(text, YES_OR_NO, int(answer))
        if isinstance(answer, str) and number_of(answer) is not None:
            return Question(text, (), 0, answer)
        raise ValueError(
            f"without choices the answer is true, false or ends in {WORKED} and a number"
        )
    if not isinstance(choices, list) or not all(isinstance(one, str) for one in choices):
        raise ValueError(f"choices are no list of words: {quoted(choices)}")
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < len(choices):
        raise ValueError(f"answer {quoted(answer)} is none of its {len(choices)} choices")
    return Question(text, tuple(choices), answer)
